// Normal: Wichura 1988, "Algorithm AS 241: The percentage points of the normal distribution": rational functions of
// (u - 1/2)^2 in the center and of sqrt(-log p), p = min(u, 1 - u), in the tails.
//
// Student's t, with r = t/sqrt(dof), a = dof/2 and g of gamma_ratio.h, from two forms of the incomplete beta function whose
// terms are all positive, so that both areas have full relative precision:
//   tail    S = e^g sqrt(1/(2 pi dof)) (1 + r^2)^-a sqrt(1 + 1/r^2) F(1/2, 1; a + 1; -1/r^2), by Gauss's continued fraction
//   center  A = e^g sqrt(dof/(2 pi)) r (1 + r^2)^-(a + 1/2) F(a + 1/2, 1; 3/2; r^2/(1 + r^2)), by its series
// Both logarithms are concave in log r, so Newton's method converges from anywhere, after its first step monotonically.
#include "runtime/kernel/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernel/quantile.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h
#include "runtime/kernel/math-inl.h"
#include "runtime/kernel/quantile.h"
#include "runtime/kernel/span-inl.h"

HWY_BEFORE_NAMESPACE();
namespace libnf::kernel::HWY_NAMESPACE {

constexpr double kCenterUp[] = {3.3871328727963666080e+0, 1.3314166789178437745e+2, 1.9715909503065514427e+3,
                                1.3731693765509461125e+4, 4.5921953931549871457e+4, 6.7265770927008700853e+4,
                                3.3430575583588128105e+4, 2.5090809287301226727e+3};
constexpr double kCenterDown[] = {1,
                                  4.2313330701600911252e+1,
                                  6.8718700749205790830e+2,
                                  5.3941960214247511077e+3,
                                  2.1213794301586595867e+4,
                                  3.9307895800092710610e+4,
                                  2.8729085735721942674e+4,
                                  5.2264952788528545610e+3};
constexpr double kMiddleUp[] = {1.42343711074968357734e+0, 4.63033784615654529590e+0, 5.76949722146069140550e+0,
                                3.64784832476320460504e+0, 1.27045825245236838258e+0, 2.41780725177450611770e-1,
                                2.27238449892691845833e-2, 7.74545014278341407640e-4};
constexpr double kMiddleDown[] = {1,
                                  2.05319162663775882187e+0,
                                  1.67638483018380384940e+0,
                                  6.89767334985100004550e-1,
                                  1.48103976427480074590e-1,
                                  1.51986665636164571966e-2,
                                  5.47593808499534494600e-4,
                                  1.05075007164441684324e-9};
constexpr double kFarUp[] = {6.65790464350110377720e+0, 5.46378491116411436990e+0, 1.78482653991729133580e+0,
                             2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
                             2.71155556874348757815e-5, 2.01033439929228813265e-7};
constexpr double kFarDown[] = {1,
                               5.99832206555887937690e-1,
                               1.36929880922735805310e-1,
                               1.48753612908506148525e-2,
                               7.86869131145613259100e-4,
                               1.84631831751005468180e-5,
                               1.42151175831644588870e-7,
                               2.04426310338993978564e-15};

struct NormalQuantile {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V u) const {
    const V q = hn::Sub(u, Const(d, 0.5));
    const V near = hn::NegMulAdd(q, q, Const(d, 0.180625));
    const V center = hn::Div(hn::Mul(Poly(d, near, kCenterUp), q), Poly(d, near, kCenterDown));
    const V p = hn::IfThenElse(hn::Gt(q, hn::Zero(d)), hn::Sub(Const(d, 1), u), u);
    const V r = hn::Sqrt(hn::Neg(Log(d, p)));
    const V middle = hn::Sub(r, Const(d, 1.6)), far = hn::Sub(r, Const(d, 5));
    const auto beyond = hn::Gt(r, Const(d, 5));
    const V up = hn::IfThenElse(beyond, Poly(d, far, kFarUp), Poly(d, middle, kMiddleUp));
    const V down = hn::IfThenElse(beyond, Poly(d, far, kFarDown), Poly(d, middle, kMiddleDown));
    const V tail = hn::CopySign(hn::Div(up, down), q);
    return hn::IfThenElse(hn::Le(hn::Abs(q), Const(d, 0.425)), center, tail);
  }
};

