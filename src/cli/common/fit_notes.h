// Reads what nf fit-target noted in a model, and decides from it whether the model misses part of the target.
#pragma once
#include <nf/nf.hpp>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace cli {

// Returns the note of nf fit-target, {"target", "log_z", "known_log_z", "above_best", "ess_fraction", ...}, or null if
// another command wrote the model.
nlohmann::ordered_json fit_notes(const nf::Model& model);

// Returns why the fit misses part of the target, or "": log Z differs from its known value by more than five standard
// errors, rows of the target (nf fit-target --check) contradict the samples, the reverse KL (known if log Z is) exceeds 0.3
// nats, where the error of log Z cannot be trusted, or less than 1 % of the samples are effective.
std::string missed_target(const nlohmann::ordered_json& notes);

}  // namespace cli
