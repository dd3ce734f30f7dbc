// See plan.h.
#include "src/cli/fit_target/plan.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "src/cli/common/failure.h"
#include "src/cli/fit_target/splines.h"
#include "src/cli/run/resume.h"
#include "src/cli/run/set.h"
#include "src/cli/run/spec.h"
#include "src/cli/run/warn_model.h"

namespace cli {
namespace {
constexpr uint64_t kSteps = 4000;
constexpr int64_t kWalked = 20000;  // rows drawn from the target if no data is given

std::string objective_of(const FitArgs& a) { return a.settings->get("trainer.objective", ""); }

bool takes_rows(const std::string& objective) { return objective == "symmetric" || objective == "fisher"; }

void check_objective(const FitArgs& a) {
  const std::string objective = objective_of(a);
  if (objective == "nll")
    throw Failure("--objective nll fits data only, but nf fit-target fits a target",
                  "use `nf train` for data; here, use reverse_kl, alpha, or symmetric and fisher, which take both",
                  kUsage);
  if (!a.data.data.empty() && !takes_rows(objective))
    throw Failure("--data needs --objective symmetric or fisher; objective " + objective + " takes no data",
                  "drop --data, or use `nf train` to fit data only", kUsage);
  if (a.data.data.empty() && a.check.empty() && !a.data.columns.empty())
    throw Failure("--columns picks columns of --data and --check, which are missing", {}, kUsage);
  const double anneal = a.settings->number("trainer.anneal_steps", 0);
  if (anneal > static_cast<double>(a.steps))
    throw Failure("--anneal-steps " + a.settings->get("trainer.anneal_steps", "0") + " is more than --steps " +
                      std::to_string(a.steps) + ": annealing would never finish",
                  "anneal over half to three quarters of the steps", kUsage);
}

void open_rows(const FitArgs& a, FitPlan& plan, const nf::ModelInfo& info) {
  if (!takes_rows(objective_of(a))) return;
  if (a.data.data.empty()) {
    const uint64_t seed = a.settings->integer("trainer.seed", 0);
    plan.data.x = Rows::of(walk(plan.runtime, plan.target, kWalked, seed), info.event_size, info.dtype);
  } else {
    plan.data = open_data(plan.runtime, a.data, *a.settings, info.dtype);
    check_data(plan.data, a.data, info.event_size, 0);
  }
}

void open_check(const FitArgs& a, FitPlan& plan, const nf::ModelInfo& info) {
  if (a.check.empty()) return;
  const DataPaths paths{a.check, {}, a.data.columns, {}};
  Settings whole = *a.settings;  // float64, and in memory
  whole.set("table.map", "off");
  plan.check = open_data(plan.runtime, paths, whole, NF_F64);
  check_data(plan.check, paths, info.event_size, 0);
}

std::string number_word(const nlohmann::ordered_json& j) {
  return j.is_number() ? plain_number(j.get<double>()) : shown(j);
}

// Requires the target of the first part of the run; compares field by field, so that the message names the difference.
void check_target(const RunState& state, const std::string& target) {
  const auto was = state.fixed.find("--target");
  if (was == state.fixed.end() || was->second == target) return;
  const auto before = nlohmann::ordered_json::parse(was->second), now = nlohmann::ordered_json::parse(target);
  if (before["type"] != now["type"]) differs("--target", shown(before["type"]), shown(now["type"]), Resume::exact);
  for (const auto& [field, value] : now.items())
    if (before.value(field, nlohmann::ordered_json()) != value)
      differs("the target's " + field, number_word(before[field]), number_word(value), Resume::exact);
}

void warn_of_target(const FitArgs& a, const FitPlan& plan) {
  if (a.quiet || !std::isinf(plan.log_z)) return;
  const auto fields = full_target(a.target);
  const bool uncut = fields.contains("cut") && fields["cut"] == 0;
  std::fprintf(stderr,
               "nf: warning: %s has no finite integral%s, so it cannot be normalized to a density and the loss has no "
               "minimum%s\n",
               fields["type"].get<std::string>().c_str(), uncut ? " (cut = 0)" : "", uncut ? ": set cut above 0" : "");
}
}  // namespace

FitPlan plan_fit(FitArgs& a, const Screen& screen) {
  Settings& s = *a.settings;
  FitPlan plan;
  plan.runtime = s.runtime();
  check_destinations({{"SPEC", a.spec}, {"--data", a.data.data}, {"--check", a.check}},
                     {{"-o", a.output}, {"--checkpoint", a.checkpoint}, {"--curve", a.curve}});
  if (!a.force) check_replaced(plan.runtime, s, a.output);
  if (!a.force && !a.resume) check_replaced(plan.runtime, s, a.checkpoint);
  plan.replaces = !a.resume && std::filesystem::exists(a.output);
  if (a.resume) {
    if (!std::filesystem::exists(a.checkpoint))
      throw Failure("--resume: there is no checkpoint " + a.checkpoint, "drop --resume to start a new run");
    Checkpoint c = open_checkpoint(plan.runtime, s, a.checkpoint, "fit-target");
    plan.model = std::move(c.model);
    plan.state = std::move(c.state);
    adopt_options(s, plan.state, Resume::exact);
  }
  if (a.steps == 0) a.steps = a.resume ? plan.state.planned : kSteps;
  if (!s.has("trainer.objective")) s.set("trainer.objective", "reverse_kl");
  // Schedules with an end finish with the run; a resumed run keeps the end of its first part.
  if (!s.has("trainer.max_steps")) s.set("trainer.max_steps", std::to_string(a.steps));
  check_objective(a);

  const std::string spec = complete_spec(override_spec(read_spec(a.spec), a.overrides), {usual_columns(a.target)}, 0);
  nf::Model fresh(plan.runtime, soften_splines(spec), s.integer("trainer.seed", 0));
  if (a.resume && fresh.spec() != plan.model.spec())  // a run of version 0.1 left splines as they were
    fresh = nf::Model(plan.runtime, spec, s.integer("trainer.seed", 0));
  if (a.resume) check_same_spec(fresh, plan.model, a.checkpoint);
  if (!a.resume) plan.model = std::move(fresh);
  const nf::ModelInfo info = plan.model.info();
  if (info.context_size)
    throw Failure("the spec has a context, but a target has none", "drop \"context\" from the spec");
  plan.target = open_target(plan.runtime, a.target, info.event_size);
  plan.log_z = plan.target.info().log_z;
  const std::string target = full_target(a.target).dump();
  if (a.resume) check_target(plan.state, target);
  warn_of_target(a, plan);
  if (!a.quiet) warn_of_model(plan.model);
  open_rows(a, plan, info);
  open_check(a, plan, info);
  if (plan.data.x && !a.resume) plan.model.init_from_data(plan.data.x.view());

  std::map<std::string, std::string> fixed = {{"--target", target}};
  if (plan.data.x) fixed["--data"] = text("%016llx", static_cast<unsigned long long>(plan.data.x.fingerprint()));
  if (a.resume) {
    check_same(plan.state, fixed);
  } else {
    remember_options(s, plan.state);
    set_aside(plan.runtime, s, a.checkpoint, a.verbose(), screen);
  }
  plan.state.command = "fit-target";
  plan.state.fixed = fixed;
  plan.state.planned = a.steps;
  plan.samples = static_cast<int64_t>(s.integer("trainer.samples", 256));
  plan.draws = objective_of(a) != "fisher";
  if (!plan.draws) s.drop("trainer.samples");  // the rows of a batch; to the trainer no option of this objective
  return plan;
}

double anneal_share(const Settings& settings, uint64_t step) {
  const double steps = settings.number("trainer.anneal_steps", 0);
  return steps > 0 ? std::min(1.0, 0.01 + static_cast<double>(step) / steps) : 1;
}

}  // namespace cli