// Between 1/4 and 3/4 as log(1 + (2 u - 1)/(1 - u)), where the difference of two logarithms cancels.
struct LogisticQuantile {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V u) const {
    const V one = Const(d, 1), rest = hn::Sub(one, u), twice = hn::Sub(hn::Add(u, u), one);
    const V center = Log1p(d, hn::Div(twice, rest));
    const V low = hn::Sub(Log(d, u), Log1p(d, hn::Neg(u))), high = hn::Sub(Log(d, u), Log(d, rest));
    const V ends = hn::IfThenElse(hn::Lt(u, Const(d, 0.5)), low, high);
    return hn::IfThenElse(hn::Lt(hn::Abs(twice), Const(d, 0.5)), center, ends);
  }
};

struct LaplaceQuantile {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V u) const {
    const auto low = hn::Lt(u, Const(d, 0.5));
    const V p = hn::IfThenElse(low, u, hn::Sub(Const(d, 1), u)), log = Log(d, hn::Add(p, p));
    return hn::IfThenElse(low, log, hn::Neg(log));
  }
};

void NormalQuantiles(const double* u, double* out, size_t n) { Map(NormalQuantile(), u, out, n); }
void LogisticQuantiles(const double* u, double* out, size_t n) { Map(LogisticQuantile(), u, out, n); }
void LaplaceQuantiles(const double* u, double* out, size_t n) { Map(LaplaceQuantile(), u, out, n); }

}  // namespace libnf::kernel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/kernel/gamma_ratio.h"

