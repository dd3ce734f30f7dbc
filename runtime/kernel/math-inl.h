// Elementary functions on SIMD vectors, float32 and float64 from one code path, for the kernels of this floor.
// Total: they accept any input, NaN gives NaN, and no float is converted to an integer. Errors are measured in
// math_test.cc and listed in runtime/kernel/unary.h. Notation: x = n ln 2 + r for exponentials, x = 2^k m with m in
// [0.707, 1.414] for logarithms.
#if defined(NF_KERNEL_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef NF_KERNEL_MATH_INL_H_
#undef NF_KERNEL_MATH_INL_H_
#else
#define NF_KERNEL_MATH_INL_H_
#endif

#include <cmath>
#include <limits>

#include "hwy/highway.h"
#include "runtime/kernel/coefficients.h"

HWY_BEFORE_NAMESPACE();
namespace libnf::kernel::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class T>
struct Limits {
  static constexpr bool kF32 = sizeof(T) == 4;
  static constexpr int kMantissa = kF32 ? 23 : 52;
  static constexpr int kBias = kF32 ? 127 : 1023;
  static constexpr T kInf = std::numeric_limits<T>::infinity();
  static constexpr T kMax = std::numeric_limits<T>::max();
  static constexpr T kTwoM = static_cast<T>(kF32 ? 8388608.0 : 4503599627370496.0);  // 2^kMantissa
  static constexpr T kMagic = static_cast<T>(1.5) * kTwoM;  // x + kMagic rounds x to an integer, kept in the low bits
  static constexpr T kExpLow = kF32 ? -105 : -747;          // e^x is 0 below, even after a factor of 2
  static constexpr T kExpHigh = kF32 ? 90 : 711;            // e^x / 2 is inf above
  static constexpr T kExpm1High = kF32 ? 89 : 710;
  static constexpr T kTrigLimit = static_cast<T>(kF32 ? 6000 : 1e6);  // the four-part reduction is exact below
  static constexpr int kHalfMask = kF32 ? 12 : 27;                    // low bits to drop so that squares are exact
};

template <class D>
HWY_INLINE hn::Vec<D> Const(D d, double c) {
  return hn::Set(d, static_cast<hn::TFromD<D>>(c));
}

// Horner's rule, unrolled.
template <size_t kFrom, size_t kN, class D, class T, class V = hn::Vec<D>>
HWY_INLINE V PolyFrom(D d, V x, const T (&c)[kN]) {
  if constexpr (kFrom + 1 == kN) {
    return hn::Set(d, c[kFrom]);
  } else {
    return hn::MulAdd(PolyFrom<kFrom + 1>(d, x, c), x, hn::Set(d, c[kFrom]));
  }
}
template <size_t kN, class D, class T, class V = hn::Vec<D>>
HWY_INLINE V Poly(D d, V x, const T (&c)[kN]) {
  return PolyFrom<0>(d, x, c);
}

// Highway's Min and Max lose NaN in one argument or the other; these functions keep it.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V AtMost(D d, V x, hn::TFromD<D> high) {
  const V h = hn::Set(d, high);
  return hn::IfThenElse(hn::Gt(x, h), h, x);
}
template <class D, class V = hn::Vec<D>>
HWY_INLINE V AtLeast(D d, V x, hn::TFromD<D> low) {
  const V l = hn::Set(d, low);
  return hn::IfThenElse(hn::Lt(x, l), l, x);
}
template <class D, class V = hn::Vec<D>>
HWY_INLINE V Within(D d, V x, hn::TFromD<D> bound) {
  return AtLeast(d, AtMost(d, x, bound), -bound);
}

