// Parses the .npy header: "\x93NUMPY", version, length, and a Python dict literal with the keys 'descr',
// 'fortran_order' and 'shape'. Accepts exactly the dict that numpy.lib.format describes; see npy.h.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>

#include "runtime/core/status.h"
#include "src/io/npy.h"
#include "src/io/quote.h"

namespace libnf {
namespace {

constexpr std::string_view kMagic("\x93NUMPY", 6);
constexpr size_t kMaxHeader = size_t{1} << 20;

class DictParser {
 public:
  DictParser(std::string_view text, const char* source) : text_(text), source_(source) {}

  NpyHeader parse() {
    NpyHeader h;
    expect('{');
    while (!take('}')) {
      const std::string_view key = string();
      expect(':');
      const unsigned bit = key == "descr" ? 1 : key == "fortran_order" ? 2 : key == "shape" ? 4 : 0;
      if (bit == 0 || (seen_ & bit)) bad("%s key %s", bit ? "duplicate" : "unknown", quote_text(key).c_str());
      seen_ |= bit;
      if (bit == 1) descr(&h);
      if (bit == 2) h.fortran_order = boolean();
      if (bit == 4) shape(&h);
      if (!take(',')) {
        expect('}');
        break;
      }
    }
    if (seen_ != 7) bad("%s is missing", !(seen_ & 1) ? "'descr'" : !(seen_ & 2) ? "'fortran_order'" : "'shape'");
    skip_space();
    if (at_ != text_.size()) bad("text after the closing brace");
    int64_t bytes = h.item_bytes;
    bool empty = false;
    for (int i = 0; i < h.shape.rank; ++i) {
      empty |= h.shape[i] == 0;
      if (__builtin_mul_overflow(bytes, std::max<int64_t>(h.shape[i], 1), &bytes))
        bad("the size of the shape overflows");
    }
    // Reading it would take forever, for nothing.
    if (h.row_elements() == 0 && h.rows() > 0) bad("shape %s has rows without a column", to_string(h.shape).c_str());
    h.data_bytes = empty ? 0 : bytes;
    return h;
  }

 private:
  template <class... Args>
  [[noreturn]] void bad(const char* format, Args... args) {
    char what[128];
    std::snprintf(what, sizeof what, format, args...);
    fail(Code::format, "%s: bad .npy header: %s", source_, what);
  }
  [[noreturn]] void bad(const char* what) { bad("%s", what); }

  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t')) ++at_;
  }
  bool take(char c) {
    skip_space();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!take(c)) bad("expected '%c' at character %zu", c, at_);
  }

  std::string_view string() {
    const char quote = take('\'') ? '\'' : '"';
    if (quote == '"') expect('"');
    const size_t end = text_.find(quote, at_);
    if (end == std::string_view::npos) bad("unterminated string");
    const std::string_view s = text_.substr(at_, end - at_);
    at_ = end + 1;
    return s;
  }

  bool boolean() {
    skip_space();
    for (const std::string_view word : {"True", "False"})
      if (text_.substr(at_).starts_with(word)) {
        at_ += word.size();
        return word == "True";
      }
    bad("'fortran_order' is neither True nor False");
  }

  void shape(NpyHeader* h) {
    expect('(');
    while (!take(')')) {
      if (h->shape.rank == kMaxRank) {
        fail(Code::format, "%s: the array has more than %d dimensions; reshape it to (rows, columns) before saving",
             source_, kMaxRank);
      }
      h->shape[h->shape.rank++] = integer();
      if (take(',')) continue;
      expect(')');
      break;
    }
  }

