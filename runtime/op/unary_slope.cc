#include "runtime/op/unary_slope.h"

#include <cmath>
#include <numbers>

#include "runtime/kernel/unary.h"

namespace libnf {
namespace {

// Ops on one tape.
struct Ops {
  Tape& t;
  Var of(Unary f, Var v, double a = 0) const { return unary(t, f, v, a); }
  Var times(Var v, double c) const { return scale(t, v, c); }
  Var times(Var u, Var v) const { return mul(t, u, v); }
  Var plus(Var v, double c) const { return add_scalar(t, v, c); }
  Var plus(Var u, Var v) const { return add(t, u, v); }
  Var sigmoid(Var v) const { return of(Unary::sigmoid, v); }
  // The slope of sigmoid(v) by v.
  Var bell(Var v) const { return times(sigmoid(v), sigmoid(times(v, -1))); }
  // v where x < 0, else 0. The mask is a constant: the derivative of sign is 0.
  Var below(Var x, Var v) const { return times(of(Unary::relu, times(of(Unary::sign, x), -1)), v); }
  // min(x, 0)
  Var low(Var x) const { return times(of(Unary::relu, times(x, -1)), -1); }
};

}  // namespace

Var unary_slope(Tape& t, Unary f, double a, Var x) {
  const Ops o{t};
  switch (f) {
    case Unary::neg:
    case Unary::abs:
    case Unary::sign:
    case Unary::relu:
    case Unary::leaky_relu:
    case Unary::prelu:
    case Unary::hardtanh:
      return nullptr;
    case Unary::square:
      return o.times(x, 2);
    case Unary::reciprocal:
      return o.times(o.of(Unary::square, o.of(Unary::reciprocal, x)), -1);
    case Unary::sqrt:
      return o.times(o.of(Unary::rsqrt, x), 0.5);
    case Unary::rsqrt:
      return o.times(o.times(o.of(Unary::rsqrt, x), o.of(Unary::reciprocal, x)), -0.5);
    case Unary::cbrt:
      return o.times(o.of(Unary::square, o.of(Unary::reciprocal, o.of(Unary::cbrt, x))), 1.0 / 3);
    case Unary::exp:
    case Unary::expm1:
      return o.of(Unary::exp, x);
    case Unary::log:
      return o.of(Unary::reciprocal, x);
    case Unary::log1p:
      return o.of(Unary::reciprocal, o.plus(x, 1));
    case Unary::sin:
      return o.of(Unary::cos, x);
    case Unary::cos:
      return o.times(o.of(Unary::sin, x), -1);
    case Unary::sinh:
      return o.of(Unary::cosh, x);
    case Unary::cosh:
      return o.of(Unary::sinh, x);
    case Unary::tanh:
      return o.times(o.bell(o.times(x, 2)), 4);
    case Unary::atan:
      return o.of(Unary::reciprocal, o.plus(o.of(Unary::square, x), 1));
    case Unary::atanh:
      return o.of(Unary::reciprocal, o.times(o.plus(x, 1), o.plus(o.times(x, -1), 1)));
    case Unary::erf:
      return o.times(o.of(Unary::exp, o.times(o.of(Unary::square, x), -1)), 2 * std::numbers::inv_sqrtpi);
    case Unary::sigmoid:
      return o.bell(x);
    case Unary::log_sigmoid:
      return o.sigmoid(o.times(x, -1));
    case Unary::softplus:
      return o.sigmoid(o.times(x, a));
    case Unary::elu:
      return o.below(x, o.times(o.of(Unary::exp, o.low(x)), a));
    case Unary::celu:
      return o.below(x, o.of(Unary::exp, o.times(o.low(x), 1 / a)));
    case Unary::selu:
      return o.below(x, o.times(o.of(Unary::exp, o.low(x)), 1.0507009873554805 * 1.6732632423543772));
    case Unary::silu:
      return o.plus(o.sigmoid(x), o.times(x, o.bell(x)));
    case Unary::gelu: {
      Var cdf = o.times(o.of(Unary::erf, o.times(x, std::numbers::sqrt2 / 2)), 0.5);  // minus 1/2
      Var pdf = o.times(o.of(Unary::exp, o.times(o.of(Unary::square, x), -0.5)),
                        std::numbers::inv_sqrtpi / std::numbers::sqrt2);
      return o.plus(cdf, o.times(x, pdf));
    }
    case Unary::gelu_tanh: {  // x sigmoid(u), u = p x + q x^3
      const double p = 1.5957691216057308, q = p * 0.044715;
      Var squared = o.of(Unary::square, x), u = o.times(x, o.plus(o.times(squared, q), p));
      return o.plus(o.sigmoid(u), o.times(o.times(x, o.bell(u)), o.plus(o.times(squared, 3 * q), p)));
    }
    case Unary::mish: {  // x tanh(softplus(x))
      Var soft = o.of(Unary::softplus, x, 1);
      Var slope = o.times(o.times(o.bell(o.times(soft, 2)), 4), o.sigmoid(x));
      return o.plus(o.of(Unary::tanh, soft), o.times(x, slope));
    }
    case Unary::softsign:
      return o.of(Unary::square, o.of(Unary::reciprocal, o.plus(o.of(Unary::abs, x), 1)));
  }
  return nullptr;
}

}  // namespace libnf
