// Pareto smoothing against ArviZ 0.23.4 (arviz.psislw), and its edges.
#include "src/train/pareto.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "tests/support/expect_error.h"
#include "tests/support/op_check.h"

namespace libnf::test {
namespace {

const double kInf = std::numeric_limits<double>::infinity();

// Log weights f(u) at u = (i + 1/2)/n in a scrambled order.
Values weights(int64_t n, const std::function<double(double)>& f) {
  Values w;
  for (int64_t i = 0; i < n; ++i) w.push_back(f((static_cast<double>(i * 7919 % n) + 0.5) / static_cast<double>(n)));
  return w;
}

View column(Values& v) { return contiguous_view(v.data(), DType::f64, {static_cast<int64_t>(v.size())}); }

struct Result {
  double k, ess, log_z, largest;
  Values smoothed;
};

Result smooth(Values w) {
  Result r{0, 0, 0, -kInf, Values(w.size())};
  r.k = pareto_smooth(system_allocator(), column(w), column(r.smoothed));
  double sum = 0, squares = 0;
  for (const double v : r.smoothed) r.largest = std::max(r.largest, v);
  for (const double v : r.smoothed) sum += std::exp(v - r.largest), squares += std::exp(2 * (v - r.largest));
  r.ess = sum * sum / squares;
  r.log_z = r.largest + std::log(sum / static_cast<double>(w.size()));
  return r;
}

TEST(Pareto, AgreesWithArviz) {
  struct Case {
    int64_t n;
    std::function<double(double)> f;
    double k, ess, log_z, largest;
  };
  const Case cases[] = {{1000, [](double u) { return -0.8 * std::log(u); }, 0.7574598327160104, 71.96347046254783,
                         1.3969512787885454, 5.924852167929097},
                        {5000, [](double u) { return 100 - 0.3 * std::log(u); }, 0.31127875720294007, 4125.438837205591,
                         100.35659730281144, 102.76310211159287},
                        {500, [](double u) { return std::sin(9 * u); }, -1.4920841604014805, 383.8826622257443,
                         0.41567702431803766, 0.9999954447367267},
                        {40, [](double u) { return -0.8 * std::log(u); }, 0.5863552001110596, 14.411959370331658,
                         1.150226831631028, 3.230725175419382},
                        {2000, [](double u) { return 30 * std::pow(u, 8); }, 4.225299743464785, 14.787227689300135,
                         24.888641882475888, 29.940052473758204}};
  for (const Case& c : cases) {
    const Result r = smooth(weights(c.n, c.f));
    EXPECT_NEAR(r.k, c.k, 1e-8) << c.n;
    EXPECT_NEAR(r.ess, c.ess, 1e-6 * c.ess) << c.n;
    EXPECT_NEAR(r.log_z, c.log_z, 1e-8) << c.n;
    EXPECT_NEAR(r.largest, c.largest, 1e-8) << c.n;
  }
}

TEST(Pareto, KeepsTheOrderAndTheOtherWeights) {
  const Values w = weights(1000, [](double u) { return -0.8 * std::log(u); });
  const Result r = smooth(w);
  int64_t changed = 0;
  for (size_t i = 0; i < w.size(); ++i) changed += r.smoothed[i] != w[i];
  EXPECT_EQ(changed, pareto_tail_size(1000));
  EXPECT_EQ(pareto_tail_size(1000), 95);
  for (size_t i = 0; i < w.size(); ++i)
    for (size_t j = 0; j < w.size(); j += 37) EXPECT_TRUE(w[i] >= w[j] || r.smoothed[i] <= r.smoothed[j]);
  Values in_place = w;
  pareto_smooth(system_allocator(), column(in_place), column(in_place));
  EXPECT_EQ(in_place, r.smoothed);
  // A constant in the log weights is a factor of all of them.
  Values shifted = w;
  for (double& v : shifted) v -= 1e8;
  EXPECT_NEAR(smooth(shifted).k, r.k, 1e-4);  // 1e8 leaves 8 digits
}

TEST(Pareto, Edges) {
  EXPECT_EQ(smooth(Values(1000, 3)).k, 0) << "all weights are equal";
  EXPECT_EQ(smooth(Values(1000, 3)).smoothed, Values(1000, 3));
  EXPECT_TRUE(std::isnan(smooth(Values(24, 3)).k)) << "too few weights";
  EXPECT_TRUE(std::isnan(smooth(Values(1, 3)).k));
  Values few(1000, -kInf);
  few[7] = few[100] = 0;
  EXPECT_EQ(smooth(few).k, kInf) << "two samples have all the weight";
  EXPECT_EQ(smooth(few).smoothed, few);
  Values steep;  // weights that span more than double has
  for (int i = 0; i < 1000; ++i) steep.push_back(-20.0 * i);
  EXPECT_GT(smooth(steep).k, 1);
  Values none(30, -kInf);
  EXPECT_ERROR(pareto_smooth(system_allocator(), column(none), {}), Code::numeric, "all 30 weights are 0");
  none[4] = std::nan("");
  EXPECT_ERROR(pareto_smooth(system_allocator(), column(none), {}), Code::numeric, "log_weight[4] is nan");
  none[4] = kInf;
  EXPECT_ERROR(pareto_smooth(system_allocator(), column(none), {}), Code::numeric, "log_weight[4] is inf");
  EXPECT_DOUBLE_EQ(pareto_limit(100), 0.5);
  EXPECT_DOUBLE_EQ(pareto_limit(1e6), 0.7);
}

}  // namespace
}  // namespace libnf::test
