// Comma-separated numbers to and from a row-major matrix. RFC 4180 quoting ("" inside quotes; commas and newlines in
// quoted cells), LF or CRLF, optional UTF-8 byte order mark, blank lines ignored, numbers independent of the locale.
//
// Strict: a missing, non-numeric or out-of-range value and a row of the wrong length are Error{format} naming the line
// of the file (from 1), the column (from 1, and its name) and the text. Nothing is guessed or filled in.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/core/allocator.h"
#include "src/io/byte_sink.h"

namespace nf {

// A column by its index from 0, or by its name in the header if index < 0.
struct ColumnRef {
  int64_t index = -1;
  std::string name = {};
};

struct CsvOptions {
  enum class Header { detect, present, absent };
  // detect: the first row is a header if a cell of it is neither empty, a number nor a usual mark of a missing value.
  Header header = Header::detect;
  char separator = 0;                   // one of , ; | tab. 0: tab or else ; if the first line has one, otherwise comma
  bool allow_nonfinite = false;         // accept inf, nan
  std::vector<ColumnRef> columns = {};  // these only, in this order; the others need not be numbers. Empty: all
};

struct CsvMatrix {
  Buffer data;  // rows x cols of the T asked for
  int64_t rows = 0, cols = 0;
  std::vector<std::string> names;  // empty without a header, otherwise cols of them
};

// `text` is the whole file; `source` names it in messages.
template <class T>
CsvMatrix read_csv(const Allocator& allocator, std::string_view text, const CsvOptions& options, const char* source);

// Shortest decimals that read back to the same T; a header if `names` is not empty (then cols of them).
template <class T>
void write_csv(ByteSink& sink, const T* data, int64_t rows, int64_t cols, std::span<const std::string> names,
               char separator = ',');

}  // namespace nf
