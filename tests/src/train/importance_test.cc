// Importance sampling against its definition on all samples, and against known integrals and expectations.
#include "src/train/importance.h"

#include <gtest/gtest.h>

#include "src/model/flow_model.h"
#include "src/model/target_spec.h"
#include "src/train/pareto.h"
#include "tests/support/expect_error.h"
#include "tests/support/op_check.h"

namespace libnf::test {
namespace {

constexpr char kIdentity[] = R"({"event": 2, "dtype": "float64", "layers": []})";

struct Proposal {
  explicit Proposal(const char* spec = kIdentity, uint32_t threads = 1)
      : executor(threads),
        model(system_allocator(), parse_spec(spec), 1),
        session(system_allocator(), executor, model, NonFinite::propagate) {}
  ImportanceSummary run(const Target& target, int64_t n, const View& x = {}, const View& w = {}, uint64_t first = 0) {
    return importance(system_allocator(), executor, session, model, target, 7, first, n, {}, x, w);
  }
  Executor executor;
  FlowModel model;
  Session session;
};

TEST(Importance, SummaryIsThatOfTheWeights) {
  Proposal p;
  const auto target = parse_target(R"({"type": "banana", "scale": 1.1, "bend": 0.2})", 2);
  constexpr int64_t kN = 10000;  // more than one block
  Values x(2 * kN), w(kN);
  const ImportanceSummary s =
      p.run(*target, kN, contiguous_view(x.data(), DType::f64, {kN, 2}), contiguous_view(w.data(), DType::f64, {kN}));
  double sum = 0, squares = 0, kl = 0, kl2 = 0, largest = 0;
  for (const double v : w) {
    sum += std::exp(v);
    squares += std::exp(2 * v);
    kl -= v;
    kl2 += v * v;
    largest = std::max(largest, std::exp(v));
  }
  EXPECT_EQ(s.samples, kN);
  EXPECT_NEAR(s.log_z, std::log(sum / kN), 1e-12);
  const double sd = std::sqrt((squares - sum * sum / kN) / (kN - 1));
  EXPECT_NEAR(s.log_z_error, sd / (sum / kN) / std::sqrt(kN), 1e-12);
  EXPECT_NEAR(s.ess, sum * sum / squares, 1e-8);
  EXPECT_NEAR(s.largest_share, largest / sum, 1e-12);
  EXPECT_NEAR(s.reverse_kl, kl / kN, 1e-12);
  EXPECT_NEAR(s.reverse_kl_error, std::sqrt((kl2 / kN - kl / kN * kl / kN) / (kN - 1)), 1e-12);
  EXPECT_LT(std::abs(s.log_z), 4 * s.log_z_error) << "log Z is 0";
  // The stream of weights gives the same fit as the stored ones.
  Values smoothed(kN);
  const double k = pareto_smooth(system_allocator(), contiguous_view(w.data(), DType::f64, {kN}),
                                 contiguous_view(smoothed.data(), DType::f64, {kN}));
  EXPECT_EQ(s.pareto_k, k);
  double smooth_sum = 0, smooth_squares = 0;
  for (const double v : smoothed) smooth_sum += std::exp(v), smooth_squares += std::exp(2 * v);
  EXPECT_NEAR(s.smoothed_log_z, std::log(smooth_sum / kN), 1e-12);
  EXPECT_NEAR(s.smoothed_ess, smooth_sum * smooth_sum / smooth_squares, 1e-8);
  EXPECT_NE(s.smoothed_log_z, s.log_z);
  // Row 5000 is sample number 5000.
  Values one(2);
  p.session.sample({7, 5000}, {}, contiguous_view(one.data(), DType::f64, {1, 2}), {});
  EXPECT_EQ(one[0], x[10000]);
}

TEST(Importance, ThreadsDoNotChangeBits) {
  constexpr char kSpec[] = R"({"event": 2, "layers": [{"type": "affine_coupling", "hidden": [8]}]})";
  const auto target = parse_target("cross", 2);
  Proposal one(kSpec, 1), many(kSpec, 8);
  const ImportanceSummary a = one.run(*target, 9000), b = many.run(*target, 9000);
  EXPECT_EQ(a.log_z, b.log_z);
  EXPECT_EQ(a.ess, b.ess);
}

TEST(Importance, HugeWeightsDoNotOverflow) {
  Proposal p;
  struct Shifted final : Target {
    Shifted(double by) : Target(2), by(by) {}
    void evaluate(const View& x, const View&, const View& log_p, const View&) const override {
      for (int64_t i = 0; i < x.shape[0]; ++i) {
        const double* v = x.as<double>() + 2 * i;
        log_p.as<double>()[i] = by - 0.5 * (v[0] * v[0] + v[1] * v[1]) - 1.8378770664093454836;
      }
    }
    double by;
  };
  for (const double by : {1e5, -1e5}) {
    const ImportanceSummary s = p.run(Shifted(by), 5000);
    EXPECT_NEAR(s.log_z, by, 1e-8);
    EXPECT_NEAR(s.ess, 5000, 1e-5);
  }
}

// The constant of a log density is often huge. The target's log densities stay float64 also for a float32 model.
TEST(Importance, LogDensitiesKeepTheirDigits) {
  Proposal p(R"({"event": 2, "layers": []})");
  struct Shifted final : Target {
    Shifted(double by) : Target(2), by(by) {}
    void evaluate(const View& x, const View&, const View& log_p, const View&) const override {
      for (int64_t i = 0; i < x.shape[0]; ++i) {
        const double a = x.as<float>()[2 * i], b = x.as<float>()[2 * i + 1];
        log_p.as<double>()[i] = by - 0.6 * (a * a + b * b);
      }
    }
    double by;
  };
  const ImportanceSummary plain = p.run(Shifted(0), 5000);
  EXPECT_NEAR(plain.log_z, std::log(3.14159265358979 / 0.6), 4 * plain.log_z_error);
  for (const double by : {-1e8, 1e8, -1e10}) {
    const ImportanceSummary s = p.run(Shifted(by), 5000);
    EXPECT_NEAR(s.log_z, plain.log_z + by, 1e-4) << by;
    EXPECT_NEAR(s.ess, plain.ess, 1) << by;
    EXPECT_NEAR(s.reverse_kl, plain.reverse_kl - by, 1e-4) << by;
  }
}

TEST(Importance, RowsWithoutDensityAndRowsThatAreWrong) {
  Proposal p;
  struct Half final : Target {
    Half(double other) : Target(2), other(other) {}
    void evaluate(const View& x, const View&, const View& log_p, const View&) const override {
      for (int64_t i = 0; i < x.shape[0]; ++i) {
        const double* v = x.as<double>() + 2 * i;
        log_p.as<double>()[i] = v[0] > 0 ? -0.5 * (v[0] * v[0] + v[1] * v[1]) : other;
      }
    }
    double other;
  };
  const double inf = std::numeric_limits<double>::infinity();
  const ImportanceSummary s = p.run(Half(-inf), 20000);
  EXPECT_LT(std::abs(s.log_z - std::log(3.14159265)), 4 * s.log_z_error);
  EXPECT_NEAR(s.ess, 10000, 300);
  EXPECT_EQ(s.reverse_kl, inf);
  EXPECT_ERROR(p.run(Half(inf), 100), Code::numeric, "target's log density of sample");
  EXPECT_ERROR(p.run(Half(kUnknown), 100), Code::numeric, "target's log density of sample");
  struct Nowhere final : Target {
    Nowhere() : Target(2) {}
    void evaluate(const View& x, const View&, const View& log_p, const View&) const override {
      std::fill_n(log_p.as<double>(), x.shape[0], -std::numeric_limits<double>::infinity());
    }
  };
  EXPECT_ERROR(p.run(Nowhere(), 100), Code::numeric, "0 at all 100 samples");
}

TEST(Importance, ExpectationsOfValues) {
  Proposal p(R"({"event": 2, "dtype": "float64", "layers": []})");
  const auto target = parse_target(R"({"type": "banana", "scale": 0.9, "bend": 0})", 2);
  constexpr int64_t kN = 40000;
  Values x(2 * kN), w(kN), mean(2), error(2);
  const View xs = contiguous_view(x.data(), DType::f64, {kN, 2}), ws = contiguous_view(w.data(), DType::f64, {kN});
  p.run(*target, kN, xs, ws);
  for (double& v : x) v *= v;
  const View m = contiguous_view(mean.data(), DType::f64, {2}), e = contiguous_view(error.data(), DType::f64, {2});
  importance_mean(ws, xs, m, e);
  EXPECT_LT(std::abs(mean[0] - 0.81), 4 * error[0]);
  EXPECT_LT(std::abs(mean[1] - 1), 4 * error[1]);
  EXPECT_LT(error[0], 0.01);
  EXPECT_GT(error[0], 0.003);
  for (double& v : w) v += 5000;  // any constant
  Values shifted(2);
  importance_mean(ws, xs, contiguous_view(shifted.data(), DType::f64, {2}), {});
  EXPECT_NEAR(shifted[0], mean[0], 1e-9);
  const Values kept = mean;
  x[2 * kN - 1] = kUnknown;
  EXPECT_ERROR(importance_mean(ws, xs, m, e), Code::numeric, "values[39999, 1]");
  EXPECT_EQ(mean, kept);
  w[3] = kUnknown;
  EXPECT_ERROR(importance_mean(ws, xs, m, e), Code::numeric, "log_weight[3]");
}

}  // namespace
}  // namespace libnf::test
