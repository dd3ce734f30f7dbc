// Base distributions: log-densities against closed forms and reference values, integrals that are one, samples that
// follow the density and are the same for the same key however rows are split, float32 against float64.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "src/model/flow.h"
#include "tests/src/base/base_case.h"

namespace libnf::test {
namespace {

// Uses the same context row for all rows.
Rows2 with_context(const BaseSetup& b, Values x, int64_t event, uint64_t seed = 8) {
  const auto rows = static_cast<int64_t>(x.size()) / event;
  const Values one = draw_context(b, 1, seed);
  Rows2 in{rows, std::move(x), {}};
  for (int64_t r = 0; r < rows; ++r) in.context.insert(in.context.end(), one.begin(), one.end());
  return in;
}

// Quadrature over the real line: z = sinh(s) on an even grid of s, with trapezoidal weights.
struct Axis {
  Axis(double reach, int64_t n) {
    for (int64_t i = 0; i < n; ++i) {
      const double s = reach * (2 * (static_cast<double>(i) + 0.5) / static_cast<double>(n) - 1);
      z.push_back(std::sinh(s));
      weight.push_back(std::cosh(s) * 2 * reach / static_cast<double>(n));
    }
  }
  Values z, weight;
};

TEST(Base, EveryKindIsTested) {
  std::set<std::string> tested;
  for (const BaseSetup& b : kBaseSetups) {
    const ModelSpec spec = base_spec(b, DType::f64, 2);
    tested.insert(static_cast<const FlowConfig&>(*spec.config).base.part().name);
  }
  for (const BaseKind* kind : Registry<BaseKind>::all()) EXPECT_TRUE(tested.count(kind->name)) << kind->name;
}

TEST(Base, IntegratesToOneInOneDimension) {
  const Axis axis(80, 50000);
  for (const BaseSetup& b : kBaseSetups) {
    FlowCase<double> f(base_spec(b, DType::f64, 1));
    f.randomize(3, 0.4);
    const Values lp = f.log_prob(with_context(b, axis.z, 1));
    double sum = 0;
    for (size_t k = 0; k < lp.size(); ++k) sum += axis.weight[k] * std::exp(lp[k]);
    // A kink costs the rule h^2 = 1e-5, a jump h = 3e-3.
    const bool uniform = std::string(b.json).find("uniform") != std::string::npos;
    EXPECT_NEAR(sum, 1, uniform ? 5e-3 : b.smooth ? 1e-10 : 2e-5) << b.json;
  }
}

// Two columns: the density integrated over each quadrant around a point agrees with the share of samples in it.
TEST(Base, QuadrantsOfSamplesHaveTheirShare) {
  const Axis axis(14, 500);
  constexpr int64_t n = 20000;
  constexpr double kAt[] = {0.2, -0.1};
  const auto quadrant = [&](double x, double y) { return (x > kAt[0] ? 1u : 0u) + (y > kAt[1] ? 2u : 0u); };
  for (const BaseSetup& b : kBaseSetups) {
    FlowCase<double> f(base_spec(b, DType::f64, 2));
    f.randomize(5, 0.4);
    for (size_t i = 0; i < f.model().params().slots().size(); ++i)  // makes the grid reach the tails
      if (f.model().params().slots()[i].name == "base.log_dof") f.param(i)[0] = f.param(i)[1] = std::log(3);
    Values z;
    for (double x : axis.z)
      for (double y : axis.z) z.insert(z.end(), {x, y});
    const Values lp = f.log_prob(with_context(b, z, 2));
    double share[4] = {};
    for (size_t i = 0, k = 0; i < axis.z.size(); ++i)
      for (size_t j = 0; j < axis.z.size(); ++j, ++k)
        share[quadrant(axis.z[i], axis.z[j])] += axis.weight[i] * axis.weight[j] * std::exp(lp[k]);
    const bool uniform = std::string(b.json).find("uniform") != std::string::npos;
    const double slack = uniform ? 0.08 : b.smooth ? 1e-4 : 0.02;  // jumps and kinks, at a step of 0.06 and more
    EXPECT_NEAR(share[0] + share[1] + share[2] + share[3], 1, slack) << b.json;
    const Rows2 in = with_context(b, Values(2 * n), 2);
    const Values v = sample_base(f, 21, 0, n, in.context);
    double count[4] = {};
    for (size_t r = 0; r < n; ++r) count[quadrant(v[2 * r], v[2 * r + 1])] += 1.0 / n;
    for (int q = 0; q < 4; ++q)
      EXPECT_NEAR(count[q], share[q], 5 * std::sqrt(share[q] * (1 - share[q]) / n) + slack) << b.json << " " << q;
  }
}

// Kolmogorov-Smirnov distance of 20,000 samples of one column from the integral of the density: below 1.95/sqrt(n) with
// probability 0.999; the seed is fixed.
TEST(Base, SamplesFollowTheDensity) {
  const Axis axis(80, 50000);
  constexpr int64_t n = 20000;
  for (const BaseSetup& b : kBaseSetups) {
    FlowCase<double> f(base_spec(b, DType::f64, 1));
    f.randomize(4, 0.4);
    const Values lp = f.log_prob(with_context(b, axis.z, 1));
    Values v = sample_base(f, 12, 0, n, with_context(b, Values(n), 1).context);
    std::sort(v.begin(), v.end());
    double below = 0, distance = 0;
    size_t k = 0;
    for (size_t r = 0; r < n; ++r) {
      for (; k + 1 < axis.z.size() && axis.z[k] <= v[r]; ++k) below += axis.weight[k] * std::exp(lp[k]);
      distance = std::max(distance, std::abs(below - (static_cast<double>(r) + 0.5) / n));
    }
    EXPECT_LT(distance, 1.95 / std::sqrt(static_cast<double>(n)) + 2e-3) << b.json;
  }
}

template <class T>
class BaseTest : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(BaseTest, Types);

TYPED_TEST(BaseTest, SamplesDependOnSeedAndIndexOnly) {
  for (const BaseSetup& b : kBaseSetups) {
    FlowCase<TypeParam> f(base_spec(b, dtype_of<TypeParam>, 3));
    f.randomize(2, 0.4);
    const Values context = draw_context(b, 100, 3);
    const Rows2 all{100, sample_base(f, 5, 0, 100, context), context};
    EXPECT_TRUE(same_bits(sample_base(f, 5, 0, 100, context), all.x)) << b.json;
    EXPECT_FALSE(same_bits(sample_base(f, 6, 0, 100, context), all.x)) << b.json;
    for (const auto& [first, rows] : {std::pair<int64_t, int64_t>{0, 1}, {1, 99}, {37, 20}, {99, 1}, {50, 0}}) {
      const Rows2 part = all.part(first, rows);
      EXPECT_TRUE(same_bits(sample_base(f, 5, first, rows, part.context), part.x)) << b.json;
    }
    const Values far = sample_base(f, 5, int64_t{1} << 40, 2, context);
    EXPECT_TRUE(same_bits(sample_base(f, 5, (int64_t{1} << 40) + 1, 1, all.part(1, 1).context),
                          (Rows2{2, far, {}}.part(1, 1).x)))
        << b.json;
  }
}

// Densities agree within 1e-5. So do samples, except for a few rows where the rounding of a weight selects another
// component.
TEST(Base, Float32MatchesFloat64) {
  constexpr int64_t rows = 200, event = 3;
  for (const BaseSetup& b : kBaseSetups) {
    FlowCase<double> f(base_spec(b, DType::f64, event));
    FlowCase<float> g(base_spec(b, DType::f32, event));
    f.randomize(6, 0.4);
    g.randomize(6, 0.4);
    std::mt19937_64 random(7);
    Rows2 in{rows, draw_normal(rows * event, random), draw_context(b, rows, 9)};
    for (Values* v : {&in.x, &in.context})
      for (double& x : *v) x = static_cast<double>(static_cast<float>(x));
    const Values want = f.log_prob(in), got = g.log_prob(in);
    for (size_t r = 0; r < want.size(); ++r) {
      if (std::isinf(want[r]) && got[r] == want[r]) continue;
      EXPECT_NEAR(got[r], want[r], 1e-5 * std::max(1.0, std::abs(want[r]))) << b.json;
    }
    const Values x = sample_base(f, 3, 0, rows, in.context), y = sample_base(g, 3, 0, rows, in.context);
    int64_t apart = 0;
    for (size_t k = 0; k < x.size(); ++k) apart += !(std::abs(x[k] - y[k]) <= 2e-5 * std::max(1.0, std::abs(x[k])));
    EXPECT_LE(apart, b.implicit ? event : 0) << b.json;
  }
}

// ---- closed forms ------------------------------------------------------------------------------------------------

template <class F>
void expect_density(const char* json, const F& density) {
  const BaseSetup b{.json = json};
  FlowCase<double> f(base_spec(b, DType::f64, 2));
  f.randomize(1, 0.5);
  std::mt19937_64 random(2);
  const Values z = draw_normal(40, random);
  const Values got = f.log_prob({20, z, {}});
  const auto param = [&](const char* name) { return f.param(static_cast<size_t>(f.model().params().find(name))); };
  for (size_t r = 0; r < 20; ++r) {
    const double want = density(param, &z[2 * r]);
    EXPECT_NEAR(got[r], want, 1e-12 * std::max(1.0, std::abs(want))) << json;
  }
}

double log_normal(double z, double loc, double log_scale) {
  const double u = (z - loc) * std::exp(-log_scale);
  return -0.5 * u * u - log_scale - 0.5 * std::log(2 * M_PI);
}

TEST(BaseDensity, IsTheClosedForm) {
  const auto columns = [](const auto& one) {
    return [&one](const auto& param, const double* z) {
      double sum = 0;
      for (int j = 0; j < 2; ++j) {
        const double loc = param("base.loc")[j], ls = param("base.log_scale")[j];
        sum += one((z[j] - loc) * std::exp(-ls)) - ls;
      }
      return sum;
    };
  };
  expect_density("\"normal\"",
                 [](const auto&, const double* z) { return log_normal(z[0], 0, 0) + log_normal(z[1], 0, 0); });
  const auto normal = [](double u) { return log_normal(u, 0, 0); };
  expect_density("\"diagonal_normal\"", columns(normal));
  const auto logistic = [](double u) { return -u - 2 * std::log1p(std::exp(-u)); };
  expect_density("\"logistic\"", columns(logistic));
  const auto laplace = [](double u) { return std::log(0.5) - std::abs(u); };
  expect_density("\"laplace\"", columns(laplace));
  expect_density("\"full_normal\"", [](const auto& param, const double* z) {
    const double a = std::exp(param("base.log_diagonal")[0]), b = param("base.lower")[0],
                 c = std::exp(param("base.log_diagonal")[1]);
    const double u = (z[0] - param("base.loc")[0]) / a, v = (z[1] - param("base.loc")[1] - b * u) / c;
    return log_normal(u, 0, 0) + log_normal(v, 0, 0) - std::log(a * c);
  });
  expect_density(R"({"type": "gaussian_mixture", "components": 2})", [](const auto& param, const double* z) {
    const double* w = param("base.logits");
    double p = 0;
    for (int k = 0; k < 2; ++k) {
      const double *loc = param("base.loc") + 2 * k, *ls = param("base.log_scale") + 2 * k;
      p += std::exp(w[k]) / (std::exp(w[0]) + std::exp(w[1])) *
           std::exp(log_normal(z[0], loc[0], ls[0]) + log_normal(z[1], loc[1], ls[1]));
    }
    return std::log(p);
  });
  expect_density("\"student_t\"", [](const auto& param, const double* z) {
    double sum = 0;
    for (int j = 0; j < 2; ++j) {
      const double nu = std::exp(param("base.log_dof")[j]), ls = param("base.log_scale")[j];
      const double u = (z[j] - param("base.loc")[j]) * std::exp(-ls);
      sum += std::lgamma((nu + 1) / 2) - std::lgamma(nu / 2) - 0.5 * std::log(nu * M_PI) -
             (nu + 1) / 2 * std::log1p(u * u / nu) - ls;
    }
    return sum;
  });
}

// If the net returns zeros, the parameters of a row are the free ones; other tests have nets that return something
// else.
TEST(BaseDensity, OfANetOfZerosIsTheFreeOne) {
  for (const std::string type : {"diagonal_normal", "full_normal", "logistic", "laplace", "student_t"})
    for (const int64_t event : {1, 2, 7}) {
      const std::string open = "{\"type\": \"" + type + "\", ",
                        given = open + R"("parameters": "context", "hidden": [3]})",
                        free = open + R"("parameters": "free"})";
      FlowCase<double> f(base_spec({.json = free.c_str()}, DType::f64, event)),
          g(base_spec({.json = given.c_str(), .context = 2}, DType::f64, event));
      f.randomize(4, 0.5);
      const auto &ours = g.model().params().slots(), &theirs = f.model().params().slots();
      for (size_t i = 0; i < ours.size(); ++i) {
        const int64_t from = f.model().params().find(ours[i].name);
        for (int64_t k = 0; k < ours[i].shape.count(); ++k)
          g.param(i)[k] = from < 0 ? 0 : f.param(static_cast<size_t>(from))[k];
      }
      ASSERT_EQ(ours.size(), theirs.size() + 4) << type;
      std::mt19937_64 random(2);
      const Values z = draw_normal(9 * event, random), c = draw_normal(18, random);
      EXPECT_TRUE(same(g.log_prob({9, z, c}), f.log_prob({9, z, {}}), 1e-12)) << type << event;
      EXPECT_TRUE(same(sample_base(g, 3, 0, 9, c), sample_base(f, 3, 0, 9, {}), 1e-12)) << type << event;
    }
}

TEST(BaseDensity, OfABoxIsFlat) {
  const BaseSetup b{.json = R"({"type": "uniform", "low": [-1, 2], "high": [3, 2.5]})"};
  FlowCase<double> f(base_spec(b, DType::f64, 2));
  const Values got = f.log_prob({6, {0, 2.2, -1, 2, 3, 2.5, 3.0001, 2.2, 0, 1.9999, NAN, 2.2}, {}});
  for (int r : {0, 1, 2}) EXPECT_NEAR(got[static_cast<size_t>(r)], -std::log(2.0), 1e-15);
  for (int r : {3, 4}) EXPECT_EQ(got[static_cast<size_t>(r)], -INFINITY);
  EXPECT_TRUE(std::isnan(got[5]));
  const Values v = sample_base(f, 1, 0, 1000, {});
  for (size_t k = 0; k < v.size(); ++k) EXPECT_TRUE(k % 2 ? v[k] >= 2 && v[k] <= 2.5 : v[k] >= -1 && v[k] <= 3);
}

}  // namespace
}  // namespace libnf::test
