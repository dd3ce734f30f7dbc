// A text file of expected hashes, one line per SIMD target and case: TARGET NAME HASH...
// The tests of pins and of stored files share it. With NF_PINS_WRITE in the environment, check() collects what is
// computed now instead of comparing, and the file is rewritten when the table is destroyed.
#pragma once
#include <gtest/gtest.h>

#include <map>
#include <span>
#include <string>
#include <vector>

#include "runtime/kernel/targets.h"
// After the project's choice of targets
#include "hwy/highway.h"

namespace nf::test {

// While it lives, the kernels run on one SIMD target.
class OnTarget {
 public:
  explicit OnTarget(int64_t target) {
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(target);
  }
  ~OnTarget() {
    hwy::SetSupportedTargetsForTest(0);
    hwy::GetChosenTarget().DeInit();
  }
  OnTarget(const OnTarget&) = delete;
  OnTarget& operator=(const OnTarget&) = delete;
};

class Table {
 public:
  using Values = std::vector<std::string>;
  explicit Table(std::string path);
  ~Table();
  bool writing() const { return writing_; }
  // Whether there are lines of this target.
  bool knows(const std::string& target) const { return lines_.contains(target); }
  // Compares with the line, naming the values that differ.
  void check(const std::string& target, const std::string& name, const Values& now, std::span<const char* const> what);
  // Fails on names that occur twice and on lines of other names; when writing, drops such lines.
  void check_names(std::vector<std::string> names);

 private:
  std::string path_;
  bool writing_;
  std::map<std::string, std::map<std::string, Values>> lines_;
};

}  // namespace nf::test
