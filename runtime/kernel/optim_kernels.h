// One step of an optimizer on flat buffers: p, its gradient g and up to three state arrays s0, s1, s2, element by
// element. Notation as in the papers and in PyTorch: with g := grad_scale * grad + l2 * p,
//   sgd       p -= rate g
//   momentum  s0 = beta1 s0 + mix1 g                          p -= rate s0
//   nesterov  s0 as momentum                                  p -= rate (g + beta1 s0)
//   adam      s0 = beta1 s0 + mix1 g,  s1 = beta2 s1 + mix2 g^2,  p = keep p - rate s0 / (root_scale sqrt(s1) + eps)
//   amsgrad   as adam, with s2 = max(s2, s1) under the root
//   adamax    s0 as adam,  s1 = max(beta2 s1, |g| + eps)      p -= rate s0 / s1
//   rmsprop   s0 = beta2 s0 + mix2 g^2,  u = g / (sqrt(s0) + eps)                          p -= rate u
//   rmsprop_momentum           u as rmsprop,  s1 = beta1 s1 + u                            p -= rate s1
//   rmsprop_centered           s1 = beta2 s1 + mix2 g,  u with max(s0 - s1^2, epsilon s0) under the root, p -= rate u
//   rmsprop_centered_momentum  both:  s2 = beta1 s2 + u                      p -= rate s2
//   adagrad   s0 += g^2                                       p -= rate g / (sqrt(s0 + floor) + eps)
//   adadelta  s0 = beta2 s0 + mix2 g^2,  u = g sqrt((s1 + eps) / (s0 + eps)),  s1 = beta2 s1 + mix2 u^2,  p -= rate u
//   average   p += rate (grad - p): a running mean of grad, for Polyak averages
// Accuracy: each operation is correctly rounded, with fused multiply-adds where the target has them: a few ULP per
// step. Every state array starts at zero. A NaN in grad[i] makes p[i] NaN and affects no other element. With
// finite gradients, parameters and moments stay finite: they saturate at the largest number. Moments below the smallest
// normal number become zero (a float32 Adam step with denormal moments, which dead units cause, takes 12 times as long).
#pragma once
#include <cstdint>

namespace libnf::kernel {

enum class UpdateRule : uint8_t {
  sgd,
  momentum,
  nesterov,
  adam,
  amsgrad,
  adamax,
  rmsprop,
  rmsprop_momentum,
  rmsprop_centered,
  rmsprop_centered_momentum,
  adagrad,
  adadelta,
  average,
};

inline constexpr int kMaxUpdateSlots = 3;

// Returns the number of state arrays s0, s1, ... of a rule.
constexpr int update_slots(UpdateRule rule) {
  switch (rule) {
    case UpdateRule::sgd:
    case UpdateRule::average:
      return 0;
    case UpdateRule::momentum:
    case UpdateRule::nesterov:
    case UpdateRule::rmsprop:
    case UpdateRule::adagrad:
      return 1;
    case UpdateRule::adam:
    case UpdateRule::adamax:
    case UpdateRule::rmsprop_momentum:
    case UpdateRule::rmsprop_centered:
    case UpdateRule::adadelta:
      return 2;
    case UpdateRule::amsgrad:
    case UpdateRule::rmsprop_centered_momentum:
      return 3;
  }
  return 0;
}

// The coefficients of one step, computed in double by the caller and rounded once to the type of the buffers.
struct Update {
  UpdateRule rule = UpdateRule::sgd;
  double grad_scale = 1;
  double l2 = 0;
  double rate = 0;
  double keep = 1;
  double beta1 = 0, mix1 = 1;
  double beta2 = 0, mix2 = 1;
  double root_scale = 1;
  double eps = 0;
  double floor = 0;
};

// Updates elements [begin, end). On one SIMD target, any split of a range into calls gives the same bits. T is float or
// double; param, grad and the slots must not overlap.
template <class T>
void update(const Update& u, T* param, const T* grad, T* const* slots, int64_t begin, int64_t end);

}  // namespace libnf::kernel
