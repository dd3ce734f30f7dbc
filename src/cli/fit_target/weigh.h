// Weighs samples of the fitted model by the target, and says what the weights are worth.
#pragma once
#include <nf/nf.hpp>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "src/cli/fit_target/plan.h"

namespace cli {

struct Weighed {
  nf::ImportanceInfo found;
  std::optional<nf::CoverageInfo> rows;  // compared with rows of the target, if the user has some
};

Weighed weigh(const FitArgs& args, FitPlan& plan);

// For the summary and the note in the model: log Z, ess and what says whether they can be trusted. For a target without a
// finite integral, log Z and the weights are null: there is nothing for them to converge to.
nlohmann::ordered_json weights_summary(const FitArgs& args, const FitPlan& plan, const Weighed& w);

// Prints the same as text; warnings go to standard error. `missed` is what missed_target() says about the summary.
void report_weights(const FitArgs& args, const FitPlan& plan, const Weighed& w, const std::string& missed,
                    const Screen& screen);

// Formats nats; switches to scientific notation for diverged fits.
std::string nats(double v);

}  // namespace cli
