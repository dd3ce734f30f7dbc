// A text file of expected hashes, one line per SIMD target and case: TARGET NAME HASH...
// Shared by the tests of pins and of stored files. With NF_PINS_WRITE in the environment, check() collects the computed
// hashes instead of comparing them, and the destructor rewrites the file.
#pragma once
#include <gtest/gtest.h>

#include <map>
#include <span>
#include <string>
#include <vector>

#include "tests/support/on_target.h"

namespace libnf::test {

class Table {
 public:
  using Values = std::vector<std::string>;
  explicit Table(std::string path);
  ~Table();
  bool writing() const { return writing_; }
  // Returns whether there are lines for this target.
  bool knows(const std::string& target) const { return lines_.contains(target); }
  // Compares with the table's line and names the values that differ.
  void check(const std::string& target, const std::string& name, const Values& now, std::span<const char* const> what);
  // Fails on duplicate names and on lines of unknown names; when writing, drops such lines.
  void check_names(std::vector<std::string> names);

 private:
  std::string path_;
  bool writing_;
  std::map<std::string, std::map<std::string, Values>> lines_;
};

}  // namespace libnf::test
