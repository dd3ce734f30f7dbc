// Finds out how a CSV file is written from its first rows: the separator, and whether the first row holds names.
//
// Names have no number among them. The first row is
//   names if it has a name and no number, or if all of its cells are quoted and no other row is like that (which is how
//         write_csv writes names that look like numbers);
//   data  if all of its cells are numbers or missing, or if each of its texts stands in a column of texts;
//   asked about otherwise (Error{format} names option "header"): a number beside a name above a column of numbers; 0, 1,
//         2, ..., which pandas writes for a frame without names; whole numbers above columns of fractions.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "src/io/csv.h"

namespace libnf {

struct CsvDialect {
  char separator = ',';
  bool header = false;
  std::vector<std::string> names;  // without a header: empty
  std::vector<char> numeric;       // per column: whether the first rows have a number in it, and no text
  int64_t columns = 0;
};

// `text` has no byte order mark and at least one row, else Error{format}.
CsvDialect find_dialect(std::string_view text, const CsvOptions& options, const char* source);

// Removes a UTF-8 byte order mark. Error{format} for UTF-16.
std::string_view without_bom(std::string_view text, const char* source);

}  // namespace libnf
