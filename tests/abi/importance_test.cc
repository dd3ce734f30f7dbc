// Importance sampling that looks good and is wrong: a flow that was fitted to a bent Gaussian by reverse KL, whose spline
// box is narrower than the target. What the samples cannot say, rows of the target do.
#include <nf/nf.hpp>
#include <random>

#include "tests/abi/abi_support.h"

namespace abi_test {
namespace {

constexpr int64_t kColumns = 10;

// Exact rows of the built-in target "banana" with scale 1.5.
std::vector<double> banana_rows(int64_t n, double bend, unsigned seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  std::vector<double> x;
  for (int64_t r = 0; r < n; ++r) {
    const size_t first = x.size();
    for (int64_t j = 0; j < kColumns; ++j) x.push_back(normal(random));
    x[first] *= 1.5;
    x[first + 1] += bend * x[first] * x[first];
  }
  return x;
}

class Weights : public testing::Test {
 protected:
  void aim(double bend) {
    target_bend = bend;
    target = nf::Target(rt, R"({"type": "banana", "scale": 1.5, "bend": )" + std::to_string(bend) + "}", kColumns);
  }
  nf::CoverageInfo compare(nf::Session& s, const std::vector<double>& log_weight, int64_t rows, unsigned seed) {
    const std::vector<double> x = banana_rows(rows, target_bend, seed);
    std::vector<double> ratio(static_cast<size_t>(rows));
    target.log_density(nf::View(x, kColumns), ratio);
    const std::vector<double> log_q = s.log_prob<double>(nf::View(x, kColumns));
    for (size_t i = 0; i < ratio.size(); ++i) ratio[i] -= log_q[i];
    return nf::importance_coverage(log_weight, ratio);
  }
  nf::Runtime rt;
  nf::Target target{nullptr};
  double target_bend = 0;
};

TEST_F(Weights, RowsOfTheTargetSeeWhatTheSamplesMiss) {
  aim(0.25);
  nf::Model m(rt, R"({"event": 10, "dtype": "float64", "base": "diagonal_normal", "layers": [
    {"type": "elementwise_affine"}, {"repeat": 2, "layers": [
      {"type": "spline_coupling", "bins": 8, "bound": 4, "hidden": [16]}, {"type": "reverse"}]}]})",
              1);
  {
    nf::Trainer t(m, {{"trainer.objective", "reverse_kl"},
                      {"trainer.path_gradient", true},
                      {"trainer.samples", 256},
                      {"trainer.lr", 5e-3},
                      {"trainer.schedule", "cosine"},
                      {"trainer.max_steps", 1200},
                      {"trainer.clip_norm", 20}});
    t.set_target(target);
    t.run(1200);
  }
  nf::Session s(m);
  std::vector<double> log_weight(20000);
  const nf::ImportanceInfo found = s.importance(target, 20000, /*seed=*/99, {}, log_weight);
  // 99 % effective samples, a tail without any complaint, and log Z = 0 is several standard errors away.
  EXPECT_GT(found.ess_fraction, 0.98);
  EXPECT_LT(found.log_z, -4 * found.log_z_error);
  EXPECT_LT(found.pareto_k, found.pareto_k_limit) << "k sees this one, so it is no example of what k misses";
  const nf::CoverageInfo seen = compare(s, log_weight, 20000, 5);
  std::printf("ess %.4f, log Z %.5f +- %.5f, k %.2f; with rows %.5f +- %.5f, deviation %.1f, outside %.4f (p %.1e)\n",
              found.ess_fraction, found.log_z, found.log_z_error, found.pareto_k, seen.log_z, seen.log_z_error,
              seen.deviation, seen.outside, seen.outside_p);
  EXPECT_GT(seen.deviation, 4);
  EXPECT_LT(std::abs(seen.log_z), 4 * seen.log_z_error);
  EXPECT_GT(seen.outside, 0.001);
}

// The same checks do not object to a model that is wider than the target, although its weights vary more.
TEST_F(Weights, NoFalseAlarm) {
  aim(0);
  nf::Model m(rt, R"({"event": 10, "dtype": "float64", "base": "diagonal_normal", "layers": []})", 1);
  std::vector<double> scale(kColumns, 1.1);
  scale[0] = 1.7;
  for (const nf::Tensor& t : m.tensors()) {
    std::vector<double> value(kColumns, 0);
    if (t.name.find("scale") != std::string::npos)
      for (size_t j = 0; j < value.size(); ++j) value[j] = std::log(scale[j]);
    m.set_tensor(t, value);
  }
  nf::Session s(m);
  int alarms = 0;
  for (unsigned seed = 1; seed <= 20; ++seed) {
    std::vector<double> log_weight(5000);
    const nf::ImportanceInfo found = s.importance(target, 5000, seed, {}, log_weight);
    const nf::CoverageInfo seen = compare(s, log_weight, 2000, seed);
    alarms += seen.deviation > 4 || seen.outside_p < 1e-4;
    EXPECT_LT(std::abs(found.log_z), 5 * found.log_z_error);
    EXPECT_LT(std::abs(seen.log_z), 5 * seen.log_z_error);
  }
  EXPECT_EQ(alarms, 0);
}

TEST_F(Weights, SmoothingThroughTheAbi) {
  std::mt19937_64 random(3);
  std::exponential_distribution<double> exponential;
  std::vector<double> w;
  for (int i = 0; i < 4000; ++i) w.push_back(0.9 * exponential(random));  // a Pareto tail with k = 0.9
  const nf::Smoothed s = nf::importance_smooth(w);
  EXPECT_GT(s.pareto_k, 0.7);
  EXPECT_LT(s.pareto_k, 1.1);
  const double before = *std::max_element(w.begin(), w.end());
  EXPECT_LE(*std::max_element(s.log_weight.begin(), s.log_weight.end()), before);
  EXPECT_NE(s.log_weight, w);
  // float32, strided, in place, and only k.
  std::vector<float> wide(8000);
  for (size_t i = 0; i < w.size(); ++i) wide[2 * i] = static_cast<float>(w[i]);
  nf_view in = nf_vec_f32(wide.data(), 4000);
  in.flags |= NF_STRIDED, in.strides[0] = 2;
  nf_out out = nf_out_vec_f32(wide.data(), 4000);
  out.flags |= NF_STRIDED, out.strides[0] = 2;
  double k = 0;
  Err e;
  ASSERT_TRUE(ok(nf_importance_smooth(&in, nullptr, &k, &e), e));
  EXPECT_NEAR(k, s.pareto_k, 1e-4);
  ASSERT_TRUE(ok(nf_importance_smooth(&in, &out, nullptr, &e), e));
  for (size_t i = 0; i < w.size(); ++i) EXPECT_NEAR(double{wide[2 * i]}, s.log_weight[i], 1e-3);
  EXPECT_EQ(wide[1], 0);
  const nf_view none = nf_vec_f32(wide.data(), 0);
  EXPECT_TRUE(failed(NF_ERR_ARGUMENT, nf_importance_smooth(&none, nullptr, &k, &e), e, "0 rows"));
  nf_coverage_info info = NF_COVERAGE_INFO_INIT;
  EXPECT_TRUE(
      failed(NF_ERR_ARGUMENT, nf_importance_coverage(&in, &none, &info, &e), e, "target_log_weight has 0 rows"));
  wide[6] = NAN;
  EXPECT_TRUE(failed(NF_ERR_NUMERIC, nf_importance_coverage(&in, &in, &info, &e), e, "log_weight[3] is nan"));
  EXPECT_EQ(e.row, 3);
}

}  // namespace
}  // namespace abi_test
