// Splines as ordinary ops (what their tangents are taken from) against the kernels: values, log slopes, and gradients by
// points and raw parameters; inside, on knots, at the ends, in the tails and far out.
#include "runtime/op/spline_vars.h"

#include <gtest/gtest.h>

#include <cmath>

#include "runtime/op/ops.h"
#include "tests/support/op_check.h"

namespace nf::test {
namespace {

using kernel::PiecesShape;
using kernel::SplineBox;
using kernel::SplinePieces;
using kernel::SplineShape;
using kernel::SplineTails;

constexpr SplineTails kTails[] = {SplineTails::none, SplineTails::linear, SplineTails::circular};

const SplineBox& box_of(SplineTails tails) {
  static const SplineBox boxes[] = {
      {-2, 3, -2, 3, SplineTails::none}, {-2, 3, -2, 3, SplineTails::linear}, {-2, 3, -2, 3, SplineTails::circular}};
  return boxes[static_cast<size_t>(tails)];
}

// Rows whose raw parameters are zero have the knots of equal bins: 5 bins of width 1.
Values points() {
  Values x = {-2, -1, 0, 1, 2, 3, -2.5, 3.5, 1e3, -1e3, 1e12, -1e12, 0.5, std::nextafter(3.0, 4.0), -2 - 1e-9};
  for (int k = 0; k < 40; ++k) x.push_back(-4 + 0.2371 * k);
  return x;
}

struct Outcome {
  Values z, l, gx, graw;
};

// Of sum(cot_z z) + sum(cot_l l).
template <class Expand>
Outcome by_ops(const Values& x, const Values& raw, const Values& cot_z, const Values& cot_l, const Expand& expand) {
  Tape t(system_allocator(), DType::f64);
  const auto rows = static_cast<int64_t>(x.size()), per = static_cast<int64_t>(raw.size()) / rows;
  const auto leaf = [&](const Values& v, int64_t cols) {
    return t.input(contiguous_view(const_cast<double*>(v.data()), DType::f64, {rows, cols}), true);
  };
  Var vx = leaf(x, 1), vraw = leaf(raw, per);
  const ColumnVars e = expand(t, vx, vraw);
  std::copy(cot_z.begin(), cot_z.end(), t.grad(*e.z).as<double>());
  std::copy(cot_l.begin(), cot_l.end(), t.grad(*e.log_slope).as<double>());
  t.backward();
  return {values_of<double>(e.z->out), values_of<double>(e.log_slope->out), values_of<double>(t.grad(*vx)),
          values_of<double>(t.grad(*vraw))};
}

// Raw parameters of a row are together in ops, and the rows of a parameter in kernels.
Values turned(const Values& v, size_t rows) {
  const size_t per = v.size() / rows;
  Values out(v.size());
  for (size_t r = 0; r < rows; ++r)
    for (size_t k = 0; k < per; ++k) out[k * rows + r] = v[r * per + k];
  return out;
}

template <class Values_, class Grads>
Outcome by_kernel(const Values& x, const Values& raw, const Values& cot_z, const Values& cot_l, const Values_& values,
                  const Grads& grads) {
  const size_t n = x.size();
  const Values by_unit = turned(raw, n);
  const kernel::SplineRows<double> rows{static_cast<int64_t>(n), x.data(), by_unit.data(), static_cast<int64_t>(n)};
  Outcome r{Values(n), Values(n), Values(n), Values(raw.size())};
  Values graw(raw.size());
  values(rows, r.z.data(), r.l.data());
  grads(rows, cot_z.data(), cot_l.data(), r.gx.data(), graw.data());
  for (size_t row = 0; row < n; ++row)
    for (size_t k = 0; k < raw.size() / n; ++k) r.graw[row * (raw.size() / n) + k] = graw[k * n + row];
  return r;
}

void expect_same(const Outcome& got, const Outcome& want, const Values& x, double scale) {
  for (size_t r = 0; r < x.size(); ++r) {
    ASSERT_NEAR(got.z[r], want.z[r], 1e-13 * std::max(scale, std::abs(want.z[r]))) << "z of " << x[r];
    ASSERT_NEAR(got.l[r], want.l[r], 1e-11) << "log slope of " << x[r];
    ASSERT_NEAR(got.gx[r], want.gx[r], 1e-9 * std::max(scale, std::abs(want.gx[r]))) << "gradient at " << x[r];
  }
  const size_t per = got.graw.size() / x.size();
  for (size_t k = 0; k < got.graw.size(); ++k)
    ASSERT_NEAR(got.graw[k], want.graw[k], 1e-9 * std::max(scale, std::abs(want.graw[k])))
        << "raw number " << k % per << " at " << x[k / per];
}

// Random parameters, and zeros with which the points above lie on knots. There a kernel and these ops may see a point on
// two sides of a knot; what differs between them is left out by `knots`.
template <class Compare>
void each_problem(int64_t per, bool knots, const Compare& compare) {
  std::mt19937_64 random(3);
  const Values x = points();
  const auto n = static_cast<int64_t>(x.size());
  for (const double spread : {1.0, 0.0, 3.0}) {
    if (spread == 0 && !knots) continue;
    Values raw = draw_normal(n * per, random);
    for (double& v : raw) v *= spread;
    compare(x, raw, draw_normal(n, random), draw_normal(n, random));
  }
}

TEST(SplineVars, RationalQuadratic) {
  for (const SplineTails tails : kTails)
    for (const bool soft_clip : {false, true})
      for (const int64_t bins : {1, 5}) {
        SCOPED_TRACE(testing::Message() << "tails " << static_cast<int>(tails) << ", " << bins << " bins, "
                                        << soft_clip);
        const SplineShape s{.bins = bins, .raw_scale = 0.7, .beta = 1.3, .soft_clip = soft_clip};
        const SplineBox* box = &box_of(tails);
        each_problem(2 * bins + kernel::slope_count(bins, tails), true,
                     [&](const Values& x, const Values& raw, const Values& cot_z, const Values& cot_l) {
                       const Outcome got = by_ops(x, raw, cot_z, cot_l, [&](Tape& t, Var v, Var p) {
                         return rational_spline(t, s, {&box, 1}, v, p);
                       });
                       const Outcome want = by_kernel(
                           x, raw, cot_z, cot_l,
                           [&](const auto& rows, double* z, double* l) {
                             kernel::rational_spline<double>(s, *box, false, rows, z, l);
                           },
                           [&](const auto& rows, const double* gz, const double* gl, double* gx, double* graw) {
                             kernel::rational_spline_grad<double>(s, *box, false, rows, gz, gl, gx, graw);
                           });
                       expect_same(got, want, x, 5);
                     });
      }
}

TEST(SplineVars, Pieces) {
  for (const SplinePieces pieces : {SplinePieces::linear, SplinePieces::quadratic, SplinePieces::cubic})
    for (const SplineTails tails : {SplineTails::none, SplineTails::linear})
      for (const bool nflows : {false, true})
        for (const int64_t bins : {1, 2, 5}) {
          if (pieces == SplinePieces::cubic && bins == 1) continue;
          SCOPED_TRACE(testing::Message() << "pieces " << static_cast<int>(pieces) << ", tails "
                                          << static_cast<int>(tails) << ", " << bins << " bins, " << nflows);
          const PiecesShape s{.pieces = pieces, .bins = bins, .raw_scale = 0.7, .nflows = nflows};
          const SplineBox* box = &box_of(tails);
          each_problem(kernel::pieces_params(pieces, bins, tails), pieces == SplinePieces::quadratic,
                       [&](const Values& x, const Values& raw, const Values& cot_z, const Values& cot_l) {
                         const Outcome got = by_ops(x, raw, cot_z, cot_l, [&](Tape& t, Var v, Var p) {
                           return pieces_spline(t, s, {&box, 1}, v, p);
                         });
                         const Outcome want = by_kernel(
                             x, raw, cot_z, cot_l,
                             [&](const auto& rows, double* z, double* l) {
                               kernel::pieces_spline<double>(s, *box, false, rows, z, l);
                             },
                             [&](const auto& rows, const double* gz, const double* gl, double* gx, double* graw) {
                               kernel::pieces_spline_grad<double>(s, *box, false, rows, gz, gl, gx, graw);
                             });
                         expect_same(got, want, x, 5);
                       });
        }
}

}  // namespace
}  // namespace nf::test
