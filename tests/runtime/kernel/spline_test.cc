// Rational-quadratic splines on every SIMD target, float32 and float64: against the textbook formula in long double,
// and in cases that it does not cover: raw parameters of any size, knots, ends, far outside, NaN.
#include "runtime/kernel/spline.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "tests/runtime/kernel/every_target.h"
#include "tests/support/brief.h"

namespace libnf::test {
namespace {

using kernel::SplineBox;
using kernel::SplineShape;
using kernel::SplineTails;
using Real = long double;

constexpr SplineTails kAllTails[] = {SplineTails::none, SplineTails::linear, SplineTails::circular};

template <class T>
struct Column {
  SplineShape shape;
  SplineBox box;
  int64_t n = 0;
  std::vector<T> in, params, out, log_det, g_in, g_params;

  int64_t per() const { return 2 * shape.bins + kernel::slope_count(shape.bins, box.tails); }
  void map(bool inverse) {
    out.assign(in.size(), T(7));
    log_det.assign(in.size(), T(0));
    kernel::rational_spline<T>(shape, box, inverse, {n, in.data(), params.data(), n}, out.data(), log_det.data());
  }
  void grad(bool inverse, const std::vector<T>& g_out, const std::vector<T>& g_log_det) {
    g_in.assign(in.size(), T(7));
    g_params.assign(params.size(), T(7));
    kernel::rational_spline_grad<T>(shape, box, inverse, {n, in.data(), params.data(), n}, g_out.data(),
                                    g_log_det.data(), g_in.data(), g_params.data());
  }
  std::vector<T> row(int64_t r) const {
    std::vector<T> p;
    for (int64_t i = 0; i < per(); ++i) p.push_back(params[static_cast<size_t>(i * n + r)]);
    return p;
  }
};

template <class T>
Column<T> column(int64_t bins, SplineTails tails, bool soft_clip, int64_t n, double spread, uint64_t seed) {
  Column<T> c;
  c.shape.bins = bins;
  c.shape.min_width = c.shape.min_height = bins > 100 ? 1e-4 : 1e-3;
  c.shape.soft_clip = soft_clip;
  c.shape.raw_scale = 0.7;
  c.shape.beta = 0.8;
  c.box.tails = tails;
  c.box.low = c.box.bottom = -2;
  c.box.high = c.box.top = 3;
  if (tails == SplineTails::none) {
    c.box.bottom = -1;
    c.box.top = 1.5;
  }
  c.n = n;
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  for (int64_t r = 0; r < n; ++r) c.in.push_back(static_cast<T>(1.5 * normal(random)));
  for (int64_t k = 0; k < n * c.per(); ++k) c.params.push_back(static_cast<T>(spread * normal(random)));
  return c;
}

// The knots and slopes as defined in the papers, in long double.
struct Knots {
  std::vector<Real> x, y, d;
  template <class T>
  Knots(const Column<T>& c, const std::vector<T>& raw) {
    const auto bins = static_cast<size_t>(c.shape.bins);
    const auto clip = [](Real v, Real bound) { return v / (1 + std::fabs(v) / bound); };
    const Real log1000 = std::log(1000.0L);
    const auto axis = [&](size_t first, Real least, Real low, Real high) {
      std::vector<Real> e, knots = {low};
      for (size_t k = 0; k < bins; ++k) {
        const Real v = static_cast<Real>(raw[first + k]) * static_cast<Real>(static_cast<T>(c.shape.raw_scale));
        e.push_back(std::exp(c.shape.soft_clip ? clip(v, log1000 / 2) : v));
      }
      const Real sum = std::accumulate(e.begin(), e.end(), Real(0));
      if (c.shape.soft_clip) least = 0;
      Real at = 0;
      for (const Real v : e)
        knots.push_back(low + (high - low) * (at += least + (1 - least * static_cast<Real>(bins)) * v / sum));
      return knots;
    };
    x = axis(0, c.shape.min_width, c.box.low, c.box.high);
    y = axis(bins, c.shape.min_height, c.box.bottom, c.box.top);
    for (size_t k = 0; k <= bins; ++k) {
      if (c.box.tails == SplineTails::linear && (k == 0 || k == bins)) {
        d.push_back(1);
        continue;
      }
      const size_t i = c.box.tails == SplineTails::linear ? k - 1 : c.box.tails == SplineTails::circular ? k % bins : k;
      const Real v = raw[2 * bins + i], beta = static_cast<T>(c.shape.beta);
      d.push_back(c.shape.soft_clip
                      ? std::exp(clip(v, log1000))
                      : static_cast<Real>(c.shape.min_derivative) + std::log1p(std::exp(beta * v)) / beta);
    }
  }
  // Returns value and log slope of a point inside the interval.
  std::pair<Real, Real> operator()(Real at) const {
    size_t k = 0;
    while (k + 2 < x.size() && at >= x[k + 1]) ++k;
    const Real w = x[k + 1] - x[k], h = y[k + 1] - y[k], s = h / w, t = (at - x[k]) / w;
    const Real den = s + (d[k] + d[k + 1] - 2 * s) * t * (1 - t);
    const Real num = s * s * (d[k + 1] * t * t + 2 * s * t * (1 - t) + d[k] * (1 - t) * (1 - t));
    return {y[k] + h * (s * t * t + d[k] * t * (1 - t)) / den, std::log(num) - 2 * std::log(den)};
  }
};

template <class T>
bool near(T got, Real want, Real tolerance) {
  return std::fabs(static_cast<Real>(got) - want) <= tolerance * std::max(Real(1), std::fabs(want));
}

template <class T>
void agrees_with_formula() {
  const Real tolerance = sizeof(T) == 4 ? 2e-4L : 1e-11L;  // bins of 1/1000 of the interval amplify rounding errors
  for (const SplineTails tails : kAllTails)
    for (const int64_t bins : {1, 2, 3, 8, 17, 256})
      for (const bool soft_clip : {false, true}) {
        Column<T> c = column<T>(bins, tails, soft_clip, 37, 1, static_cast<uint64_t>(bins));
        c.map(false);
        for (int64_t r = 0; r < c.n; ++r) {
          const auto at = static_cast<size_t>(r);
          const Knots knots(c, c.row(r));
          const Real low = c.box.low, high = c.box.high, x = c.in[at];
          Real y = x, l = 0;
          if (x >= low && x <= high) {
            std::tie(y, l) = knots(x);
          } else if (tails == SplineTails::circular) {
            const Real turns = std::floor((x - low) / (high - low)) * (high - low);
            std::tie(y, l) = knots(x - turns);
            y += turns;
          } else if (tails == SplineTails::none) {
            const Real d = x < low ? knots.d.front() : knots.d.back();
            y = x < low ? c.box.bottom + d * (x - low) : c.box.top + d * (x - high);
            l = std::log(d);
          }
          ASSERT_TRUE(near(c.out[at], y, tolerance))
              << c.out[at] << " not " << static_cast<double>(y) << ", x = " << c.in[at] << ", " << bins
              << " bins, tails " << static_cast<int>(tails) << ", clip " << soft_clip;
          ASSERT_TRUE(near(c.log_det[at], l, 10 * tolerance))
              << c.log_det[at] << " not " << static_cast<double>(l) << ", x = " << c.in[at] << ", " << bins << " bins";
        }
      }
}

TEST(Spline, AgreesWithTheFormula) {
  on_every_target([](int64_t) {
    agrees_with_formula<float>();
    agrees_with_formula<double>();
  });
}

// Compares gradients between targets; the suites of layers check that they are right.
TEST(Spline, TargetsAgree) {
  for (const SplineTails tails : kAllTails)
    for (const bool inverse : {false, true}) {
      std::vector<Column<double>> all;
      on_every_target([&](int64_t) {
        Column<double> c = column<double>(5, tails, false, 21, 1.5, 3);
        const std::vector<double> g(21, 0.75), gl(21, -1.25);
        c.map(inverse);
        c.grad(inverse, g, gl);
        all.push_back(c);
      });
      for (const Column<double>& c : all)
        for (const auto& [got, want] : {std::pair{&c.out, &all[0].out},
                                        {&c.log_det, &all[0].log_det},
                                        {&c.g_in, &all[0].g_in},
                                        {&c.g_params, &all[0].g_params}})
          for (size_t k = 0; k < want->size(); ++k) ASSERT_TRUE(near((*got)[k], (*want)[k], 1e-10L)) << k;
    }
}

// Returns points of all kinds, one per row: outside, the ends and their neighbors, and a sequence through the inside.
template <class T>
std::vector<T> walk(double low, double high) {
  const T a = static_cast<T>(low), b = static_cast<T>(high), inf = std::numeric_limits<T>::infinity();
  std::vector<T> x = {std::numeric_limits<T>::lowest(), T(-1e30), T(-1e4),
                      std::nextafter(a, -inf),          a,        std::nextafter(a, inf)};
  for (int i = 1; i < 200; ++i) x.push_back(static_cast<T>(low + (high - low) * i / 200));
  x.insert(x.end(),
           {std::nextafter(b, -inf), b, std::nextafter(b, inf), T(1e4), T(1e30), std::numeric_limits<T>::max()});
  return x;
}

template <class T>
void any_raw_parameters() {
  const double huge = sizeof(T) == 4 ? 3e38 : 1e308;
  const double sizes[] = {0, 1, 20, 100, 1e4, 1e30, huge};
  std::mt19937_64 random(11);
  for (const SplineTails tails : kAllTails)
    for (const bool soft_clip : {false, true})
      for (const int64_t bins : {1, 2, 8})
        for (int trial = 0; trial < (test::brief() ? 4 : 40); ++trial) {
          Column<T> c = column<T>(bins, tails, soft_clip, 1, 1, 1);
          std::vector<T> raw;
          for (int64_t i = 0; i < c.per(); ++i) {
            const double size = sizes[random() % std::size(sizes)];
            raw.push_back(static_cast<T>(random() % 2 ? size : -size));
          }
          for (const bool inverse : {false, true}) {
            c.in = walk<T>(inverse ? c.box.bottom : c.box.low, inverse ? c.box.top : c.box.high);
            c.n = static_cast<int64_t>(c.in.size());
            c.params.clear();
            for (const T v : raw) c.params.insert(c.params.end(), c.in.size(), v);
            c.map(inverse);
            const std::vector<T> ones(c.in.size(), T(1));
            c.grad(inverse, ones, ones);
            const double bottom = inverse ? c.box.low : c.box.bottom, top = inverse ? c.box.high : c.box.top;
            const T slack = 16 * std::numeric_limits<T>::epsilon();
            for (size_t r = 0; r < c.in.size(); ++r) {
              // Tangents with a slope of up to 1e12 overflow far out.
              const bool far = std::fabs(c.in[r]) > 1e6;
              ASSERT_FALSE(std::isnan(c.out[r]) || !std::isfinite(c.log_det[r])) << c.in[r];
              ASSERT_TRUE(far || (std::isfinite(c.out[r]) && std::isfinite(c.g_in[r]))) << c.in[r];
              for (int64_t i = 0; i < c.per() && !far; ++i)
                ASSERT_TRUE(std::isfinite(c.g_params[static_cast<size_t>(i) * c.in.size() + r])) << c.in[r] << " " << i;
              if (r > 3 && r < c.in.size() - 4) {
                ASSERT_GE(c.out[r], static_cast<T>(bottom));
                ASSERT_LE(c.out[r], static_cast<T>(top));
              }
              ASSERT_GE(c.out[r], c.out[r > 0 ? r - 1 : 0] - slack * 4) << "falls at " << c.in[r];
            }
          }
        }
}

TEST(Spline, TakesRawParametersOfAnySize) {
  on_every_target([](int64_t) {
    any_raw_parameters<float>();
    any_raw_parameters<double>();
  });
}

template <class T>
void inverts() {
  for (const SplineTails tails : kAllTails)
    for (const int64_t bins : {1, 4, 64}) {
      Column<T> c = column<T>(bins, tails, false, 500, 1, 5);
      c.map(false);
      Column<T> back = c;
      back.in = c.out;
      back.map(true);
      for (size_t r = 0; r < c.in.size(); ++r) {
        const Real amplified = 1 + std::exp(-static_cast<Real>(c.log_det[r]));
        const Real tolerance = (sizeof(T) == 4 ? 2e-6L : 1e-14L) * amplified;
        ASSERT_TRUE(near(back.out[r], c.in[r], tolerance)) << c.in[r] << " comes back as " << back.out[r];
        ASSERT_TRUE(near(back.log_det[r], -c.log_det[r], 1000 * tolerance)) << c.in[r];
      }
    }
}

TEST(Spline, Inverts) {
  on_every_target([](int64_t) {
    inverts<float>();
    inverts<double>();
  });
}

template <class T>
void meets_linear_tails() {
  const T eps = std::numeric_limits<T>::epsilon(), inf = std::numeric_limits<T>::infinity();
  for (const bool soft_clip : {false, true})
    for (const int64_t bins : {1, 2, 8}) {
      Column<T> c = column<T>(bins, SplineTails::linear, soft_clip, 6, 2, 9);
      c.in = {T(-2), T(3), std::nextafter(T(-2), -inf), std::nextafter(T(3), inf), T(-1e30), T(77)};
      for (const bool inverse : {false, true}) {
        c.map(inverse);
        for (size_t r = 0; r < 6; ++r) {
          if (r > 1) {
            EXPECT_EQ(c.out[r], c.in[r]);
            EXPECT_EQ(c.log_det[r], T(0));
          }
          EXPECT_LE(std::fabs(c.out[r] - c.in[r]), 4 * eps * std::fabs(c.in[r]));
          // In the narrowest bin, a rounding error of x is amplified by 1000 in t.
          EXPECT_LE(std::fabs(c.log_det[r]), 1e4 * eps) << bins << " bins";
        }
      }
    }
}

TEST(Spline, MeetsLinearTailsWithSlopeOne) {
  on_every_target([](int64_t) {
    meets_linear_tails<float>();
    meets_linear_tails<double>();
  });
}

TEST(Spline, OneBinWithLinearTailsIsTheIdentity) {
  Column<double> c = column<double>(1, SplineTails::linear, false, 50, 3, 2);
  c.map(false);
  for (size_t r = 0; r < c.in.size(); ++r) {
    EXPECT_NEAR(c.out[r], c.in[r], 1e-15);
    EXPECT_NEAR(c.log_det[r], 0, 1e-15);
  }
}

TEST(Spline, CirclesRepeat) {
  Column<double> c = column<double>(6, SplineTails::circular, false, 40, 1, 4), next = c;
  for (double& x : next.in) x -= 35;  // seven periods
  for (const bool inverse : {false, true}) {
    c.map(inverse);
    next.map(inverse);
    for (size_t r = 0; r < c.in.size(); ++r) {
      EXPECT_NEAR(next.out[r], c.out[r] - 35, 1e-11);
      EXPECT_NEAR(next.log_det[r], c.log_det[r], 1e-9);
    }
  }
}

template <class T>
void nan_stays_in_its_row() {
  const T nan = std::numeric_limits<T>::quiet_NaN();
  for (const SplineTails tails : kAllTails) {
    Column<T> c = column<T>(4, tails, false, 40, 1, 6);
    for (T& x : c.in) x /= 8;  // inside
    Column<T> bad = c;
    bad.in[7] = nan;
    for (const int64_t number : {1, 6, 9}) bad.params[static_cast<size_t>(number * 40 + 10 + number)] = nan;
    const std::vector<T> ones(40, T(1));
    for (const bool inverse : {false, true}) {
      c.map(inverse);
      bad.map(inverse);
      c.grad(inverse, ones, ones);
      bad.grad(inverse, ones, ones);
      for (size_t r = 0; r < 40; ++r) {
        if (r == 7 || r == 11 || r == 16) {
          EXPECT_TRUE(std::isnan(bad.out[r])) << r;
        } else if (r != 19) {  // in row 19 the point lies next to that knot
          EXPECT_EQ(bad.out[r], c.out[r]);
          EXPECT_EQ(bad.g_in[r], c.g_in[r]);
        }
      }
    }
  }
}

TEST(Spline, NanStaysInItsRow) {
  on_every_target([](int64_t) {
    nan_stays_in_its_row<float>();
    nan_stays_in_its_row<double>();
  });
}

}  // namespace
}  // namespace libnf::test
