// g(x) = log Gamma(x + 1/2) - log Gamma(x) - log(x)/2 and x g'(x) against 60-digit values (mpmath).
#include "runtime/kernel/gamma_ratio.h"

#include <gtest/gtest.h>

#include <algorithm>
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

// Against 60-digit values (mpmath), and no factors or one: 1 and x.
TEST(GammaRatio, RisingFactorial) {
  struct Reference {
    double x, n, log, slope;
  };
  constexpr Reference kReferences[] = {
      {1e-12, 2, 27.631021115929548228, -0.999999999999},
      {0.5, 2, 1.0986122886681096914, -0.66666666666666666667},
      {9.99, 2, 0.095401175755067842034, -0.090991810737033665205},
      {77, 2, 0.012903404835907887699, -0.012820512820512820513},
      {1e5, 2, 9.9999500003333308334e-6, -9.9999000009999900001e-6},
      {1e15, 2, 9.999999999999995e-16, -9.99999999999999e-16},
      {1e-12, 16, 442.36458812277243322, -14.999999999996681771},
      {0.5, 16, 39.795744461075239424, -13.631869301177976512},
      {9.99, 16, 8.366551061723839091, -6.1333769345236274864},
      {77, 16, 1.463265404106750158, -1.3764946600928135335},
      {1e5, 16, 0.001199938004799554266, -0.0011998760143982171099},
      {1e15, 16, 1.1999999999999938e-13, -1.1999999999999876e-13},
      {1e-12, 17, 472.76819796094082519, -15.999999999996619271},
      {0.5, 17, 43.29225202254171966, -14.601566270874946209},
      {9.99, 17, 9.3226783177167758187, -6.7489983273670287896},
      {77, 17, 1.6520594754063222462, -1.5485376708455017056},
      {1e5, 17, 0.0013599252061647237803, -0.0013598504184935618547},
      {1e15, 17, 1.35999999999999252e-13, -1.35999999999998504e-13},
      {1e-12, 1000, 33508.610518021808376, -998.99999999999251553},
      {0.5, 1000, 6601.248991465698098, -995.56436732666489005},
      {9.99, 1000, 3659.909754240124211, -953.38166300334301975},
      {77, 1000, 1839.945138463786929, -796.39871808741980626},
      {1e5, 1000, 4.9784409962989585459, -4.9619641717222514007},
      {1e15, 1000, 4.9949999999983358325e-10, -4.994999999996671665e-10},
      {1e-12, 1e6, 40446498.054055043974, -999998.99999999998561},
      {0.5, 1e6, 13508658.085097768027, -999992.11048970800713},
      {9.99, 1e6, 10514045.214167314109, -999884.46745144587003},
      {77, 1e6, 8472506.7233972664402, -999270.17173201195128},
      {1e5, 1e6, 1637683.6011298136235, -760210.01817388195386},
      {1e15, 1e6, 0.00049999949983333358342, -0.00049999949966666716692},
      {1e-12, 1e12, 54262042231816.568843, -999999999999.0},
      {0.5, 1e12, 27324168296488.840091, -999999999985.20273443},
      {9.99, 1e12, 24329436523518.44405, -999999999746.45059578},
      {77, 1e12, 22287215695933.335277, -999999998206.38330932},
      {1e5, 1e12, 15118097362759.830835, -999998388189.92490339},
      {1e15, 1e12, 499833416.61620022604, -499666916.4663336901},
  };
  for (const Reference& r : kReferences) {
    const RisingFactorial h = rising_factorial(r.x, r.n);
    EXPECT_NEAR(h.log, r.log, 1e-15 * std::max({1.0, r.n, r.log})) << r.x << " " << r.n;
    EXPECT_NEAR(h.slope, r.slope, 1e-15 * std::max(1.0, r.n)) << r.x << " " << r.n;
  }
  for (const double x : {1e-300, 0.7, 1e300})
    for (const double n : {0.0, 1.0}) {
      EXPECT_EQ(rising_factorial(x, n).log, 0);
      EXPECT_EQ(rising_factorial(x, n).slope, 0);
    }
  EXPECT_EQ(rising_factorial(INFINITY, 100).log, 0);
  for (const double x : {double{NAN}, 0.0, -1.0}) EXPECT_TRUE(std::isnan(rising_factorial(x, 2).log)) << x;
  EXPECT_TRUE(std::isnan(rising_factorial(1, -1).slope));
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
