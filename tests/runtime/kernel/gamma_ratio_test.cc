// g(x) = log Gamma(x + 1/2) - log Gamma(x) - log(x)/2 and x g'(x) against 60-digit values (mpmath).
#include "runtime/kernel/gamma_ratio.h"

#include <gtest/gtest.h>

#include <cmath>

namespace libnf::kernel {
namespace {

struct Reference {
  double x, log, slope;
};
constexpr Reference kReference[] = {
    {1e-300, -344.8153990061821525, 0.5},
    {1e-30, -33.966411451985985132, 0.5},
    {1e-8, -8.6379754429144260852, 0.49999998613705671779},
    {0.01, -1.7439209671181752885, 0.48645897933705098771},
    {0.05, -0.99098220816360930426, 0.43809428703288482358},
    {0.25, -0.39159439270683677647, 0.28539816339744830962},
    {0.5, -0.22579135264472743236, 0.19314718055994530942},
    {0.75, -0.15771175162721806923, 0.14380550980765507115},
    {1, -0.12078223763524522235, 0.11370563888010938117},
    {1.5, -0.081950316418836968643, 0.079441541679835928252},
    {2, -0.061890719807053495076, 0.060744611093552095664},
    {2.5, -0.049681055850051382807, 0.049069236133059880419},
    {3.7, -0.033683099529887491418, 0.033485802122826328677},
    {5, -0.02495881894627951307, 0.024877400749753255034},
    {7.25, -0.0172277888558472779, 0.017200759626919374159},
    {9.5, -0.013151840019046446658, 0.013139770305829957561},
    {9.999, -0.012496055744662045607, 0.012485697784733640942},
    {10, -0.012494807174728820055, 0.012484452309652676251},
    {10.5, -0.011900274909987181477, 0.011891325074864689936},
    {12, -0.010413658831440292768, 0.010407655589200376945},
    {25, -0.0049996668264728202417, 0.0049990007986439504213},
    {100, -0.0012499947918229048101, 0.0012499843757811670073},
    {1e4, -0.000012499999994791666682, 0.000012499999984375000078},
    {1e8, -1.2499999999999999948e-9, 1.2499999999999999844e-9},
    {1e15, -1.25e-16, 1.25e-16},
    {1e300, -1.2499999999999999344e-301, 1.2499999999999999344e-301},
};

TEST(GammaRatio, MatchesReferences) {
  double worst = 0;
  for (const Reference& r : kReference) {
    const GammaRatio got = gamma_ratio(r.x);
    worst = std::max(worst, std::abs(got.log - r.log) / std::max(1.0, std::abs(r.log)));
    worst = std::max(worst, std::abs(got.slope - r.slope) / std::max(1.0, std::abs(r.slope)));
    EXPECT_NEAR(got.log, r.log, 4e-16 * std::max(1.0, std::abs(r.log))) << r.x;
    EXPECT_NEAR(got.slope, r.slope, 4e-16 * std::max(1.0, std::abs(r.slope))) << r.x;
    if (r.x >= 10) {  // here the series has a small relative error as well
      EXPECT_NEAR(got.log / r.log, 1, 1e-14) << r.x;
      EXPECT_NEAR(got.slope / r.slope, 1, 1e-14) << r.x;
    }
  }
  RecordProperty("worst", std::to_string(worst));
}

// Each order is the derivative of the one before, by the logarithm of x.
TEST(GammaRatio, DerivativesOfHigherOrder) {
  for (int order = 1; order <= kMaxGammaRatioOrder; ++order)
    for (double l = -20; l < 12; l += 0.37) {
      constexpr double h = 5e-3;
      const auto before = [&](double step) { return gamma_ratio_derivative(std::exp(l + step), order - 1); };
      const double want = (8 * (before(h) - before(-h)) - (before(2 * h) - before(-2 * h))) / (12 * h);
      EXPECT_NEAR(gamma_ratio_derivative(std::exp(l), order), want, 2e-8) << "order " << order << " at " << l;
    }
  const GammaRatio g = gamma_ratio(0.7);
  EXPECT_EQ(gamma_ratio_derivative(0.7, 0), g.log);
  EXPECT_EQ(gamma_ratio_derivative(0.7, 1), g.slope);
  EXPECT_EQ(gamma_ratio_derivative(0.7, 2), g.curve);
  for (const double x : {1e300, 1e-300, double{INFINITY}}) EXPECT_NEAR(gamma_ratio_derivative(x, 3), 0, 1e-15) << x;
  EXPECT_TRUE(std::isnan(gamma_ratio_derivative(0, 3)));
}

TEST(GammaRatio, IsDefinedEverywhere) {
  EXPECT_EQ(gamma_ratio(INFINITY).log, 0);
  EXPECT_EQ(gamma_ratio(INFINITY).slope, 0);
  for (const double x : {double{NAN}, 0.0, -1.0, -double{INFINITY}}) {
    EXPECT_TRUE(std::isnan(gamma_ratio(x).log)) << x;
    EXPECT_TRUE(std::isnan(gamma_ratio(x).slope)) << x;
  }
}

}  // namespace
}  // namespace libnf::kernel
