// Rows of the target against samples of the proposal: normal densities in one dimension, where all is known.
#include "src/train/coverage.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "tests/support/expect_error.h"
#include "tests/support/op_check.h"

namespace libnf::test {
namespace {

const double kInf = std::numeric_limits<double>::infinity(), kUnknown = std::nan("");

View column(const Values& v) {
  return contiguous_view(const_cast<double*>(v.data()), DType::f64, {static_cast<int64_t>(v.size())});
}

double log_normal(double x, double center, double sd) {
  const double u = (x - center) / sd;
  return -0.5 * u * u - std::log(sd) - 0.9189385332046727;
}

// The target is e^offset N(0, 1), plus `far` of its mass around 30; the proposal is N(0, sd^2).
struct Scene {
  double sd = 1, far = 0, offset = 0;
  double log_weight(double x) const {
    const double near = std::log1p(-far) + log_normal(x, 0, 1), away = std::log(far) + log_normal(x, 30, 1);
    const double high = std::max(near, away);
    return offset + high + std::log(std::exp(near - high) + std::exp(away - high)) - log_normal(x, 0, sd);
  }
  CoverageSummary run(int n, int m, unsigned seed = 1) const {
    std::mt19937_64 random(seed);
    std::normal_distribution<double> normal;
    std::uniform_real_distribution<double> uniform;
    Values q, p;
    for (int i = 0; i < n; ++i) q.push_back(log_weight(sd * normal(random)));
    for (int i = 0; i < m; ++i) {
      const bool away = uniform(random) < far;
      p.push_back(log_weight(normal(random) + (away ? 30 : 0)));
    }
    return coverage(column(q), column(p));
  }
};

TEST(Coverage, AgreesWhereTheProposalCovers) {
  for (const double sd : {0.9, 1.0, 1.2, 2.0, 4.0})
    for (const double offset : {0.0, -1e8}) {
      const CoverageSummary s = Scene{sd, 0, offset}.run(20000, 2000);
      EXPECT_LT(std::abs(s.deviation), 4) << sd;
      EXPECT_LT(std::abs(s.log_z - offset), 4 * s.log_z_error + 1e-7) << sd;
      const double kl = std::log(sd) + 0.5 / (sd * sd) - 0.5;
      EXPECT_LT(std::abs(s.forward_kl - kl), 4 * s.forward_kl_error + 1e-7) << sd;
      EXPECT_LE(s.outside, 0.01) << sd;
      EXPECT_GT(s.outside_p, 1e-4) << sd;
      EXPECT_EQ(s.samples, 20000);
      EXPECT_EQ(s.target_samples, 2000);
    }
}

// The errors must be those of many repetitions.
TEST(Coverage, StandardErrors) {
  const Scene scene{1.3};
  double sum = 0, squares = 0, error = 0, z = 0, unlikely = 0;
  constexpr int kTimes = 200;
  for (unsigned t = 0; t < kTimes; ++t) {
    const CoverageSummary s = scene.run(1000, 500, t + 10);
    sum += s.log_z, squares += s.log_z * s.log_z, error += s.log_z_error / kTimes, z += s.deviation * s.deviation;
    unlikely += s.outside_p < 0.01;
  }
  const double sd = std::sqrt((squares - sum * sum / kTimes) / (kTimes - 1));
  EXPECT_NEAR(error / sd, 1, 0.25);
  EXPECT_LT(std::sqrt(z / kTimes), 1.3) << "deviations would be false alarms";
  EXPECT_LE(unlikely, 10);
}

TEST(Coverage, SeesWhatTheSamplesMiss) {
  for (const double far : {0.01, 0.1, 0.5}) {
    const CoverageSummary s = Scene{1.05, far}.run(20000, 2000);
    EXPECT_GT(s.deviation, 4) << far;
    EXPECT_LT(std::abs(s.log_z), 4 * s.log_z_error) << far;
    EXPECT_NEAR(s.outside, far, 0.02) << far;
    EXPECT_LT(s.outside_p, 1e-4) << far;
    EXPECT_GT(s.forward_kl, 1) << far;
  }
}

TEST(Coverage, Edges) {
  const Values q{0.1, -0.2, 0.3}, equal(5, 2.5), none(3, -kInf), at_zero{kInf, kInf};
  CoverageSummary s = coverage(column(equal), column(equal));
  EXPECT_NEAR(s.log_z, 2.5, 1e-12);
  EXPECT_EQ(s.deviation, 0);
  EXPECT_EQ(s.outside, 0);
  EXPECT_EQ(s.outside_p, 1);
  s = coverage(column(q), column(at_zero));
  EXPECT_EQ(s.log_z, kInf);
  EXPECT_EQ(s.deviation, kInf);
  EXPECT_EQ(s.outside, 1);
  s = coverage(column(q), column({0.2, kInf}));
  EXPECT_TRUE(std::isfinite(s.log_z));
  EXPECT_EQ(s.forward_kl, kInf);
  s = coverage(column({-kInf, 0.5}), column({0.4}));
  EXPECT_TRUE(std::isfinite(s.log_z));
  s = coverage(column({1e300}), column({-1e300}));
  EXPECT_TRUE(std::isfinite(s.log_z));
  EXPECT_ERROR(coverage(column(none), column(q)), Code::numeric, "all 3 weights are 0");
  EXPECT_ERROR(coverage(column({0, kUnknown}), column(q)), Code::numeric, "log_weight[1] is nan");
  EXPECT_ERROR(coverage(column({0, kInf}), column(q)), Code::numeric, "log_weight[1] is inf");
  EXPECT_ERROR(coverage(column(q), column({kUnknown})), Code::numeric, "target_log_weight[0] is nan");
  EXPECT_ERROR(coverage(column(q), column({1, -kInf})), Code::numeric, "target_log_weight[1] is -inf");
}

}  // namespace
}  // namespace libnf::test
