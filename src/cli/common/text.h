// Formats text and numbers for people: grouping, durations, nearest names, wrapping; and detects what the terminal can
// show. Color needs a terminal and NO_COLOR unset or empty; line drawing also needs a UTF-8 locale.
#pragma once
#include <cstdint>
#include <cstdio>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cli {

[[gnu::format(printf, 1, 2)]] std::string text(const char* format, ...);
std::string grouped(int64_t n);                    // 1,234,567
std::string counted(int64_t n, const char* noun);  // 1 row, 1,234 rows
std::string duration(double seconds);              // 0.4 s, 12 s, 3 min 20 s, 2 h 05 min
std::string plain_number(double value);            // shortest decimal that reads back to the same double
std::string join(std::span<const std::string> words, const char* between);
std::string shell_word(const std::string& argument);  // quoted for a shell if necessary

// Returns the candidate with the smallest edit distance to `word`, or "" if none is near.
std::string nearest(std::string_view word, std::span<const std::string> candidates);

// Wraps text to the columns from `indent` to `width`; the first line is not indented.
std::string wrapped(const std::string& words, size_t indent, size_t width);

// Capabilities of an output stream.
class Screen {
 public:
  explicit Screen(FILE* stream);
  bool terminal() const { return terminal_; }
  bool unicode() const { return unicode_; }
  size_t width() const;  // current width of the terminal; 100 elsewhere

  std::string bold(const std::string& s) const { return paint("1", s); }
  std::string dim(const std::string& s) const { return paint("2", s); }
  std::string good(const std::string& s) const { return paint("32", s); }
  std::string name(const std::string& s) const { return paint("36", s); }
  std::string bad(const std::string& s) const { return paint("31;1", s); }

 private:
  std::string paint(const char* code, const std::string& s) const;
  FILE* stream_;
  bool terminal_, color_, unicode_;
};

}  // namespace cli
