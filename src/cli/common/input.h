// Data files as the command line names them: a path, a pipe, or - for standard input. What cannot be read twice is read
// once, into memory.
#pragma once
#include <nf/nf.hpp>
#include <string>
#include <vector>

#include "src/cli/common/settings.h"

namespace cli {

// What a data file holds, found out from its first lines.
struct TableFacts {
  std::string format;  // "csv", "npy", "npz" or "idx"
  bool header = false;
  std::vector<std::string> names;  // with a header
  std::vector<bool> numeric;       // per column of a text
  int64_t columns = 0;
  std::string dtype;          // of an array
  bool fits_float32() const;  // whether float32 holds its numbers, with digits to spare if they are integers
};
// With `known` names, those of a model, a first line that has all of them is a header, whatever it looks like.
TableFacts describe_file(const nf::Runtime& runtime, const std::string& path, const Settings& settings,
                         const std::vector<std::string>& known = {});

nf::Table open_table(const nf::Runtime& runtime, const std::string& path, const Settings& settings);

// "standard input" for -, otherwise the path.
std::string shown_path(const std::string& path);

// Translates what the library says to set ("set missing to ...") into flags; "" if a message says nothing of the kind.
std::string flag_hint(const std::string& message);

}  // namespace cli
