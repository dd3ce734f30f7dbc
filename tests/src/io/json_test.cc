// JSON: valid and invalid documents, every message with its position, numbers at their limits, strings, bounds, and
// writing as the inverse of reading.
#include "src/io/json.h"

#include <cmath>
#include <limits>
#include <random>

#include "src/io/json_reader.h"
#include "src/io/utf8.h"
#include "tests/src/io/io_test_util.h"

namespace libnf {
namespace {

using namespace io_test;

Json parse(std::string_view text) { return parse_json(text, "doc", Code::format, 1 << 20, 10); }
std::string rewritten(std::string_view text) { return parse(text).dump(); }
void expect_bad(std::string_view text, std::string_view part) {
  SCOPED_TRACE(text);
  expect_error(Code::format, part, [&] { parse(text); });
}

TEST(Json, Values) {
  const Json j = parse(" {\"a\" : [1, -2, 2.5, true, false, null, \"x\"],\r\n\t\"b\": {}, \"\": [] } ");
  ASSERT_TRUE(j.object());
  EXPECT_EQ(j.object()->size(), 3u);
  ASSERT_TRUE(j.find("a") && j.find("a")->array());
  const Json::Array& a = *j.find("a")->array();
  EXPECT_EQ(a, (Json::Array{1, -2, 2.5, true, false, Json(), "x"}));
  EXPECT_EQ(*a[1].int64(), -2);
  EXPECT_FALSE(a[1].uint64());
  EXPECT_EQ(*a[1].number(), -2.0);
  EXPECT_FALSE(a[2].int64()) << "2.5";
  EXPECT_TRUE(*a[3].boolean());
  EXPECT_FALSE(a[3].int64() || a[3].number()) << "true is not a number";
  EXPECT_TRUE(a[5].is_null());
  EXPECT_EQ(*a[6].string(), "x");
  EXPECT_FALSE(j.find("c"));
  EXPECT_FALSE(a[0].find("a"));
  EXPECT_EQ(j.dump(), R"({"a":[1,-2,2.5,true,false,null,"x"],"b":{},"":[]})");
}

TEST(Json, Building) {
  Json j = {{"name", "x"}, {"list", std::vector<int64_t>{1, 2}}, {"big", UINT64_MAX}};
  j["new"] = Json::Array();
  j["new"].append(0.1f > 0);
  j["name"] = "y";
  EXPECT_EQ(j.dump(), R"({"name":"y","list":[1,2],"big":18446744073709551615,"new":[true]})");
  EXPECT_EQ(parse(j.dump()), j);
  EXPECT_NE(Json(1), Json(1.0)) << "an integer stays an integer";
}

TEST(Json, NumbersAtTheirLimits) {
  for (const char* same : {"0", "-1", "9223372036854775807", "-9223372036854775808", "9223372036854775808",
                           "18446744073709551615", "0.1", "1e-05", "5e-324", "1.7976931348623157e+308", "-0.0",
                           "0.0001", "100000000000000.0", "1e+15", "123456.789", "0.30000000000000004", "3.0"})
    EXPECT_EQ(rewritten(same), same);
  EXPECT_EQ(*parse("9223372036854775807").int64(), INT64_MAX);
  EXPECT_EQ(*parse("9223372036854775807").uint64(), uint64_t{INT64_MAX});
  EXPECT_FALSE(parse("9223372036854775808").int64());
  EXPECT_EQ(*parse("18446744073709551615").uint64(), UINT64_MAX);
  EXPECT_FALSE(parse("18446744073709551616").uint64());
  EXPECT_EQ(*parse("18446744073709551616").number(), 0x1p64);
  EXPECT_EQ(*parse("-9223372036854775809").number(), -0x1p63);
  EXPECT_EQ(*parse("-0").int64(), 0);
  EXPECT_EQ(*parse("1E+2").number(), 100.0);
  EXPECT_FALSE(parse("1e2").int64()) << "written as a double";
  EXPECT_EQ(*parse("1e-999").number(), 0.0);
  for (const char* bad : {"1e999", "-1e400"}) expect_bad(bad, "number out of range");
  expect_bad(std::string(400, '9'), "number out of range");
  for (const char* bad : {"-", "1.", "1.e2", ".5", "+1", "1e", "1e+", "-a", "01", "-01", "1.5.", "0x1", "1_0", "NaN",
                          "Infinity", "-Infinity", "1,0"})
    expect_bad(bad, "not valid JSON at line 1, column ");
  EXPECT_EQ(Json(INFINITY).dump(), "null");
  EXPECT_EQ(Json(NAN).dump(), "null");
}

TEST(Json, DoublesSurvive) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 20000; ++i) {
    const uint64_t bits = random();
    double v = std::bit_cast<double>(bits);
    if (i % 2) v = static_cast<double>(bits >> 11) * std::pow(10.0, static_cast<double>(bits % 21) - 16);
    if (!std::isfinite(v)) continue;
    const auto back = parse(Json(v).dump());
    EXPECT_FALSE(back.int64());
    ASSERT_EQ(std::bit_cast<uint64_t>(*back.number()), std::bit_cast<uint64_t>(v)) << Json(v).dump();
  }
}

