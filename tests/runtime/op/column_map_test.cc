// A column map whose inverse is iterative, in couplings and as an autoregressive map: it takes its scratch memory from
// the scope, and a row that it fails to invert is named by its index in all of the data.
#include "runtime/op/column_map.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "runtime/op/autoregressive.h"
#include "runtime/op/root.h"
#include "tests/support/expect_error.h"

namespace libnf {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

// z = x + x^3 + h, with one number h per row.
class Cubic final : public ColumnMap {
 public:
  explicit Cubic(int64_t max_iterations) : limits_{1e-12, max_iterations} {}
  int64_t per() const override { return 1; }
  void map(const RowScope&, const Column<float>&, bool) const override { FAIL(); }
  void vjp(const RowScope&, const ColumnGrad<float>&, bool) const override { FAIL(); }
  void map(const RowScope& s, const Column<double>& c, bool inverse) const override {
    if (!inverse) {
      for (int64_t r = 0; r < c.n; ++r) {
        c.out[r] = c.in[r] + std::pow(c.in[r], 3) + c.params[r];
        c.log_det[r] += std::log1p(3 * c.in[r] * c.in[r]);
      }
      return;
    }
    const ScratchScope scope(s.tape);
    double *y = s.tape.scratch<double>(c.n), *low = s.tape.scratch<double>(c.n), *high = s.tape.scratch<double>(c.n);
    for (int64_t r = 0; r < c.n; ++r) {
      y[r] = c.in[r] - c.params[r];
      c.out[r] = 0;
      low[r] = -kInf;
      high[r] = kInf;
    }
    find_roots<double>(s, limits_, Equation(), {c.n, y, c.out, low, high});
    for (int64_t r = 0; r < c.n; ++r) c.log_det[r] -= std::log1p(3 * c.out[r] * c.out[r]);
  }
  void vjp(const RowScope&, const ColumnGrad<double>& c, bool inverse) const override {
    for (int64_t r = 0; r < c.n; ++r) {
      const double x = inverse ? c.out[r] : c.in[r], slope = 1 + 3 * x * x, curve = 6 * x / slope;
      const double gl = c.g_log_det ? c.g_log_det[r] : 0;
      c.g_in[r] = inverse ? (c.g_out[r] - gl * curve) / slope : c.g_out[r] * slope + gl * curve;
      c.g_params[r] = inverse ? -c.g_in[r] : c.g_out[r];
    }
  }
  ColumnVars expand(Tape& tape, Var x, Var h, std::span<const int32_t>) const override {
    Var square = unary(tape, Unary::square, x);
    return {add(tape, add(tape, x, mul(tape, square, x)), h), unary(tape, Unary::log1p, scale(tape, square, 3))};
  }

 private:
  struct Equation final : RootFunction<double> {
    void evaluate(int64_t count, const int32_t*, const double* x, double* f, double* slope) const override {
      for (int64_t k = 0; k < count; ++k) {
        f[k] = x[k] + x[k] * x[k] * x[k];
        slope[k] = 1 + 3 * x[k] * x[k];
      }
    }
  };
  RootLimits limits_;
};

class ColumnMapTest : public testing::Test {
 protected:
  static constexpr int64_t kRows = 150;  // more than two blocks of a coupling
  Tape t{system_allocator(), DType::f64};
  const Cubic cubic{100}, hasty{1};

  // Returns zeros, whose roots are where the search starts, with `at` in one row of column 1.
  Var zeros_but(int64_t row, double at) {
    Var z = t.zeros({kRows, 2});
    z->y<double>()[row * 2 + 1] = at;
    return z;
  }
};

constexpr int32_t kBoth[] = {0, 1};

TEST_F(ColumnMapTest, CouplingsInvertByIteration) {
  Var x = t.empty({kRows, 2}), h = t.empty({kRows, 2});
  for (int64_t k = 0; k < 2 * kRows; ++k) {
    x->y<double>()[k] = std::sin(static_cast<double>(k)) * 2;
    h->y<double>()[k] = std::cos(static_cast<double>(k));
  }
  const Mapped z = couple_columns(t, cubic, kBoth, 2, x, h, false),
               back = couple_columns(t, cubic, kBoth, 2, z.y, h, true);
  for (int64_t k = 0; k < 2 * kRows; ++k) EXPECT_NEAR(back.y->y<double>()[k], x->y<double>()[k], 1e-12);
  for (int64_t r = 0; r < kRows; ++r) EXPECT_NEAR(back.log_det->y<double>()[r], -z.log_det->y<double>()[r], 1e-12);
}

TEST_F(ColumnMapTest, AMissedRowIsNamedAlsoBeyondTheFirstBlock) {
  t.random.first_row = 1000;
  Var h = t.zeros({kRows, 2});
  EXPECT_ERROR(couple_columns(t, hasty, kBoth, 2, zeros_but(140, 9), h, true), Code::not_inverted, "row 1140 ");
  EXPECT_ERROR(couple_columns(t, hasty, kBoth, 2, zeros_but(3, 9), h, true), Code::not_inverted, "row 1003 ");
  EXPECT_NO_THROW(couple_columns(t, cubic, kBoth, 2, zeros_but(140, 9), h, true));
  t.measuring = true;
  EXPECT_NO_THROW(couple_columns(t, hasty, kBoth, 2, zeros_but(140, 9), h, true));
}

TEST_F(ColumnMapTest, AutoregressiveMapsInvertByIteration) {
  StagedNet net;  // h_1 = w x_0 + b, h_0 = b
  net.event = net.features = net.units = 2;
  net.per = 1;
  NetStage stage;
  stage.mask = kernel::Staircase(std::vector<int32_t>{1, 2}, std::vector<int32_t>{0, 1});
  stage.weight = 0;
  stage.bias = 1;
  net.params = 2;
  net.add(stage, 2);
  constexpr ColumnFeature kFeatures[] = {{ColumnFeature::value, 0}, {ColumnFeature::value, 1}};
  constexpr size_t kFirst[] = {0, 1, 2};
  Var params[] = {t.empty({1}), t.zeros({2})};
  params[0]->y<double>()[0] = 2;
  t.random.first_row = 1000;
  const auto inverse = [&](const Cubic& map, Var z) {
    return autoregressive_inverse(t, {&net, &map, kBoth, kFeatures, kFirst}, z, nullptr, params);
  };
  const Mapped x = inverse(cubic, zeros_but(7, 10));
  EXPECT_NEAR(x.y->y<double>()[7 * 2 + 1], 2, 1e-12);  // 2 + 2^3 = 10
  EXPECT_NEAR(x.log_det->y<double>()[7], -std::log(13), 1e-12);
  EXPECT_ERROR(inverse(hasty, zeros_but(7, 10)), Code::not_inverted, "row 1007 ");
}

}  // namespace
}  // namespace libnf
