// Linear, quadratic and cubic splines: raw parameters of any size, ends, round trips, NaN. Golden vectors and the
// suites of layers check that values and gradients are right.
#include "runtime/kernel/spline_pieces.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "tests/runtime/kernel/every_target.h"
#include "tests/support/brief.h"

namespace libnf::test {
namespace {

using kernel::PiecesShape;
using kernel::SplineBox;
using kernel::SplinePieces;
using kernel::SplineTails;

struct Case {
  PiecesShape shape;
  SplineBox box;
  int64_t per() const { return kernel::pieces_params(shape.pieces, shape.bins, box.tails); }
};

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const SplinePieces p : {SplinePieces::linear, SplinePieces::quadratic, SplinePieces::cubic})
    for (const SplineTails tails : {SplineTails::none, SplineTails::linear})
      for (const int64_t bins : {1, 2, 3, 8, 256})
        for (const bool nflows : {false, true}) {
          if (p == SplinePieces::cubic && bins < 2) continue;
          Case c;
          c.shape.pieces = p;
          c.shape.bins = bins;
          c.shape.min_height = c.shape.min_width = bins > 100 ? 1e-4 : 1e-3;
          c.shape.nflows = nflows;
          c.box = {-2, 3, -2, 3, tails};
          all.push_back(c);
        }
  return all;
}

// Many points with the same parameters.
template <class T>
struct Column {
  std::vector<T> in, params, out, log_det, g_in, g_params;
  void run(const Case& c, const std::vector<T>& x, const std::vector<T>& raw, bool inverse) {
    in = x;
    params.clear();
    for (const T v : raw) params.insert(params.end(), x.size(), v);
    out.assign(x.size(), T(7));
    log_det.assign(x.size(), T(0));
    g_in.assign(x.size(), T(7));
    g_params.assign(params.size(), T(7));
    const std::vector<T> ones(x.size(), T(1));
    const auto n = static_cast<int64_t>(x.size());
    const kernel::SplineRows<T> rows{n, in.data(), params.data(), n};
    kernel::pieces_spline<T>(c.shape, c.box, inverse, rows, out.data(), log_det.data());
    kernel::pieces_spline_grad<T>(c.shape, c.box, inverse, rows, ones.data(), ones.data(), g_in.data(),
                                  g_params.data());
  }
};

template <class T>
std::vector<T> walk() {
  const T inf = std::numeric_limits<T>::infinity();
  std::vector<T> x = {T(-1e30), T(-1e4), std::nextafter(T(-2), -inf), T(-2), std::nextafter(T(-2), inf)};
  for (int i = 1; i < 100; ++i) x.push_back(static_cast<T>(-2 + 0.05 * i));
  x.insert(x.end(), {std::nextafter(T(3), -inf), T(3), std::nextafter(T(3), inf), T(1e4), T(1e30)});
  return x;
}

template <class T>
void any_raw_parameters() {
  const double sizes[] = {0, 1, 30, 1e4, 1e30, sizeof(T) == 4 ? 3e38 : 1e308};
  std::mt19937_64 random(5);
  const std::vector<T> x = walk<T>();
  for (const Case& c : cases())
    for (int trial = 0; trial < (test::brief() ? 1 : 4); ++trial) {
      std::vector<T> raw;
      for (int64_t i = 0; i < c.per(); ++i) {
        const double size = sizes[random() % std::size(sizes)];
        raw.push_back(static_cast<T>(random() % 2 ? size : -size));
      }
      Column<T> col;
      for (const bool inverse : {false, true}) {
        col.run(c, x, raw, inverse);
        for (size_t r = 0; r < x.size(); ++r) {
          ASSERT_TRUE(std::isfinite(col.log_det[r]) && std::isfinite(col.g_in[r])) << x[r] << " " << c.shape.bins;
          if (std::fabs(x[r]) < 1e6) {
            for (int64_t i = 0; i < c.per(); ++i)
              ASSERT_TRUE(std::isfinite(col.g_params[static_cast<size_t>(i) * x.size() + r])) << x[r];
            ASSERT_TRUE(std::isfinite(col.out[r])) << x[r];
          }
          const bool inside = x[r] >= -2 && x[r] <= 3;
          ASSERT_TRUE(!inside || (col.out[r] >= -2 && col.out[r] <= 3)) << x[r];
          ASSERT_TRUE(inside || c.box.tails == SplineTails::none || col.out[r] == x[r]) << x[r];
          const T slack = 64 * std::numeric_limits<T>::epsilon();
          ASSERT_GE(col.out[r], col.out[r ? r - 1 : 0] - slack) << "falls at " << x[r];
        }
      }
    }
}

TEST(SplinePieces, TakeRawParametersOfAnySize) {
  on_every_target([](int64_t) {
    any_raw_parameters<float>();
    any_raw_parameters<double>();
  });
}

