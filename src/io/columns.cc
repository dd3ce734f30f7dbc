// Parses column lists and row conditions; see columns.h.
#include "src/io/columns.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "runtime/core/status.h"
#include "src/io/number.h"
#include "src/io/quote.h"

namespace libnf {
namespace {
using Compare = RowCondition::Compare;

ColumnRef column_of(std::string word, bool quoted) {
  ColumnRef c;
  const auto [stop, error] = std::from_chars(word.data(), word.data() + word.size(), c.index);
  if (quoted || error != std::errc() || stop != word.data() + word.size() || c.index < 0) c.index = -1;
  c.name = std::move(word);
  return c;
}

// Reads words and signs from a line of text.
class Words {
 public:
  explicit Words(std::string_view text) : text_(text) {}

  bool done() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
    return at_ == text_.size();
  }
  bool take(std::string_view word) {
    if (done() || !text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }
  // Reads up to one of `ends`, without spaces around; or what is in quotes, where "" stands for a quote.
  std::string word(std::string_view ends, bool* quoted) {
    *quoted = take("\"");
    std::string out;
    while (*quoted) {
      if (at_ >= text_.size()) fail(Code::spec, "%s: a quote is never closed", quote_text(text_).c_str());
      const char c = text_[at_++];
      if (c == '"' && (at_ >= text_.size() || text_[at_] != '"')) return out;
      if (c == '"') ++at_;
      out += c;
    }
    const size_t from = at_;
    while (at_ < text_.size() && ends.find(text_[at_]) == std::string_view::npos &&
           !text_.substr(at_).starts_with(" and "))
      ++at_;
    return std::string(trimmed(text_.substr(from, at_ - from)));
  }

 private:
  std::string_view text_;
  size_t at_ = 0;
};

constexpr struct {
  const char* sign;
  Compare compare;
} kSigns[] = {{"==", Compare::equal}, {"!=", Compare::unequal}, {"<=", Compare::at_most}, {">=", Compare::at_least},
              {"=", Compare::equal},  {"<", Compare::less},     {">", Compare::greater}};

template <class T>
bool compares(Compare c, const T& a, const T& b) {
  switch (c) {
    case Compare::equal:
      return a == b;
    case Compare::unequal:
      return a != b;
    case Compare::less:
      return a < b;
    case Compare::at_most:
      return a <= b;
    case Compare::greater:
      return a > b;
    case Compare::at_least:
      return a >= b;
  }
  return false;
}

}  // namespace

std::vector<ColumnRef> parse_columns(std::string_view list) {
  std::vector<ColumnRef> columns;
  if (list.empty()) return columns;
  Words words(list);
  for (bool more = true; more;) {
    bool quoted = false;
    std::string word = words.word(",", &quoted);
    columns.push_back(column_of(std::move(word), quoted));
    more = words.take(",");
    if (!more && !words.done())
      fail(Code::spec, "%s: expected a comma after the closing quote", quote_text(list).c_str());
  }
  return columns;
}

std::vector<RowCondition> parse_conditions(std::string_view text) {
  std::vector<RowCondition> all;
  Words words(text);
  const std::string shown = quote_text(text);
  while (!words.done()) {
    RowCondition c;
    bool quoted = false;
    std::string name = words.word("=!<>&", &quoted);
    if (name.empty() && !quoted) fail(Code::spec, "%s: expected a column, as in \"age >= 18\"", shown.c_str());
    c.column = column_of(std::move(name), quoted);
    const auto* sign =
        std::find_if(std::begin(kSigns), std::end(kSigns), [&](const auto& s) { return words.take(s.sign); });
    if (sign == std::end(kSigns))
      fail(Code::spec, "%s: expected one of == != < <= > >= after the column %s", shown.c_str(),
           quote_text(c.column.name).c_str());
    c.compare = sign->compare;
    c.value = words.word("&", &quoted);
    if (c.value.empty() && !quoted) fail(Code::spec, "%s: expected a value after %s", shown.c_str(), sign->sign);
    c.numeric = !quoted && parse_number(c.value, &c.number) == NumberKind::finite;
    if (!c.numeric && c.compare != Compare::equal && c.compare != Compare::unequal)
      fail(Code::spec, "%s: %s compares numbers, and %s is not one", shown.c_str(), sign->sign,
           quote_text(c.value).c_str());
    all.push_back(std::move(c));
    if (words.done()) break;
    if (!words.take("&&") && !words.take("&") && !words.take("and "))
      fail(Code::spec, "%s: join conditions with \"and\"", shown.c_str());
    if (words.done()) fail(Code::spec, "%s: a condition is missing at the end", shown.c_str());
  }
  return all;
}

bool holds(const RowCondition& c, double value) {
  if (!c.numeric) return c.compare == Compare::unequal;
  return std::isnan(value) ? c.compare == Compare::unequal : compares(c.compare, value, c.number);
}

bool holds(const RowCondition& c, std::string_view cell, char decimal) {
  if (!c.numeric) return compares(c.compare, std::string_view(trimmed(cell)), std::string_view(c.value));
  double value = 0;
  const NumberKind kind = parse_number(cell, &value, decimal);
  if (kind != NumberKind::finite && kind != NumberKind::infinite_or_nan) return c.compare == Compare::unequal;
  return holds(c, value);
}

int64_t find_column(const ColumnRef& column, const std::vector<std::string>& names, int64_t count, const char* source) {
  const auto ll = [](int64_t v) { return static_cast<long long>(v); };
  const auto same = std::count(names.begin(), names.end(), column.name);
  if (column.index >= 0 && (column.index < count || same != 1)) {
    if (column.index >= count)
      fail(Code::argument, "%s: column index %lld is out of range: the file has %lld column%s, counted from 0", source,
           ll(column.index), ll(count), count == 1 ? "" : "s");
    return column.index;
  }
  const std::string shown = quote_text(column.name);
  if (names.empty())
    fail(Code::argument, "%s: no column %s: the file has no header; select columns by index", source, shown.c_str());
  if (same > 1) fail(Code::argument, "%s: more than one column is named %s", source, shown.c_str());
  if (same == 0) {
    constexpr size_t kShown = 8;
    std::string others;
    for (size_t i = 0; i < std::min(names.size(), kShown); ++i) others += (i ? ", " : "") + quote_text(names[i]);
    if (names.size() > kShown) others += " and " + std::to_string(names.size() - kShown) + " more";
    fail(Code::argument, "%s: no column is named %s; there are %s", source, shown.c_str(), others.c_str());
  }
  return std::find(names.begin(), names.end(), column.name) - names.begin();
}

}  // namespace libnf
