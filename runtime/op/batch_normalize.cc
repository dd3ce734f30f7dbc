// Normalizes columns to mean 0 and variance 1 over a batch of N rows (Ioffe & Szegedy 2015, algorithm 1). With
// r = (v + eps)^-1/2:
//   z = (x - m) r,  v = sum (x - m)^2 / (N - 1) or / N,  log_det = sum_j log r_j
//   gx = r (gz - sum gz / N - z (sum gz z + sum g_log_det) / (N - 1 or N)),  sums over the rows of the batch
// The statistics and x - m are computed in float64, so columns far from 0 lose no digits.
#include <algorithm>
#include <cmath>

#include "runtime/kernel/batch.h"
#include "runtime/kernel/binary.h"
#include "runtime/kernel/low.h"
#include "runtime/op/batch_columns.h"
#include "runtime/op/family.h"
#include "runtime/op/layout.h"
#include "runtime/op/ops.h"
#include "runtime/op/tangent.h"

namespace libnf {
namespace {

struct BatchNormalizeAttr {
  const BatchPart* part;  // borrowed; nullptr: the rows of x are the batch
  double eps;
  bool biased;
};
const BatchPart* part_of(const Node& n) { return n.attr<BatchNormalizeAttr>().part; }

Shapes shape(const Node& n) {
  need_rank(n, 0, 2);
  Shapes s;
  s.out = n.in[0]->out.shape;
  s.extra = {s.out[0]};
  s.has_extra = true;
  s.saved = {s.out[1]};  // r
  s.has_saved = true;
  return s;
}

// Statistics of x, in scratch memory.
ColumnStats own_stats(Tape& t, const View& x) {
  const int64_t d = x.shape[1];
  const auto n = static_cast<double>(x.shape[0]);
  double* mean = t.scratch<double>(d);
  double* dev = t.scratch<double>(2 * d);
  kernel::fill<double>(0, mean, d);
  kernel::fill<double>(0, dev, 2 * d);
  column_sums(x, nullptr, mean);
  kernel::binary_scalar<double>(kernel::Binary::div, mean, n, mean, d);
  column_deviations(x, nullptr, mean, dev);
  return {n, d, mean, dev + d};
}

double divisor_of(const Node& n, double rows) {
  return std::max(rows - (n.attr<BatchNormalizeAttr>().biased ? 0 : 1), 1.0);
}

template <class T>
void forward(Tape& t, Node& n) {
  if (t.keeps_low) n.low = t.take_low(n);
  const ScratchScope scope(t);
  const View rows = whole_rows(t, *n.in[0]);
  const ColumnStats s = part_of(n) ? part_of(n)->stats : own_stats(t, rows);
  const auto x = matrix_of<T>(n.view(0)), z = matrix_of<T>(n.out);
  T* rate = static_cast<T*>(n.saved);
  double* r = t.scratch<double>(x.cols);
  double log_det = 0;
  for (int64_t j = 0; j < x.cols; ++j) {
    const double v = s.squares[j] / divisor_of(n, s.rows) + n.attr<BatchNormalizeAttr>().eps;
    r[j] = 1 / std::sqrt(v);
    rate[j] = static_cast<T>(r[j]);
    log_det -= std::log(v) / 2;
  }
  if (rows.dtype == n.out.dtype) {
    kernel::normalize_rows<T>(x, s.mean, r, z);
    if (n.low) kernel::fill<float>(0, n.low, n.out.count());
  } else {
    const auto wide = matrix_of<double>(rows);
    kernel::normalize_rows<double>(wide, s.mean, r, wide);
    float* low = n.low ? n.low : t.scratch<float>(n.out.count());
    kernel::split_low(wide.p, n.out.as<float>(), low, n.out.count());
  }
  kernel::fill<T>(static_cast<T>(log_det), n.extra->y<T>(), x.rows);
}

template <class T>
void vjp(Tape& t, Node& n, const InputGrads& grads) {
  const auto gx = matrix_of<T>(grads.add(0));
  const ScratchScope scope(t);
  const auto gz = matrix_of<T>(t.grad_out(n)), z = matrix_of<T>(n.out);
  const int64_t d = z.cols;
  const BatchPart* part = part_of(n);
  const double* totals = part ? part->totals : nullptr;
  if (!part) {
    double* own = t.scratch<double>(2 * d + 1);
    kernel::fill<double>(0, own, 2 * d + 1);
    batch_grad_sums(t, n, nullptr, own);
    totals = own;
  }
  const double rows = part ? part->stats.rows : static_cast<double>(z.rows);
  const T* rate = static_cast<const T*>(n.saved);
  T* shift = t.scratch<T>(d);
  T* slope = t.scratch<T>(d);
  for (int64_t j = 0; j < d; ++j) {
    shift[j] = static_cast<T>(totals[j] / rows);
    slope[j] = static_cast<T>((totals[d + j] + totals[2 * d]) / divisor_of(n, rows));
  }
  const double* weight = part ? part->weight : nullptr;
  Rows<const T> above = gz;
  if (!gz.p) {
    T* zeros = t.scratch<T>(d);
    kernel::fill<T>(0, zeros, d);
    above = shared_row(zeros, z.rows, d);
  }
  kernel::normalize_grad_rows<T>(weight, above, z, rate, shift, slope, gx);
}

template <class T>
void grad_sums(const Tape& t, const Node& n, const double* weight, double* out) {
  const auto gz = matrix_of<T>(t.grad_out(n)), z = matrix_of<T>(n.out);
  const T* gl = t.grad_out(*n.extra).template as<T>();
  if (gz.p) kernel::column_dots<T>(weight, gz, z, out, out + z.cols);
  if (gl) kernel::column_sums<T>(weight, {gl, z.rows, 1, 1}, out + 2 * z.cols);
}

// Differentiates through the statistics, as vjp does. A part of a batch would need the sums of the other tapes.
OutputTangents tangent(Tape& t, Node& n, const InputTangents& d) {
  if (part_of(n)) fail(Code::unsupported, "jvp: op '%s' has no tangent rule for rows on several tapes", n.op->name);
  const int64_t rows = n.out.shape[0];
  Var away = sub(t, n.in[0], mean_first(t, n.in[0]));
  Var variance = scale(t, sum_first(t, unary(t, Unary::square, away)), 1 / divisor_of(n, static_cast<double>(rows)));
  Var rate = unary(t, Unary::rsqrt, add_scalar(t, variance, n.attr<BatchNormalizeAttr>().eps));
  return {d.of(mul(t, away, rate)), spread(t, d.of(sum(t, unary(t, Unary::log, rate))), {rows})};
}

const Op kBatchNormalize = {"batch_normalize", Layout::rows, shape, NF_BOTH(forward), NF_BOTH(vjp), tangent};

// "md" rather than "nd": rows are not independent.
const OpCase kCases[] = {
    {"batch_normalize",
     {{"md"}},
     [](Tape& t, const Var* in) { return batch_normalize(t, in[0], nullptr, 0.1, false).y; }},
    {"batch_normalize_biased",
     {{"md"}},
     [](Tape& t, const Var* in) { return batch_normalize(t, in[0], nullptr, 0.3, true).y; }},
};

}  // namespace

extern const OpFamily family_batch_normalize;
const OpFamily family_batch_normalize = {"batch_normalize", kCases, std::size(kCases)};

Mapped batch_normalize(Tape& t, Var x, BatchPart* part, double eps, bool biased) {
  Var z = t.record(kBatchNormalize, {x}, BatchNormalizeAttr{part, eps, biased});
  if (part) part->node = z;
  return mapped(z);
}

View whole_rows(Tape& t, const Node& x) {
  if (!x.low) return x.out;
  const int64_t n = x.out.count();
  double* sums = t.scratch<double>(n);
  kernel::join_low(x.out.as<float>(), x.low, sums, n);
  return contiguous_view(sums, DType::f64, x.out.shape);
}

void column_sums(const View& x, const double* weight, double* out) {
  with_dtype(x.dtype, [&]<class T>() { kernel::column_sums<T>(weight, matrix_of<const T>(x), out); });
}

void column_deviations(const View& x, const double* weight, const double* mean, double* out) {
  with_dtype(x.dtype, [&]<class T>() {
    const auto m = matrix_of<const T>(x);
    kernel::column_deviations<T>(weight, m, mean, out, out + m.cols);
  });
}

void batch_grad_sums(const Tape& t, const Node& n, const double* weight, double* out) {
  with_dtype(t.dtype(), [&]<class T>() { grad_sums<T>(t, n, weight, out); });
}

}  // namespace libnf
