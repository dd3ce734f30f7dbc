// XXH64 against the published test values; splitting the input does not change the hash.
#include "src/io/xxh64.h"

#include <gtest/gtest.h>

#include <string>

namespace libnf {
namespace {

uint64_t hash(std::string_view s) {
  Xxh64 h;
  h.update(s.data(), s.size());
  return h.digest();
}

TEST(Xxh64, PublishedValues) {
  EXPECT_EQ(hash(""), 0xEF46DB3751D8E999u);
  EXPECT_EQ(hash("a"), 0xD24EC4F1A98C6E5Bu);
  EXPECT_EQ(hash("abc"), 0x44BC2CF5AD770999u);
  EXPECT_EQ(hash("Nobody inspects the spammish repetition"), 0xFBCEA83C8A378BF1u);
}

TEST(Xxh64, AnySplitGivesTheSame) {
  std::string s;
  for (int i = 0; i < 150; ++i) s += static_cast<char>(i * 37);
  for (size_t a = 0; a <= s.size(); ++a)
    for (const size_t b : {a, a + (s.size() - a) / 2}) {
      Xxh64 h;
      h.update(s.data(), a);
      h.update(s.data() + a, b - a);
      h.update(s.data() + b, s.size() - b);
      EXPECT_EQ(h.digest(), hash(s));
    }
}

}  // namespace
}  // namespace libnf
