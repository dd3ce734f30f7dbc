// Linear map by PLU factors (Glow, eq. 10): z = P L (U + diag(sign exp(log_s))) x + b, L unit lower and U strictly upper
// triangular; log_det = sum log_s. The permutation P and the signs are fixed, the rest is learned. "permutation" says how P
// orders y = L (U + ...) x: z_j = y_{permutation[j]} + b_j.
// The initial values and P are pure functions of (seed, layer): a random permutation with L = 1, U = 0, s = 1, or the
// factors of a random rotation, whose pivoting gives P. Files of older versions do not hold P and mean this one.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "src/flow/dense_matrix.h"
#include "src/part/order.h"

namespace libnf {
namespace {

class PluLinear final : public Layer {
 public:
  enum class Start : uint8_t { rotation, permutation };
  struct Config final : libnf::Config {
    Start init = Start::rotation;
    int64_t seed = 0;
    bool bias = true;
    void fields(Fields& f) override {
      static constexpr const char* kStarts[] = {"rotation", "permutation"};
      f.choice("init", "initial value: a random rotation or a random permutation", init, kStarts);
      f.integer("seed", "seed of the initial value; layers of a model differ even with equal seeds", seed, 0,
                INT64_MAX);
      f.flag("bias", "learn b", bias);
    }
  };

  PluLinear(const Config& c, const Declare& d) {
    check_dense(d, "type");
    const int64_t n = d.columns();
    Factors f(n);
    if (c.init == Start::rotation)
      f.of_rotation(n, static_cast<uint64_t>(c.seed), d.ordinal);
    else
      f.row = random_order(n, static_cast<uint64_t>(c.seed), d.ordinal);
    const int64_t entries = n * (n - 1) / 2;
    if (entries > 0) {
      lower_ = d.param("lower", {entries}, Init::exactly(std::move(f.lower)), triangle_form(n, false));
      upper_ = d.param("upper", {entries}, Init::exactly(std::move(f.upper)), triangle_form(n, true));
    }
    log_s_ = d.param("log_s", {n}, Init::exactly(std::move(f.log_s)));
    sign_ = d.buffer("sign", {n}, Init::exactly(std::move(f.sign)), Invariant::sign);
    if (c.bias) bias_ = d.param("bias", {n}, Init::zeros());
    // Row f.row[i] of W is row i of L U.
    const std::vector<int32_t> order = inverse_order(f.row);
    permutation_ = d.added_buffer("permutation", {order.begin(), order.end()}, Invariant::permutation);
  }

  Mapped forward(const Scope& s, Var x, Var) const override {
    Var y = triangular_product(s.tape, Triangle::upper, x, s.param(upper_), diagonal(s));
    if (lower_ >= 0) y = triangular_product(s.tape, Triangle::lower, y, s.param(lower_), nullptr);
    y = permute_columns(s.tape, y, s.param(permutation_), false);
    return {plus_bias(s, y, s.param(bias_)), for_every_row(s, x, sum(s.tape, s.param(log_s_)))};
  }
  Mapped inverse(const Scope& s, Var z, Var) const override {
    Var y = minus_bias(s, z, s.param(bias_));
    y = permute_columns(s.tape, y, s.param(permutation_), true);
    if (lower_ >= 0) y = triangular_solve(s.tape, Triangle::lower, y, s.param(lower_), nullptr);
    y = triangular_solve(s.tape, Triangle::upper, y, s.param(upper_), diagonal(s));
    return {y, for_every_row(s, z, scale(s.tape, sum(s.tape, s.param(log_s_)), -1))};
  }

 private:
  struct Factors {
    std::vector<double> lower, upper, log_s, sign;
    std::vector<int32_t> row;
    explicit Factors(int64_t n)
        : lower(static_cast<size_t>(n * (n - 1) / 2), 0.0),
          upper(lower),
          log_s(static_cast<size_t>(n), 0.0),
          sign(static_cast<size_t>(n), 1.0),
          row(static_cast<size_t>(n)) {}
    void of_rotation(int64_t n, uint64_t seed, uint64_t key) {
      std::vector<double> a = random_rotation(n, seed, key);
      factor(n, a.data());
      size_t l = 0, u = 0;
      for (int64_t i = 0; i < n; ++i) {
        for (int64_t j = 0; j < n; ++j) {
          const double v = a[static_cast<size_t>(i * n + j)];
          if (j < i) lower[l++] = v;
          if (j > i) upper[u++] = v;
          if (j == i)
            log_s[static_cast<size_t>(i)] = std::log(std::abs(v)), sign[static_cast<size_t>(i)] = v < 0 ? -1 : 1;
        }
      }
    }
    // Partial pivoting without fused operations, because P must be the same on every machine that reads a file without it.
    void factor(int64_t n, double* a) {
      std::iota(row.begin(), row.end(), 0);
      for (int64_t j = 0; j < n; ++j) {
        int64_t top = j;
        for (int64_t i = j + 1; i < n; ++i)
          if (std::abs(a[i * n + j]) > std::abs(a[top * n + j])) top = i;
        std::swap(row[static_cast<size_t>(j)], row[static_cast<size_t>(top)]);
        if (top != j) std::swap_ranges(a + j * n, a + (j + 1) * n, a + top * n);
        for (int64_t i = j + 1; i < n; ++i) {
          const double f = a[i * n + j] /= a[j * n + j];
          for (int64_t c = j + 1; c < n; ++c) a[i * n + c] -= f * a[j * n + c];
        }
      }
    }
  };
  Var diagonal(const Scope& s) const { return mul(s.tape, unary(s.tape, Unary::exp, s.param(log_s_)), s.param(sign_)); }

  ParamId lower_ = -1, upper_ = -1, log_s_ = -1, sign_ = -1, bias_ = -1, permutation_ = -1;
};

}  // namespace

NF_PART(Layer, plu_linear, PluLinear, "learned matrix P L U with a fixed permutation P (an invertible 1x1 convolution)",
        "Kingma & Dhariwal 2018, Glow, eq. 10-11", Domain::real, Domain::real, OnImages::per_pixel);

}  // namespace libnf
