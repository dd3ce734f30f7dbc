// What the base answers through a session: log-densities and samples that are those of the model, temperature, quantiles.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <string>

#include "src/model/flow.h"
#include "src/model/session.h"
#include "tests/src/base/base_case.h"
#include "tests/support/expect_error.h"

namespace libnf::test {
namespace {

template <class T>
struct Case {
  Case(ModelSpec spec, uint32_t threads = 1, double spread = 0.4) : f(std::move(spec)), e(threads) {
    f.randomize(2, spread);
    s.emplace(system_allocator(), e, f.model(), SessionOptions());
  }
  static View rows(Values& v, int64_t cols) {
    return contiguous_view(v.data(), DType::f64, {static_cast<int64_t>(v.size()) / cols, cols});
  }
  static View column(Values& v) { return contiguous_view(v.data(), DType::f64, {static_cast<int64_t>(v.size())}); }
  View context(Values& c) { return f.model().context() ? rows(c, f.model().context()) : View{}; }
  int64_t columns() { return f.model().columns(); }

  Values base_log_prob(Values z, Values c) {
    Values out(z.size() / static_cast<size_t>(columns()));
    s->base_log_prob(rows(z, columns()), context(c), column(out));
    return out;
  }
  Values base_sample(const Session::Sampling& how, int64_t n, Values c) {
    Values z(static_cast<size_t>(n * columns()));
    s->base_sample(how, context(c), rows(z, columns()));
    return z;
  }
  Values quantile(Values u, Values c) {
    Values z(u.size());
    s->base_quantile(rows(u, columns()), context(c), rows(z, columns()));
    return z;
  }
  Values sample(const Session::Sampling& how, int64_t n, Values c) {
    Values x(static_cast<size_t>(n * columns()));
    s->sample(how, context(c), rows(x, columns()), View{});
    return x;
  }
  Values inverse(Values z, Values c) {
    Values x(z.size());
    s->map(true, rows(z, columns()), context(c), rows(x, columns()), View{});
    return x;
  }
  FlowCase<T> f;
  Executor e;
  std::optional<Session> s;
};

std::string name_of(const BaseSetup& b) {
  const ModelSpec spec = base_spec(b, DType::f64, 2);
  return static_cast<const FlowConfig&>(*spec.config).base.part().name;
}
bool has_scale(const BaseSetup& b) {
  return name_of(b) != "uniform" && name_of(b) != "flow_mixture" &&
         (name_of(b) != "gaussian_mixture" || std::string(b.json).find("\"components\": 1") != std::string::npos);
}
bool independent(const BaseSetup& b, int64_t columns) {
  if (name_of(b) == "flow_mixture") return false;
  return columns == 1 || (name_of(b) != "full_normal" && (name_of(b) != "gaussian_mixture" || has_scale(b)));
}
Values uniforms(int64_t n, uint64_t seed) {
  std::mt19937_64 random(seed);
  Values u;
  for (int64_t i = 0; i < n; ++i) u.push_back((static_cast<double>(random() >> 12) + 0.5) * 0x1p-52);
  return u;
}
Values tiled(const Values& row, int64_t n) {
  Values all;
  for (int64_t r = 0; r < n; ++r) all.insert(all.end(), row.begin(), row.end());
  return all;
}

template <class T>
class BaseAnswers : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(BaseAnswers, Types);

// A model without layers is its base.
TYPED_TEST(BaseAnswers, LogProbAndSamplesAreThoseOfAModelWithoutLayers) {
  constexpr int64_t n = 150;
  for (const BaseSetup& b : kBaseSetups) {
    Case<TypeParam> c(base_spec(b, dtype_of<TypeParam>, 3), 2);
    std::mt19937_64 random(3);
    const Values context = draw_context(b, n, 4);
    Rows2 in{n, draw_normal(3 * n, random), context};
    for (double& v : in.x) v = static_cast<double>(static_cast<TypeParam>(v));
    for (double& v : in.context) v = static_cast<double>(static_cast<TypeParam>(v));
    EXPECT_TRUE(same_bits(c.base_log_prob(in.x, in.context), c.f.log_prob(in))) << b.json;
    const Values z = c.base_sample({9, 5}, n, in.context);
    EXPECT_TRUE(same_bits(z, sample_base(c.f, 9, 5, n, in.context))) << b.json;
    EXPECT_TRUE(same_bits(z, c.sample({9, 5}, n, in.context))) << b.json;
  }
}

// z at temperature T is loc + T (z - loc); both z round once more than that.
TYPED_TEST(BaseAnswers, TemperatureScalesTheDeviation) {
  constexpr int64_t n = 40;
  constexpr double kEps = std::numeric_limits<TypeParam>::epsilon();
  for (const BaseSetup& b : kBaseSetups) {
    Case<TypeParam> c(base_spec(b, dtype_of<TypeParam>, 3));
    const Values context = draw_context(b, n, 4);
    if (!has_scale(b)) {
      const std::string want = "the base \"" + name_of(b) + "\" has no scale";
      EXPECT_ERROR(c.base_sample({9, 5, 1, 0.7}, n, context), Code::unsupported, want.c_str());
      EXPECT_ERROR(c.sample({9, 5, 1, 0.7}, n, context), Code::unsupported, want.c_str());
      EXPECT_EQ(c.sample({9, 5, 1, 1}, n, context).size(), 3u * n);
      continue;
    }
    // Nothing is left of the deviation at 0, so that is the mean.
    const Values one = c.base_sample({9, 5}, n, context), cool = c.base_sample({9, 5, 1, 0.7}, n, context),
                 mean = c.base_sample({9, 5, 1, 1e-30}, n, context);
    for (size_t k = 0; k < one.size(); ++k) {
      const double size = std::abs(one[k]) + 2 * std::abs(mean[k]);
      EXPECT_NEAR(cool[k] - mean[k], 0.7 * (one[k] - mean[k]), 2 * kEps * size) << b.json;
    }
    EXPECT_TRUE(same_bits(cool, c.sample({9, 5, 1, 0.7}, n, context))) << b.json;
    // The density at a sample falls when its deviation grows.
    const Values near = c.base_log_prob(cool, context), far = c.base_log_prob(one, context);
    for (size_t r = 0; r < near.size(); ++r) EXPECT_GE(near[r], far[r] - 1e-3) << b.json;
  }
}

TEST(BaseQuantile, DependentColumnsAreRefused) {
  for (const BaseSetup& b : kBaseSetups) {
    Case<double> c(base_spec(b, DType::f64, 2));
    const Values context = draw_context(b, 10, 4);
    if (independent(b, 2)) {
      EXPECT_EQ(c.quantile(uniforms(20, 1), context).size(), 20u);
    } else {
      const std::string want = "the base \"" + name_of(b) + "\" has no quantiles";
      EXPECT_ERROR(c.quantile(uniforms(20, 1), context), Code::unsupported, want.c_str());
    }
  }
}

// The distribution function, as the integral of the density between neighboring quantiles, by Gauss's rule of 8 points on
// 4 pieces each: it has to grow by the differences of u.
TEST(BaseQuantile, IntegralsOfTheDensityAreDifferencesOfU) {
  constexpr double kNode[] = {0.1834346424956498, 0.5255324099163290, 0.7966664774136267, 0.9602898564975363},
                   kWeight[] = {0.3626837833783620, 0.3137066458778873, 0.2223810344533745, 0.1012285362903763};
  constexpr int64_t n = 400;
  for (const BaseSetup& b : kBaseSetups) {
    if (!independent(b, 1)) continue;
    Case<double> c(base_spec(b, DType::f64, 1));
    const Values context = tiled(draw_context(b, 1, 4), n);
    Values u;
    for (int64_t i = 0; i < n; ++i) u.push_back(static_cast<double>(i + 1) / (n + 1));
    const Values z = c.quantile(u, context);
    for (size_t i = 0; i + 1 < z.size(); ++i) {
      ASSERT_LT(z[i], z[i + 1]) << b.json;
      const double half = 0.125 * (z[i + 1] - z[i]);
      Values at;
      for (size_t piece = 0; piece < 4; ++piece) {
        const double middle = z[i] + half * static_cast<double>(2 * piece + 1);
        for (size_t k = 0; k < 4; ++k) at.insert(at.end(), {middle - half * kNode[k], middle + half * kNode[k]});
      }
      const Values lp = c.base_log_prob(at, tiled(draw_context(b, 1, 4), 32));
      double area = 0;
      for (size_t k = 0; k < 32; ++k) area += half * kWeight[k % 8 / 2] * std::exp(lp[k]);
      const bool kink = !b.smooth && name_of(b) == "laplace" && std::abs(u[i] - 0.5) < 0.01;
      EXPECT_NEAR(area, 1.0 / (n + 1), kink ? 1e-5 : 1e-12) << b.json << " u " << u[i];
    }
  }
}

// Two samples' Kolmogorov-Smirnov distance, column by column: below 1.95 sqrt(2/n) with probability 0.999.
TEST(BaseQuantile, OfUniformNumbersAreSamples) {
  constexpr int64_t n = 20000;
  for (const BaseSetup& b : kBaseSetups)
    for (const int64_t columns : {1, 3}) {
      if (!independent(b, columns)) continue;
      Case<double> c(base_spec(b, DType::f64, columns), 2);
      const Values context = tiled(draw_context(b, 1, 4), n);
      const Values a = c.quantile(uniforms(n * columns, 6), context), d = c.base_sample({3, 0}, n, context);
      for (int64_t j = 0; j < columns; ++j) {
        Values x, y;
        for (int64_t r = 0; r < n; ++r) {
          x.push_back(a[static_cast<size_t>(r * columns + j)]);
          y.push_back(d[static_cast<size_t>(r * columns + j)]);
        }
        std::sort(x.begin(), x.end());
        std::sort(y.begin(), y.end());
        double distance = 0;
        for (size_t i = 0, k = 0; i < x.size(); ++i) {
          while (k < y.size() && y[k] <= x[i]) ++k;
          distance = std::max(distance, std::abs(static_cast<double>(i + 1) - static_cast<double>(k)) / n);
        }
        EXPECT_LT(distance, 1.95 * std::sqrt(2.0 / n) + 1.0 / n) << b.json << " column " << j;
      }
    }
}

// u is float64 throughout, so a float32 model takes u next to 1, and float32 and float64 models agree.
TEST(BaseQuantile, Float32ModelsTakeFloat64U) {
  constexpr int64_t n = 64;
  Values u = uniforms(3 * n, 8);
  u[0] = 1 - 1e-12, u[4] = 1e-40, u[8] = 0x1p-60, u[11] = 1 - 0x1p-53;
  for (const BaseSetup& b : kBaseSetups) {
    if (!independent(b, 3)) continue;
    Case<double> c(base_spec(b, DType::f64, 3));
    Case<float> g(base_spec(b, DType::f32, 3));
    Values context = draw_context(b, n, 4);
    for (double& v : context) v = static_cast<double>(static_cast<float>(v));
    const Values want = c.quantile(u, context), got = g.quantile(u, context);
    for (size_t k = 0; k < u.size(); ++k) {
      if (std::abs(want[k]) > 3e38) continue;
      // Degrees of freedom in float32 change a far tail more than the other parameters.
      const double slack = name_of(b) == "student_t" ? 2e-4 : 2e-5;
      EXPECT_NEAR(got[k], want[k], slack * std::max(1.0, std::abs(want[k]))) << b.json << " u " << u[k];
    }
  }
}

TEST(BaseQuantile, UOutsideIsNamedAndNothingIsWritten) {
  Case<double> c(base_spec({.json = "\"normal\""}, DType::f64, 2), 4);
  for (const double bad : {0.0, 1.0, -0.5, 1.5, double{NAN}, double{INFINITY}}) {
    Values u(6000, 0.5), z(6000, 7);
    u[4001] = bad;
    u[5000] = bad;
    try {
      c.s->base_quantile(c.rows(u, 2), View{}, c.rows(z, 2));
      ADD_FAILURE() << bad;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Code::argument);
      EXPECT_EQ(e.place().row, 2000);
      EXPECT_NE(std::string(e.what()).find("row 2000, column 1"), std::string::npos) << e.what();
    }
    EXPECT_EQ(z, Values(6000, 7));
  }
}

// Rows do not depend on their number, neighbors or threads, and one context row serves all.
TEST(BaseSession, RowsAreIndependent) {
  constexpr int64_t n = 700;
  for (const BaseSetup& b : kBaseSetups) {
    const bool q = independent(b, 3), scaled = has_scale(b);
    Case<float> one(base_spec(b, DType::f32, 3)), four(base_spec(b, DType::f32, 3), 4);
    const Values context = draw_context(b, n, 4), u = uniforms(3 * n, 5);
    const Session::Sampling how{9, 5, 1, scaled ? 0.7 : 1};
    const Values z = one.base_sample(how, n, context), lp = one.base_log_prob(z, context);
    EXPECT_TRUE(same_bits(z, four.base_sample(how, n, context))) << b.json;
    EXPECT_TRUE(same_bits(lp, four.base_log_prob(z, context))) << b.json;
    const Values v = q ? one.quantile(u, context) : Values();
    if (q) {
      EXPECT_TRUE(same_bits(v, four.quantile(u, context))) << b.json;
    }
    for (const int64_t r : {int64_t{0}, int64_t{333}, n - 1}) {
      const auto row = [&](const Values& all, int64_t cols) {
        return Values(all.begin() + r * cols, all.begin() + (r + 1) * cols);
      };
      const Values c = row(context, b.context);
      EXPECT_TRUE(same_bits(one.base_sample({9, 5 + static_cast<uint64_t>(r), 1, how.temperature}, 1, c), row(z, 3)));
      EXPECT_TRUE(same_bits(one.base_log_prob(row(z, 3), c), row(lp, 1)));
      if (q) {
        EXPECT_TRUE(same_bits(one.quantile(row(u, 3), c), row(v, 3)));
      }
      const Values many = tiled(c, n);
      EXPECT_TRUE(same_bits(one.base_sample(how, n, c), one.base_sample(how, n, many))) << b.json;
      EXPECT_TRUE(same_bits(one.base_log_prob(z, c), one.base_log_prob(z, many))) << b.json;
      if (q) {
        EXPECT_TRUE(same_bits(one.quantile(u, c), one.quantile(u, many))) << b.json;
      }
    }
  }
}

// Splits have learned priors that are affine maps of the base's columns: temperature reaches them through the base.
TEST(BaseSession, SamplesAreTheInverseOfBaseSamples) {
  const char* specs[] = {
      R"({"event": 6, "context": 2, "dtype": "float64", "layers": [{"type": "affine_coupling", "hidden": [8]}, {"type": "split",
          "layers": [{"type": "affine_coupling", "hidden": [4]}, {"type": "split", "layers": []}]}]})",
      R"({"event": [4, 4, 2], "base": "logistic", "layers": [{"type": "squeeze"}, {"type": "split", "layers": [{"type":
          "actnorm"}]}]})",
      R"({"event": 3, "context": 2, "embedding": {"out": 4, "hidden": [5]}, "base": {"type": "diagonal_normal",
          "parameters": "context"}, "layers": [{"type": "affine_coupling", "hidden": [8]}]})"};
  constexpr int64_t n = 200;
  for (const char* json : specs) {
    const auto check = [&]<class T>(T) {
      Case<T> c(parse_spec(json), 2, 0.2);
      std::mt19937_64 random(4);
      const int64_t width = c.f.model().context();
      Values contexts = draw_normal(n / 4 * width, random), each;
      for (int64_t r = 0; r < n; ++r)
        for (int64_t j = 0; j < width; ++j) each.push_back(contexts[static_cast<size_t>(r / 4 * width + j)]);
      for (const double temperature : {1.0, 0.7, 1.3}) {
        const Session::Sampling how{11, 3, 4, temperature};
        const Values z = c.base_sample(how, n, contexts), x = c.sample(how, n, contexts);
        EXPECT_TRUE(same_bits(c.inverse(z, each), x)) << json << " " << temperature;
        EXPECT_TRUE(same_bits(c.sample({11, 3, 1, temperature}, n, each), x)) << json;
        EXPECT_FALSE(temperature != 1 && same_bits(c.sample({11, 3, 4, 1}, n, contexts), x)) << json;
      }
    };
    parse_spec(json).dtype == DType::f64 ? check(double{}) : check(float{});
  }
}

