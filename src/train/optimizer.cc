// Turns an optimizer's options into the coefficients of one kernel step. runtime/kernel/optim_kernels.h has the
// formulas; definitions are those of torch.optim. Coefficients are computed in double and rounded once.
#include "src/train/optimizer.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "runtime/kernel/optim_kernels.h"
#include "src/train/check_fields.h"

namespace libnf {
namespace {

using kernel::Update;
using kernel::UpdateRule;
using Kind = OptimizerKind;
using C = OptimizerConfig;

constexpr const char* kKinds[] = {"adam", "adamw", "adamax", "rmsprop", "adagrad", "adadelta", "radam", "sgd"};
// Computes 1 - beta^t without cancellation for beta near 1; beta = 0 gives 1 (log is -infinity).
double bias_correction(double beta, uint64_t t) { return -std::expm1(static_cast<double>(t) * std::log(beta)); }

UpdateRule rule_of(const C& c) {
  switch (c.kind) {
    case Kind::adam:
    case Kind::adamw:
      return c.amsgrad ? UpdateRule::amsgrad : UpdateRule::adam;
    case Kind::radam:
      return UpdateRule::adam;
    case Kind::adamax:
      return UpdateRule::adamax;
    case Kind::rmsprop:
      if (c.centered) return c.momentum > 0 ? UpdateRule::rmsprop_centered_momentum : UpdateRule::rmsprop_centered;
      return c.momentum > 0 ? UpdateRule::rmsprop_momentum : UpdateRule::rmsprop;
    case Kind::adagrad:
      return UpdateRule::adagrad;
    case Kind::adadelta:
      return UpdateRule::adadelta;
    case Kind::sgd:
      if (c.momentum == 0) return UpdateRule::sgd;
      return c.nesterov ? UpdateRule::nesterov : UpdateRule::momentum;
  }
  fail(Code::internal, "optimizer kind %d has no rule", static_cast<int>(c.kind));
}

// Liu et al. 2020: the variance of the adaptive rate is rectified once it is tractable (r > 5). Before that, the update
// is plain momentum, which the Adam kernel computes if the denominator is 1.
void rectify(const C& c, uint64_t t, Update& u) {
  const double r_inf = 2 / (1 - c.beta2) - 1;
  const double correction = bias_correction(c.beta2, t);
  const double r = r_inf - 2 * static_cast<double>(t) * (1 - correction) / correction;
  if (r > 5) {
    u.rate *= std::sqrt((r - 4) * (r - 2) * r_inf / ((r_inf - 4) * (r_inf - 2) * r)) * std::sqrt(correction);
    u.root_scale = 1;
  } else {
    u.root_scale = 0;
    u.eps = 1;
  }
}

Update update_of(const C& c, double lr, uint64_t t, double grad_scale) {
  Update u;
  u.rule = rule_of(c);
  u.grad_scale = grad_scale;
  u.l2 = c.kind == Kind::adamw ? 0 : c.weight_decay;
  u.rate = lr;
  u.eps = c.eps;
  switch (c.kind) {
    case Kind::adam:
    case Kind::adamw:
    case Kind::adamax:
    case Kind::radam:
      u.beta1 = c.beta1;
      u.mix1 = 1 - c.beta1;
      u.beta2 = c.beta2;
      u.mix2 = 1 - c.beta2;
      u.rate = lr / bias_correction(c.beta1, t);
      u.root_scale = 1 / std::sqrt(bias_correction(c.beta2, t));
      if (c.kind == Kind::adamw) u.keep = 1 - lr * c.weight_decay;
      if (c.kind == Kind::radam) rectify(c, t, u);
      break;
    case Kind::rmsprop:
      u.beta1 = c.momentum;
      u.beta2 = c.alpha;
      u.mix2 = 1 - c.alpha;
      break;
    case Kind::adagrad:
      u.rate = lr / (1 + static_cast<double>(t - 1) * c.lr_decay);
      u.floor = c.initial_accumulator;
      break;
    case Kind::adadelta:
      u.beta2 = c.rho;
      u.mix2 = 1 - c.rho;
      break;
    case Kind::sgd:
      u.beta1 = c.momentum;
      u.mix1 = t == 1 ? 1 : 1 - c.dampening;  // the first buffer is the first gradient
      break;
  }
  return u;
}

}  // namespace

const char* name_of(OptimizerKind kind) { return kKinds[static_cast<size_t>(kind)]; }

// The lower bound of eps keeps float32 safe: g^2 underflows for |g| below 1e-19, and eps is then the whole denominator.
void OptimizerConfig::fields(Fields& f) {
  f.choice("optimizer", "update rule", kind, kKinds);
  const auto only = [&](std::initializer_list<Kind> kinds) {
    f.relevant(std::find(kinds.begin(), kinds.end(), kind) != kinds.end(),
               std::string("\"optimizer\": \"") + name_of(kind) + "\"");
  };
  f.real("lr", "learning rate, before the schedule", lr, 0, kMaxRate);
  only({Kind::adam, Kind::adamw, Kind::adamax, Kind::radam});
  f.real("beta1", "smoothing of the gradient", beta1, 0, 0.999999);
  f.real("beta2", "smoothing of the squared gradient", beta2, 0, 0.99999999);
  only({Kind::rmsprop});
  f.real("alpha", "smoothing of the squared gradient", alpha, 0, 0.99999999);
  only({Kind::adadelta});
  f.real("rho", "smoothing of squared gradient and squared step", rho, 0, 0.99999999);
  only({Kind::adam, Kind::adamw, Kind::adamax, Kind::rmsprop, Kind::adagrad, Kind::adadelta, Kind::radam});
  f.real("eps", "added to the denominator", eps, 1e-16, 1);
  f.relevant(true);
  f.real("weight_decay", "adamw: decoupled decay; otherwise L2 penalty added to the gradient", weight_decay, 0, 1e3);
  only({Kind::adam, Kind::adamw});
  f.flag("amsgrad", "use the largest second moment so far", amsgrad);
  only({Kind::rmsprop});
  f.flag("centered", "subtract the squared mean gradient", centered);
  only({Kind::sgd, Kind::rmsprop});
  f.real("momentum", "heavy-ball momentum", momentum, 0, 0.999999);
  only({Kind::sgd});
  f.real("dampening", "fraction of the gradient kept out of the momentum", dampening, 0, 1);
  f.flag("nesterov", "Nesterov momentum", nesterov);
  only({Kind::adagrad});
  f.real("lr_decay", "the rate is divided by 1 + lr_decay * number of earlier steps", lr_decay, 0, 1e3);
  f.real("initial_accumulator", "sum of squares before the first step", initial_accumulator, 0, 1e6);
  f.relevant(true);
}

void check(const OptimizerConfig& config) {
  check_fields(config);
  if (config.nesterov && (config.momentum == 0 || config.dampening != 0))
    fail(Code::spec, "nesterov needs momentum > 0 and dampening = 0, not momentum = %.9g and dampening = %.9g",
         config.momentum, config.dampening);
  if (config.dampening != 0 && config.momentum == 0)
    fail(Code::spec, "dampening = %.9g needs momentum > 0", config.dampening);
}

int state_slots(const OptimizerConfig& config) { return kernel::update_slots(rule_of(config)); }

const char* slot_name(const OptimizerConfig& config, int slot) {
  static constexpr const char* kAdam[] = {"m", "v", "vmax"};
  static constexpr const char* kRmsprop[] = {"v", "mean", "buf"};
  static constexpr const char* kRmspropMomentum[] = {"v", "buf"};
  static constexpr const char* kAdadelta[] = {"v", "ad"};
  if (slot < 0 || slot >= state_slots(config)) fail(Code::internal, "optimizer has no state slot %d", slot);
  switch (config.kind) {
    case Kind::adam:
    case Kind::adamw:
    case Kind::adamax:
    case Kind::radam:
      return kAdam[slot];
    case Kind::rmsprop:
      return config.centered ? kRmsprop[slot] : kRmspropMomentum[slot];
    case Kind::adagrad:
    case Kind::adadelta:
      return kAdadelta[slot];
    case Kind::sgd:
      return "buf";
  }
  fail(Code::internal, "optimizer kind %d has no slots", static_cast<int>(config.kind));
}

std::span<const SlotOption> slot_options() {
  static constexpr SlotOption kOptions[] = {{"vmax", "amsgrad"}, {"mean", "centered"}, {"buf", "momentum"}};
  return kOptions;
}

template <class T>
void apply(const OptimizerConfig& config, double lr, uint64_t step, double grad_scale, T* param, const T* grad,
           T* const* slots, int64_t begin, int64_t end) {
  if (begin >= end) return;
  kernel::update(update_of(config, lr, step, grad_scale), param, grad, slots, begin, end);
}

template void apply<float>(const OptimizerConfig&, double, uint64_t, double, float*, const float*, float* const*,
                           int64_t, int64_t);
template void apply<double>(const OptimizerConfig&, double, uint64_t, double, double*, const double*, double* const*,
                            int64_t, int64_t);

}  // namespace libnf
