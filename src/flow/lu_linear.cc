// Linear map by triangular factors: z = L U x + b, with L unit lower triangular and U upper triangular with diagonal
// u = softplus(raw) + eps > 0; log_det = sum log u. Either direction takes two triangular products or substitutions.
#include <cmath>

#include "src/flow/dense_matrix.h"

namespace libnf {
namespace {

class LuLinear final : public Layer {
 public:
  enum class Start : uint8_t { identity, random };
  struct Config final : libnf::Config {
    Start init = Start::identity;
    double eps = 1e-3;
    bool bias = true;
    void fields(Fields& f) override {
      static constexpr const char* kStarts[] = {"identity", "random"};
      f.choice("init", "initial value: the identity, or entries uniform in +-1/sqrt(columns)", init, kStarts);
      f.real("eps", "lower bound of the diagonal elements of U", eps, 1e-6, 0.5);
      f.flag("bias", "learn b", bias);
    }
  };

  LuLinear(const Config& c, const Declare& d) : eps_(c.eps) {
    check_dense(d, "type");
    const int64_t n = d.columns(), entries = n * (n - 1) / 2;
    const bool identity = c.init == Start::identity;
    const Init spread = identity ? Init::zeros() : Init::uniform_pm(1 / std::sqrt(static_cast<double>(n)));
    if (entries > 0) {
      lower_ = d.param("lower", {entries}, spread, triangle_form(n, false));
      upper_ = d.param("upper", {entries}, spread, triangle_form(n, true));
    }
    raw_ = d.param("diagonal", {n}, identity ? Init::fill(std::log(std::expm1(1 - c.eps))) : spread);
    if (c.bias) bias_ = d.param("bias", {n}, Init::zeros());
  }

  Mapped forward(const Scope& s, Var x, Var) const override {
    Var u = diagonal(s);
    Var y = triangular_product(s.tape, Triangle::upper, x, s.param(upper_), u);
    if (lower_ >= 0) y = triangular_product(s.tape, Triangle::lower, y, s.param(lower_), nullptr);
    return {plus_bias(s, y, s.param(bias_)), for_every_row(s, x, log_det(s, u))};
  }
  Mapped inverse(const Scope& s, Var z, Var) const override {
    Var u = diagonal(s);
    Var y = minus_bias(s, z, s.param(bias_));
    if (lower_ >= 0) y = triangular_solve(s.tape, Triangle::lower, y, s.param(lower_), nullptr);
    y = triangular_solve(s.tape, Triangle::upper, y, s.param(upper_), u);
    return {y, for_every_row(s, z, scale(s.tape, log_det(s, u), -1))};
  }

 private:
  Var diagonal(const Scope& s) const {
    return add_scalar(s.tape, unary(s.tape, Unary::softplus, s.param(raw_), 1), eps_);
  }
  static Var log_det(const Scope& s, Var u) { return sum(s.tape, unary(s.tape, Unary::log, u)); }

  double eps_;
  ParamId lower_ = -1, upper_ = -1, raw_ = -1, bias_ = -1;
};

}  // namespace

NF_PART(Layer, lu_linear, LuLinear, "learned matrix L U of triangular factors",
        "Oliva et al. 2018, Transformation autoregressive networks; Durkan et al. 2019, Neural spline flows",
        Domain::real, Domain::real, OnImages::per_pixel);

}  // namespace libnf