namespace libnf::kernel {

HWY_EXPORT(NormalQuantiles);
HWY_EXPORT(LogisticQuantiles);
HWY_EXPORT(LaplaceQuantiles);

void normal_quantile(const double* u, double* out, int64_t n) {
  HWY_DYNAMIC_DISPATCH(NormalQuantiles)(u, out, static_cast<size_t>(n));
}
void logistic_quantile(const double* u, double* out, int64_t n) {
  HWY_DYNAMIC_DISPATCH(LogisticQuantiles)(u, out, static_cast<size_t>(n));
}
void laplace_quantile(const double* u, double* out, int64_t n) {
  HWY_DYNAMIC_DISPATCH(LaplaceQuantiles)(u, out, static_cast<size_t>(n));
}

namespace {

constexpr double kLog2Pi = 1.8378770664093454836, kHalfLog2Pi = 0.5 * kLog2Pi;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kStep = 1e-9;  // a Newton step this small leaves an error of its square

}  // namespace

StudentQuantile::StudentQuantile(double dof)
    : dof_(dof), half_(0.5 * dof), root_(std::sqrt(dof)), edge_(std::sqrt(std::min(2 / dof, 1.0))) {
  const double g = gamma_ratio(half_).log, log_dof = std::log(dof);
  log_tail_ = g - 0.5 * (kLog2Pi + log_dof);
  log_center_ = g + 0.5 * (log_dof - kLog2Pi);
  edge_area_ = std::exp(tail(edge_).log);
}

StudentQuantile::Area StudentQuantile::tail(double r) const {
  const double w = 1 / (r * r), a = half_;
  double sum = 1, term = 1, d = 1;  // Steed's algorithm: the terms of a fraction 1/(1 + e_1 w/(1 + e_2 w/(1 + ...)))
  for (double m = 0; m < 1e4; m += 1) {
    const double e[2] = {(m + 0.5) * (a + m) / ((a + 2 * m) * (a + 2 * m + 1)),
                         (m + 1) * (a + m + 0.5) / ((a + 2 * m + 1) * (a + 2 * m + 2))};
    for (const double coefficient : e) {
      const double k = coefficient * w, next = 1 / (1 + k * d);
      term *= -k * d * next;
      sum += term;
      d = next;
    }
    if (!(std::abs(term) > 1e-17 * sum)) break;
  }
  return {log_tail_ - a * std::log1p(r * r) + 0.5 * std::log1p(w) + std::log(sum), -dof_ / ((1 + w) * sum)};
}

StudentQuantile::Area StudentQuantile::center(double r) const {
  const double y = r * r / (1 + r * r);
  double sum = 1, term = 1;
  for (double m = 0; m < 1e4 && term > 1e-17 * sum; m += 1) {
    term *= (half_ + 0.5 + m) / (1.5 + m) * y;
    sum += term;
  }
  return {log_center_ + std::log(r) - (half_ + 0.5) * std::log1p(r * r) + std::log(sum), 1 / sum};
}

double StudentQuantile::operator()(double u) const {
  const double p = std::min(u, 1 - u), q = std::abs(u - 0.5), sign = u < 0.5 ? -1 : 1;
  if (!(dof_ > 0) || u != u) return kNaN;
  if (q == 0) return 0;
  const bool far = p < edge_area_;
  const double log_area = std::log(far ? p : q);
  double log_r;
  if (far) {
    // The tail lies below its power law, which is all there is for few degrees of freedom; Wallace 1959 for many.
    double z;
    normal_quantile(&p, &z, 1);
    const double s = z * (8 * dof_ + 3) / (8 * dof_ + 1), e = s * s / dof_;
    const double power_law = (log_tail_ - log_area) / dof_;
    log_r = std::min(power_law, 0.5 * (e + std::log(-std::expm1(-e))));
    if (log_r > 300) return sign * std::exp(log_r + std::log(root_));
  } else {
    log_r = log_area - log_center_;
  }
  double r = std::exp(log_r);
  r = far ? std::max(r, edge_) : std::min(r, edge_);
  for (int i = 0; i < 100; ++i) {
    const Area area = far ? tail(r) : center(r);
    const double step = (log_area - area.log) / area.slope;
    r *= std::exp(step);
    if (!(std::abs(step) > kStep * std::max(1.0, std::abs(std::log(r))))) break;
  }
  return sign * root_ * r;
}

double mixture_quantile(double u, const double* weight, const double* mean, const double* scale, int64_t components) {
  // Above 1/2, of the mirrored mixture, so that the area is a small number and not one near 1.
  const double p = std::min(u, 1 - u), sign = u > 0.5 ? -1 : 1;
  double q, low = std::numeric_limits<double>::infinity(), high = -low, all = u;
  normal_quantile(&p, &q, 1);
  for (int64_t k = 0; k < components; ++k) {
    all += weight[k] * mean[k] * scale[k];
    const double z = sign * mean[k] + scale[k] * q;
    if (weight[k] > 0) low = std::min(low, z), high = std::max(high, z);
  }
  if (all != all) return kNaN;
  if (!(low < high)) return sign * low;
  const double log_p = std::log(p);
  double z = 0.5 * (low + high);
  for (int i = 0; i < 200; ++i) {
    double below = 0, density = 0;
    for (int64_t k = 0; k < components; ++k) {
      const double x = (z - sign * mean[k]) / scale[k];
      below += weight[k] * 0.5 * std::erfc(-x * M_SQRT1_2);
      density += weight[k] * std::exp(-0.5 * x * x - kHalfLog2Pi) / scale[k];
    }
    (below < p ? low : high) = z;
    double next = z - (std::log(below) - log_p) * below / density;
    if (!(next > low && next < high)) next = 0.5 * (low + high);
    if (next == z || !(next > low && next < high)) break;
    const bool done = std::abs(next - z) < 2e-16 * std::abs(z);
    z = next;
    if (done) break;
  }
  return sign * z;
}

}  // namespace libnf::kernel
#endif