TEST(Json, Texts) {
  EXPECT_EQ(*parse(R"("\"\\\/\b\f\n\r\t\u0001\u00E9\u20ac\uD834\uDD1e")").string(),
            "\"\\/\b\f\n\r\t\x01\xC3\xA9\xE2\x82\xAC\xF0\x9D\x84\x9E");
  EXPECT_EQ(rewritten(R"("\"\\\/\b\f\n\r\t\u001f\u007f")"), "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u001f\x7F\"");
  EXPECT_EQ(rewritten("\"\xF4\x8F\xBF\xBF\""), "\"\xF4\x8F\xBF\xBF\"");
  EXPECT_EQ(*parse(R"({"\u0061": 1})").find("a")->int64(), 1);
  for (const char* bad : {R"("\ud834")", R"("\ud834x")", R"("\ud834\n")", R"("\ud834\ud834")", R"("\udd1e")"})
    expect_bad(bad, "column 2: unpaired surrogate");
  for (const char* bad : {R"("\u12")", R"("\u12g4")", R"("\u-123")", R"("\u")", R"("\u 123")", R"("\u0x12")"})
    expect_bad(bad, "column 2: \\u needs four hexadecimal digits");
  for (const char* bad : {R"("\x41")", R"("\'")", R"("\U0041")"}) expect_bad(bad, "column 2: unknown escape");
  expect_bad("\"a\nb\"", "column 3: control character");
  expect_bad("\"\x1F\"", "column 2: control character");
  for (const char* bad : {"\"\x80\"", "\"\xC0\x80\"", "\"\xC3\"", "\"\xE0\x80\x80\"", "\"\xED\xA0\x80\"",
                          "\"\xF0\x80\x80\x80\"", "\"\xF4\x90\x80\x80\"", "\"\xF8\x88\x80\x80\x80\"", "\"\xFF\""})
    expect_bad(bad, "column 2: invalid UTF-8");
}

TEST(Json, WritingReplacesInvalidUtf8) {
  EXPECT_EQ(Json("a\xFF\xC3").dump(), "\"a\xEF\xBF\xBD\xEF\xBF\xBD\"");
  EXPECT_FALSE(is_utf8("a\xFF"));
  EXPECT_TRUE(is_utf8("") && is_utf8("a\xC3\xA9\xF0\x9D\x84\x9E"));
}

TEST(Json, NulIsNowhere) {
  for (const std::string& bad : {std::string("{}\0", 3), std::string("\0", 1), std::string("\"a\0b\"", 5),
                                 std::string("[1,\0 2]", 7), std::string("nul\0", 4), std::string(R"("a\u0000")")})
    expect_bad(bad, bad[0] == 'n' ? "expected a value" : "NUL");
}

TEST(Json, SyntaxErrorsSayWhere) {
  expect_bad("", "doc: not valid JSON at line 1, column 1: unexpected end of the text");
  expect_bad("{\n  \"a\": 1,\n  \"b\" 2\n}", "line 3, column 7: expected ':'");
  expect_bad("[\"\xC3\xA9\xC3\xA9\" x", "line 1, column 7: expected ',' or ']'");
  expect_bad("[1, 2", "column 6: unexpected end of the text");
  expect_bad("[\"abc", "column 2: unterminated string");
  expect_bad("{} x", "column 4: text after the end");
  expect_bad("{\"a\": 1,}", "column 9: expected a key in double quotes");
  expect_bad("[1,]", "column 4: expected a value");
  expect_bad("{1: 2}", "expected a key");
  expect_bad("{\"a\": 1]", "expected ',' or '}'");
  expect_bad("[1}", "expected ',' or ']'");
  for (const char* bad :
       {"]",     "}",   ",",    ":",   "'a'",     "tru",  "True", "nulll", "// c\n1", "/**/1", "\xEF\xBB\xBF{}",
        "[1 2]", "\v1", "\xA0", "1\f", "{\"a\"}", "[,1]", "{,}",  "[}",    "{]"})
    expect_bad(bad, "not valid JSON at line 1, column ");
}

TEST(Json, DuplicateKeys) {
  expect_bad(R"({"a": 1, "b": 2, "a": 3})", "doc: the key \"a\" appears twice");
  expect_bad(R"({"list": [0, {"x": {}}, {"y": [], "k": {"u": 1, "\u0075": 2}}]})",
             "doc.list[2].k: the key \"u\" appears twice");
  expect_bad("{\"" + std::string(500, 'k') + "\":1,\"" + std::string(500, 'k') + "\":1}", "the key \"kkk");
  EXPECT_NO_THROW(parse(R"([{"a": {"a": 1}}, {"a": 2}])"));
  // Searching for each name linearly would take minutes.
  std::string many = "{";
  for (int i = 0; i < 90000; ++i) many.append("\"").append(std::to_string(i)).append("\":1,");
  expect_bad(many + "\"77\":1}", "the key \"77\" appears twice");
}

TEST(Json, Bounds) {
  EXPECT_NO_THROW(parse(std::string(10, '[') + std::string(10, ']')));
  expect_bad(std::string(11, '[') + std::string(11, ']'), "nested more than 10 levels deep");
  expect_bad(R"({"a":[1,)" + std::string(1000000, '['), "doc.a[1][0]");
  expect_error(Code::spec, "doc: 5 bytes of JSON exceed the limit of 4",
               [] { parse_json("[   ]", "doc", Code::spec, 4, 1); });
}

TEST(Json, Shown) {
  EXPECT_EQ(shown(parse("{\"a\": [1]}")), "{\"a\":[1]}");
  const std::string s = shown(Json(std::string(55, 'a') + "\xC3\xA9\xC3\xA9\xC3\xA9"));
  EXPECT_EQ(s, '"' + std::string(55, 'a') + "...") << "cut between characters";
}

// Every prefix and every changed byte gives a value or Error{format}.
TEST(Json, IsTotal) {
  const std::string text = R"({"a": [1, -2.5e-3, "\u00e9\ud834\udd1e\n"], "b": {"c": null, "d": [true, false]}})";
  ASSERT_NO_THROW(parse(text));
  for (size_t i = 0; i < text.size(); ++i) {
    EXPECT_THROW(parse(text.substr(0, i)), Error) << i;
    for (int c = 0; c < 256; ++c) {
      std::string changed = text;
      changed[i] = static_cast<char>(c);
      try {
        const Json j = parse(changed);
        EXPECT_EQ(parse(j.dump()), j);
      } catch (const Error& e) {
        EXPECT_EQ(e.code(), Code::format);
      }
    }
  }
}

}  // namespace
}  // namespace libnf
