// Tangents of the log-densities of every base along z, context and parameters, and gradients of these tangents, against
// five-point differences.
#include <gtest/gtest.h>

#include "tests/src/base/base_case.h"
#include "tests/support/tangent_check.h"

namespace libnf::test {
namespace {

class BaseTangent : public testing::TestWithParam<BaseSetup> {};

TEST_P(BaseTangent, AgreesWithDifferences) {
  const BaseSetup& b = GetParam();
  constexpr int64_t kRows = 4;
  const bool bounded = std::string(b.json).find("uniform") != std::string::npos;
  for (const int64_t event : {1, 3}) {
    FlowCase<double> f(base_spec(b, DType::f64, event));
    f.randomize(3, 0.4);
    std::mt19937_64 random(4);
    Rows2 in = draw_mild(bounded ? Domain::unit : Domain::real, kRows, event, 0, random);
    if (bounded)
      for (double& z : in.x) z *= 0.5;  // inside every box
    in.context = draw_context(b, kRows, 5);
    ASSERT_TRUE(tangents_agree({.f = f, .in = in, .density = true, .context = b.labels == BaseSetup::none}, 6));
  }
}

INSTANTIATE_TEST_SUITE_P(Bases, BaseTangent, testing::ValuesIn(kBaseSetups));

}  // namespace
}  // namespace libnf::test
