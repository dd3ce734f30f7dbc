// Parses JSON without recursion; see json_reader.h.
#include "src/io/json_reader.h"

#include <charconv>

#include "src/io/number.h"
#include "src/io/utf8.h"

namespace libnf {
namespace {

class Reader {
 public:
  Reader(std::string_view text, JsonHandler& to) : text_(text), to_(to) {}

  void document() {
    std::string open;  // '{' or '[' per open container
    space();
    for (;;) {
      if (take('{')) {
        to_.begin_object();
        space();
        if (!take('}')) {
          open.push_back('{');
          name();
          continue;
        }
        to_.end_object();
      } else if (take('[')) {
        to_.begin_array();
        space();
        if (!take(']')) {
          open.push_back('[');
          continue;
        }
        to_.end_array();
      } else {
        scalar();
      }
      if (!next(open)) return;
    }
  }

 private:
  // Called after a value: closes the containers that end here. Returns true if another value follows.
  bool next(std::string& open) {
    for (;; open.pop_back()) {
      space();
      if (open.empty()) {
        if (at_ < text_.size()) error("text after the end of the document");
        return false;
      }
      const bool object = open.back() == '{';
      if (take(',')) {
        space();
        if (object) name();
        return true;
      }
      if (!take(object ? '}' : ']')) error(object ? "expected ',' or '}'" : "expected ',' or ']'");
      object ? to_.end_object() : to_.end_array();
    }
  }

  void name() {
    if (!take('"')) error("expected a key in double quotes");
    to_.key(quoted());
    space();
    if (!take(':')) error("expected ':'");
    space();
  }

  void scalar() {
    if (take('"')) return to_.value(quoted());
    if (take("true")) return to_.value(true);
    if (take("false")) return to_.value(false);
    if (take("null")) return to_.value(Json());
    if (peek() != '-' && !digit()) error("expected a value");
    to_.value(number());
  }

  Json number() {
    const size_t start = at_;
    take('-');
    if (!take('0')) digits();
    bool whole = true;
    if (take('.')) {
      whole = false;
      digits();
    }
    if (take('e') || take('E')) {
      whole = false;
      if (!take('+')) take('-');
      digits();
    }
    const std::string_view s = text_.substr(start, at_ - start);
    int64_t i = 0;
    if (whole && std::from_chars(s.data(), s.data() + s.size(), i).ec == std::errc()) return i;
    uint64_t u = 0;
    if (whole && s[0] != '-' && std::from_chars(s.data(), s.data() + s.size(), u).ec == std::errc()) return u;
    double d = 0;
    if (parse_number(s, &d) != NumberKind::finite) error("number out of range", start);
    return d;
  }

  void digits() {
    if (!digit()) error("expected a digit");
    while (digit()) ++at_;
  }

  // Reads a string whose opening quote has been taken.
  std::string quoted() {
    const size_t start = at_ - 1;
    std::string out;
    while (!take('"')) {
      if (at_ == text_.size()) error("unterminated string", start);
      if (take('\\')) {
        escaped(&out);
        continue;
      }
      const auto c = static_cast<unsigned char>(text_[at_]);
      if (c < 0x20) error(c ? "control character in a string; write it as \\u00XX" : kNul);
      const size_t n = utf8_length(text_, at_);
      if (n == 0) error("invalid UTF-8");
      out.append(text_, at_, n);
      at_ += n;
    }
    return out;
  }

  void escaped(std::string* out) {
    static constexpr std::string_view kNames = "\"\\/bfnrt", kMeanings = "\"\\/\b\f\n\r\t";
    const size_t start = at_ - 1;
    if (take('u')) return append_utf8(code_point(start), out);
    const size_t i = at_ < text_.size() ? kNames.find(text_[at_]) : std::string_view::npos;
    if (i == std::string_view::npos) error("unknown escape sequence", start);
    out->push_back(kMeanings[i]);
    ++at_;
  }

  // Reads the digits after "\u". A character above U+FFFF takes two escapes, a high and a low surrogate.
  uint32_t code_point(size_t start) {
    const uint32_t first = four_digits(start);
    if (first == 0) error(kNul, start);
    if (first < 0xD800 || first > 0xDFFF) return first;
    const uint32_t second = first < 0xDC00 && take("\\u") ? four_digits(start) : 0;
    if (second < 0xDC00 || second > 0xDFFF) error("unpaired surrogate", start);
    return 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
  }

  uint32_t four_digits(size_t start) {
    uint32_t v = 0;
    const std::string_view s = text_.substr(at_, 4);
    const auto [end, ec] = std::from_chars(s.data(), s.data() + s.size(), v, 16);
    if (s.size() < 4 || ec != std::errc() || end != s.data() + 4) error("\\u needs four hexadecimal digits", start);
    at_ += 4;
    return v;
  }

  static void append_utf8(uint32_t c, std::string* out) {
    const auto put = [&](uint32_t lead, int shift) {
      out->push_back(static_cast<char>(lead | c >> shift));
      while ((shift -= 6) >= 0) out->push_back(static_cast<char>(0x80 | (c >> shift & 0x3F)));
    };
    c < 0x80 ? put(0, 0) : c < 0x800 ? put(0xC0, 6) : c < 0x10000 ? put(0xE0, 12) : put(0xF0, 18);
  }

  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool digit() const { return peek() >= '0' && peek() <= '9'; }
  bool take(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }
  bool take(char c) { return take(std::string_view(&c, 1)); }
  void space() {
    while (take(' ') || take('\n') || take('\r') || take('\t')) {
    }
  }

  [[noreturn]] void error(const char* why) { error(why, at_); }
  [[noreturn]] void error(const char* why, size_t offset) {
    const bool nul = offset < text_.size() && text_[offset] == '\0';
    to_.syntax_error(offset, nul ? kNul : offset == text_.size() ? "unexpected end of the text" : why);
    __builtin_unreachable();  // g++ 12 ignores [[noreturn]] on virtual functions
  }

  static constexpr char kNul[] = "NUL character";
  std::string_view text_;
  JsonHandler& to_;
  size_t at_ = 0;
};

}  // namespace

void read_json(std::string_view text, JsonHandler& handler) { Reader(text, handler).document(); }

}  // namespace libnf
