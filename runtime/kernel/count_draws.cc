#include "runtime/kernel/count_draws.h"

#include <algorithm>
#include <cmath>

#include "runtime/kernel/gamma_ratio.h"

namespace libnf::kernel {
namespace {

// As many uniform numbers in (0, 1) as one draw needs.
class Uniforms {
 public:
  Uniforms(RandomKey key, int64_t row, uint32_t column) : seed_(random_below(key, row, column, ~uint64_t{0})) {}
  double next() {
    if (left_ == 0) {
      words_ = philox4x32({block_++, 0, 0, 0}, {static_cast<uint32_t>(seed_), static_cast<uint32_t>(seed_ >> 32)});
      left_ = 4;
    }
    left_ -= 2;
    const uint64_t bits = uint64_t{words_[left_]} << 32 | words_[left_ + 1];
    return (static_cast<double>(bits >> 12) + 0.5) * 0x1p-52;
  }
  double normal() {
    const double r = std::sqrt(-2 * std::log(next()));
    return r * std::cos(2 * M_PI * next());
  }

 private:
  uint64_t seed_;
  uint32_t block_ = 0;
  size_t left_ = 0;
  std::array<uint32_t, 4> words_{};
};

// Marsaglia & Tsang 2000, "A simple method for generating gamma variables", with their boost below 1.
double gamma(Uniforms& u, double shape) {
  if (shape < 1) return gamma(u, shape + 1) * std::pow(u.next(), 1 / shape);
  const double d = shape - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  for (;;) {
    const double z = u.normal(), root = 1 + c * z, v = root * root * root;
    if (v > 0 && std::log(u.next()) < 0.5 * z * z + d - d * v + d * std::log(v)) return d * v;
  }
}

double poisson(Uniforms& u, double rate) {
  if (rate < 10) {  // the number of arrivals in unit time
    double k = 0;
    const double end = std::exp(-rate);
    for (double product = u.next(); product > end; product *= u.next()) k += 1;
    return k;
  }
  // Hoermann 1993, "The transformed rejection method for generating Poisson random variables", algorithm PTRS.
  const double b = 0.931 + 2.53 * std::sqrt(rate), a = -0.059 + 0.02483 * b, tail = 0.9277 - 3.6224 / (b - 2),
               scale = 1.1239 + 1.1328 / (b - 3.4), log_rate = std::log(rate);
  for (;;) {
    const double v = u.next() - 0.5, w = u.next(), side = 0.5 - std::abs(v);
    const double k = std::floor((2 * a / side + b) * v + rate + 0.43);
    if (side >= 0.07 && w <= tail) return k;
    if (k < 0 || (side < 0.013 && w > side)) continue;
    if (std::log(w * scale / (a / (side * side) + b)) <= k * log_rate - rate - rising_factorial(1, k).log)
      return k;  // h(1) is log k!; std::lgamma writes a global variable
  }
}

}  // namespace

double negative_binomial(RandomKey key, int64_t row, uint32_t column, double mean, double count) {
  if (!(mean >= 0 && count > 0)) return std::nan("");
  Uniforms u(key, row, column);
  const double rate = std::isinf(count) ? mean : mean * (gamma(u, count) / count);
  return rate < 0x1p53 ? poisson(u, rate) : rate;
}

}  // namespace libnf::kernel
