// Batch normalization as a flow (Dinh et al. 2017, section 3.7; Papamakarios et al. 2017, eq. 11):
//   z_j = w_j (x_j - m_j) / sqrt(v_j + eps) + b_j,  w = softplus(u) + eps,  log_det = sum_j log w_j - log(v_j + eps) / 2
// Training takes m and v from the batch, with gradients through them; log_det is that of the map with the statistics
// held fixed. Scoring and the inverse use running statistics, r <- (1 - momentum) r + momentum batch (with the unbiased
// variance), initialized from the first rows. An inverted layer uses its running statistics in training too, and does
// not update them. In float32 the running mean is the sum of two tensors, as in standardize.
#include <cmath>

#include "runtime/op/affine_low.h"
#include "runtime/op/ops.h"
#include "src/flow/layer.h"
#include "src/flow/start.h"

namespace libnf {
namespace {

enum class Variance : uint8_t { unbiased, biased };

class BatchNorm final : public Layer {
 public:
  struct Config final : libnf::Config {
    double eps = 1e-5;
    double momentum = 0.1;
    bool affine = true;
    Variance variance = Variance::unbiased;
    void fields(Fields& f) override {
      static constexpr const char* kVariances[] = {"unbiased", "biased"};
      f.real("eps", "added to the variances and to the scale", eps, 1e-12, 0.5);
      f.real("momentum", "weight of the newest batch in the running statistics", momentum, 0, 1);
      f.flag("affine", "whether a learned scale and shift follow", affine);
      f.choice("variance", "what training divides squared deviations by: rows - 1, or rows", variance, kVariances);
    }
  };

  BatchNorm(const Config& c, const Declare& d)
      : config_(c),
        // makes softplus(u) + eps = 1 initially
        weight_(c.affine ? d.param("unconstrained_weight", {d.columns()}, Init::fill(std::log(std::expm1(1 - c.eps))))
                         : -1),
        bias_(c.affine ? d.param("bias", {d.columns()}, Init::zeros()) : -1),
        mean_(d.buffer("running_mean", {d.columns()}, Init::zeros())),
        var_(d.buffer("running_var", {d.columns()}, Init::fill(1), Invariant::nonnegative)),
        started_(d.buffer("initialized", {1}, Init::zeros(), Invariant::flag, "initialised")),
        mean_low_(d.low_part("running_mean_low", d.columns())) {}

  Mapped forward(const Scope& s, Var x, Var) const override {
    Tape& t = s.tape;
    const Mapped y = s.batch ? batch_normalize(t, x, s.batch, config_.eps, config_.variance == Variance::biased)
                             : affine_low(t, x, log_deviation(s), s.param(mean_), s.param(mean_low_), true);
    if (!config_.affine) return y;
    const Mapped z = libnf::affine(t, y.y, log_weight(s), s.param(bias_), false);
    return {z.y, add(t, y.log_det, z.log_det)};
  }

  Mapped inverse(const Scope& s, Var z, Var) const override {
    Tape& t = s.tape;
    const Mapped y = config_.affine ? libnf::affine(t, z, log_weight(s), s.param(bias_), true) : Mapped{z, nullptr};
    const Mapped x = affine_low(t, y.y, log_deviation(s), s.param(mean_), s.param(mean_low_), false);
    return {x.y, y.log_det ? add(t, y.log_det, x.log_det) : x.log_det};
  }

  LowPart low_part() const override { return LowPart::used; }
  ParamId started() const override { return started_; }
  void start(const ParamStore& store, const ColumnStats& in, bool inverted) const override {
    if (!inverted) blend(store, in, 1);
  }
  bool couples_rows() const override { return true; }
  void observe(const ParamStore& store, const ColumnStats& batch) const override {
    blend(store, batch, config_.momentum);
  }

 private:
  Var log_weight(const Scope& s) const {
    Tape& t = s.tape;
    return unary(t, Unary::log, add_scalar(t, unary(t, Unary::softplus, s.param(weight_), 1), config_.eps));
  }
  Var log_deviation(const Scope& s) const {
    Tape& t = s.tape;
    return scale(t, unary(t, Unary::log, add_scalar(t, s.param(var_), config_.eps)), 0.5);
  }
  void blend(const ParamStore& store, const ColumnStats& in, double share) const {
    const auto mix = [share](double old, double now) { return share == 1 ? now : old + share * (now - old); };
    update_param(store, mean_, mean_low_, [&](int64_t j, double old) {
      return Spread{mix(old, in.mean[j]), in.spread(j)};
    });
    update_param(store, var_, [&](int64_t j, double old) { return mix(old, in.variance(j)); });
  }

  Config config_;
  ParamId weight_, bias_, mean_, var_, started_, mean_low_;
};

}  // namespace

NF_PART(Layer, batch_norm, BatchNorm,
        "normalizes columns by batch statistics in training and by running statistics otherwise",
        "Dinh et al. 2017, Density estimation using Real NVP, section 3.7");

}  // namespace libnf