  int64_t integer() {
    skip_space();
    const size_t from = at_;
    int64_t v = 0;
    for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_)
      if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, text_[at_] - '0', &v))
        bad("an extent in 'shape' is too large");
    if (at_ == from) bad("'shape' must be a tuple of non-negative integers");
    if (at_ < text_.size() && text_[at_] == 'L') ++at_;  // Python 2
    return v;
  }

  void descr(NpyHeader* h) {
    skip_space();
    if (at_ < text_.size() && (text_[at_] == '[' || text_[at_] == '('))
      fail(Code::format, "%s: structured dtypes are not supported; save the fields as columns of one plain float array",
           source_);
    const std::string_view d = string();
    std::string_view s = d;
    if (!s.empty() && (s[0] == '<' || s[0] == '>' || s[0] == '|' || s[0] == '=')) {
      h->big_endian = s[0] == '>';
      s.remove_prefix(1);
    }
    const char kind = s.empty() ? '?' : s[0];
    const std::string_view size = s.substr(s.empty() ? 0 : 1);
    if (kind == 'O')
      fail(Code::format,
           "%s: object dtype (pickled Python objects) is not supported; convert with a.astype('float32') before saving",
           source_);
    h->item_bytes = size == "1" ? 1 : size == "2" ? 2 : size == "4" ? 4 : size == "8" ? 8 : 0;
    const bool ok = kind == 'f'   ? h->item_bytes >= 2
                    : kind == 'b' ? h->item_bytes == 1
                                  : (kind == 'i' || kind == 'u') && h->item_bytes >= 1;
    if (!ok)
      fail(Code::format, "%s: dtype %s is not supported; convert with a.astype('float32') before saving", source_,
           quote_text(d).c_str());
    h->kind = kind == 'f'   ? NpyHeader::Kind::real
              : kind == 'b' ? NpyHeader::Kind::boolean
              : kind == 'i' ? NpyHeader::Kind::signed_int
                            : NpyHeader::Kind::unsigned_int;
  }

  std::string_view text_;
  const char* source_;
  size_t at_ = 0;
  unsigned seen_ = 0;
};

}  // namespace

bool is_npy(std::span<const std::byte> file) {
  return file.size() >= kMagic.size() && std::memcmp(file.data(), kMagic.data(), kMagic.size()) == 0;
}

NpyHeader parse_npy_header(std::span<const std::byte> head, const char* source) {
  if (!is_npy(head)) fail(Code::format, "%s: not a .npy file (it does not start with \\x93NUMPY)", source);
  const auto byte = [&](size_t i) { return static_cast<size_t>(head[i]); };
  const size_t version = head.size() > 7 ? byte(6) : 0;
  const size_t prefix = version == 1 ? 10 : 12;
  if (head.size() > 7 && (version < 1 || version > 3 || byte(7) != 0))
    fail(Code::format, "%s: unknown .npy format version %zu.%zu; 1.0, 2.0 and 3.0 are supported", source, version,
         byte(7));
  if (head.size() < prefix) fail(Code::format, "%s: truncated .npy header", source);
  size_t length = byte(8) | byte(9) << 8;
  if (version > 1) length |= byte(10) << 16 | byte(11) << 24;
  if (length > kMaxHeader)
    fail(Code::format, "%s: the .npy header has %zu bytes; at most %zu are supported", source, length, kMaxHeader);
  if (length > head.size() - prefix) fail(Code::format, "%s: truncated .npy header", source);
  DictParser parser({reinterpret_cast<const char*>(head.data()) + prefix, length}, source);
  NpyHeader h = parser.parse();
  h.data_offset = prefix + length;
  return h;
}

std::span<const std::byte> npy_data(std::span<const std::byte> file, const NpyHeader& header, const char* source) {
  const size_t have = file.size() - header.data_offset;
  const auto need = static_cast<size_t>(header.data_bytes);
  if (have < need)
    fail(Code::format, "%s: the file is truncated: shape %s needs %zu bytes of data, the file has %zu", source,
         to_string(header.shape).c_str(), need, have);
  if (have > need)
    fail(Code::format, "%s: %zu extra byte%s after the array of shape %s", source, have - need,
         have - need == 1 ? "" : "s", to_string(header.shape).c_str());
  return file.subspan(header.data_offset);
}

}  // namespace libnf
