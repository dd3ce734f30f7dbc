// Reading CSV into a matrix: dialect, header, column selection, numbers; see csv.h.
// Two passes over the text: one counts newlines to size the matrix, the second parses straight into it.
#include "src/io/csv.h"

#include <algorithm>
#include <cstdio>

#include "runtime/core/checked.h"
#include "runtime/core/status.h"
#include "src/io/csv_scan.h"
#include "src/io/number.h"
#include "src/io/quote.h"

namespace libnf {
namespace {

constexpr int64_t kMaxColumns = int64_t{1} << 20;

long long ll(int64_t v) { return v; }
const char* plural(int64_t n) { return n == 1 ? "" : "s"; }

std::string_view without_bom(std::string_view text, const char* source) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF"))
    fail(Code::format, "%s: the file is UTF-16; save it as UTF-8", source);
  return text;
}

char find_separator(std::string_view text, char given) {
  if (given) {
    if (std::string_view(",;|\t").find(given) == std::string_view::npos)
      fail(Code::argument, "CSV separator %s is not one of , ; | or tab", quote_text({&given, 1}).c_str());
    return given;
  }
  const size_t from = std::min(text.find_first_not_of(" \r\n"), text.size());
  bool in_quotes = false, semicolon = false;
  for (const char c : text.substr(from)) {
    if (c == '"') in_quotes = !in_quotes;
    if (in_quotes) continue;
    if (c == '\t') return '\t';
    if (c == ';') semicolon = true;
    if (c == '\n') break;
  }
  return semicolon ? ';' : ',';
}

bool marks_missing(std::string_view s) {
  for (const std::string_view mark : {"?", "NA", "N/A", "n/a", "null", "NULL", "None", "none", "-"})
    if (s == mark) return true;
  return false;
}

bool looks_like_name(std::string_view cell) {
  double ignored;
  return parse_number(cell, &ignored) == NumberKind::not_a_number && !marks_missing(trimmed(cell));
}

// Returns the matrix column that each file column goes to, or -1 if it is not selected.
std::vector<int64_t> place_columns(const std::vector<ColumnRef>& wanted, const std::vector<std::string>& names,
                                   int64_t file_cols, const char* source) {
  std::vector<int64_t> place(static_cast<size_t>(file_cols), wanted.empty() ? 0 : -1);
  if (wanted.empty())
    for (size_t i = 0; i < place.size(); ++i) place[i] = static_cast<int64_t>(i);
  for (size_t k = 0; k < wanted.size(); ++k) {
    int64_t index = wanted[k].index;
    if (index < 0) {
      const std::string shown = quote_text(wanted[k].name);
      const auto count = std::count(names.begin(), names.end(), wanted[k].name);
      if (names.empty())
        fail(Code::argument, "%s: no column %s: the file has no header; select columns by index", source,
             shown.c_str());
      if (count != 1)
        fail(Code::argument, "%s: %s column is named %s", source, count ? "more than one" : "no", shown.c_str());
      index = std::find(names.begin(), names.end(), wanted[k].name) - names.begin();
    }
    if (index >= file_cols)
      fail(Code::argument, "%s: column index %lld is out of range: the file has %lld column%s, counted from 0", source,
           ll(index), ll(file_cols), plural(file_cols));
    int64_t& to = place[static_cast<size_t>(index)];
    if (to >= 0) fail(Code::argument, "%s: column index %lld is selected twice", source, ll(index));
    to = static_cast<int64_t>(k);
  }
  return place;
}

// Place of a cell for messages: "file: line 3, column 2 ('age')".
struct Place {
  const char* source;
  const CsvScanner& scan;
  const std::vector<std::string>& names;
  std::string text() const {
    char where[64];
    std::snprintf(where, sizeof where, ": line %lld, column %lld", ll(scan.line()), ll(scan.column()));
    const auto i = static_cast<size_t>(scan.column() - 1);
    return source + std::string(where) + (i < names.size() ? " (" + quote_text(names[i]) + ")" : "");
  }
};

template <class T>
T number(std::string_view cell, const CsvOptions& options, const Place& place) {
  T v = 0;
  const NumberKind kind = parse_number(cell, &v);
  if (kind == NumberKind::finite || (kind == NumberKind::infinite_or_nan && options.allow_nonfinite)) return v;
  const std::string where = place.text();
  if (kind == NumberKind::empty) fail(Code::format, "%s: the value is missing", where.c_str());
  const char* why = kind == NumberKind::infinite_or_nan ? "is not finite"
                    : kind == NumberKind::out_of_range
                        ? (sizeof(T) == 4 ? "is out of range of float32" : "is out of range of float64")
                    : marks_missing(trimmed(cell)) ? "is a missing-value marker"
                                                   : "is not a number";
  fail(Code::format, "%s: %s %s", where.c_str(), quote_text(cell).c_str(), why);
}

}  // namespace

template <class T>
CsvMatrix read_csv(const Allocator& allocator, std::string_view text, const CsvOptions& options, const char* source) {
  text = without_bom(text, source);
  const char separator = find_separator(text, options.separator);

  CsvScanner scan(text, separator, source);
  if (!scan.next_row()) fail(Code::format, "%s: the file is empty", source);
  std::vector<std::string> names;
  bool header = options.header == CsvOptions::Header::present;
  while (scan.more()) {
    if (scan.column() == kMaxColumns) fail(Code::format, "%s: more than %lld columns", source, ll(kMaxColumns));
    names.emplace_back(scan.cell());
    header |= options.header == CsvOptions::Header::detect && looks_like_name(names.back());
  }
  const auto file_cols = static_cast<int64_t>(names.size());
  if (!header) {
    names.clear();
    scan = CsvScanner(text, separator, source);
  }

  CsvMatrix m;
  const std::vector<int64_t> place = place_columns(options.columns, names, file_cols, source);
  m.cols = options.columns.empty() ? file_cols : static_cast<int64_t>(options.columns.size());
  // Bound the cells by lines x columns and by bytes (a cell takes a byte, except in a short last row), so that no text
  // can make the allocation much larger than itself.
  const int64_t lines = 1 + std::count(text.begin(), text.end(), '\n') - header;
  const int64_t cells = std::min(checked_mul(lines, m.cols), static_cast<int64_t>(text.size()) + 1 + m.cols);
  m.data = Buffer(allocator, static_cast<size_t>(checked_mul(cells, sizeof(T))), "a CSV matrix");

  for (T* row = m.data.as<T>(); scan.next_row(); row += m.cols, ++m.rows) {
    while (scan.more()) {
      const std::string_view cell = scan.cell();
      if (scan.column() > file_cols) continue;  // only counted, for the error message
      const int64_t to = place[static_cast<size_t>(scan.column() - 1)];
      if (to >= 0) row[to] = number<T>(cell, options, {source, scan, names});
    }
    if (scan.column() != file_cols)
      fail(Code::format, "%s: line %lld has %lld column%s, but the first row has %lld", source, ll(scan.row_line()),
           ll(scan.column()), plural(scan.column()), ll(file_cols));
  }
  for (size_t i = 0; i < place.size() && header; ++i) {
    m.names.resize(static_cast<size_t>(m.cols));
    if (place[i] >= 0) m.names[static_cast<size_t>(place[i])] = names[i];
  }
  return m;
}

template CsvMatrix read_csv<float>(const Allocator&, std::string_view, const CsvOptions&, const char*);
template CsvMatrix read_csv<double>(const Allocator&, std::string_view, const CsvOptions&, const char*);

}  // namespace libnf
