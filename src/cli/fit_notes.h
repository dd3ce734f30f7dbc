// What nf fit-target notes in the model about the fit, and whether by that the model has missed the target.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "src/cli/handle.h"

namespace nf::cli {

// The note of nf fit-target: {"target", "log_z", "known_log_z", "above_best", "ess_fraction", ..}; null when another
// command wrote the model.
nlohmann::ordered_json fit_notes(const nf_model* model);

// How the fit has not found all of the target, or "". By log Z off its known value by more than five errors, a reverse KL
// (known with log Z) above 0.3 nats, where the error of log Z is itself not to be trusted, or less than 1 % of the samples
// effective.
std::string missed_target(const nlohmann::ordered_json& notes);

}  // namespace nf::cli
