// Column lists and row conditions, and what the readers make of them: selected rows, ids, missing values, row numbers.
#include "src/io/columns.h"

#include <cmath>

#include "src/io/npy.h"
#include "src/io/table.h"
#include "tests/src/io/io_test_util.h"

namespace libnf {
namespace {

using namespace io_test;

TEST(Columns, Lists) {
  const auto shown = [](std::string_view list) {
    std::string out;
    for (const ColumnRef& c : parse_columns(list)) out += "[" + std::to_string(c.index) + " " + c.name + "]";
    return out;
  };
  EXPECT_EQ(shown(""), "");
  EXPECT_EQ(shown("0, age,3"), "[0 0][-1 age][3 3]");
  EXPECT_EQ(shown("\"a, b\",\"2019\",\"q\"\"u\""), "[-1 a, b][-1 2019][-1 q\"u]");
  EXPECT_EQ(shown("a,,-1"), "[-1 a][-1 ][-1 -1]");
  expect_error(Code::spec, "never closed", [] { parse_columns("\"a"); });
  expect_error(Code::spec, "comma", [] { parse_columns("\"a\"b"); });
  EXPECT_EQ(find_column(parse_columns("2020")[0], {"2019", "2020"}, 2, "f"), 1) << "no index, but a name";
  expect_error(Code::argument, "has 2 columns", [] {
    find_column(parse_columns("2021")[0], {"2019", "2020"}, 2, "f");
  });
}

bool met(std::string_view condition, double v) { return holds(parse_conditions(condition)[0], v); }

TEST(Columns, Conditions) {
  EXPECT_TRUE(met("x < 2", 1) && met("x<=1", 1) && met("x = 1", 1) && met("x==1e0", 1) && met("x != 2", 1) &&
              met("x > .5", 1) && met("x >= 1", 1));
  EXPECT_FALSE(met("x < 1", 1) || met("x > 1", 1) || met("x == 2", 1) || met("x < 2", NAN) || met("x == 2", NAN));
  EXPECT_TRUE(met("x != 2", NAN));
  const auto all = parse_conditions("\"a b\" >= -1.5 and kind==\"New York\" && 3 != x&z=1");
  ASSERT_EQ(all.size(), 4u);
  EXPECT_EQ(all[0].column.name, "a b");
  EXPECT_EQ(all[1].value, "New York");
  EXPECT_EQ(all[2].column.index, 3);
  EXPECT_TRUE(holds(all[1], "New York", '.') && !holds(all[1], "York", '.'));
  EXPECT_TRUE(holds(parse_conditions("x > 1")[0], "1,5", ',') && !holds(parse_conditions("x > 1")[0], "NA", '.'));
  EXPECT_TRUE(parse_conditions("  ").empty());
  for (const auto& [text, why] :
       {std::pair("x", "expected one of =="), std::pair("x > y", "compares numbers"),
        std::pair("> 3", "expected a column"), std::pair("x >", "expected a value"),
        std::pair("x > 3 and ", "missing at the end"), std::pair("x > 3 4", "compares numbers"),
        std::pair("\"x\" > \"3\" y", "compares numbers"), std::pair("x == \"3\" y", "join conditions")})
    expect_error(Code::spec, why, [&, t = text] { parse_conditions(t); });
}

Table parse(std::string_view bytes, const TableOptions& o) {
  return parse_table(system_allocator(), bytes_of(bytes), "f", o);
}

std::string shown(const Table& t) {
  std::string out;
  for (int64_t r = 0; r < t.rows; ++r) {
    out += std::to_string(t.places.row(r)) + "/" + std::to_string(t.places.line(r)) + ":";
    for (int64_t c = 0; c < t.cols; ++c) {
      const double v = t.data.as<double>()[r * t.cols + c];
      out += std::isnan(v) ? " nan" : " " + std::to_string(static_cast<int>(v));
    }
    if (!t.ids.empty()) out += " " + t.ids[static_cast<size_t>(r)];
    out += ";";
  }
  return out;
}

TableOptions options(std::string_view where, Missing missing = Missing::error, std::string_view id = "") {
  TableOptions o{.dtype = DType::f64};
  o.csv.where = parse_conditions(where);
  o.csv.missing = missing;
  if (!id.empty()) o.csv.id = parse_columns(id)[0];
  return o;
}

TEST(Columns, RowsOfCsv) {
  const char* text = "id,kind,x,y\nn1,a,1,2\n\nn2,b,3,4\n\"n\n3\",a,5,6\nn4,a,,8\n";
  TableOptions o = options("kind == a", Missing::drop, "id");
  o.csv.columns = parse_columns("x,y");
  const Table t = parse(text, o);
  EXPECT_EQ(shown(t), "0/2: 1 2 n1;2/5: 5 6 n\n3;");
  EXPECT_EQ(t.dropped, 1);
  EXPECT_EQ(t.first_dropped, "line 7");
  o.csv.missing = Missing::keep;
  EXPECT_EQ(shown(parse(text, o)), "0/2: 1 2 n1;2/5: 5 6 n\n3;3/7: nan 8 n4;");
  o.csv.missing = Missing::error;
  expect_error(Code::format, "line 7, column 3 ('x'): the value is missing; set missing to \"drop\"",
               [&] { parse(text, o); });
  o.csv.where = parse_conditions("kind == b");
  EXPECT_EQ(shown(parse(text, o)), "1/4: 3 4 n2;") << "rows left out need not be numbers";
  EXPECT_EQ(shown(parse("a,b\n1,2\n3,4\n", options("", Missing::error, "a"))), "0/2: 2 1;1/3: 4 3;")
      << "an id is no data";
  EXPECT_EQ(parse("1\n2\n3\n", options("0 > 1")).places.row(1), 2);
  expect_error(Code::argument, "no numbers", [] { parse("a\n1\n", options("", Missing::error, "a")); });
  expect_error(Code::argument, "no column is named 'z'", [] { parse("a\n1\n", options("z > 1")); });
}

TEST(Columns, RowsOfNpy) {
  const double x[] = {1, 2, NAN, 4, 5, 6, 7, INFINITY};
  MemorySink sink;
  write_npy(sink, DType::f64, {4, 2}, x);
  const std::string file = text_of(sink.bytes());
  expect_error(Code::format, "f: row 1, column 0 (both counted from 0) is NaN; set missing",
               [&] { parse(file, options("")); });
  EXPECT_EQ(shown(parse(file, options("", Missing::drop))), "0/0: 1 2;2/0: 5 6;");
  EXPECT_EQ(parse(file, options("", Missing::drop)).first_dropped, "row 1");
  EXPECT_EQ(parse(file, options("", Missing::keep)).rows, 4);
  EXPECT_EQ(shown(parse(file, options("0 >= 5", Missing::drop, "1"))), "2/0: 5 6;3/0: 7 inf;") << "an id is no data";
  TableOptions o = options("");
  o.csv.columns = parse_columns("1");
  expect_error(Code::format, "row 3, column 1 (both counted from 0) is infinity", [&] { parse(file, o); });
  const double big = 1e300;
  MemorySink large;
  write_npy(large, DType::f64, {1, 1}, &big);
  expect_error(Code::format, "row 0, column 0 (both counted from 0): 1e+300 is out of range of float32",
               [&] { parse(text_of(large.bytes()), {}); });
}

}  // namespace
}  // namespace libnf
