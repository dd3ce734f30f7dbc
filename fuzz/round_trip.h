// What holds for every flow, whatever its layers, parameters and rows are.
#pragma once
#include "fuzz/random_model.h"

namespace fuzz {

// Maps rows there and back: same bits twice, whatever rows are next to a row; a row of finite numbers has a log_prob that is a
// number or -infinity, or a status that says why not; what comes back is what went in, within the error that the inverse
// makes of a rounded latent; log-dets of both directions are opposite.
void check_round_trip(const nf::Model& m, Bytes& b);
// Samples of both, which are one model, are the same, and score as they say they do.
void check_samples(const nf::Model& m, const nf::Model& again, Bytes& b);

}  // namespace fuzz