// Returns 2^n for an integral n in [-kBias, kBias].
template <class D, class V = hn::Vec<D>>
HWY_INLINE V PowerOfTwo(D d, V n) {
  using L = Limits<hn::TFromD<D>>;
  const hn::RebindToUnsigned<D> du;
  return hn::BitCast(d, hn::ShiftLeft<L::kMantissa>(hn::BitCast(du, hn::Add(n, hn::Set(d, L::kMagic + L::kBias)))));
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE V RoundSmall(D d, V x) {
  const V magic = hn::Set(d, Limits<hn::TFromD<D>>::kMagic);
  return hn::Sub(hn::Add(x, magic), magic);
}

// With x = n ln 2 + r, returns e^(r + low) - 1 and n.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V ExpReduced(D d, V x, V low, V& n) {
  using T = hn::TFromD<D>;
  using C = Coefficients<T>;
  n = RoundSmall(d, hn::Mul(x, Const(d, 1.4426950408889634)));
  V r = hn::NegMulAdd(n, hn::Set(d, C::kLn2[0]), x);
  r = hn::Add(hn::NegMulAdd(n, hn::Set(d, C::kLn2[1]), r), low);
  return hn::MulAdd(hn::Mul(r, r), Poly(d, r, C::kExp), r);
}

// Returns 2^shift e^(x + low), for small |low| and |shift| <= 1. Denormal results are rounded once.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V ExpScaled(D d, V x, V low, double shift) {
  using L = Limits<hn::TFromD<D>>;
  V n;
  const V e = hn::Add(ExpReduced(d, AtLeast(d, AtMost(d, x, L::kExpHigh), L::kExpLow), low, n), Const(d, 1));
  n = hn::Add(n, Const(d, shift));
  const V half = RoundSmall(d, hn::Mul(n, Const(d, 0.5)));
  return hn::Mul(hn::Mul(e, PowerOfTwo(d, half)), PowerOfTwo(d, hn::Sub(n, half)));
}
template <class D, class V = hn::Vec<D>>
HWY_INLINE V Exp(D d, V x) {
  return ExpScaled(d, x, hn::Zero(d), 0);
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE V Expm1(D d, V x) {
  using L = Limits<hn::TFromD<D>>;
  V n;
  const V p = ExpReduced(d, AtLeast(d, AtMost(d, x, L::kExpm1High), -45), hn::Zero(d), n);
  const V h = PowerOfTwo(d, hn::Sub(n, Const(d, 1)));  // half of 2^n, which may overflow
  return hn::Mul(hn::MulAdd(h, p, hn::Sub(h, Const(d, 0.5))), Const(d, 2));
}

// Splits finite x > 0, denormals included, as x = 2^k m; returns m.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V SplitExponent(D d, V x, V& k) {
  using T = hn::TFromD<D>;
  using L = Limits<T>;
  const hn::RebindToUnsigned<D> du;
  using TU = hn::TFromD<decltype(du)>;
  const auto tiny = hn::Lt(x, hn::Set(d, std::numeric_limits<T>::min()));
  x = hn::IfThenElse(tiny, hn::Mul(x, hn::Set(d, 4 * L::kTwoM)), x);
  const V shift = hn::IfThenElseZero(tiny, Const(d, L::kMantissa + 2));
  constexpr TU kSqrtHalf = static_cast<TU>(L::kF32 ? 0x3F3504F3u : 0x3FE6A09E667F3BCDull);
  constexpr TU kOne = static_cast<TU>(L::kBias) << L::kMantissa;
  const auto bits = hn::BitCast(du, x);
  const auto biased = hn::ShiftRight<L::kMantissa>(hn::Add(bits, hn::Set(du, static_cast<TU>(kOne - kSqrtHalf))));
  const V float_k = hn::BitCast(d, hn::Or(biased, hn::BitCast(du, hn::Set(d, L::kTwoM))));
  k = hn::Sub(hn::Sub(float_k, hn::Set(d, L::kTwoM + L::kBias)), shift);
  return hn::BitCast(d, hn::Add(hn::Sub(bits, hn::ShiftLeft<L::kMantissa>(biased)), hn::Set(du, kOne)));
}

