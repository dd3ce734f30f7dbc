// Writes a matrix as CSV with shortest round-trip decimals (std::to_chars) and quoted names; see csv.h.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "runtime/core/status.h"
#include "src/io/csv.h"
#include "src/io/number.h"

namespace libnf {
namespace {

// Quotes names with anything but letters, digits and _, which is safe for every separator, space and byte order mark.
std::string quoted(const std::string& name) {
  std::string out = "\"";
  for (const char c : name) {
    out += c;
    if (c == '"') out += c;
  }
  return out + "\"";
}

bool is_plain(const std::string& name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  });
}

// Whether the reader could take the name for data: it does not if all names are quoted (csv_dialect.h).
bool looks_like_data(const std::string& name) {
  double ignored = 0;
  return marks_missing(name) || (name[0] >= '0' && name[0] <= '9') ||
         parse_number(name, &ignored) != NumberKind::not_a_number;
}

template <class T>
void append_number(std::string* line, T v) {
  char text[40];
  if (std::isnan(v)) {
    *line += "nan";  // to_chars would write the sign of a NaN
    return;
  }
  constexpr T kPlain = T{1e15};  // whole numbers below have all their digits: 1000000, not 1e+06
  const bool whole = std::abs(v) < kPlain && v == std::trunc(v) && v != 0;
  const auto end = whole ? std::to_chars(text, text + sizeof text, static_cast<int64_t>(v))
                         : std::to_chars(text, text + sizeof text, v);
  *line += std::string_view(text, static_cast<size_t>(end.ptr - text));
}

}  // namespace

template <class T>
void write_csv(ByteSink& sink, const T* data, int64_t rows, int64_t cols, std::span<const std::string> names,
               char separator) {
  if (rows < 0 || cols < 0 || (!names.empty() && static_cast<int64_t>(names.size()) != cols))
    fail(Code::argument, "CSV: %zu names for %lld columns", names.size(), static_cast<long long>(cols));
  std::string line;
  const auto finish = [&] {
    line.back() = '\n';
    sink.write(line.data(), line.size());
    line.clear();
  };
  const bool quote_all = std::any_of(names.begin(), names.end(), looks_like_data);
  for (const std::string& name : names) line += (quote_all || !is_plain(name) ? quoted(name) : name) + separator;
  if (!line.empty()) finish();
  for (int64_t r = 0; r < rows && cols > 0; ++r) {
    for (int64_t c = 0; c < cols; ++c) {
      append_number(&line, data[r * cols + c]);
      line += separator;
    }
    finish();
  }
}

template void write_csv(ByteSink&, const float*, int64_t, int64_t, std::span<const std::string>, char);
template void write_csv(ByteSink&, const double*, int64_t, int64_t, std::span<const std::string>, char);

}  // namespace libnf
