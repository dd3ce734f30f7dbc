// Reads and writes comma-separated numbers as a row-major matrix. RFC 4180 quoting ("" inside quotes; commas and
// newlines in quoted cells), LF or CRLF, optional UTF-8 byte order mark, blank lines ignored, numbers independent of
// the locale.
//
// Strict: a missing, non-numeric or out-of-range value or a row of the wrong length is Error{format} naming the line
// of the file (from 1), the column (from 1, and its name) and the text. Nothing is guessed or filled in.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/core/allocator.h"
#include "src/io/byte_sink.h"

namespace libnf {

// Selects a column by its index from 0, or by its name in the header if index < 0.
struct ColumnRef {
  int64_t index = -1;
  std::string name = {};
};

struct CsvOptions {
  enum class Header { detect, present, absent };
  // detect: the first row is a header if any of its cells is not empty, not a number and not a missing-value marker.
  Header header = Header::detect;
  char separator = 0;                   // one of , ; | tab. 0: tab if the first line has one, else ; if it has, else ,
  bool allow_nonfinite = false;         // accept inf, nan
  std::vector<ColumnRef> columns = {};  // read only these, in this order; others need not be numbers. Empty: all
};

struct CsvMatrix {
  Buffer data;  // rows x cols of T
  int64_t rows = 0, cols = 0;
  std::vector<std::string> names;  // one per column; empty without a header
};

// `text` is the whole file; `source` names it in messages.
template <class T>
CsvMatrix read_csv(const Allocator& allocator, std::string_view text, const CsvOptions& options, const char* source);

// Writes the shortest decimals that read back to the same T, and a header unless `names` is empty (else one per
// column).
template <class T>
void write_csv(ByteSink& sink, const T* data, int64_t rows, int64_t cols, std::span<const std::string> names,
               char separator = ',');

}  // namespace libnf
