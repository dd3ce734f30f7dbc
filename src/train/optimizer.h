// Optimizers as pure functions on flat buffers: Adam, AdamW (decoupled decay), AMSGrad, Adamax, RMSprop, Adagrad,
// Adadelta, RAdam and SGD, with PyTorch's definitions and notation. The vector loops are in
// runtime/kernel/optim_kernels.h; this file has the policy: the choice of rule, bias corrections, and the field list
// that names, bounds and documents every option.
//
// The trainer refuses a step whose gradient is not finite (see clip.h) before it calls apply(). apply() itself would
// turn into NaN exactly those parameters whose gradient is NaN.
#pragma once
#include <cstdint>
#include <span>

#include "src/part/config.h"

namespace libnf {

enum class OptimizerKind : uint8_t { adam, adamw, adamax, rmsprop, adagrad, adadelta, radam, sgd };

struct OptimizerConfig : Config {
  OptimizerKind kind = OptimizerKind::adam;
  double lr = 1e-3;
  double beta1 = 0.9, beta2 = 0.999;  // adam family
  double alpha = 0.99;                // rmsprop: smoothing of g^2
  double rho = 0.9;                   // adadelta: smoothing of g^2 and dx^2
  double eps = 1e-8;
  double weight_decay = 0;  // adamw: decoupled; otherwise added to the gradient (L2)
  bool amsgrad = false;
  bool centered = false;
  double momentum = 0, dampening = 0;
  bool nesterov = false;
  double lr_decay = 0;             // adagrad
  double initial_accumulator = 0;  // adagrad
  void fields(Fields& f) override;
};

inline constexpr double kMaxRate = 1e3;  // of option "lr"
const char* name_of(OptimizerKind kind);
void check(const OptimizerConfig& config);  // checks bounds, options that the kind ignores, and impossible combinations

// Returns the number of state arrays per parameter. Each has the parameters' type and length and starts at zero.
int state_slots(const OptimizerConfig& config);
// Returns the name of slot i in a checkpoint: "m", "v", "vmax", ...
const char* slot_name(const OptimizerConfig& config, int slot);
// Slots that exist only with certain options.
struct SlotOption {
  const char* slot;
  const char* option;
};
std::span<const SlotOption> slot_options();

// Applies step number `step` (from 1) to elements [begin, end), with the gradient grad_scale * grad. lr is the rate of
// this step (schedule.h), not config.lr. The bits of an element do not depend on begin and end, so threads can share
// the range.
template <class T>
void apply(const OptimizerConfig& config, double lr, uint64_t step, double grad_scale, T* param, const T* grad,
           T* const* slots, int64_t begin, int64_t end);

}  // namespace libnf
