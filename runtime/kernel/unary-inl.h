// The functions of runtime/kernel/unary.h on SIMD vectors: F = f(x; a), D1 = f' from x or y (kFromOutput), D2 = f''(x).
// Notation: s = sigmoid(x), c = 1 - s, both with full relative accuracy. Included once per SIMD target.
#if defined(NF_KERNEL_UNARY_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef NF_KERNEL_UNARY_INL_H_
#undef NF_KERNEL_UNARY_INL_H_
#else
#define NF_KERNEL_UNARY_INL_H_
#endif

#include "runtime/kernel/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace libnf::kernel::HWY_NAMESPACE {

// Defines a rule: a static member function of D, V x and V a. kFromOutput means that D1's argument is y.
#define NF_RULE(name)                      \
  template <class D, class V = hn::Vec<D>> \
  static HWY_INLINE V name([[maybe_unused]] D d, [[maybe_unused]] V x, [[maybe_unused]] V a)
#define NF_FROM_X static constexpr bool kFromOutput = false
#define NF_FROM_Y static constexpr bool kFromOutput = true

template <class D, class V = hn::Vec<D>>
HWY_INLINE V Select(D d, V x, V positive, V otherwise) {  // x > 0 ? positive : otherwise
  return hn::IfThenElse(hn::Gt(x, hn::Zero(d)), positive, otherwise);
}
template <class D, class V = hn::Vec<D>>
HWY_INLINE V SignOf(D d, V x) {
  return hn::IfThenElse(hn::Eq(x, hn::Zero(d)), x, hn::IfThenElse(hn::IsNaN(x), x, hn::CopySign(Const(d, 1), x)));
}
// Where one factor has underflowed to 0, the other must not be infinite.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V FiniteX(D d, V x) {
  return Within(d, x, Limits<hn::TFromD<D>>::kMax);
}
// Clamps x to the range outside of which sigmoid(x) sigmoid(-x) x is 0 in T.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V ExpRange(D d, V x) {
  return Within(d, x, sizeof(hn::TFromD<D>) == 4 ? 120 : 800);
}
// Clamps x to a range where x^2 is finite; outside, 1/x^3 is 0 in T.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V SquareRange(D d, V x) {
  return Within(d, x, static_cast<hn::TFromD<D>>(sizeof(hn::TFromD<D>) == 4 ? 1e18 : 1e150));
}

