// Writes a matrix as CSV with shortest round-trip decimals (std::to_chars) and quoted names; see csv.h.
#include <charconv>
#include <cmath>

#include "runtime/core/status.h"
#include "src/io/csv.h"

namespace libnf {
namespace {

// Quotes names with anything but letters, digits and _, which is safe for every separator, space and byte order mark.
std::string cell_of(const std::string& name) {
  const auto plain = [](char c) {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  };
  bool quote = name.empty();
  std::string out = "\"";
  for (const char c : name) {
    quote |= !plain(c);
    out += c;
    if (c == '"') out += c;
  }
  return quote ? out + "\"" : name;
}

template <class T>
void append_number(std::string* line, T v) {
  char text[40];
  if (std::isnan(v)) {
    *line += "nan";  // to_chars would write the sign of a NaN
    return;
  }
  *line += std::string_view(text, static_cast<size_t>(std::to_chars(text, text + sizeof text, v).ptr - text));
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
  for (const std::string& name : names) line += cell_of(name) + separator;
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