// Returns log u + c, for a correction c that is small relative to u.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V LogWithCorrection(D d, V u, V c) {
  using T = hn::TFromD<D>;
  using C = Coefficients<T>;
  V k;
  const V f = hn::Sub(SplitExponent(d, u, k), Const(d, 1));
  const V s = hn::Div(f, hn::Add(f, Const(d, 2)));
  const V z = hn::Mul(s, s);
  const V tail = hn::Mul(s, hn::NegMulAdd(z, Poly(d, z, C::kLog), f));  // log(1 + f) = f - tail
  const V low = hn::MulAdd(k, hn::Set(d, C::kLn2[1]), c);
  const V y = hn::MulAdd(k, hn::Set(d, C::kLn2[0]), hn::Sub(f, hn::Sub(tail, low)));
  const auto positive = hn::Gt(u, hn::Zero(d));
  const V inf = hn::Set(d, Limits<T>::kInf);
  const V special = hn::IfThenElse(positive, inf, hn::IfThenElse(hn::Eq(u, hn::Zero(d)), hn::Neg(inf), hn::NaN(d)));
  return hn::IfThenElse(hn::And(positive, hn::Lt(u, inf)), y, special);
}
template <class D, class V = hn::Vec<D>>
HWY_INLINE V Log(D d, V x) {
  return LogWithCorrection(d, x, hn::Zero(d));
}
template <class D, class V = hn::Vec<D>>
HWY_INLINE V Log1p(D d, V x) {
  const V one = Const(d, 1);
  const V u = hn::Add(x, one);
  const V x_rounded = hn::Sub(u, one);
  const V error = hn::Add(hn::Sub(one, hn::Sub(u, x_rounded)), hn::Sub(x, x_rounded));  // 1 + x = u + error exactly
  return LogWithCorrection(d, u, hn::Div(error, u));
}

