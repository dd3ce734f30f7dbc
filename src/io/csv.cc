// Reads CSV into a matrix: column selection, conditions on rows, numbers; see csv.h. csv_dialect.cc finds the separator
// and the header. Two passes over the text: one counts lines to size the matrix, the second parses straight into it.
#include "src/io/csv.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

#include "runtime/core/checked.h"
#include "runtime/core/status.h"
#include "src/io/csv_dialect.h"
#include "src/io/csv_scan.h"
#include "src/io/number.h"
#include "src/io/quote.h"

namespace libnf {
namespace {

long long ll(int64_t v) { return v; }
const char* plural(int64_t n) { return n == 1 ? "" : "s"; }

// Returns the matrix column that each file column goes to, or -1 if it is not selected.
std::vector<int64_t> place_columns(const CsvOptions& options, const CsvDialect& d, int64_t id, const char* source) {
  std::vector<int64_t> place(static_cast<size_t>(d.columns), -1);
  int64_t next = 0;
  for (int64_t i = 0; i < d.columns && options.columns.empty(); ++i)
    if (i != id) place[static_cast<size_t>(i)] = next++;
  for (const ColumnRef& wanted : options.columns) {
    const int64_t index = find_column(wanted, d.names, d.columns, source);
    int64_t& to = place[static_cast<size_t>(index)];
    if (to >= 0) fail(Code::argument, "%s: column index %lld is selected twice", source, ll(index));
    to = next++;
  }
  if (next == 0) fail(Code::argument, "%s: the id is the only column, so there are no numbers", source);
  return place;
}

// Place of a cell for messages: "file: line 3, column 2 ('age')".
struct Place {
  const char* source;
  const CsvScanner& scan;
  const CsvDialect& dialect;
  std::string text() const {
    char where[64];
    std::snprintf(where, sizeof where, ": line %lld, column %lld", ll(scan.line()), ll(scan.column()));
    const auto i = static_cast<size_t>(scan.column() - 1);
    return source + std::string(where) + (i < dialect.names.size() ? " (" + quote_text(dialect.names[i]) + ")" : "");
  }
};

// Advice about a text that is not a number: another decimal mark, or the columns that are numbers.
std::string advice(std::string_view cell, const CsvOptions& options, const Place& place) {
  double ignored = 0;
  if (parse_number(cell, &ignored, options.decimal == '.' ? ',' : '.') == NumberKind::finite)
    return options.decimal == '.' ? "; for decimal commas set decimal to \",\""
                                  : "; for decimal points set decimal to \".\"";
  const std::vector<char>& numeric = place.dialect.numeric;
  if (numeric[static_cast<size_t>(place.scan.column() - 1)] || !options.columns.empty()) return {};
  std::string list;
  for (size_t i = 0; i < numeric.size(); ++i)
    if (numeric[i]) list += (list.empty() ? "" : ",") + std::to_string(i);
  if (list.empty()) return {};
  return list.size() > 60 ? "; set columns to those that hold numbers" : "; set columns to those with numbers: " + list;
}

// Reads a cell as a number, or NaN if it is missing and that is not an error. Sets *missing for those and infinities.
template <class T>
T number(std::string_view cell, const CsvOptions& options, const Place& place, bool* missing) {
  T v = 0;
  const NumberKind kind = parse_number(cell, &v, options.decimal);
  if (kind == NumberKind::finite) return v;
  const bool marked = kind == NumberKind::empty || (kind == NumberKind::not_a_number && marks_missing(cell));
  if (options.missing != Missing::error && (marked || kind == NumberKind::infinite_or_nan)) {
    *missing = true;
    return marked ? std::numeric_limits<T>::quiet_NaN() : v;
  }
  const std::string where = place.text();
  const char* drop = "; set missing to \"drop\" to leave such rows out";
  if (kind == NumberKind::empty) fail(Code::format, "%s: the value is missing%s", where.c_str(), drop);
  const char* why = kind == NumberKind::infinite_or_nan ? "is not finite"
                    : kind == NumberKind::out_of_range
                        ? (sizeof(T) == 4 ? "is out of range of float32" : "is out of range of float64")
                    : marked ? "is a missing-value marker"
                             : "is not a number";
  const std::string more = marked || kind == NumberKind::infinite_or_nan ? drop
                           : kind == NumberKind::not_a_number            ? advice(cell, options, place)
                                                                         : std::string();
  fail(Code::format, "%s: %s %s%s", where.c_str(), quote_text(cell).c_str(), why, more.c_str());
}

// Whether the row at which `scan` stands satisfies the conditions; leaves it behind the row.
bool satisfies(CsvScanner& scan, const std::vector<std::pair<int64_t, RowCondition>>& where, char decimal) {
  bool all = true;
  while (scan.more()) {
    const std::string_view cell = scan.cell();
    for (const auto& [column, condition] : where)
      if (column == scan.column() - 1) all = all && holds(condition, cell, decimal);
  }
  return all;
}

// An upper bound of the rows: line ends, and one for the last line.
int64_t count_lines(std::string_view text) {
  int64_t lines = 1;
  for (size_t i = 0; i < text.size(); ++i)
    lines += text[i] == '\n' || (text[i] == '\r' && (i + 1 == text.size() || text[i + 1] != '\n'));
  return lines;
}

}  // namespace

template <class T>
CsvMatrix read_csv(const Allocator& allocator, std::string_view text, const CsvOptions& options, const char* source) {
  text = without_bom(text, source);
  const CsvDialect dialect = find_dialect(text, options, source);
  const int64_t file_cols = dialect.columns;
  const int64_t id = options.id ? find_column(*options.id, dialect.names, file_cols, source) : -1;
  const std::vector<int64_t> place = place_columns(options, dialect, id, source);
  std::vector<std::pair<int64_t, RowCondition>> where;
  for (const RowCondition& c : options.where)
    where.emplace_back(find_column(c.column, dialect.names, file_cols, source), c);

  CsvMatrix m;
  m.cols = 1 + *std::max_element(place.begin(), place.end());
  // Bound the cells by lines x columns and by bytes (a cell takes a byte, except in a short last row), so that no text
  // can make the allocation much larger than itself.
  const int64_t lines = count_lines(text) - dialect.header;
  const int64_t cells = std::min(checked_mul(lines, m.cols), static_cast<int64_t>(text.size()) + 1 + m.cols);
  m.data = Buffer(allocator, static_cast<size_t>(checked_mul(cells, sizeof(T))), "a CSV matrix");

  CsvScanner scan(text, dialect.separator, source);
  if (dialect.header) {
    scan.next_row();
    while (scan.more()) scan.cell();
  }
  T* row = m.data.as<T>();
  for (int64_t in_file = 0; scan.next_row(); ++in_file) {
    if (!where.empty()) {
      CsvScanner after = scan;
      if (!satisfies(after, where, options.decimal)) {
        scan = after;
        continue;
      }
    }
    bool missing = false;
    std::string name;
    while (scan.more()) {
      const std::string_view cell = scan.cell();
      if (scan.column() > file_cols) continue;  // only counted, for the error message
      if (scan.column() - 1 == id) name = cell;
      const int64_t to = place[static_cast<size_t>(scan.column() - 1)];
      if (to >= 0) row[to] = number<T>(cell, options, {source, scan, dialect}, &missing);
    }
    if (scan.column() != file_cols)
      fail(Code::format, "%s: line %lld has %lld column%s, but the first row has %lld", source, ll(scan.row_line()),
           ll(scan.column()), plural(scan.column()), ll(file_cols));
    if (missing && options.missing == Missing::drop) {
      if (m.dropped++ == 0) m.first_dropped_line = scan.row_line();
      continue;
    }
    m.places.add(in_file, scan.row_line());
    if (id >= 0) m.ids.push_back(std::move(name));
    row += m.cols;
    ++m.rows;
  }
  if (dialect.header) m.names.resize(static_cast<size_t>(m.cols));
  for (size_t i = 0; i < place.size() && dialect.header; ++i)
    if (place[i] >= 0) m.names[static_cast<size_t>(place[i])] = dialect.names[i];
  return m;
}

template CsvMatrix read_csv<float>(const Allocator&, std::string_view, const CsvOptions&, const char*);
template CsvMatrix read_csv<double>(const Allocator&, std::string_view, const CsvOptions&, const char*);

}  // namespace libnf
