// Writes rows of numbers: .npy or .csv by the path's extension, or CSV to standard output for "-" and "". A file appears
// under its name only when it is complete.
#pragma once
#include <nf/nf.hpp>
#include <string>
#include <utility>
#include <vector>

namespace cli {

bool to_stdout(const std::string& path);

// A flag and its path, "" if not given.
using Named = std::pair<const char*, std::string>;
// Failure if an output is the same file as an input, which it would overwrite.
void keep_inputs(const std::vector<Named>& inputs, const std::vector<Named>& outputs);

// All rows, of rank 1 or 2, or 4 for images in a .npy. Without column `names` CSV has no header.
void write_rows(const nf::View& rows, const std::string& path, const std::vector<std::string>& names = {});

// A text file, or standard output.
void write_text(const std::string& text, const std::string& path);

// Failure if the folder of `path` does not exist or is not writable, to be found before any work; `flag` starts the
// message.
void check_folder(const std::string& path, const std::string& flag = {});
// Also fails if the extension is not a known format.
void check_output(const std::string& path);

}  // namespace cli