// Vectors of every width, in float64 for both dtypes: values and gradients differ only by rounding, and those of a row
// do not depend on its position.
template <class T>
void targets_agree() {
  std::mt19937_64 random(9);
  std::normal_distribution<double> normal;
  for (const Case& c : cases()) {
    std::vector<T> raw, x = {T(-2.5), T(3.5)};
    for (int64_t i = 0; i < c.per(); ++i) raw.push_back(static_cast<T>(normal(random)));
    for (int i = 0; i < 17; ++i) x.push_back(static_cast<T>(-1.9 + 0.28 * i));
    for (const bool inverse : {false, true}) {
      Column<T> want;
      bool first = true;
      on_every_target([&](int64_t) {
        Column<T> col, one;
        col.run(c, x, raw, inverse);
        one.run(c, {x.back()}, raw, inverse);
        EXPECT_EQ(one.out[0], col.out.back());
        EXPECT_EQ(one.log_det[0], col.log_det.back());
        EXPECT_EQ(one.g_in[0], col.g_in.back());
        for (int64_t i = 0; i < c.per(); ++i)
          EXPECT_EQ(one.g_params[static_cast<size_t>(i)], col.g_params[static_cast<size_t>(i + 1) * x.size() - 1]);
        if (first) want = col;
        first = false;
        const auto agree = [&](const std::vector<T>& a, const std::vector<T>& b, const char* what) {
          for (size_t k = 0; k < a.size(); ++k)
            ASSERT_NEAR(a[k], b[k], (sizeof(T) == 4 ? 1e-6 : 1e-10) * std::max(1.0, std::abs(double(b[k]))))
                << what << " " << static_cast<int>(c.shape.pieces) << " " << c.shape.bins;
        };
        agree(col.out, want.out, "out");
        agree(col.log_det, want.log_det, "log_det");
        agree(col.g_in, want.g_in, "g_in");
        agree(col.g_params, want.g_params, "g_params");
      });
    }
  }
}

TEST(SplinePieces, TargetsAgree) {
  targets_agree<float>();
  targets_agree<double>();
}

void round_trips() {
  std::mt19937_64 random(6);
  std::normal_distribution<double> normal;
  for (const Case& c : cases())
    for (int trial = 0; trial < (test::brief() ? 1 : 3); ++trial) {
      std::vector<double> raw;
      for (int64_t i = 0; i < c.per(); ++i) raw.push_back(2 * normal(random));
      std::vector<double> x;
      for (int i = 0; i <= 400; ++i) x.push_back(-3 + 0.0175 * i);
      Column<double> there, back;
      there.run(c, x, raw, false);
      back.run(c, there.out, raw, true);
      for (size_t r = 0; r < x.size(); ++r) {
        const double tolerance = 1e-14 * (1 + std::exp(-there.log_det[r]));
        ASSERT_NEAR(back.out[r], x[r], 4 * tolerance) << static_cast<int>(c.shape.pieces) << " " << c.shape.bins;
        // At a knot, rounding may select the adjacent bin, where a linear spline has a different slope.
        const double slack = c.shape.pieces == SplinePieces::linear ? 10 : 1e5 * tolerance;
        ASSERT_NEAR(back.log_det[r], -there.log_det[r], slack);
      }
    }
}

TEST(SplinePieces, Invert) {
  on_every_target([](int64_t) { round_trips(); });
}

TEST(SplinePieces, ZerosAreTheIdentity) {
  for (const Case& c : cases()) {
    if (c.shape.nflows) continue;
    Column<double> col;
    const std::vector<double> x = {-5, -2, -1.3, 0, 0.7, 2.9, 3, 4};
    col.run(c, x, std::vector<double>(static_cast<size_t>(c.per()), 0.0), false);
    for (size_t r = 0; r < x.size(); ++r) {
      EXPECT_NEAR(col.out[r], x[r], 1e-13) << static_cast<int>(c.shape.pieces) << " " << c.shape.bins;
      EXPECT_NEAR(col.log_det[r], 0, 1e-12) << static_cast<int>(c.shape.pieces) << " " << c.shape.bins;
    }
  }
}

TEST(SplinePieces, NanGivesNan) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const Case& c : cases()) {
    std::vector<double> raw(static_cast<size_t>(c.per()), 0.5);
    Column<double> col;
    for (const bool inverse : {false, true}) {
      col.run(c, {nan, 0.5}, raw, inverse);
      EXPECT_TRUE(std::isnan(col.out[0]) && !std::isnan(col.out[1]));
      std::vector<double> bad = raw;
      bad[0] = nan;
      col.run(c, {0.5}, bad, inverse);
      EXPECT_TRUE(std::isnan(col.out[0])) << static_cast<int>(c.shape.pieces);
    }
  }
}

}  // namespace
}  // namespace libnf::test
