// See text.h. Numbers never depend on the locale: the command does not call setlocale.
#include "src/cli/common/text.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdarg>
#include <cstdlib>
#include <numeric>

namespace cli {

std::string text(const char* format, ...) {
  va_list args, again;
  va_start(args, format);
  va_copy(again, args);
  std::string out(static_cast<size_t>(std::max(0, std::vsnprintf(nullptr, 0, format, args))), '\0');
  std::vsnprintf(out.data(), out.size() + 1, format, again);
  va_end(again);
  va_end(args);
  return out;
}

std::string grouped(int64_t n) {
  std::string s = std::to_string(n);
  for (size_t i = s.size(); i > 3 + (n < 0 ? 1u : 0u);) s.insert(i -= 3, ",");
  return s;
}

std::string counted(int64_t n, const char* noun) { return grouped(n) + " " + noun + (n == 1 ? "" : "s"); }

std::string duration(double seconds) {
  if (!(seconds < 1e9)) return "?";
  if (seconds < 9.95) return text("%.1f s", seconds);
  const auto s = static_cast<int64_t>(seconds + 0.5);
  if (s < 60) return text("%d s", static_cast<int>(s));
  if (s < 3600) return text("%d min %02d s", static_cast<int>(s / 60), static_cast<int>(s % 60));
  return text("%d h %02d min", static_cast<int>(s / 3600), static_cast<int>(s / 60 % 60));
}

std::string plain_number(double value) {
  char buffer[40];
  return {buffer, std::to_chars(buffer, buffer + sizeof(buffer), value).ptr};
}

std::string join(std::span<const std::string> words, const char* between) {
  std::string out;
  for (const std::string& w : words) out += (out.empty() ? "" : between) + w;
  return out;
}

std::string shell_word(const std::string& argument) {
  const auto safe = [](unsigned char c) {
    return std::isalnum(c) || std::string_view("-_./=:,+@%").find(static_cast<char>(c)) < 99;
  };
  if (!argument.empty() && std::all_of(argument.begin(), argument.end(), safe)) return argument;
  std::string out = "'";
  for (char c : argument) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string nearest(std::string_view word, std::span<const std::string> candidates) {
  std::string best;
  size_t best_distance = std::max<size_t>(2, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    std::vector<size_t> row(candidate.size() + 1);
    std::iota(row.begin(), row.end(), size_t{0});
    for (size_t i = 0; i < word.size(); ++i) {
      size_t diagonal = row[0];
      row[0] = i + 1;
      for (size_t j = 0; j < candidate.size(); ++j) {
        const size_t replace = diagonal + (word[i] != candidate[j]);
        diagonal = row[j + 1];
        row[j + 1] = std::min({replace, row[j] + 1, diagonal + 1});
      }
    }
    if (row.back() < best_distance) best_distance = row.back(), best = candidate;
  }
  return best;
}

std::string wrapped(const std::string& words, size_t indent, size_t width) {
  width = std::max(width, indent + 20);
  std::string out;
  size_t column = indent;
  for (size_t at = 0; at < words.size();) {
    const size_t end = std::min(words.find(' ', at), words.size());
    const size_t length = end - at;
    if (column > indent && column + 1 + length > width) {
      out += "\n" + std::string(indent, ' ');
      column = indent;
    } else if (column > indent) {
      out += ' ';
      ++column;
    }
    out.append(words, at, length);
    column += length;
    at = end + 1;
  }
  return out;
}

namespace {
bool set(const char* variable) {
  const char* value = std::getenv(variable);
  return value && *value;
}

bool utf8_locale() {
  for (const char* variable : {"LC_ALL", "LC_CTYPE", "LANG"})
    if (const char* value = std::getenv(variable); value && *value) {
      std::string v = value;
      std::transform(v.begin(), v.end(), v.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      return v.find("utf-8") != std::string::npos || v.find("utf8") != std::string::npos;
    }
  return false;
}
}  // namespace

Screen::Screen(FILE* stream) : stream_(stream), terminal_(isatty(fileno(stream)) != 0) {
  const char* kind = std::getenv("TERM");
  const bool dumb = kind && std::string_view(kind) == "dumb";
  terminal_ = terminal_ && !dumb;
  color_ = terminal_ && !set("NO_COLOR");
  unicode_ = terminal_ && utf8_locale();
}

size_t Screen::width() const {
  winsize size{};
  if (!terminal_ || ioctl(fileno(stream_), TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 100;
  return size.ws_col;
}

std::string Screen::paint(const char* code, const std::string& s) const {
  return color_ ? std::string("\033[") + code + "m" + s + "\033[0m" : s;
}

}  // namespace cli
