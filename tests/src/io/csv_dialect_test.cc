// What the CSV reader finds out by itself: separators from counts over lines, and headers, where it asks if in doubt.
#include "src/io/csv_dialect.h"

#include "tests/src/io/io_test_util.h"

namespace libnf {
namespace {

using namespace io_test;
using Names = std::vector<std::string>;

CsvDialect of(std::string_view text, const CsvOptions& o = {}) { return find_dialect(text, o, "f.csv"); }

char separator(std::string_view text) { return of(text, {.header = CsvOptions::Header::absent}).separator; }

TEST(CsvDialect, SeparatorDividesAllLinesAlike) {
  EXPECT_EQ(separator("a,b\n1,2\n"), ',');
  EXPECT_EQ(separator("a;b,c\n1;2\n3;4\n"), ';') << "a comma in a name";
  EXPECT_EQ(separator("temp;C,y\n1,2\n3,4\n"), ',') << "a semicolon in a name";
  EXPECT_EQ(separator("\"a;b;c\",d\n1,2\n"), ',') << "quoted";
  EXPECT_EQ(separator("x;y\n0,5;1,5\n0,25;-1\n"), ';') << "decimal commas";
  EXPECT_EQ(separator("0,5;1,5\n0,25;1,75\n"), ';');
  EXPECT_EQ(separator("a\tb\n1,5\t2,5\n"), '\t');
  EXPECT_EQ(separator("a|b|c\n1|2|3\n"), '|');
  EXPECT_EQ(separator("1.5 2.5\n  3   4  \n"), ' ');
  EXPECT_EQ(separator("a b\n1e-3 2\n"), ' ');
  EXPECT_EQ(separator("0,5 1,5\n2,5 3,5\n"), ' ');
  EXPECT_EQ(separator("1, 2\n3, 4\n"), ',');
  EXPECT_EQ(separator("first name\nnew york\n"), ',') << "texts with blanks are one column";
  EXPECT_EQ(separator("1\n2\n"), ',');
  EXPECT_EQ(separator("1,2\n3,4,5\n6,7\n"), ',') << "the reader says which line differs";
  EXPECT_EQ(separator("a;b\r1;2\r3;4\r"), ';');
  EXPECT_EQ(of("1 2\t 3\n", {.separator = ' '}).columns, 3);
  expect_error(Code::argument, "tab or space", [] { of("1", {.separator = 'x'}); });
}

TEST(CsvDialect, HeadersHaveNoNumber) {
  EXPECT_EQ(of("a,b\n1,2\n").names, (Names{"a", "b"}));
  EXPECT_EQ(of(",x\n0,1\n").names, (Names{"", "x"}));
  EXPECT_EQ(of("a,b\n").names, (Names{"a", "b"}));
  EXPECT_EQ(of("NA,x\n1,2\n").names, (Names{"NA", "x"}));
  EXPECT_EQ(of("h\xF6he,b\n1,2\n").names, (Names{"h\u00F6he", "b"})) << "Latin-1";
  EXPECT_FALSE(of("1,2\n3,4\n").header);
  EXPECT_FALSE(of("1,nan\n3,4\n").header);
  EXPECT_FALSE(of("NA,2\n3,4\n").header);
  EXPECT_FALSE(of("#N/A\n3\n").header);
  EXPECT_FALSE(of("5.1,setosa\n4.9,setosa\n").header) << "a column of texts";
  EXPECT_EQ(of("5.1,setosa\n4.9,setosa\n").numeric, (std::vector<char>{1, 0}));
  EXPECT_EQ(of("a,b\n1,x\n2,y\n").numeric, (std::vector<char>{1, 0}));
}

TEST(CsvDialect, AsksWhereItCannotTell) {
  const auto asks = [](std::string_view text, std::string_view why) {
    SCOPED_TRACE(std::string(text));
    expect_error(Code::format, "is line 1 (", [&] { of(text); });
    expect_error(Code::format, why, [&] { of(text); });
    EXPECT_TRUE(of(text, {.header = CsvOptions::Header::present}).header);
    EXPECT_FALSE(of(text, {.header = CsvOptions::Header::absent}).header);
  };
  asks("oops,0.5\n1,2\n", "'oops', '0.5'");
  asks("x,2019\n1,2\n", "it has a number");
  asks("0,1\n0.5,1.5\n", "pandas");
  asks("0,1,2\n3,4,5\n", "pandas");
  asks(",0,1\n0,0.5,1.5\n", "pandas");
  asks(",0\n0,0.5\n1,1.5\n", "pandas");
  asks("2019,2020\n0.5,1.5\n2.5,3.5\n4.5,5.5\n6.5,7.5\n", "whole numbers");
  asks("7\n0.5\n1.5\n2.5\n3.5\n", "whole numbers");
  asks("?,M\n2,F\n3,M\n", "missing value");
  asks("1O.5\n2.5\n", "begin like numbers");
  asks("0,5;1,5\n0,25;1,75\n", "decimal");
  asks("\"1\",\"2\"\n", "quoted");
}

TEST(CsvDialect, DataThatOnlyLooksALittleLikeAHeader) {
  for (const char* text :
       {"1,2\n3,4\n", "0\n1\n2\n", "5,3\n4.9,3\n4.7,3.2\n4.6,3.1\n5,3.6\n", "2,2\n0.5,1.5\n2.5,3.5\n4.5,5.5\n6.5,7.5\n",
        "7\n0.5\n1.5\n", "-1,2\n0.5,1.5\n2.5,3.5\n4.5,5.5\n6.5,7.5\n", "\"1\",\"2\"\n\"3\",\"4\"\n"})
    EXPECT_FALSE(of(text).header) << text;
}

TEST(CsvDialect, QuotedFirstRowAboveNumbers) {
  EXPECT_EQ(of("\"2019\",\"2020\"\n1,2\n").names, (Names{"2019", "2020"}));
  EXPECT_EQ(of("\"0\",\"1\"\n1.5,2.5\n").names, (Names{"0", "1"}));
  EXPECT_EQ(of("\"NA\",\"nan\"\n1.5,2.5\n").names, (Names{"NA", "nan"}));
}

TEST(CsvDialect, ColumnsAskedForByNameAreInTheHeader) {
  EXPECT_TRUE(of("2019,x\n1,2\n", {.columns = parse_columns("x")}).header);
  EXPECT_TRUE(of("2019,x\n1,2\n", {.columns = parse_columns("\"2019\"")}).header);
}

// Names that write_csv writes are found again without an option.
TEST(CsvDialect, WhatIsWrittenIsRead) {
  const double x[] = {1, 2.5, 3, 4.5};
  for (const Names& names :
       {Names{"a", "b"}, Names{"2019", "2020"}, Names{"0", "1"}, Names{"x", "1"}, Names{"", "a"}, Names{"NA", "-"},
        Names{"1e3", "inf"}, Names{"temp;C", "a|b"}, Names{"a b", "c\td"}, Names{"\"", "x\ny"}, Names{"1st", "2nd"},
        Names{" a", "b "}, Names{"\xEF\xBB\xBF", "\xC3\xA4"}, Names{"1,5", "2,5"}}) {
    MemorySink sink;
    write_csv(sink, x, 2, 2, names);
    const CsvMatrix m = read_csv<double>(system_allocator(), text_of(sink.bytes()), {}, "f");
    EXPECT_EQ(m.names, names) << text_of(sink.bytes());
    EXPECT_EQ(m.rows, 2);
  }
}

}  // namespace
}  // namespace libnf
