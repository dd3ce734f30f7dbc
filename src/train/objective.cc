#include "src/train/objective.h"

namespace nf {
namespace {

using C = ObjectiveConfig;
using Kind = ObjectiveKind;
constexpr const char* kKinds[] = {"nll", "reverse_kl", "symmetric", "alpha"};
constexpr uint32_t kSampling = kinds({Kind::reverse_kl, Kind::symmetric, Kind::alpha});
constexpr Field<C> kFields[] = {
    field<&C::kind>("objective", "what a step minimises: by data, by a target, by both, or the Renyi bound of a target",
                    0, 3, 0, kEveryKind, kKinds),
    field<&C::samples>("samples", "rows drawn from the model in a step with a target", 1, 1 << 24, 256, kSampling),
    field<&C::path_gradient>("path_gradient",
                             "leave out the part of the gradient whose expectation is 0; costs a pass from data to "
                             "latent, not with dropout",
                             0, 1, 0, kinds({Kind::reverse_kl, Kind::symmetric})),
    field<&C::data_weight>("data_weight", "factor of the part of the loss that data has", 0, 1e6, 1,
                           kinds({Kind::symmetric})),
    field<&C::renyi_alpha>("renyi_alpha", "order of the Renyi bound; 0: importance-weighted, 1: reverse_kl", -20, 20,
                           0.5, kinds({Kind::alpha})),
    field<&C::anneal_steps>("anneal_steps",
                            "steps in which the share of the target's log density rises from 0.01 to 1; 0: at once", 0,
                            1e12, 0, kSampling),
};

}  // namespace

std::span<const Field<ObjectiveConfig>> objective_fields() { return kFields; }

}  // namespace nf
