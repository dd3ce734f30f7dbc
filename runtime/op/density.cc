// Log-densities of rows.
//   standard normal:  log p(z) = -|z|^2/2 - d log(2 pi)/2
//   diagonal normal:  the same of u = (z - loc) exp(-log_scale), minus sum_j log_scale_j; loc, log_scale [d] or [n, d]
// The sum over d runs in a fixed order that depends only on d.
#include <cmath>

#include "runtime/kernel/binary.h"
#include "runtime/kernel/reduce.h"
#include "runtime/kernel/rows.h"
#include "runtime/kernel/unary.h"
#include "runtime/op/family.h"
#include "runtime/op/layout.h"
#include "runtime/op/ops.h"
#include "runtime/op/per_row.h"
#include "runtime/op/tangent.h"

namespace libnf {
namespace {

constexpr double kHalfLog2Pi = 0.91893853320467274178;  // log(2 pi)/2

template <class T>
void finish(T* out, int64_t rows, int64_t d) {
  kernel::scale<T>(T(-0.5), out, out, rows);
  kernel::binary_scalar<T>(kernel::Binary::sub, out, static_cast<T>(kHalfLog2Pi) * static_cast<T>(d), out, rows);
}

Shapes standard_shape(const Node& n) {
  need_rank(n, 0, 2);
  Shapes s;
  s.out = {n.in[0]->out.shape[0]};
  return s;
}

template <class T>
void standard_forward(Tape&, Node& n) {
  const auto z = matrix_of<T>(n.view(0));
  kernel::row_dot<T>(z.p, z.ld, z.p, z.ld, z.rows, z.cols, n.y<T>());
  finish(n.y<T>(), z.rows, z.cols);
}

template <class T>
void standard_vjp(Tape& t, Node& n, const InputGrads& grads) {
  const auto z = matrix_of<T>(n.view(0)), gz = matrix_of<T>(grads.add(0));
  const T* g = t.grad_out(n).template as<T>();
  kernel::axpy_rows<T>(-1, g, z, gz);
}

// d(-|z|^2/2) = -<z, dz>
OutputTangents standard_tangent(Tape& t, Node& n, const InputTangents& d) {
  return scale(t, row_dot(t, n.in[0], d[0]), -1);
}

const Op kStandard = {"normal_log_prob",         Layout::rows,          standard_shape,
                      NF_BOTH(standard_forward), NF_BOTH(standard_vjp), standard_tangent};

// ---- diagonal ----------------------------------------------------------------------------------------------------

enum { kZ, kLoc, kLogScale };

Shapes diagonal_shape(const Node& n) {
  need_rank(n, kZ, 2);
  const Dims& z = n.in[kZ]->out.shape;
  for (int i : {kLoc, kLogScale}) {
    const Dims& p = n.in[i]->out.shape;
    if (!(p == z) && !(p == Dims{z[1]}))
      fail(Code::shape, "%s: input %d has shape %s, expected [%lld] or %s", n.op->name, i, to_string(p).c_str(),
           static_cast<long long>(z[1]), to_string(z).c_str());
  }
  Shapes s;
  s.out = {z[0]};
  s.saved = z;  // u
  s.has_saved = true;
  return s;
}

// Returns parameters as a matrix whose rows repeat if they are shared.
template <class T>
Rows<T> per_row(const View& v, int64_t rows) {
  if (v.shape.rank == 2) return matrix_of<T>(v);
  return {v.as<T>(), rows, v.shape[0], 0};
}

template <class T>
void diagonal_forward(Tape& t, Node& n) {
  const auto z = matrix_of<T>(n.view(kZ));
  const auto loc = per_row<T>(n.view(kLoc), z.rows), ls = per_row<T>(n.view(kLogScale), z.rows);
  T* u = static_cast<T*>(n.saved);
  T* out = n.y<T>();
  const ScratchScope scope(t);
  const int64_t sets = own_rows(ls), d = z.cols;
  T *minus = t.scratch<T>(checked_mul(sets, d)), *sum = t.scratch<T>(sets);
  const Rows<const T> factor = exp_minus(t, ls, minus);
  kernel::row_sum<T>(minus, d, sets, d, sum);
  kernel::affine_rows<T>(kernel::RowMap::inverse, z, factor, loc, Rows<T>{u, z.rows, d, d});
  kernel::row_dot<T>(u, d, u, d, z.rows, d, out);
  finish(out, z.rows, d);
  if (ls.ld != 0)
    kernel::accumulate<T>(sum, out, z.rows);
  else if (z.rows > 0)
    kernel::binary_scalar<T>(kernel::Binary::add, out, *sum, out, z.rows);
}

// d/dz = -u e^-l, d/dloc = u e^-l, d/dl = u^2 - 1
template <class T>
void diagonal_vjp(Tape& t, Node& n, const InputGrads& grads) {
  const auto z = matrix_of<T>(n.view(kZ));
  const auto ls = per_row<T>(n.view(kLogScale), z.rows);
  const T* g = t.grad_out(n).template as<T>();
  const T* u = static_cast<const T*>(n.saved);
  const auto target = [&](int i) { return grads.wants(i) ? per_row<T>(grads.add(i), z.rows) : Rows<T>{}; };
  const auto gz = target(kZ), gloc = target(kLoc), gls = target(kLogScale);
  const ScratchScope scope(t);
  const int64_t d = z.cols;
  const Rows<const T> all_factors = exp_minus(t, ls);
  T* slopes = t.scratch<T>(rows_of_block(d) * d);
  for_row_blocks(z.rows, d, [&](int64_t first, int64_t rows) {
    const Rows<const T> units = {u + first * d, rows, d, d};
    const Rows<T> slope = {slopes, rows, d, d};
    const auto block = [=](const Rows<T>& m) { return m.rows_from(first, rows); };
    kernel::binary_rows<T>(kernel::Binary::mul, all_factors.rows_from(first, rows), units, slope);
    if (gz.p) kernel::axpy_rows<T>(-1, g + first, slope, block(gz));
    if (gloc.p) kernel::axpy_rows<T>(1, g + first, slope, block(gloc));
    if (gls.p) kernel::slope_rows<T>(1, g + first, units, units, block(gls));
  });
}

OutputTangents diagonal_tangent(Tape& t, Node& n, const InputTangents& d) {
  Var u = mul(t, sub(t, n.in[kZ], n.in[kLoc]), unary(t, Unary::exp, scale(t, n.in[kLogScale], -1)));
  Var terms = sub(t, scale(t, unary(t, Unary::square, u), -0.5), n.in[kLogScale]);
  return d.of(sum_last(t, terms));
}

const Op kDiagonal = {"normal_log_prob_diagonal", Layout::rows,          diagonal_shape,
                      NF_BOTH(diagonal_forward),  NF_BOTH(diagonal_vjp), diagonal_tangent};

const OpCase kCases[] = {
    {"normal_log_prob", {{"nd"}}, [](Tape& t, const Var* in) { return normal_log_prob(t, in[0]); }},
    {"normal_log_prob_diagonal",
     {{"nd"}, {"d"}, {"d"}},
     [](Tape& t, const Var* in) { return normal_log_prob(t, in[0], in[1], in[2]); }},
    {"normal_log_prob_per_row",
     {{"nd"}, {"nd"}, {"nd"}},
     [](Tape& t, const Var* in) { return normal_log_prob(t, in[0], in[1], in[2]); }},
};

}  // namespace

extern const OpFamily family_density;
const OpFamily family_density = {"density", kCases, std::size(kCases)};

Var normal_log_prob(Tape& t, Var z) { return t.record(kStandard, {z}); }
Var normal_log_prob(Tape& t, Var z, Var loc, Var log_scale) { return t.record(kDiagonal, {z, loc, log_scale}); }

}  // namespace libnf
