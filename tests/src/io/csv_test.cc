// CSV: dialects, headers, quotes; every error names line, column and text; written files can be read back.
#include "src/io/csv.h"

#include <clocale>
#include <cmath>
#include <limits>

#include "tests/src/io/io_test_util.h"

namespace libnf {
namespace {

using namespace io_test;
using Header = CsvOptions::Header;

struct Parsed {
  std::vector<double> values;
  int64_t rows, cols;
  std::vector<std::string> names;
};

Parsed read(std::string_view text, const CsvOptions& o = {}) {
  const CsvMatrix m = read_csv<double>(system_allocator(), text, o, "f.csv");
  const double* p = m.data.as<double>();
  return {{p, p + m.rows * m.cols}, m.rows, m.cols, m.names};
}

void expect_values(std::string_view text, const std::vector<double>& values, int64_t cols, const CsvOptions& o = {}) {
  SCOPED_TRACE(std::string(text));
  const Parsed p = read(text, o);
  EXPECT_EQ(p.values, values);
  EXPECT_EQ(p.cols, cols);
  EXPECT_EQ(p.rows * p.cols, static_cast<int64_t>(values.size()));
}

void expect_bad(std::string_view text, std::string_view part, const CsvOptions& o = {}) {
  SCOPED_TRACE(std::string(text));
  expect_error(Code::format, part, [&] { read(text, o); });
}

TEST(Csv, Dialects) {
  const std::vector<double> v{1, 2, 3, 4};
  for (const char* text :
       {"1,2\n3,4\n", "1,2\n3,4", "1,2\r\n3,4\r\n", "\n 1 ,2\n\n  \r\n3,\t4\n\n\n", "1;2\n3;4\n", "1\t2\n3\t4\n",
        "\xEF\xBB\xBF"
        "1,2\n3,4\n",
        "\"1\",\"2\"\n\"3\" , \"4\"\r\n"})
    expect_values(text, v, 2);
  CsvOptions o;
  o.separator = '|';
  expect_values("1|2\n3|4\n", v, 2, o);
  expect_values("5\n6\n", {5, 6}, 1);
  o.separator = 'x';
  expect_error(Code::argument, "separator 'x'", [&] { read("1", o); });
}

TEST(Csv, LocaleDoesNotMatter) {
  const std::string before = std::setlocale(LC_ALL, nullptr);
  for (const char* name : {"de_DE.UTF-8", "de_DE", "fr_FR.UTF-8"}) std::setlocale(LC_ALL, name);
  expect_values("1.5,2\n", {1.5, 2}, 2);
  std::setlocale(LC_ALL, before.c_str());
}

TEST(Csv, Header) {
  Parsed p = read("age,\"height, \"\"cm\"\"\nx\"\n1,2\n");
  EXPECT_EQ(p.names, (std::vector<std::string>{"age", "height, \"cm\"\nx"}));
  EXPECT_EQ(p.values, (std::vector<double>{1, 2}));
  EXPECT_EQ(read(",a\n1,2\n").names, (std::vector<std::string>{"", "a"})) << "an index column without a name";
  EXPECT_TRUE(read("1,nan\n", {.missing = Missing::keep}).names.empty()) << "nan is data";
  EXPECT_EQ(read("1,2\n3,4\n", {.header = Header::present}).names, (std::vector<std::string>{"1", "2"}));
  p = read("a,b\n");
  EXPECT_EQ(p.rows, 0);
  EXPECT_EQ(p.cols, 2);
  expect_bad("a,b\n1,2\n", "line 1, column 1: 'a' is not a number", {.header = Header::absent});
  expect_bad("1,NA\n1,2\n", "line 1, column 2: 'NA' is a missing-value marker");
  expect_bad("1,\n1,2\n", "line 1, column 2: the value is missing");
}

TEST(Csv, BadValuesNameTheirPlace) {
  expect_bad("a,b\n1,2\n\n3,x y\n", "f.csv: line 4, column 2 ('b'): 'x y' is not a number");
  expect_bad("a,b\n1,2\n,4\n", "line 3, column 1 ('a'): the value is missing");
  expect_bad("a,b\n1,\"\"\n", "line 2, column 2 ('b'): the value is missing");
  expect_bad("a\n?\n", "'?' is a missing-value marker");
  expect_bad("1\n1,5\n", "line 2 has 2 columns");
  expect_bad("a;b\n1,5;2\n", "line 2, column 1 ('a'): '1,5' is not a number");
  expect_bad("1\n1e999\n", "line 2, column 1: '1e999' is out of range of float64");
  expect_bad("\"two\nlines\"\n1\nx\n", "line 4, column 1");
  expect_bad("1\nnan\n", "'nan' is not finite");
  expect_bad("1\n-inf\n", "'-inf' is not finite");
  expect_bad("1\n\x01\n", "'\\x01' is not a number");
  expect_bad(std::string_view("1\n2\0\n", 5), "'2\\x00'");
  EXPECT_EQ(read("1\n-inf\n", {.missing = Missing::keep}).values[1], -std::numeric_limits<double>::infinity());
  expect_error(Code::format, "float32", [] { read_csv<float>(system_allocator(), "1\n1e39\n", {}, "f.csv"); });
}

TEST(Csv, RaggedRows) {
  expect_bad("1,2\n3\n", "line 2 has 1 column, but the first row has 2");
  expect_bad("1,2\n3,4,5\n", "line 2 has 3 columns, but the first row has 2");
  expect_bad("1,2\n3,4,\n", "line 2 has 3 columns");
  expect_bad("a,b\n\"1\",\"2\"\n\n\n3\n", "line 5 has 1 column,");
}

TEST(Csv, Quotes) {
  expect_bad("1,\"2\n3,4\n", "line 1, column 2: an opening quote is never closed");
  expect_bad("\"1\"x,2\n", "line 1, column 1: text after the closing quote");
  expect_bad("1,2\n3,4\"\"\n", "'4\"\"' is not a number");
}

TEST(Csv, NothingInIt) {
  for (const char* text : {"", "\n\n", "\xEF\xBB\xBF", " \r\n"}) expect_bad(text, "empty");
  expect_bad(
      "\xFF\xFE"
      "1",
      "UTF-16");
  expect_bad(std::string(3 << 20, ','), "more than 1048576 columns");
}

TEST(Csv, SelectedColumnsOnly) {
  const char* text = "date,x,y\nmonday,1,2\ntuesday,3,4\n";
  expect_bad(text, "'monday' is not a number");
  Parsed p = read(text, {.columns = {{2, ""}, {-1, "x"}}});
  EXPECT_EQ(p.values, (std::vector<double>{2, 1, 4, 3}));
  EXPECT_EQ(p.names, (std::vector<std::string>{"y", "x"}));
  expect_values("1,2,3\n4,5,6\n", {3, 6}, 1, {.columns = {{2, ""}}});
  const auto bad = [](std::string_view t, std::vector<ColumnRef> c, std::string_view part) {
    expect_error(Code::argument, part, [&] { read(t, {.columns = c}); });
  };
  bad(text, {{-1, "z"}}, "no column is named 'z'");
  bad(text, {{3, ""}}, "the file has 3 columns");
  bad(text, {{1, ""}, {-1, "x"}}, "selected twice");
  bad("a,a\n1,2\n", {{-1, "a"}}, "more than one column is named 'a'");
  bad("1,2\n", {{-1, "a"}}, "no header");
}

TEST(Csv, AMatrixIsNeverLargerThanItsText) {
  size_t largest = 0;
  Allocator counting = system_allocator();
  counting.user = &largest;
  counting.alloc = [](void* user, size_t n, size_t align) {
    *static_cast<size_t*>(user) = std::max(*static_cast<size_t*>(user), n);
    return system_allocator().alloc(nullptr, n, align);
  };
  // A thousand columns and a thousand blank lines are not a million cells.
  std::string text = "1";
  for (int i = 1; i < 1000; ++i) text += ",1";
  text += std::string(1000, '\n');
  const CsvMatrix m = read_csv<double>(counting, text, {}, "f");
  EXPECT_EQ(m.rows, 1);
  EXPECT_LE(largest, (text.size() + 1001) * sizeof(double));
  // A short last row whose only cell is the last one in the matrix.
  EXPECT_THROW(read("a,b,c\n5", {.columns = {{2, ""}, {1, ""}, {0, ""}}}), Error);
}

template <class T>
void round_trip(const std::vector<T>& v, int64_t cols, const std::vector<std::string>& names, char separator) {
  MemorySink sink;
  const auto rows = static_cast<int64_t>(v.size()) / cols;
  write_csv(sink, v.data(), rows, cols, names, separator);
  CsvOptions o;
  o.header = names.empty() ? Header::absent : Header::present;
  o.separator = separator;
  o.missing = Missing::keep;
  const CsvMatrix m = read_csv<T>(system_allocator(), text_of(sink.bytes()), o, "f");
  EXPECT_EQ(m.names, names);
  ASSERT_EQ(m.rows, rows);
  ASSERT_EQ(m.cols, cols);
  for (size_t i = 0; i < v.size(); ++i) {
    const T got = m.data.template as<T>()[i];
    EXPECT_TRUE(got == v[i] || (std::isnan(got) && std::isnan(v[i]))) << v[i] << " read as " << got;
  }
}

TEST(Csv, WriteAndReadBack) {
  using L = std::numeric_limits<double>;
  using F = std::numeric_limits<float>;
  round_trip<double>({0.1, -L::max(), L::denorm_min(), L::infinity(), L::quiet_NaN(), 1.0 / 3}, 2,
                     {"a b", "q\"u,o;t\te\r\n|"}, ',');
  round_trip<float>({0.1f, -F::max(), F::denorm_min(), -F::infinity(), -F::quiet_NaN(), 1.0f / 3}, 3, {}, '\t');
  round_trip<double>({1, 2}, 1, {""}, ';');
  round_trip<double>({1, 2}, 2, {"\xEF\xBB\xBF", "1"}, '|');
  MemorySink sink;
  const double one = 1;
  write_csv(sink, &one, 1, 1, std::vector<std::string>{"x"});
  EXPECT_EQ(text_of(sink.bytes()), "x\n1\n");
  expect_error(Code::argument, "1 names for 2 columns",
               [&] { write_csv(sink, &one, 0, 2, std::vector<std::string>{"x"}); });
}

}  // namespace
}  // namespace libnf