// Returns sin(x + turns pi/2). Beyond kTrigLimit the C library computes the element (its reduction is exact there).
template <class D, class V = hn::Vec<D>>
HWY_INLINE V SinTurned(D d, V x, int turns) {
  using T = hn::TFromD<D>;
  using L = Limits<T>;
  using C = Coefficients<T>;
  const hn::RebindToUnsigned<D> du;
  using TU = hn::TFromD<decltype(du)>;
  const V magic = hn::Set(d, L::kMagic);
  const V shifted = hn::MulAdd(x, Const(d, 0.63661977236758134), magic);
  const V n = hn::Sub(shifted, magic);
  V r = x;
  for (int part = 0; part < 4; ++part) r = hn::NegMulAdd(n, hn::Set(d, C::kHalfPi[part]), r);
  const V z = hn::Mul(r, r);
  const V sin = hn::MulAdd(hn::Mul(z, r), Poly(d, z, C::kSin), r);
  const V cos = hn::MulAdd(hn::Mul(z, z), Poly(d, z, C::kCos), hn::NegMulAdd(z, Const(d, 0.5), Const(d, 1)));
  const auto quadrant = hn::Add(hn::BitCast(du, shifted), hn::Set(du, static_cast<TU>(turns)));
  const auto odd = hn::RebindMask(d, hn::TestBit(quadrant, hn::Set(du, TU{1})));
  const auto sign = hn::ShiftLeft<8 * sizeof(T) - 2>(hn::And(quadrant, hn::Set(du, TU{2})));
  const V y = hn::Xor(hn::IfThenElse(odd, cos, sin), hn::BitCast(d, sign));
  const auto small = hn::Le(hn::Abs(x), hn::Set(d, L::kTrigLimit));
  if (HWY_LIKELY(hn::AllTrue(d, small))) return y;
  HWY_ALIGN T in[HWY_MAX_BYTES / sizeof(T)];
  HWY_ALIGN T out[HWY_MAX_BYTES / sizeof(T)];
  hn::Store(x, d, in);
  for (size_t i = 0; i < hn::Lanes(d); ++i) {
    out[i] = static_cast<T>(turns ? std::cos(static_cast<double>(in[i])) : std::sin(static_cast<double>(in[i])));
  }
  return hn::IfThenElse(small, y, hn::Load(d, out));
}
template <class D, class V = hn::Vec<D>>
HWY_INLINE V Sin(D d, V x) {
  return SinTurned(d, x, 0);
}
template <class D, class V = hn::Vec<D>>
HWY_INLINE V Cos(D d, V x) {
  return SinTurned(d, x, 1);
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE V Tanh(D d, V x) {
  const V t = Expm1(d, hn::Mul(hn::Abs(x), Const(d, -2)));
  return hn::CopySign(hn::Div(t, hn::Add(t, Const(d, 2))), x);
}

// Computes e^|x| / 2 and its counterpart e^-|x| / 2, with the full range of sinh and cosh.
template <class D, class V = hn::Vec<D>>
HWY_INLINE void HalfExponentials(D d, V x, V& up, V& down) {
  up = ExpScaled(d, hn::Abs(x), hn::Zero(d), -1);
  down = hn::Div(Const(d, 0.25), up);
}
template <class D, class V = hn::Vec<D>>
HWY_INLINE V Cosh(D d, V x) {
  V up, down;
  HalfExponentials(d, x, up, down);
  return hn::Add(up, down);
}
template <class D, class V = hn::Vec<D>>
HWY_INLINE V Sinh(D d, V x) {
  V up, down;
  HalfExponentials(d, x, up, down);
  const V a = hn::Abs(x);
  const V t = Expm1(d, a);
  const V near = hn::Mul(Const(d, 0.5), hn::Add(t, hn::Div(t, hn::Add(t, Const(d, 1)))));
  return hn::CopySign(hn::IfThenElse(hn::Gt(a, Const(d, 1)), hn::Sub(up, down), near), x);
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE V Atan(D d, V x) {
  using C = Coefficients<hn::TFromD<D>>;
  const V one = Const(d, 1);
  const V a = hn::Abs(x);
  const auto far = hn::Gt(a, Const(d, 2.414213562373095));
  const auto mid = hn::AndNot(far, hn::Gt(a, Const(d, 0.4142135623730950)));
  // tan(b - c) at c = pi/2, pi/4, 0
  const V top = hn::IfThenElse(far, Const(d, -1), hn::IfThenElse(mid, hn::Sub(a, one), a));
  const V bottom = hn::IfThenElse(far, a, hn::IfThenElse(mid, hn::Add(a, one), one));
  const V t = hn::Div(top, bottom);
  const V z = hn::Mul(t, t);
  const V p = hn::MulAdd(hn::Mul(z, t), Poly(d, z, C::kAtan), t);
  const V c = hn::IfThenElse(far, Const(d, 1.5707963267948966), hn::IfThenElseZero(mid, Const(d, 0.7853981633974483)));
  return hn::CopySign(hn::Add(c, p), x);
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE V Atanh(D d, V x) {
  const V a = hn::Abs(x);
  const V y = Log1p(d, hn::Div(hn::Add(a, a), hn::Sub(Const(d, 1), a)));
  return hn::CopySign(hn::Mul(y, Const(d, 0.5)), x);
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE V Cbrt(D d, V x) {
  using T = hn::TFromD<D>;
  using C = Coefficients<T>;
  const V zero = hn::Zero(d);
  V k;
  const V m = SplitExponent(d, hn::Abs(x), k);
  const V q = RoundSmall(d, hn::Mul(k, Const(d, 1.0 / 3)));
  const V rest = hn::NegMulAdd(q, Const(d, 3), k);  // -1, 0 or 1
  const auto up = hn::Gt(rest, zero);
  const auto down = hn::Lt(rest, zero);
  const V w = hn::Mul(m, hn::IfThenElse(up, Const(d, 2), hn::IfThenElse(down, Const(d, 0.5), Const(d, 1))));
  V y = Poly(d, m, C::kCbrt);
  y = hn::Mul(y, hn::IfThenElse(up, Const(d, 1.259921), hn::IfThenElse(down, Const(d, 0.7937005), Const(d, 1))));
  for (int step = 0; step < (sizeof(T) == 4 ? 1 : 2); ++step) {  // Halley: each step cubes the error
    const V y3 = hn::Mul(hn::Mul(y, y), y);
    y = hn::NegMulAdd(y, hn::Div(hn::Sub(y3, w), hn::Add(hn::Add(y3, y3), w)), y);
  }
  y = hn::CopySign(hn::Mul(y, PowerOfTwo(d, q)), x);
  return hn::IfThenElse(hn::And(hn::Lt(hn::Abs(x), hn::Set(d, Limits<T>::kInf)), hn::Ne(x, zero)), y, x);
}

// Splits a^2 = high + low for a >= 0, with high exact, so that the error of e^(-a^2) does not grow with a^2.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V SquareParts(D d, V a, V& low) {
  constexpr int kDrop = Limits<hn::TFromD<D>>::kHalfMask;
  const hn::RebindToUnsigned<D> du;
  const V top = hn::BitCast(d, hn::ShiftLeft<kDrop>(hn::ShiftRight<kDrop>(hn::BitCast(du, a))));
  low = hn::Mul(hn::Sub(a, top), hn::Add(a, top));
  return hn::Mul(top, top);
}

// Returns erfc(a) e^(a^2) for 0 <= a <= 40.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V ErfcOverExp(D d, V a) {
  using C = Coefficients<hn::TFromD<D>>;
  const V k = hn::Set(d, C::kErfcCenter);
  const V q = hn::Div(hn::Sub(a, k), hn::Add(a, k));
  return hn::Div(Poly(d, q, C::kErfc), hn::MulAdd(a, Const(d, 2), Const(d, 1)));
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE V Erf(D d, V x) {
  using C = Coefficients<hn::TFromD<D>>;
  const V a = AtMost(d, hn::Abs(x), 40);
  const V near = hn::MulAdd(a, Poly(d, hn::Mul(a, a), C::kErf), a);
  V low;
  const V high = SquareParts(d, a, low);
  const V far = hn::NegMulAdd(ErfcOverExp(d, a), ExpScaled(d, hn::Neg(high), hn::Neg(low), 0), Const(d, 1));
  return hn::CopySign(hn::IfThenElse(hn::Gt(a, Const(d, 0.7)), far, near), x);
}

// Standard normal density and distribution function, with relative accuracy in the lower tail, too.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V NormalCdf(D d, V x, V& pdf) {
  const V a = AtMost(d, hn::Abs(x), 40);
  V low;
  const V high = SquareParts(d, a, low);
  const V minus_half = Const(d, -0.5);
  const V e = ExpScaled(d, hn::Mul(high, minus_half), hn::Mul(low, minus_half), 0);
  pdf = hn::Mul(e, Const(d, 0.3989422804014327));
  const V tail = hn::Mul(hn::Mul(ErfcOverExp(d, hn::Mul(a, Const(d, 0.7071067811865476))), Const(d, 0.5)), e);
  return hn::IfThenElse(hn::Lt(x, hn::Zero(d)), tail, hn::Sub(Const(d, 1), tail));
}

// Returns sigmoid(x), and sets complement = sigmoid(-x). Both have full relative accuracy.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V Sigmoid(D d, V x, V& complement) {
  const V e = Exp(d, hn::Neg(hn::Abs(x)));
  const V big = hn::Div(Const(d, 1), hn::Add(Const(d, 1), e));
  const V small = hn::Mul(e, big);
  const auto negative = hn::Lt(x, hn::Zero(d));
  complement = hn::IfThenElse(negative, big, small);
  return hn::IfThenElse(negative, small, big);
}
template <class D, class V = hn::Vec<D>>
HWY_INLINE V Sigmoid(D d, V x) {
  V complement;
  return Sigmoid(d, x, complement);
}

// Returns log(1 + e^-|x|), the smooth part of softplus.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V Log1pExpMinusAbs(D d, V x) {
  return Log1p(d, Exp(d, hn::Neg(hn::Abs(x))));
}

}  // namespace libnf::kernel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
