// What a training step minimises. q is the model, p~ the target up to its factor Z; expectations over x ~ q:
//   nll         mean of -log q over rows of data
//   reverse_kl  mean of log q(x) - log p~(x); at best -log Z (Rezende and Mohamed 2015)
//   symmetric   reverse_kl + data_weight nll
//   alpha       -log mean((p~/q)^(1 - a)) / (1 - a), the Renyi bound (Li and Turner 2016, eq. 5)
// While it is annealed, step t takes log p~ times min(1, 0.01 + t/anneal_steps), so that modes far apart are found.
#pragma once
#include <cstdint>
#include <span>

#include "src/train/fields.h"

namespace nf {

enum class ObjectiveKind : uint8_t { nll, reverse_kl, symmetric, alpha };

struct ObjectiveConfig {
  ObjectiveKind kind;
  int64_t samples;     // drawn from the model for a step
  bool path_gradient;  // "sticking the landing" (Roeder et al. 2017)
  double data_weight, renyi_alpha;
  int64_t anneal_steps;  // Rezende and Mohamed 2015, eq. 20
};

std::span<const Field<ObjectiveConfig>> objective_fields();
inline ObjectiveConfig default_objective() { return default_config(objective_fields()); }
inline bool uses_data(ObjectiveKind k) { return k == ObjectiveKind::nll || k == ObjectiveKind::symmetric; }
inline bool uses_samples(ObjectiveKind k) { return k != ObjectiveKind::nll; }

}  // namespace nf