TEST(BaseSession, NonFiniteRowsAreNamed) {
  const BaseSetup b{.json = R"({"type": "laplace", "parameters": "context", "hidden": [5]})", .context = 1};
  FlowCase<double> f(base_spec(b, DType::f64, 2));
  Executor e(2);
  Session strict(system_allocator(), e, f.model(), NonFinite::error);
  Values z(400, 0.5), c(200, 0.25), out(200);
  const View zv = Case<double>::rows(z, 2), cv = Case<double>::rows(c, 1), ov = Case<double>::column(out);
  strict.base_log_prob(zv, cv, ov);
  z[300] = INFINITY;
  EXPECT_ERROR(strict.base_log_prob(zv, cv, ov), Code::numeric, "row 150 is not finite; first at the latent");
  z[300] = 0.5;
  c[120] = NAN;
  EXPECT_ERROR(strict.base_log_prob(zv, cv, ov), Code::numeric, "row 120 is not finite; first at the context");
  EXPECT_ERROR(strict.base_sample({1, 0}, cv, zv), Code::numeric, "row 120 is not finite; first at the context");
  z.assign(400, 0.5);
  Values to(400);
  EXPECT_ERROR(strict.base_quantile(zv, cv, Case<double>::rows(to, 2)), Code::numeric, "row 120");
}

}  // namespace
}  // namespace libnf::test
