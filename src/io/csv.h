// Reads and writes comma-separated numbers as a row-major matrix. RFC 4180 quoting ("" inside quotes; commas and
// newlines in quoted cells), LF, CRLF or CR, optional UTF-8 byte order mark, blank lines ignored, numbers independent of
// the locale.
//
// Strict: a missing, non-numeric or out-of-range value or a row of the wrong length is Error{format} naming the line
// of the file (from 1), the column (from 1, and its name) and the text. Nothing is guessed or filled in, and no row is
// taken for a header unless it can only be one.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/core/allocator.h"
#include "src/io/byte_sink.h"
#include "src/io/columns.h"
#include "src/io/row_places.h"

namespace libnf {

// What to do with a row that has a missing value, NaN or infinity in a column that is read: fail, leave the row out, or
// read NaN.
enum class Missing : uint8_t { error, drop, keep };

struct CsvOptions {
  enum class Header { detect, present, absent };
  // detect: see csv_dialect.h. Where it is unclear, Error{format} asks.
  Header header = Header::detect;
  // One of , ; | tab, or a space for runs of spaces and tabs. 0: the one that divides all lines alike.
  char separator = 0;
  char decimal = '.';  // or ','
  Missing missing = Missing::error;
  std::vector<ColumnRef> columns = {};   // read only these, in this order; others need not be numbers. Empty: all
  std::vector<RowCondition> where = {};  // read only the rows where all of these hold
  std::optional<ColumnRef> id = {};      // column of texts to keep per row; not in an empty list of `columns`
};

struct CsvMatrix {
  Buffer data;  // rows x cols of T
  int64_t rows = 0, cols = 0;
  std::vector<std::string> names;               // one per column; empty without a header
  RowPlaces places;                             // of the rows in the file
  std::vector<std::string> ids;                 // one per row, if options.id is set
  int64_t dropped = 0, first_dropped_line = 0;  // Missing::drop
};

// `text` is the whole file; `source` names it in messages.
template <class T>
CsvMatrix read_csv(const Allocator& allocator, std::string_view text, const CsvOptions& options, const char* source);

// Writes the shortest decimals that read back to the same T, and a header unless `names` is empty (else one per
// column). read_csv finds the names again, whatever characters they have.
template <class T>
void write_csv(ByteSink& sink, const T* data, int64_t rows, int64_t cols, std::span<const std::string> names,
               char separator = ',');

// Whether a text stands for a missing value: empty, NA, n/a, null, ? and so on.
bool marks_missing(std::string_view cell);

}  // namespace libnf
