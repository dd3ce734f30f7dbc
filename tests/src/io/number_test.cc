// Numbers in text: which texts are numbers, and out of range versus too small.
#include "src/io/number.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <string>

#include "src/io/quote.h"

namespace libnf {
namespace {

template <class T>
void expect_value(const std::string& s, T want) {
  T v = 99;
  EXPECT_EQ(parse_number(s, &v), NumberKind::finite) << s;
  EXPECT_EQ(v, want) << s;
  EXPECT_EQ(std::signbit(v), std::signbit(want)) << s;
}

template <class T>
void expect_kind(const std::string& s, NumberKind kind) {
  T v = 99;
  EXPECT_EQ(parse_number(s, &v), kind) << s;
}

TEST(Number, Finite) {
  expect_value("1", 1.0);
  expect_value(" -1.5e3\t", -1500.0);
  expect_value("+.5", 0.5);
  expect_value("5.", 5.0);
  expect_value("-0", -0.0);
  expect_value("0.1", 0.1);
  expect_value("0.1", 0.1f);
  expect_value("1e-45", 1.40129846e-45f);
  expect_value("4.9406564584124654e-324", 4.9406564584124654e-324);
}

TEST(Number, TooSmallIsZeroTooLargeIsAnError) {
  expect_value("1e-400", 0.0);
  expect_value("-1e-60", -0.0f);
  expect_value("+0.000001e-399", 0.0);
  expect_value("0." + std::string(500, '0') + "1", 0.0);
  expect_value("1e-99999999999999999999999", 0.0);
  expect_kind<double>("1e400", NumberKind::out_of_range);
  expect_kind<double>("-1e+99999999999999999999999", NumberKind::out_of_range);
  expect_kind<double>("1" + std::string(400, '0'), NumberKind::out_of_range);
  expect_kind<double>("1" + std::string(400, '0') + ".0e1", NumberKind::out_of_range);
  expect_value("1" + std::string(400, '0') + "e-400", 1.0);
  expect_kind<float>("1e39", NumberKind::out_of_range);
  expect_value("1e39", 1e39);
}

TEST(Number, MessagesShowWholeNumbersAsSuch) {
  const std::pair<double, const char*> cases[] = {
      {0, "0"},          {-3, "-3"},   {1 << 30, "1073741824"}, {9007199254740992.0, "9007199254740992"},
      {1e300, "1e+300"}, {0.1, "0.1"}, {-2.5, "-2.5"},          {0.99999999, "0.99999999"},
      {1e-9, "1e-09"}};
  for (const auto& [value, text] : cases) EXPECT_EQ(shown_number(value), text);
  EXPECT_EQ(shown_number(INFINITY), "inf");
  EXPECT_NE(shown_number(NAN).find("nan"), std::string::npos);
}

// Checkpoints hold such numbers as strings; version 0.1 wrote them with the point of the host's locale.
TEST(Number, Hexadecimal) {
  const double inf = std::numeric_limits<double>::infinity();
  for (const double v : {0.0, -0.0, 1.0, -1.5, 0.1, 1e300, 5e-324, -2.2250738585072014e-308, inf, -inf}) {
    char expected[40];
    std::snprintf(expected, sizeof expected, "%a", v);
    double back = 7;
    ASSERT_TRUE(parse_hex_number(hex_number(v), &back)) << hex_number(v);
    EXPECT_EQ(std::bit_cast<uint64_t>(back), std::bit_cast<uint64_t>(v)) << hex_number(v);
    ASSERT_TRUE(parse_hex_number(expected, &back)) << expected;
    EXPECT_EQ(back, v) << expected;
  }
  EXPECT_EQ(hex_number(-12), "-0x1.8p+3");
  EXPECT_EQ(hex_number(inf), "inf");
  double v;
  ASSERT_TRUE(parse_hex_number("0x1,8p+3", &v));
  EXPECT_EQ(v, 12);
  for (const char* text : {"", "-", "--0x1p+0", "0x", "0x1p+0 ", "0x1p+0x", "0x1p+99999", "one"})
    EXPECT_FALSE(parse_hex_number(text, &v)) << text;
}

TEST(Number, Others) {
  for (const char* s : {"", " ", "\t"}) expect_kind<double>(s, NumberKind::empty);
  for (const char* s : {"inf", "-Infinity", "nan", "NaN", "+inf"}) expect_kind<float>(s, NumberKind::infinite_or_nan);
  for (const char* s : {"abc", "1,5", "1 2", "0x10", "1e", "--1", "+-1", "++1", "+", "-", ".", "1_000", "infx", "1\n"})
    expect_kind<double>(s, NumberKind::not_a_number);
}

TEST(Quote, BoundedAndPrintable) {
  EXPECT_EQ(quote_text("abc"), "'abc'");
  EXPECT_EQ(quote_text("a\nb\x01"), "'a\\x0ab\\x01'");
  EXPECT_EQ(quote_text("caf\xC3\xA9"), "'caf\xC3\xA9'");
  EXPECT_EQ(quote_text("\xC3"), "'\\xc3'");
  EXPECT_EQ(quote_text("\xFFz"), "'\\xffz'");
  EXPECT_EQ(quote_text("abcdef", 3), "'abc...'");
  EXPECT_EQ(quote_text("ab\xC3\xA9", 3), "'ab...'") << "no half characters";
  EXPECT_EQ(quote_path("/a/b"), "'/a/b'");
  EXPECT_EQ(quote_path("/long/way/file", 4), "'...file'");
}

}  // namespace
}  // namespace libnf