struct Neg {
  NF_FROM_X;
  NF_RULE(F) { return hn::Neg(x); }
  NF_RULE(D1) { return Const(d, -1); }
  NF_RULE(D2) { return hn::Zero(d); }
};
struct Abs {
  NF_FROM_X;
  NF_RULE(F) { return hn::Abs(x); }
  NF_RULE(D1) { return SignOf(d, x); }
  NF_RULE(D2) { return hn::Zero(d); }
};
struct Sign {
  NF_FROM_X;
  NF_RULE(F) { return SignOf(d, x); }
  NF_RULE(D1) { return hn::Zero(d); }
  NF_RULE(D2) { return hn::Zero(d); }
};
struct Square {
  NF_FROM_X;
  NF_RULE(F) { return hn::Mul(x, x); }
  NF_RULE(D1) { return hn::Add(x, x); }
  NF_RULE(D2) { return Const(d, 2); }
};
struct Reciprocal {
  NF_FROM_Y;
  NF_RULE(F) { return hn::Div(Const(d, 1), x); }
  NF_RULE(D1) { return hn::Neg(hn::Mul(x, x)); }
  NF_RULE(D2) { return hn::Div(hn::Div(hn::Div(Const(d, 2), x), x), x); }
};
struct SquareRoot {
  NF_FROM_Y;
  NF_RULE(F) { return hn::Sqrt(x); }
  NF_RULE(D1) { return hn::Div(Const(d, 0.5), x); }
  NF_RULE(D2) { return hn::Div(hn::Div(Const(d, -0.25), x), hn::Sqrt(x)); }
};
struct ReciprocalSqrt {
  NF_FROM_Y;
  NF_RULE(F) { return hn::Div(Const(d, 1), hn::Sqrt(x)); }
  NF_RULE(D1) { return hn::Mul(hn::Mul(hn::Mul(Const(d, -0.5), x), x), x); }
  NF_RULE(D2) { return hn::Div(hn::Div(hn::Div(Const(d, 0.75), hn::Sqrt(x)), x), x); }
};
struct CubeRoot {
  NF_FROM_Y;
  NF_RULE(F) { return Cbrt(d, x); }
  NF_RULE(D1) { return hn::Div(hn::Div(Const(d, 1.0 / 3), x), x); }
  NF_RULE(D2) {
    const V y = Cbrt(d, x);
    return hn::Div(hn::Div(hn::Div(Const(d, -2.0 / 9), y), y), x);
  }
};
struct Exponential {
  NF_FROM_Y;
  NF_RULE(F) { return Exp(d, x); }
  NF_RULE(D1) { return x; }
  NF_RULE(D2) { return Exp(d, x); }
};
struct ExponentialM1 {
  NF_FROM_Y;
  NF_RULE(F) { return Expm1(d, x); }
  NF_RULE(D1) { return hn::Add(x, Const(d, 1)); }
  NF_RULE(D2) { return Exp(d, x); }
};
struct Logarithm {
  NF_FROM_X;
  NF_RULE(F) { return Log(d, x); }
  NF_RULE(D1) { return hn::Div(Const(d, 1), x); }
  NF_RULE(D2) { return hn::Div(hn::Div(Const(d, -1), x), x); }
};
struct Logarithm1P {
  NF_FROM_X;
  NF_RULE(F) { return Log1p(d, x); }
  NF_RULE(D1) { return hn::Div(Const(d, 1), hn::Add(x, Const(d, 1))); }
  NF_RULE(D2) {
    const V u = hn::Add(x, Const(d, 1));
    return hn::Div(hn::Div(Const(d, -1), u), u);
  }
};
struct Sine {
  NF_FROM_X;
  NF_RULE(F) { return Sin(d, x); }
  NF_RULE(D1) { return Cos(d, x); }
  NF_RULE(D2) { return hn::Neg(Sin(d, x)); }
};
struct Cosine {
  NF_FROM_X;
  NF_RULE(F) { return Cos(d, x); }
  NF_RULE(D1) { return hn::Neg(Sin(d, x)); }
  NF_RULE(D2) { return hn::Neg(Cos(d, x)); }
};
struct HyperbolicSine {
  NF_FROM_X;
  NF_RULE(F) { return Sinh(d, x); }
  NF_RULE(D1) { return Cosh(d, x); }
  NF_RULE(D2) { return Sinh(d, x); }
};
struct HyperbolicCosine {
  NF_FROM_X;
  NF_RULE(F) { return Cosh(d, x); }
  NF_RULE(D1) { return Sinh(d, x); }
  NF_RULE(D2) { return Cosh(d, x); }
};
struct HyperbolicTangent {
  NF_FROM_Y;
  NF_RULE(F) { return Tanh(d, x); }
  NF_RULE(D1) { return hn::Mul(hn::Sub(Const(d, 1), x), hn::Add(Const(d, 1), x)); }
  NF_RULE(D2) {
    const V y = Tanh(d, x);
    return hn::Mul(hn::Mul(Const(d, -2), y), hn::Mul(hn::Sub(Const(d, 1), y), hn::Add(Const(d, 1), y)));
  }
};
struct ArcTangent {
  NF_FROM_X;
  NF_RULE(F) { return Atan(d, x); }
  NF_RULE(D1) {
    const V near = hn::Div(Const(d, 1), hn::MulAdd(x, x, Const(d, 1)));
    const V far = hn::Div(hn::Div(Const(d, 1), x), x);  // where x^2 might overflow
    return hn::IfThenElse(hn::Gt(hn::Abs(x), Const(d, 1e10)), far, near);
  }
  NF_RULE(D2) {
    const V b = SquareRange(d, x);
    const V c = D1(d, b, a);
    return hn::Mul(hn::Mul(hn::Mul(Const(d, -2), b), c), c);
  }
};
struct AreaTangent {
  NF_FROM_X;
  NF_RULE(F) { return Atanh(d, x); }
  NF_RULE(D1) { return hn::Div(Const(d, 1), hn::Mul(hn::Sub(Const(d, 1), x), hn::Add(Const(d, 1), x))); }
  NF_RULE(D2) {
    const V c = D1(d, x, a);
    return hn::Mul(hn::Mul(hn::Add(x, x), c), c);
  }
};
struct ErrorFunction {
  NF_FROM_X;
  NF_RULE(F) { return Erf(d, x); }
  NF_RULE(D1) {
    V low;
    const V high = SquareParts(d, AtMost(d, hn::Abs(x), 40), low);
    return hn::Mul(ExpScaled(d, hn::Neg(high), hn::Neg(low), 0), Const(d, 1.1283791670955126));
  }
  NF_RULE(D2) {
    const V b = Within(d, x, 40);
    return hn::Mul(hn::Mul(Const(d, -2), b), D1(d, b, a));
  }
};
struct Logistic {
  NF_FROM_Y;
  NF_RULE(F) { return Sigmoid(d, x); }
  NF_RULE(D1) { return hn::Mul(x, hn::Sub(Const(d, 1), x)); }
  NF_RULE(D2) {
    V c;
    const V s = Sigmoid(d, x, c);
    return hn::Mul(hn::Mul(s, c), hn::Sub(c, s));
  }
};
struct LogLogistic {
  NF_FROM_Y;
  NF_RULE(F) { return hn::Sub(AtMost(d, x, 0), Log1pExpMinusAbs(d, x)); }
  NF_RULE(D1) { return hn::Neg(Expm1(d, x)); }
  NF_RULE(D2) {
    V c;
    const V s = Sigmoid(d, x, c);
    return hn::Neg(hn::Mul(s, c));
  }
};
struct Softplus {
  NF_FROM_Y;
  NF_RULE(F) { return hn::Add(AtLeast(d, x, 0), hn::Div(Log1pExpMinusAbs(d, hn::Mul(a, x)), a)); }
  NF_RULE(D1) { return hn::Neg(Expm1(d, hn::Neg(hn::Mul(a, x)))); }
  NF_RULE(D2) {
    V c;
    const V s = Sigmoid(d, hn::Mul(a, x), c);
    return hn::Mul(a, hn::Mul(s, c));
  }
};
struct Relu {
  NF_FROM_Y;
  NF_RULE(F) { return AtLeast(d, x, 0); }
  NF_RULE(D1) { return Select(d, x, Const(d, 1), hn::Zero(d)); }
  NF_RULE(D2) { return hn::Zero(d); }
};
struct LeakyRelu {
  NF_FROM_Y;
  NF_RULE(F) { return Select(d, x, x, hn::Mul(a, x)); }
  NF_RULE(D1) { return Select(d, x, Const(d, 1), a); }
  NF_RULE(D2) { return hn::Zero(d); }
};
struct Prelu : LeakyRelu {
  NF_FROM_X;  // the sign of y does not give the sign of x when a < 0
};
struct Elu {
  NF_FROM_Y;
  NF_RULE(F) { return Select(d, x, x, hn::Mul(a, Expm1(d, x))); }
  NF_RULE(D1) { return Select(d, x, Const(d, 1), hn::Add(x, a)); }
  NF_RULE(D2) { return Select(d, x, hn::Zero(d), hn::Mul(a, Exp(d, x))); }
};
struct Celu {
  NF_FROM_Y;
  NF_RULE(F) { return Select(d, x, x, hn::Mul(a, Expm1(d, hn::Div(x, a)))); }
  NF_RULE(D1) { return Select(d, x, Const(d, 1), hn::Add(hn::Div(x, a), Const(d, 1))); }
  NF_RULE(D2) { return Select(d, x, hn::Zero(d), hn::Div(Exp(d, hn::Div(x, a)), a)); }
};
struct Selu {
  NF_FROM_Y;
  static constexpr double kScale = 1.0507009873554805, kScaleAlpha = kScale * 1.6732632423543772;
  NF_RULE(F) { return Select(d, x, hn::Mul(Const(d, kScale), x), hn::Mul(Const(d, kScaleAlpha), Expm1(d, x))); }
  NF_RULE(D1) { return Select(d, x, Const(d, kScale), hn::Add(x, Const(d, kScaleAlpha))); }
  NF_RULE(D2) { return Select(d, x, hn::Zero(d), hn::Mul(Const(d, kScaleAlpha), Exp(d, x))); }
};
struct Silu {
  NF_FROM_X;
  NF_RULE(F) { return hn::Mul(AtLeast(d, x, -Limits<hn::TFromD<D>>::kMax), Sigmoid(d, x)); }
  NF_RULE(D1) {
    const V b = ExpRange(d, x);
    V c;
    const V s = Sigmoid(d, b, c);
    return hn::MulAdd(b, hn::Mul(s, c), s);
  }
  NF_RULE(D2) {
    const V b = ExpRange(d, x);
    V c;
    const V s = Sigmoid(d, b, c);
    return hn::Mul(hn::Mul(s, c), hn::MulAdd(b, hn::Sub(c, s), Const(d, 2)));
  }
};
struct Gelu {
  NF_FROM_X;
  NF_RULE(F) {
    V pdf;
    return hn::Mul(AtLeast(d, x, -Limits<hn::TFromD<D>>::kMax), NormalCdf(d, x, pdf));
  }
  NF_RULE(D1) {
    const V b = Within(d, x, 40);
    V pdf;
    const V cdf = NormalCdf(d, b, pdf);
    return hn::MulAdd(b, pdf, cdf);
  }
  NF_RULE(D2) {
    const V b = Within(d, x, 40);
    V pdf;
    (void)NormalCdf(d, b, pdf);
    return hn::Mul(pdf, hn::NegMulAdd(b, b, Const(d, 2)));
  }
};
struct GeluTanh {
  NF_FROM_X;
  // (1 + tanh u)/2 = sigmoid(2u), 2u = kLinear x + kCubic x^3
  static constexpr double kLinear = 1.5957691216057308, kCubic = kLinear * 0.044715;
  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE V TwoU(D d, V x) {
    return hn::Mul(x, hn::MulAdd(hn::Mul(x, x), Const(d, kCubic), Const(d, kLinear)));
  }
  NF_RULE(F) { return hn::Mul(AtLeast(d, x, -Limits<hn::TFromD<D>>::kMax), Sigmoid(d, TwoU(d, x))); }
  NF_RULE(D1) {
    const V b = Within(d, x, 25);
    V c;
    const V s = Sigmoid(d, TwoU(d, b), c);
    const V slope = hn::MulAdd(hn::Mul(b, b), Const(d, 3 * kCubic), Const(d, kLinear));
    return hn::MulAdd(hn::Mul(b, hn::Mul(s, c)), slope, s);
  }
  NF_RULE(D2) {
    const V b = Within(d, x, 25);
    V c;
    const V s = Sigmoid(d, TwoU(d, b), c);
    const V g = hn::Mul(s, c);
    const V slope = hn::MulAdd(hn::Mul(b, b), Const(d, 3 * kCubic), Const(d, kLinear));
    const V bend = hn::MulAdd(hn::Mul(hn::Sub(c, s), slope), slope, hn::Mul(b, Const(d, 6 * kCubic)));
    return hn::Mul(g, hn::MulAdd(b, bend, hn::Add(slope, slope)));
  }
};
struct Mish {
  NF_FROM_X;
  // w = e^x, n = w (w + 2): tanh(log(1 + w)) = n/(n + 2); beyond the bound the ratio is 1 in T
  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE V BoundedExp(D d, V x) {
    return Exp(d, AtMost(d, x, sizeof(hn::TFromD<D>) == 4 ? 20 : 40));
  }
  NF_RULE(F) {
    const V w = BoundedExp(d, x);
    const V n = hn::Mul(w, hn::Add(w, Const(d, 2)));
    return hn::Mul(AtLeast(d, x, -Limits<hn::TFromD<D>>::kMax), hn::Div(n, hn::Add(n, Const(d, 2))));
  }
  NF_RULE(D1) {
    const V b = Within(d, x, sizeof(hn::TFromD<D>) == 4 ? 120 : 800);
    const V w = BoundedExp(d, b);
    const V n = hn::Mul(w, hn::Add(w, Const(d, 2)));
    const V inverse = hn::Div(Const(d, 1), hn::Add(n, Const(d, 2)));
    const V slope = hn::Mul(hn::Mul(hn::Mul(Const(d, 4), w), inverse), hn::Mul(hn::Add(w, Const(d, 1)), inverse));
    return hn::MulAdd(b, slope, hn::Mul(n, inverse));
  }
  NF_RULE(D2) {
    const V one = Const(d, 1), two = Const(d, 2), four = Const(d, 4);
    const V b = Within(d, x, sizeof(hn::TFromD<D>) == 4 ? 120 : 800);
    const V w = BoundedExp(d, b);
    const V inverse = hn::Div(one, hn::MulAdd(w, hn::Add(w, two), two));
    const V w_scaled = hn::Mul(w, inverse);
    const V slope = hn::Mul(hn::Mul(four, w_scaled), hn::Mul(hn::Add(w, one), inverse));
    // slope' = 4 (2 w^2 + w)/B^2 - 2 slope B'/B, B = n + 2, B' = 2 w (w + 1)
    const V first = hn::Mul(hn::Mul(four, w_scaled), hn::Mul(hn::MulAdd(two, w, one), inverse));
    const V second = hn::Mul(hn::Mul(four, slope), hn::Mul(w_scaled, hn::Add(w, one)));
    return hn::MulAdd(b, hn::Sub(first, second), hn::Add(slope, slope));
  }
};
struct Softsign {
  NF_FROM_X;
  NF_RULE(F) {
    const V b = FiniteX(d, x);
    return hn::Div(b, hn::Add(Const(d, 1), hn::Abs(b)));
  }
  NF_RULE(D1) {
    const V u = hn::Add(Const(d, 1), hn::Abs(x));
    return hn::Div(hn::Div(Const(d, 1), u), u);
  }
  NF_RULE(D2) {
    const V u = hn::Add(Const(d, 1), hn::Abs(x));
    return hn::Div(hn::Div(hn::Div(hn::Mul(Const(d, -2), SignOf(d, x)), u), u), u);
  }
};
struct Hardtanh {
  NF_FROM_Y;
  NF_RULE(F) { return Within(d, x, 1); }
  NF_RULE(D1) { return hn::IfThenElseZero(hn::Lt(hn::Abs(x), Const(d, 1)), Const(d, 1)); }
  NF_RULE(D2) { return hn::Zero(d); }
};

#undef NF_RULE
#undef NF_FROM_X
#undef NF_FROM_Y

}  // namespace libnf::kernel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
