// Elementwise maps with their log-determinants, as one node each.
//   bijection  y_j = f(x_j),  log_det = sum_j log f'(x_j)  (kernel/bijection.h lists f, its inverses and accuracy)
//   prelu      y_j = x_j exp(l_j) where x_j < 0, else x_j;  log_det = sum of l_j where x_j < 0;  inverse: l -> -l
// The log-det is summed over the columns in a fixed order.
#include <cmath>
#include <limits>

#include "runtime/kernel/bijection.h"
#include "runtime/kernel/binary.h"
#include "runtime/kernel/reduce.h"
#include "runtime/kernel/unary.h"
#include "runtime/op/family.h"
#include "runtime/op/layout.h"
#include "runtime/op/ops.h"
#include "runtime/op/tangent.h"

namespace libnf {
namespace {

enum { kX, kLogSlope };

struct BijectionAttr {
  Bijection f;
  double a, b;
};

Shapes bijection_shape(const Node& n) {
  need_rank(n, kX, 2);
  Shapes s;
  s.out = n.in[kX]->out.shape;
  s.extra = {s.out[0]};
  s.has_extra = true;
  return s;
}

// Treats a contiguous tensor as one row.
template <class T>
void bijection_forward(Tape& t, Node& n) {
  const auto x = runs_of<T>(n.view(kX));
  const int64_t rows = n.out.shape[0], cols = n.out.shape[1];
  const ScratchScope scope(t);
  T* log_dy = t.scratch<T>(rows * cols);
  const auto& [f, a, b] = n.attr<BijectionAttr>();
  for (int64_t r = 0; r < x.rows; ++r)
    kernel::bijection<T>(f, a, b, x.row(r), n.y<T>() + r * x.cols, log_dy + r * x.cols, x.cols);
  kernel::row_sum<T>(log_dy, cols, rows, cols, n.extra->y<T>());
}

// Broadcasts the row's log-det gradient to its elements.
template <class T>
T* spread_rows(Tape& t, const T* gl, int64_t rows, int64_t cols) {
  T* all = t.scratch<T>(rows * cols);
  for (int64_t r = 0; r < rows; ++r) kernel::fill<T>(gl[r], all + r * cols, cols);
  return all;
}

template <class T>
void bijection_vjp(Tape& t, Node& n, const InputGrads& grads) {
  const auto x = runs_of<T>(n.view(kX)), gx = runs_of<T>(grads.add(kX));
  const T* gy = t.grad_out(n).template as<T>();
  const T* gl = t.grad_out(*n.extra).template as<T>();
  const ScratchScope scope(t);
  if (gl) gl = spread_rows(t, gl, n.out.shape[0], n.out.shape[1]);
  const auto& [f, a, b] = n.attr<BijectionAttr>();
  for (int64_t r = 0; r < x.rows; ++r) {
    const int64_t at = r * x.cols;
    kernel::bijection_grad<T>(f, a, b, x.row(r), n.y<T>() + at, gy ? gy + at : nullptr, gl ? gl + at : nullptr,
                              gx.row(r), x.cols);
  }
}

// y and log f'(x) up to a constant as ordinary ops, with the poles and kinks of kernel/bijection.h. log_dy is nullptr
// where it is constant between kinks.
struct Expanded {
  Var y, log_dy;
};
Expanded expand(Tape& t, const BijectionAttr& f, Var x) {
  const auto of = [&t](Unary g, Var v, double a = 0) { return unary(t, g, v, a); };
  const auto log_logistic = [&](Var u) {  // log of a sigmoid's slope
    return add(t, of(Unary::log_sigmoid, u), of(Unary::log_sigmoid, scale(t, u, -1)));
  };
  const auto at_least = [&](Var v, double low) {  // max(|v|, low)
    return add_scalar(t, of(Unary::relu, add_scalar(t, of(Unary::abs, v), -low)), low);
  };
  const double least =
      t.dtype() == DType::f64 ? std::numeric_limits<double>::denorm_min() : std::numeric_limits<float>::denorm_min();
  const double a = f.a, width = 1 - 2 * f.b;
  switch (f.f) {
    case Bijection::leaky_relu:
      return {of(Unary::leaky_relu, x, a), nullptr};
    case Bijection::sigmoid: {
      Var u = scale(t, x, a);
      return {scale(t, of(Unary::sigmoid, u), 1 / width), log_logistic(u)};
    }
    case Bijection::logit: {
      Var low = of(Unary::log, add_scalar(t, scale(t, x, width), f.b));
      Var high = of(Unary::log, add_scalar(t, scale(t, x, -width), width + f.b));
      return {scale(t, sub(t, low, high), 1 / a), scale(t, add(t, low, high), -1)};
    }
    case Bijection::tanh:
      return {of(Unary::tanh, x), log_logistic(scale(t, x, 2))};
    case Bijection::atanh:
      return {of(Unary::atanh, x), scale(t, add(t, of(Unary::log1p, x), of(Unary::log1p, scale(t, x, -1))), -1)};
    case Bijection::softplus:
      return {of(Unary::softplus, x, 1), of(Unary::log_sigmoid, x)};
    case Bijection::inverse_softplus: {
      Var log_gap = of(Unary::log, scale(t, of(Unary::expm1, scale(t, x, -1)), -1));
      return {add(t, x, log_gap), scale(t, log_gap, -1)};
    }
    case Bijection::exp:
      return {of(Unary::exp, x), x};
    case Bijection::log: {
      Var y = of(Unary::log, x);
      return {y, scale(t, y, -1)};
    }
    case Bijection::cbrt:
      return {of(Unary::cbrt, x), scale(t, of(Unary::log, at_least(x, least)), -2.0 / 3)};
    case Bijection::cube:
      return {mul(t, of(Unary::square, x), x), scale(t, of(Unary::log, at_least(x, std::cbrt(least))), 2)};
    case Bijection::softclip:
      return {scale(t, of(Unary::softsign, scale(t, x, 1 / a)), a),
              scale(t, of(Unary::log1p, scale(t, of(Unary::abs, x), 1 / a)), -2)};
    case Bijection::inverse_softclip: {
      Var share = scale(t, of(Unary::abs, x), -1 / a);
      return {div(t, x, add_scalar(t, share, 1)), scale(t, of(Unary::log1p, share), -2)};
    }
  }
  return {};
}

OutputTangents bijection_tangent(Tape& t, Node& n, const InputTangents& d) {
  const Expanded e = expand(t, n.attr<BijectionAttr>(), n.in[kX]);
  return {d.of(e.y), e.log_dy ? sum_last(t, d.of(e.log_dy)) : nullptr};
}

const Op kBijection = {
    "bijection", Layout::rows, bijection_shape, NF_BOTH(bijection_forward), NF_BOTH(bijection_vjp), bijection_tangent};

// ---- prelu -------------------------------------------------------------------------------------------------------

struct PreluAttr {
  bool inverse;
};
bool inverse_of(const Node& n) { return n.attr<PreluAttr>().inverse; }

Shapes prelu_shape(const Node& n) {
  Shapes s = bijection_shape(n);
  need_rank(n, kLogSlope, 1);
  need_extent(n, kLogSlope, 0, s.out[1]);
  s.saved = {2, s.out[1]};  // the slope exp(+-l), +-l
  s.has_saved = true;
  return s;
}

template <class T>
void prelu_forward(Tape& t, Node& n) {
  const auto x = matrix_of<T>(n.view(kX)), y = matrix_of<T>(n.out);
  T* slope = static_cast<T*>(n.saved);
  T* log_slope = slope + x.cols;
  kernel::scale<T>(inverse_of(n) ? -1 : 1, n.x<T>(kLogSlope), log_slope, x.cols);
  kernel::unary<T>(Unary::exp, 0, log_slope, slope, x.cols);
  const ScratchScope scope(t);
  T* log_dy = t.scratch<T>(x.cols);
  for (int64_t r = 0; r < x.rows; ++r) {
    kernel::prelu<T>(slope, log_slope, x.row(r), y.row(r), log_dy, x.cols);
    kernel::row_sum<T>(log_dy, x.cols, 1, x.cols, n.extra->y<T>() + r);
  }
}

template <class T>
void prelu_vjp(Tape& t, Node& n, const InputGrads& grads) {
  const auto x = matrix_of<T>(n.view(kX)), y = matrix_of<T>(n.out);
  const View gy_view = t.grad_out(n), gl_view = t.grad_out(*n.extra);
  const auto gy = matrix_of<T>(gy_view);
  const T* gl = gl_view.as<T>();
  const T* slope = static_cast<const T*>(n.saved);
  const auto gx = grads.wants(kX) ? matrix_of<T>(grads.add(kX)) : Rows<T>{};
  T* gs = grads.wants(kLogSlope) ? grads.add(kLogSlope).as<T>() : nullptr;
  for (int64_t r = 0; r < x.rows; ++r)
    kernel::prelu_grad<T>(slope, inverse_of(n) ? T(-1) : T(1), x.row(r), y.row(r), gy.p ? gy.row(r) : nullptr,
                          gl ? gl[r] : T(0), gx.p ? gx.row(r) : nullptr, gs, x.cols);
}

// Where x < 0: dy = e^(+-l) dx +- y dl, d log_det = +-sum dl.
OutputTangents prelu_tangent(Tape& t, Node& n, const InputTangents& d) {
  const double sign = inverse_of(n) ? -1 : 1;
  Var below = unary(t, Unary::relu, scale(t, unary(t, Unary::sign, n.in[kX]), -1));  // 1 or 0
  Var slope = unary(t, Unary::exp, scale(t, mul(t, below, n.in[kLogSlope]), sign));
  Var dl = d[kLogSlope] ? scale(t, mul(t, below, d[kLogSlope]), sign) : nullptr;
  Var dy = d[kX] ? mul(t, slope, d[kX]) : nullptr;
  return {plus(t, n.out.shape, dy, dl ? mul(t, &n, dl) : nullptr), dl ? sum_last(t, dl) : nullptr};
}

const Op kPrelu = {"prelu", Layout::rows, prelu_shape, NF_BOTH(prelu_forward), NF_BOTH(prelu_vjp), prelu_tangent};

// Cases. Constants are in thousandths, because a template argument has to be an integer.
template <Bijection f, int a = 1000, int b = 0>
Var apply(Tape& t, const Var* in) {
  return bijection(t, f, in[0], a * 1e-3, b * 1e-3).y;
}

constexpr auto kPositive = Domain::positive, kNonzero = Domain::nonzero, kSymmetric = Domain::symmetric;

const OpCase kCases[] = {
    {"bijection_leaky_relu", {{"nd", kNonzero}}, apply<Bijection::leaky_relu, 200>},
    {"bijection_sigmoid", {{"nd"}}, apply<Bijection::sigmoid>},
    {"bijection_sigmoid_scaled", {{"nd"}}, apply<Bijection::sigmoid, 1700, 10>},
    {"bijection_logit", {{"nd", Domain::unit}}, apply<Bijection::logit>},
    {"bijection_logit_scaled", {{"nd", Domain::unit}}, apply<Bijection::logit, 1700, 10>},
    {"bijection_tanh", {{"nd"}}, apply<Bijection::tanh>},
    {"bijection_atanh", {{"nd", kSymmetric}}, apply<Bijection::atanh>},
    {"bijection_softplus", {{"nd"}}, apply<Bijection::softplus>},
    {"bijection_inverse_softplus", {{"nd", kPositive}}, apply<Bijection::inverse_softplus>},
    {"bijection_exp", {{"nd"}}, apply<Bijection::exp>},
    {"bijection_log", {{"nd", kPositive}}, apply<Bijection::log>},
    {"bijection_cbrt", {{"nd", kNonzero}}, apply<Bijection::cbrt>},
    {"bijection_cube", {{"nd", kNonzero}}, apply<Bijection::cube>},
    {"bijection_softclip", {{"nd", kNonzero}}, apply<Bijection::softclip, 1700>},
    {"bijection_inverse_softclip", {{"nd", Domain::unit}}, apply<Bijection::inverse_softclip, 1700>},
    {"prelu_flow", {{"nd", kNonzero}, {"d"}}, [](Tape& t, const Var* in) { return prelu(t, in[0], in[1], false).y; }},
    {"prelu_flow_inverse",
     {{"nd", kNonzero}, {"d"}},
     [](Tape& t, const Var* in) { return prelu(t, in[0], in[1], true).y; }},
};

}  // namespace

extern const OpFamily family_elementwise_flow;
const OpFamily family_elementwise_flow = {"elementwise_flow", kCases, std::size(kCases)};

Mapped bijection(Tape& t, Bijection f, Var x, double a, double b) {
  return mapped(t.record(kBijection, {x}, BijectionAttr{f, a, b}));
}

Mapped prelu(Tape& t, Var x, Var log_slope, bool inverse) {
  return mapped(t.record(kPrelu, {x, log_slope}, PreluAttr{inverse}));
}

}  // namespace libnf
