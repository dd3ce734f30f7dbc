// See csv_dialect.h.
#include "src/io/csv_dialect.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "runtime/core/status.h"
#include "src/io/csv_scan.h"
#include "src/io/number.h"
#include "src/io/quote.h"
#include "src/io/utf8.h"

namespace libnf {
namespace {

constexpr int64_t kMaxColumns = int64_t{1} << 20;
constexpr size_t kSampleRows = 65, kSampleBytes = size_t{1} << 20;
constexpr size_t kManyRows = 4;  // from here on, whole numbers above fractions are suspicious

enum class Kind : uint8_t { number, missing, text };

struct Cell {
  std::string text;
  bool quoted = false;
  Kind kind = Kind::text;
  bool whole = false;  // digits only
};
using Row = std::vector<Cell>;

Cell classify(std::string_view text, bool quoted, char decimal) {
  Cell c{std::string(text), quoted};
  double ignored = 0;
  const NumberKind kind = parse_number(text, &ignored, decimal);
  c.kind = marks_missing(text) ? Kind::missing : kind == NumberKind::not_a_number ? Kind::text : Kind::number;
  c.whole = !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
  return c;
}

std::vector<Row> sample_rows(std::string_view text, char separator, char decimal, const char* source) {
  std::vector<Row> rows;
  CsvScanner scan(text, separator, source);
  size_t bytes = 0;
  while (rows.size() < kSampleRows && (rows.size() < 2 || bytes < kSampleBytes) && scan.next_row()) {
    Row& row = rows.emplace_back();
    while (scan.more()) {
      if (scan.column() == kMaxColumns)
        fail(Code::format, "%s: more than %lld columns", source, static_cast<long long>(kMaxColumns));
      const std::string_view cell = scan.cell();
      row.push_back(classify(cell, scan.quoted(), decimal));
      bytes += cell.size() + 1;
    }
  }
  return rows;
}

// Names in a file that is not UTF-8 are taken for Latin-1, so that they can be stored and written as text.
std::string as_utf8(const std::string& name) {
  if (is_utf8(name)) return name;
  std::string out;
  for (const char c : name) {
    const auto u = static_cast<unsigned char>(c);
    if (u >= 0x80) out += static_cast<char>(0xC0 | u >> 6);
    out += u < 0x80 ? c : static_cast<char>(0x80 | (u & 0x3F));
  }
  return out;
}

// ---- separator --------------------------------------------------------------------------------

constexpr char kSeparators[] = {'\t', ';', ',', '|', ' '};
using Counts = std::array<int64_t, std::size(kSeparators)>;

// Counts the separators outside quotes in each of the first lines; a run of blanks counts once.
std::vector<Counts> count_separators(std::string_view text) {
  std::vector<Counts> lines;
  Counts now{};
  bool in_quotes = false, blank = false, content = false;
  const auto finish = [&] {
    if (content) lines.push_back(now);
    now = {};
    blank = content = false;
  };
  for (const char c : text.substr(0, kSampleBytes)) {
    if (c == '"') in_quotes = !in_quotes;
    if (!in_quotes && (c == '\n' || c == '\r')) {
      finish();
      if (lines.size() == kSampleRows) return lines;
      continue;
    }
    const bool is_blank = c == ' ' || c == '\t';
    if (!is_blank || in_quotes) {
      now.back() += blank && content;  // runs between texts, not at the ends of the line
      blank = false;
      content = true;
    } else {
      blank = true;
    }
    for (size_t i = 0; i + 1 < now.size(); ++i) now[i] += !in_quotes && c == kSeparators[i];
  }
  if (text.size() <= kSampleBytes || lines.empty()) finish();
  return lines;
}

// Returns which part of the cells below the first row are numbers, with either decimal mark.
double numbers_among(std::string_view text, char separator, const char* source) {
  double numbers = 0, cells = 0;
  try {
    const std::vector<Row> points = sample_rows(text, separator, '.', source);
    const std::vector<Row> commas = separator == ',' ? points : sample_rows(text, separator, ',', source);
    for (size_t r = points.size() > 1 ? 1 : 0; r < points.size(); ++r)
      for (size_t c = 0; c < points[r].size(); ++c, ++cells)
        numbers += points[r][c].kind != Kind::text || commas[r][c].kind != Kind::text;
  } catch (const Error&) {  // its quotes make no sense with this separator
    return 0;
  }
  return cells > 0 ? numbers / cells : 0;
}

char find_separator(std::string_view text, const CsvOptions& options, const char* source) {
  if (options.separator) {
    if (std::string_view(",;|\t ").find(options.separator) == std::string_view::npos)
      fail(Code::argument, "CSV separator %s is not one of , ; | tab or space",
           quote_text({&options.separator, 1}).c_str());
    return options.separator;
  }
  const std::vector<Counts> lines = count_separators(text);
  if (lines.empty()) return ',';
  // The share of the lines that a separator divides into as many cells as most of them.
  const auto agreement = [&](size_t i) {
    std::map<int64_t, size_t> votes;
    for (const Counts& line : lines) ++votes[line[i]];
    const auto most = std::max_element(votes.begin(), votes.end(), [](const auto& a, const auto& b) {
      return a.second != b.second ? a.second < b.second : a.first < b.first;
    });
    return most->first == 0 ? 0.0 : static_cast<double>(most->second) / static_cast<double>(lines.size());
  };
  const size_t blanks = std::size(kSeparators) - 1;
  char best = ',';
  double best_agreement = 0, best_numbers = 0;
  for (size_t i = 0; i < blanks; ++i) {
    const double a = agreement(i);
    if (a == 0 || a < best_agreement) continue;
    const double n = numbers_among(text, kSeparators[i], source);
    if (a > best_agreement || n > best_numbers) best = kSeparators[i], best_agreement = a, best_numbers = n;
  }
  // Blanks separate only where nothing else makes numbers of all cells, and they do.
  if (agreement(blanks) == 1 && best_numbers < 1 && numbers_among(text, ' ', source) == 1) return ' ';
  return best;
}

// ---- header -----------------------------------------------------------------------------------

[[noreturn]] void ask(const Row& row, const char* why, const char* source) {
  std::string shown;
  for (size_t i = 0; i < std::min<size_t>(row.size(), 3); ++i) shown += (i ? ", " : "") + quote_text(row[i].text, 14);
  if (row.size() > 3) shown += ", ...";
  fail(Code::format, "%s: is line 1 (%s) names or data? %s; set header to \"present\" (names) or \"absent\" (data)",
       source, shown.c_str(), why);
}

bool begins_like_number(const std::string& s) {
  const size_t at = s.find_first_not_of("+-.");
  return at != std::string::npos && at < 3 && s[at] >= '0' && s[at] <= '9';
}

bool counts_up(const Row& row, size_t from) {
  for (size_t i = from; i < row.size(); ++i)
    if (row[i].text != std::to_string(i - from)) return false;
  return true;
}

// Whether column c has a number, or a text, below the first row.
bool has_below(const std::vector<Row>& rows, size_t c, Kind kind) {
  for (size_t r = 1; r < rows.size(); ++r)
    if (c < rows[r].size() && rows[r][c].kind == kind) return true;
  return false;
}

// Returns whether the first row holds names; see csv_dialect.h.
bool is_header(const std::vector<Row>& rows, const CsvOptions& options, const char* source) {
  const Row& first = rows[0];
  const auto count = [&](Kind k) {
    return std::count_if(first.begin(), first.end(), [&](const Cell& c) { return c.kind == k; });
  };
  const auto texts = count(Kind::text), numbers = count(Kind::number), missing = count(Kind::missing);
  const auto named = [&](const ColumnRef& c) {
    return std::any_of(first.begin(), first.end(), [&](const Cell& f) { return as_utf8(f.text) == c.name; });
  };
  const auto by_name = [&](const ColumnRef& c) { return c.index < 0; };
  // Columns asked for by name are found in a header only.
  if (std::any_of(options.columns.begin(), options.columns.end(), by_name) &&
      std::all_of(options.columns.begin(), options.columns.end(),
                  [&](const ColumnRef& c) { return c.index >= 0 || named(c); }))
    return true;
  const auto all_quoted = [](const Row& r) {
    return std::all_of(r.begin(), r.end(), [](const Cell& c) { return c.quoted; });
  };
  if (all_quoted(first)) {
    if (rows.size() > 1 && std::none_of(rows.begin() + 1, rows.end(), all_quoted)) return true;
    if (rows.size() == 1 && numbers > 0) ask(first, "all of it is quoted", source);
  }
  if (texts > 0) {
    bool above_numbers = false;
    for (size_t c = 0; c < first.size(); ++c)
      above_numbers |= first[c].kind == Kind::text && (rows.size() == 1 || !has_below(rows, c, Kind::text));
    if (numbers > 0) {
      if (above_numbers) ask(first, "it has a number", source);
      return false;
    }
    const bool marks = std::any_of(first.begin(), first.end(),
                                   [](const Cell& c) { return c.kind == Kind::missing && !c.text.empty(); });
    if (marks && !above_numbers) ask(first, "it has a mark of a missing value", source);
    if (std::all_of(first.begin(), first.end(), [](const Cell& c) { return begins_like_number(c.text) && !c.quoted; }))
      ask(first, "its texts begin like numbers (with decimal commas, set decimal to \",\")", source);
    return true;
  }
  if (numbers == 0) return false;
  if (std::any_of(first.begin(), first.end(), [](const Cell& c) { return c.kind == Kind::number && !c.whole; }))
    return false;
  const bool index = first.size() > 1 && first[0].text.empty() && missing == 1;
  if (first.size() > 1 && counts_up(first, index)) ask(first, "it counts columns, as pandas does", source);
  if (missing > 0 || rows.size() <= kManyRows) return false;
  std::set<std::string> distinct;
  for (const Cell& c : first) distinct.insert(c.text);
  if (distinct.size() < first.size()) return false;
  for (size_t r = 1; r < rows.size(); ++r)
    for (const Cell& c : rows[r])
      if (c.kind != Kind::number || c.text.find_first_of(".,eE") == std::string::npos) return false;
  ask(first, "it has whole numbers, and no line below does", source);
}

}  // namespace

bool marks_missing(std::string_view cell) {
  const std::string_view s = trimmed(cell);
  for (const std::string_view mark : {"",    "?",      "NA",      "N/A",     "n/a",   "#N/A",  "#NA",    "<NA>",   "na",
                                      "NaT", "null",   "NULL",    "Null",    "None",  "none",  "NONE",   "-",      "--",
                                      ".",   "#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NUM!", "#NAME?", "missing"})
    if (s == mark) return true;
  return false;
}

std::string_view without_bom(std::string_view text, const char* source) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF"))
    fail(Code::format, "%s: the file is UTF-16; save it as UTF-8", source);
  return text;
}

CsvDialect find_dialect(std::string_view text, const CsvOptions& options, const char* source) {
  CsvDialect d;
  d.separator = find_separator(text, options, source);
  const std::vector<Row> rows = sample_rows(text, d.separator, options.decimal, source);
  if (rows.empty()) fail(Code::format, "%s: the file is empty", source);
  d.columns = static_cast<int64_t>(rows[0].size());
  d.header = options.header == CsvOptions::Header::detect ? is_header(rows, options, source)
                                                          : options.header == CsvOptions::Header::present;
  if (d.header)
    for (const Cell& c : rows[0]) {
      if (c.text.find('\0') != std::string::npos)
        fail(Code::format, "%s: line 1 has NUL characters, so it is not a text; data is .npy, .npz, IDX or CSV",
             source);
      d.names.push_back(as_utf8(c.text));
    }
  for (size_t c = 0; c < rows[0].size(); ++c) {
    const bool first = !d.header && rows[0][c].kind == Kind::text;
    d.numeric.push_back(!first && !has_below(rows, c, Kind::text));
  }
  return d;
}

}  // namespace libnf
