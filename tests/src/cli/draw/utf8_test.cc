// Code points of valid and invalid UTF-8, and their spelling in ASCII.
#include "src/cli/draw/utf8.h"

#include <gtest/gtest.h>

#include <vector>

namespace cli {
namespace {
std::vector<char32_t> codes(std::string_view text) {
  std::vector<char32_t> out;
  while (!text.empty()) out.push_back(next_code(text));
  return out;
}
using Codes = std::vector<char32_t>;
constexpr char32_t kBad = 0xFFFD;

TEST(Utf8, RoundTrip) {
  for (char32_t code : {1u, 0x41u, 0x7Fu, 0x80u, 0x7FFu, 0x800u, 0xD7FFu, 0xE000u, 0xFFFFu, 0x10000u, 0x10FFFFu}) {
    std::string word;
    append_code(word, code);
    EXPECT_EQ(codes(word), Codes{code});
  }
}

TEST(Utf8, InvalidBytesAreReplacedOneByOne) {
  EXPECT_EQ(codes("a\xffz"), (Codes{'a', kBad, 'z'}));
  EXPECT_EQ(codes("\xe2\x82"), (Codes{kBad, kBad}));  // cut off
  EXPECT_EQ(codes("\xc3("), (Codes{kBad, '('}));      // no continuation
  EXPECT_EQ(codes("\xc0\x80"), (Codes{kBad, kBad}));  // longer than necessary
  EXPECT_EQ(codes("\xe0\x80\x80"), (Codes{kBad, kBad, kBad}));
  EXPECT_EQ(codes("\xed\xa0\x80"), (Codes{kBad, kBad, kBad}));  // half of a surrogate pair
  EXPECT_EQ(codes("\xf4\x90\x80\x80"), (Codes{kBad, kBad, kBad, kBad}));
}

TEST(Utf8, Ascii) {
  EXPECT_EQ(in_ascii('a'), "a");
  EXPECT_EQ(in_ascii(0x2212), "-");
  EXPECT_EQ(in_ascii(0x2192), "->");
  EXPECT_EQ(in_ascii(0xE9), "?");
}
}  // namespace
}  // namespace cli
