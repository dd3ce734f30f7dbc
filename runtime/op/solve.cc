// Dense square matrices W: log |det W| and solutions of y W = x for rows x, from LU factors with partial pivoting.
//   l = log |det W|:  gW = gl W^-T
//   y W = x:          gx W^T = gy (a solve),  gW = -y^T gx - gl W^-T for the log-det of y
// Factors and solves are in float64 for float32 tensors, too: they cost no more than a few products, and the result is
// as accurate as the tensors are.
#include "runtime/kernel/lu.h"

#include "runtime/kernel/binary.h"
#include "runtime/kernel/gemm.h"
#include "runtime/kernel/reduce.h"
#include "runtime/kernel/rows.h"
#include "runtime/op/family.h"
#include "runtime/op/layout.h"
#include "runtime/op/ops.h"
#include "runtime/op/tangent.h"

namespace libnf {
namespace {

// LU factors of one matrix in saved memory: d x d doubles, then the pivots.
struct Factors {
  double* lu;
  int32_t* pivot;
  static int64_t bytes(int64_t d) { return checked_mul(checked_mul(d, d), 8) + checked_mul((d + 1) / 2, 8); }
  Factors(void* saved, int64_t d, int64_t index = 0)
      : lu(reinterpret_cast<double*>(static_cast<char*>(saved) + index * bytes(d))),
        pivot(reinterpret_cast<int32_t*>(lu + d * d)) {}
};

// Saved memory is counted in elements of the tape's dtype.
void save_factors(Shapes& s, DType dtype, int64_t d, int64_t count) {
  s.saved = {checked_mul(Factors::bytes(d), count) / size_of(dtype)};
  s.has_saved = true;
}

template <class T>
void to_double(const Rows<T>& x, double* out) {
  for (int64_t r = 0; r < x.rows; ++r)
    for (int64_t c = 0; c < x.cols; ++c) out[r * x.cols + c] = static_cast<double>(x.row(r)[c]);
}

template <class T>
void factor(Tape& t, const Rows<T>& w, const Factors& f) {
  const ScratchScope scope(t);
  to_double(w, f.lu);
  kernel::lu_factor(w.rows, f.lu, f.pivot, t.scratch<double>(kernel::lu_scratch(w.rows)));
}

// Adds gw += factor W^-T: the rows of W^-T solve u W^T = I.
template <class T>
void add_inverse_transposed(Tape& t, const Factors& f, int64_t d, const double* lu_t, double factor,
                            const Rows<T>& gw) {
  const ScratchScope scope(t);
  double* unit = t.scratch<double>(d * d);
  double* inverse = t.scratch<double>(d * d);
  kernel::fill<double>(0, unit, d * d);
  for (int64_t i = 0; i < d; ++i) unit[i * d + i] = 1;
  kernel::lu_solve_rows_transposed(d, lu_t, f.pivot, d, unit, inverse, t.scratch<double>(d * d));
  for (int64_t r = 0; r < d; ++r)
    for (int64_t c = 0; c < d; ++c) gw.row(r)[c] += static_cast<T>(factor * inverse[r * d + c]);
}

double* transposed(Tape& t, const Factors& f, int64_t d) {
  double* lu_t = t.scratch<double>(d * d);
  kernel::transpose(d, d, f.lu, d, lu_t, d);
  return lu_t;
}

// ---- slogdet -----------------------------------------------------------------------------------------------------

int64_t count_of(const Dims& d) {
  int64_t n = 1;
  for (int i = 0; i + 2 < d.rank; ++i) n *= d[i];
  return n;
}

Shapes slogdet_shape(const Node& n) {
  const Dims& w = n.in[0]->out.shape;
  if (w.rank < 2) wrong_rank(n, 0, 2);
  need_extent(n, 0, w.rank - 1, w[w.rank - 2]);
  Shapes s;
  s.out.rank = w.rank - 2;
  for (int i = 0; i < s.out.rank; ++i) s.out[i] = w[i];
  save_factors(s, n.in[0]->out.dtype, w.last(), count_of(w));
  return s;
}

template <class T>
Rows<T> nth_matrix(const View& v, int64_t k) {
  const int64_t d = v.shape.last();
  return {v.as<T>() + k * d * d, d, d, d};
}

template <class T>
void slogdet_forward(Tape& t, Node& n) {
  const View& w = n.view(0);
  const int64_t d = w.shape.last(), count = count_of(w.shape);
  for (int64_t k = 0; k < count; ++k) {
    const Factors f(n.saved, d, k);
    factor<T>(t, nth_matrix<T>(w, k), f);
    n.y<T>()[k] = static_cast<T>(kernel::lu_log_abs_det(d, f.lu));
  }
}

template <class T>
void slogdet_vjp(Tape& t, Node& n, const InputGrads& grads) {
  const View gw = grads.add(0);
  const T* g = t.grad_out(n).template as<T>();
  const int64_t d = gw.shape.last(), count = count_of(gw.shape);
  for (int64_t k = 0; k < count; ++k) {
    const ScratchScope scope(t);
    const Factors f(n.saved, d, k);
    add_inverse_transposed<T>(t, f, d, transposed(t, f, d), static_cast<double>(g[k]), nth_matrix<T>(gw, k));
  }
}

// Returns d log |det W| = trace(dW W^-1) as one number [1, 1].
Var log_det_tangent(Tape& t, Var w, Var dw) {
  const int64_t d = w->out.shape[1];
  int32_t* diagonal = t.scratch<int32_t>(d);
  for (int64_t i = 0; i < d; ++i) diagonal[i] = static_cast<int32_t>(i * (d + 1));
  Var ratio = reshape(t, solve(t, dw, w).y, {1, d * d});
  return reshape(t, sum_last(t, gather_columns(t, ratio, diagonal, d)), {1, 1});
}

// Returns matrix k of a contiguous stack.
Var matrix_at(Tape& t, Var w, int64_t k) {
  const int64_t d = w->out.shape.last(), bytes = d * d * size_of(w->out.dtype);
  return t.alias(w, contiguous_view(static_cast<char*>(w->out.data) + k * bytes, w->out.dtype, {d, d}));
}

OutputTangents slogdet_tangent(Tape& t, Node& n, const InputTangents& d) {
  Var w = n.in[0], dw = conform(t, d[0], Layout::contiguous), all = nullptr;
  for (int64_t k = 0; k < count_of(w->out.shape); ++k) {
    Var one = log_det_tangent(t, matrix_at(t, w, k), matrix_at(t, dw, k));
    all = all ? concat_columns(t, all, one) : one;
  }
  return all ? reshape(t, all, n.out.shape) : nullptr;
}

const Op kSlogdet = {"slogdet",      Layout::contiguous, slogdet_shape, NF_BOTH(slogdet_forward), NF_BOTH(slogdet_vjp),
                     slogdet_tangent};

// ---- solve -------------------------------------------------------------------------------------------------------

enum { kX, kW };

Shapes solve_shape(const Node& n) {
  need_rank(n, kX, 2);
  need_rank(n, kW, 2);
  const int64_t d = n.in[kX]->out.shape[1];
  need_extent(n, kW, 0, d);
  need_extent(n, kW, 1, d);
  Shapes s;
  s.out = n.in[kX]->out.shape;
  s.extra = {s.out[0]};
  s.has_extra = true;
  save_factors(s, n.in[kX]->out.dtype, d, 1);
  return s;
}

// Solves with the factors for rows of T, converting to and from float64.
template <class T, class Solve>
void solve_rows(Tape& t, const Rows<T>& x, T* y, const Solve& solve) {
  const ScratchScope scope(t);
  const int64_t count = x.rows * x.cols;
  double* in = t.scratch<double>(count);
  double* out = t.scratch<double>(count);
  to_double(x, in);
  solve(in, out, t.scratch<double>(count));
  for (int64_t k = 0; k < count; ++k) y[k] = static_cast<T>(out[k]);
}

template <class T>
void solve_forward(Tape& t, Node& n) {
  const auto x = matrix_of<T>(n.view(kX));
  t.count_products(x.rows * x.cols * x.cols);
  const Factors f(n.saved, x.cols);
  factor<T>(t, matrix_of<T>(n.view(kW)), f);
  kernel::fill<T>(static_cast<T>(-kernel::lu_log_abs_det(x.cols, f.lu)), n.extra->y<T>(), x.rows);
  solve_rows<T>(t, x, n.y<T>(), [&](const double* in, double* out, double* scratch) {
    kernel::lu_solve_rows(x.cols, f.lu, f.pivot, x.rows, in, out, scratch);
  });
}

template <class T>
void solve_vjp(Tape& t, Node& n, const InputGrads& grads) {
  const View gy_view = t.grad_out(n), gl_view = t.grad_out(*n.extra);
  const auto y = matrix_of<T>(n.out), gy = matrix_of<T>(gy_view);
  const int64_t d = y.cols;
  const Factors f(n.saved, d);
  const ScratchScope scope(t);
  const double* lu_t = transposed(t, f, d);
  if (gy.p) {
    T* g = t.scratch<T>(y.rows * d);
    solve_rows<T>(t, gy, g, [&](const double* in, double* out, double* scratch) {
      kernel::lu_solve_rows_transposed(d, lu_t, f.pivot, y.rows, in, out, scratch);
    });
    if (grads.wants(kX)) {
      const auto gx = matrix_of<T>(grads.add(kX));
      kernel::binary_rows<T>(kernel::Binary::add, gx, {g, y.rows, d, d}, gx);
    }
    if (grads.wants(kW)) {
      const auto gw = matrix_of<T>(grads.add(kW));
      kernel::scale<T>(-1, g, g, y.rows * d);
      kernel::gemm<T>(d, d, y.rows, y.p, 1, y.ld, g, d, gw.p, gw.ld, kernel::Into::accumulate);
    }
  }
  if (gl_view.data && grads.wants(kW)) {
    T sum;
    kernel::row_sum<T>(gl_view.as<T>(), y.rows, 1, y.rows, &sum);
    add_inverse_transposed<T>(t, f, d, lu_t, -static_cast<double>(sum), matrix_of<T>(grads.add(kW)));
  }
}

// dy W = dx - y dW,  d log_det = -trace(dW W^-1)
OutputTangents solve_tangent(Tape& t, Node& n, const InputTangents& dx) {
  Var right = minus(t, n.out.shape, dx[kX], dx[kW] ? matmul(t, &n, dx[kW]) : nullptr);
  Var dl = dx[kW] ? scale(t, reshape(t, log_det_tangent(t, n.in[kW], dx[kW]), {1}), -1) : nullptr;
  return {solve(t, right, n.in[kW]).y, spread(t, dl, n.extra->out.shape)};
}

const Op kSolve = {"solve", Layout::rows, solve_shape, NF_BOTH(solve_forward), NF_BOTH(solve_vjp), solve_tangent};

// Random matrices may be nearly singular, where comparisons fail, so (d + 1) I is added.
Var regular(Tape& t, Var w, int64_t d) {
  Var unit = t.zeros({d, d});
  with_dtype(t.dtype(), [&]<class T>() {
    for (int64_t i = 0; i < d; ++i) unit->out.as<T>()[i * d + i] = static_cast<T>(d + 1);
  });
  return add(t, w, unit);
}

const OpCase kCases[] = {
    {"slogdet", {{"dd"}}, [](Tape& t, const Var* in) { return slogdet(t, regular(t, in[0], in[0]->out.shape[0])); }},
    {"slogdet_of_one", {{"nc11", Domain::nonzero}}, [](Tape& t, const Var* in) { return slogdet(t, in[0]); }},
    {"solve",
     {{"nd"}, {"dd"}},
     [](Tape& t, const Var* in) { return solve(t, in[0], regular(t, in[1], in[1]->out.shape[0])).y; }},
};

}  // namespace

extern const OpFamily family_solve;
const OpFamily family_solve = {"solve", kCases, std::size(kCases)};

Var slogdet(Tape& t, Var w) { return t.record(kSlogdet, {w}); }

Mapped solve(Tape& t, Var x, Var w) { return mapped(t.record(kSolve, {x, w})); }

}  // namespace libnf
