// Which columns and rows of a table to read: column lists and row conditions, as users write them.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace libnf {

// Selects a column by its index from 0, or by its name in the header if index < 0. A number that is no index of the
// file is looked up as a name, if `name` is set.
struct ColumnRef {
  int64_t index = -1;
  std::string name = {};
};

// Parses "0,age,\"a, b\"": indices and names, separated by commas. A quoted word is a name, even if it is a number.
std::vector<ColumnRef> parse_columns(std::string_view list);

// Keeps the rows where a column compares to a number or a text.
struct RowCondition {
  enum class Compare : uint8_t { equal, unequal, less, at_most, greater, at_least };
  ColumnRef column;
  Compare compare = Compare::equal;
  std::string value;
  double number = 0;
  bool numeric = false;  // compare as numbers; texts can only be equal or not
};

// Parses "age >= 18 and species == Adelie". Names and values with spaces or signs go in double quotes. Error{spec} says
// what is wrong.
std::vector<RowCondition> parse_conditions(std::string_view text);

// A missing value, or NaN, only satisfies "!=".
bool holds(const RowCondition& condition, double value);
bool holds(const RowCondition& condition, std::string_view cell, char decimal);

// Returns the index of a column among `count`, named `names` or (empty) without names. Error{argument} if there is none,
// or more than one.
int64_t find_column(const ColumnRef& column, const std::vector<std::string>& names, int64_t count, const char* source);

}  // namespace libnf
