// Bits that must not change: pins.txt has, for every SIMD target and case, hashes of the parameters after training and
// of what the model then computes. A difference changes results for everybody who has a model or a seed. If it is
// intended, say so in the commit and rewrite the table:
//
//   NF_PINS_WRITE=1 build/tests/pins/pins_test    rewrites the lines of this machine's targets and keeps the others
//
// Targets without lines (another machine wrote the table) are skipped.
#include "runtime/kernel/blas.h"
#include "tests/pins/cases.h"
#include "tests/pins/table.h"
#include "tests/support/brief.h"

namespace libnf::test {
namespace {

const std::vector<PinCase>& cases() {
  static const std::vector<PinCase> all = all_cases();
  return all;
}

std::string group_of(const std::string& name) { return name.substr(0, name.rfind('/')); }

std::vector<std::string> groups() {
  std::vector<std::string> all;
  for (const PinCase& c : cases())
    if (std::find(all.begin(), all.end(), group_of(c.name)) == all.end()) all.push_back(group_of(c.name));
  return all;
}

Table& table() {
  static Table t(NF_PINS_DIR "/pins.txt");
  return t;
}

class Pins : public testing::TestWithParam<std::tuple<int64_t, std::string>> {
 protected:
  Pins() { kernel::allow_blas(false); }  // the table is of our own products
};

TEST_P(Pins, SameBits) {
  const auto& [target, group] = GetParam();
  const std::string name = hwy::TargetName(target);
  if (!table().writing() && !table().knows(name)) GTEST_SKIP() << "pins.txt has no lines of SIMD target " << name;
  const OnTarget on(target);
  int number = 0;
  for (const PinCase& c : cases()) {
    if (group_of(c.name) != group) continue;
    if (number++ % 4 && brief()) continue;
    SCOPED_TRACE(name + " " + c.name);
    const Hashes now = run_case(c);
    table().check(name, c.name, {now.of, now.of + kOutputs}, kOutputNames);
  }
}

INSTANTIATE_TEST_SUITE_P(All, Pins,
                         testing::Combine(testing::ValuesIn(hwy::SupportedAndGeneratedTargets()),
                                          testing::ValuesIn(groups())),
                         [](const auto& info) {
                           std::string name =
                               std::string(hwy::TargetName(std::get<0>(info.param))) + "_" + std::get<1>(info.param);
                           std::replace(name.begin(), name.end(), '/', '_');
                           return name;
                         });

// Every name occurs once, and no line belongs to a case that no longer exists.
TEST(PinsTable, HasTheCases) {
  std::vector<std::string> names;
  for (const PinCase& c : cases()) names.push_back(c.name);
  table().check_names(names);
}

}  // namespace
}  // namespace libnf::test
