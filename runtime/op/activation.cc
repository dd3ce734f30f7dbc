// Element-wise functions y = f(x; a) of one argument, and their derivatives as a separate op, for any shape.
// runtime/kernel/unary.h has functions, kinks and accuracy. Gradient: gx += gy f'(x; a), from x or y as the kernel
// requires.
#include "runtime/kernel/unary.h"

#include "runtime/kernel/binary.h"
#include "runtime/op/family.h"
#include "runtime/op/layout.h"
#include "runtime/op/ops.h"
#include "runtime/op/unary_slope.h"

namespace libnf {
namespace {

struct UnaryAttr {
  Unary f;
  double a;
};

// y, gy and f' are contiguous; rows of x and gx may have a larger stride.
template <class T>
void unary_forward(Tape&, Node& n) {
  const auto x = runs_of<T>(n.view(0));
  const auto& attr = n.attr<UnaryAttr>();
  const T a = static_cast<T>(attr.a);
  for (int64_t r = 0; r < x.rows; ++r) kernel::unary(attr.f, a, x.row(r), n.y<T>() + r * x.cols, x.cols);
}

template <class T>
void unary_vjp(Tape& t, Node& n, const InputGrads& grads) {
  bool fresh;
  const auto x = runs_of<T>(n.view(0)), gx = runs_of<T>(grads.write(0, &fresh));
  const T *y = n.y<T>(), *gy = t.grad_out(n).template as<T>();
  const auto& attr = n.attr<UnaryAttr>();
  const T a = static_cast<T>(attr.a);
  for (int64_t r = 0; r < x.rows; ++r)
    kernel::unary_grad(attr.f, a, x.row(r), y + r * x.cols, gy + r * x.cols, gx.row(r), x.cols, fresh);
}

// The optional second input is the value y = f(x), if it is already known; no gradient flows into it.
Shapes derivative_shape(const Node& n) {
  if (n.in[1] && !(n.in[1]->out.shape == n.in[0]->out.shape))
    fail(Code::internal, "unary_derivative: y %s is not of the shape of x", to_string(n.in[1]->out.shape).c_str());
  return same_as_first(n);
}

template <class T>
void derivative_forward(Tape& t, Node& n) {
  const auto x = runs_of<T>(n.view(0));
  const Unary f = n.attr<UnaryAttr>().f;
  const T a = static_cast<T>(n.attr<UnaryAttr>().a);
  const ScratchScope scope(t);
  const bool evaluate = kernel::grad_from_output(f) && !n.in[1];
  T* scratch = evaluate ? t.scratch<T>(x.cols) : nullptr;
  for (int64_t r = 0; r < x.rows; ++r) {
    const T* y = n.in[1] ? n.x<T>(1) + r * x.cols : scratch;
    if (evaluate) kernel::unary(f, a, x.row(r), scratch, x.cols);
    kernel::unary_deriv(f, a, x.row(r), y, n.y<T>() + r * x.cols, x.cols);
  }
}

template <class T>
void derivative_vjp(Tape& t, Node& n, const InputGrads& grads) {
  if (!grads.wants(0)) return;
  const auto x = runs_of<T>(n.view(0)), gx = runs_of<T>(grads.add(0));
  const T* gy = t.grad_out(n).template as<T>();
  const ScratchScope scope(t);
  T* d = t.scratch<T>(x.cols);
  const auto& attr = n.attr<UnaryAttr>();
  for (int64_t r = 0; r < x.rows; ++r) {
    kernel::unary_deriv2(attr.f, static_cast<T>(attr.a), x.row(r), d, x.cols);
    kernel::mul_add(d, gy + r * x.cols, gx.row(r), x.cols);
  }
}

OutputTangents derivative_tangent(Tape& t, Node& n, const InputTangents& d) {
  const auto& attr = n.attr<UnaryAttr>();
  Var slope = unary_slope(t, attr.f, attr.a, n.in[0]);
  return slope ? d.of(slope) : nullptr;
}

const Op kUnaryDerivative = {"unary_derivative",      Layout::rows,      derivative_shape, NF_BOTH(derivative_forward),
                             NF_BOTH(derivative_vjp), derivative_tangent};

OutputTangents unary_tangent(Tape& t, Node& n, const InputTangents& d) {
  return mul(t, t.record(kUnaryDerivative, {n.in[0], &n}, n.attr<UnaryAttr>()), d[0]);
}

const Op kUnary = {"unary", Layout::rows, same_as_first, NF_BOTH(unary_forward), NF_BOTH(unary_vjp), unary_tangent};

// Cases. The parameter is in thousandths, because it is a template argument and must be an integer.
template <Unary f, int a = 1000>
Var apply(Tape& t, const Var* in) {
  return unary(t, f, in[0], a * 1e-3);
}
template <Unary f, int a = 1000>
Var derivative(Tape& t, const Var* in) {
  return unary_derivative(t, f, in[0], a * 1e-3);
}

constexpr auto kPositive = Domain::positive, kNonzero = Domain::nonzero, kSymmetric = Domain::symmetric;

const OpCase kCases[] = {
    {"neg", {{"nd"}}, apply<Unary::neg>},
    {"abs", {{"nd", kNonzero}}, apply<Unary::abs>},
    {"sign", {{"nd", kNonzero}}, apply<Unary::sign>},
    {"square", {{"nd"}}, apply<Unary::square>},
    {"reciprocal", {{"nd", kPositive}}, apply<Unary::reciprocal>},
    {"sqrt", {{"nd", kPositive}}, apply<Unary::sqrt>},
    {"rsqrt", {{"nd", kPositive}}, apply<Unary::rsqrt>},
    {"cbrt", {{"nd", kPositive}}, apply<Unary::cbrt>},
    {"exp", {{"nd"}}, apply<Unary::exp>},
    {"expm1", {{"nd"}}, apply<Unary::expm1>},
    {"log", {{"nd", kPositive}}, apply<Unary::log>},
    {"log1p", {{"nd", kSymmetric}}, apply<Unary::log1p>},
    {"sin", {{"nd"}}, apply<Unary::sin>},
    {"cos", {{"nd"}}, apply<Unary::cos>},
    {"sinh", {{"nd"}}, apply<Unary::sinh>},
    {"cosh", {{"nd"}}, apply<Unary::cosh>},
    {"tanh", {{"nd"}}, apply<Unary::tanh>},
    {"atan", {{"nd"}}, apply<Unary::atan>},
    {"atanh", {{"nd", kSymmetric}}, apply<Unary::atanh>},
    {"erf", {{"nd"}}, apply<Unary::erf>},
    {"sigmoid", {{"nd"}}, apply<Unary::sigmoid>},
    {"log_sigmoid", {{"nd"}}, apply<Unary::log_sigmoid>},
    {"softplus", {{"nd"}}, apply<Unary::softplus>},
    {"softplus_beta", {{"nd"}}, apply<Unary::softplus, 2500>},
    {"relu", {{"nd", kNonzero}}, apply<Unary::relu>},
    {"leaky_relu", {{"nd", kNonzero}}, apply<Unary::leaky_relu, 200>},
    {"prelu", {{"nd", kNonzero}}, apply<Unary::prelu, -300>},
    {"elu", {{"nd", kNonzero}}, apply<Unary::elu, 1200>},
    {"celu", {{"nd", kNonzero}}, apply<Unary::celu, 1300>},
    {"selu", {{"nd", kNonzero}}, apply<Unary::selu>},
    {"silu", {{"nd"}}, apply<Unary::silu>},
    {"gelu", {{"nd"}}, apply<Unary::gelu>},
    {"gelu_tanh", {{"nd"}}, apply<Unary::gelu_tanh>},
    {"mish", {{"nd"}}, apply<Unary::mish>},
    {"softsign", {{"nd", kNonzero}}, apply<Unary::softsign>},
    {"hardtanh", {{"nd", kSymmetric}}, apply<Unary::hardtanh>},
    {"glu", {{"n6"}}, [](Tape& t, const Var* in) { return glu(t, in[0]); }},
    {"derivative_neg", {{"nd"}}, derivative<Unary::neg>},
    {"derivative_abs", {{"nd", kNonzero}}, derivative<Unary::abs>},
    {"derivative_sign", {{"nd", kNonzero}}, derivative<Unary::sign>},
    {"derivative_square", {{"nd"}}, derivative<Unary::square>},
    {"derivative_reciprocal", {{"nd", kPositive}}, derivative<Unary::reciprocal>},
    {"derivative_sqrt", {{"nd", kPositive}}, derivative<Unary::sqrt>},
    {"derivative_rsqrt", {{"nd", kPositive}}, derivative<Unary::rsqrt>},
    {"derivative_cbrt", {{"nd", kPositive}}, derivative<Unary::cbrt>},
    {"derivative_exp", {{"nd"}}, derivative<Unary::exp>},
    {"derivative_expm1", {{"nd"}}, derivative<Unary::expm1>},
    {"derivative_log", {{"nd", kPositive}}, derivative<Unary::log>},
    {"derivative_log1p", {{"nd", kSymmetric}}, derivative<Unary::log1p>},
    {"derivative_sin", {{"nd"}}, derivative<Unary::sin>},
    {"derivative_cos", {{"nd"}}, derivative<Unary::cos>},
    {"derivative_sinh", {{"nd"}}, derivative<Unary::sinh>},
    {"derivative_cosh", {{"nd"}}, derivative<Unary::cosh>},
    {"derivative_tanh", {{"nd"}}, derivative<Unary::tanh>},
    {"derivative_atan", {{"nd"}}, derivative<Unary::atan>},
    {"derivative_atanh", {{"nd", kSymmetric}}, derivative<Unary::atanh>},
    {"derivative_erf", {{"nd"}}, derivative<Unary::erf>},
    {"derivative_sigmoid", {{"nd"}}, derivative<Unary::sigmoid>},
    {"derivative_log_sigmoid", {{"nd"}}, derivative<Unary::log_sigmoid>},
    {"derivative_softplus", {{"nd"}}, derivative<Unary::softplus, 2500>},
    {"derivative_relu", {{"nd", kNonzero}}, derivative<Unary::relu>},
    {"derivative_leaky_relu", {{"nd", kNonzero}}, derivative<Unary::leaky_relu, 200>},
    {"derivative_prelu", {{"nd", kNonzero}}, derivative<Unary::prelu, -300>},
    {"derivative_elu", {{"nd", kNonzero}}, derivative<Unary::elu, 1200>},
    {"derivative_celu", {{"nd", kNonzero}}, derivative<Unary::celu, 1300>},
    {"derivative_selu", {{"nd", kNonzero}}, derivative<Unary::selu>},
    {"derivative_silu", {{"nd"}}, derivative<Unary::silu>},
    {"derivative_gelu", {{"nd"}}, derivative<Unary::gelu>},
    {"derivative_gelu_tanh", {{"nd"}}, derivative<Unary::gelu_tanh>},
    {"derivative_mish", {{"nd"}}, derivative<Unary::mish>},
    {"derivative_softsign", {{"nd", kNonzero}}, derivative<Unary::softsign>},
    {"derivative_hardtanh", {{"nd", kSymmetric}}, derivative<Unary::hardtanh>},
};

}  // namespace

extern const OpFamily family_activation;
const OpFamily family_activation = {"activation", kCases, std::size(kCases)};

Var unary(Tape& t, Unary f, Var x, double a) { return t.record(kUnary, {x}, UnaryAttr{f, a}); }

Var unary_derivative(Tape& t, Unary f, Var x, double a) {
  return t.record(kUnaryDerivative, {x, nullptr}, UnaryAttr{f, a});
}

Var activate(Tape& t, const Activation& act, Var x) { return act.identity ? x : unary(t, act.f, x, act.a); }

Var glu(Tape& t, Var x) {
  const Dims& s = x->out.shape;
  if (s.rank != 2 || s[1] % 2)
    fail(Code::shape, "glu: input 0 has shape %s, expected [n, d] with d even", to_string(s).c_str());
  const int64_t half = s[1] / 2;
  return mul(t, slice_columns(t, x, 0, half), unary(t, Unary::sigmoid, slice_columns(t, x, half, half)));
}

}  // namespace libnf
