// See plan.h.
#include "src/cli/train/plan.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>

#include "src/cli/common/failure.h"
#include "src/cli/common/output.h"
#include "src/cli/run/resume.h"
#include "src/cli/run/set.h"
#include "src/cli/run/spec.h"
#include "src/cli/run/warn_model.h"
#include "src/cli/train/split.h"
#include "src/cli/train/warn_data.h"

namespace cli {
namespace {
namespace fs = std::filesystem;
constexpr uint64_t kSteps = 4000;
constexpr uint64_t kMinValidations = 16, kMaxValidations = 64;

// ---- paths ------------------------------------------------------------------------------------

void check_paths(const TrainArgs& a, const nf::Runtime& runtime) {
  check_destinations(
      {{"SPEC", a.spec},
       {"--data", a.train.data},
       {"--valid", a.valid.data},
       {"--test", a.test.data},
       {"--context-data", a.train.context},
       {"--valid-context", a.valid.context},
       {"--test-context", a.test.context}},
      {{"-o", a.output}, {"--checkpoint", a.checkpoint}, {"--curve", a.curve}, {"--split-out", a.split_out}});
  if (!a.split_out.empty()) check_output(a.split_out);
  if (a.force) return;
  check_replaced(runtime, *a.settings, a.output);
  if (!a.resume)  // with --resume, opening the checkpoint reports what is wrong with it
    check_replaced(runtime, *a.settings, a.checkpoint);
}

// ---- data -------------------------------------------------------------------------------------

std::string some_of(std::vector<std::string> words, const char* between) {
  const size_t more = words.size() > 8 ? words.size() - 8 : 0;
  words.resize(words.size() - more);
  return join(words, between) + (more ? text(" and %zu more", more) : std::string());
}

// Warns of columns that are far from mean 0 and standard deviation 1: a fresh model is near the identity onto a
// standard normal, so other scales cost many steps or diverge. Also warns of constant columns, whose likelihood has no
// bound.
void warn_of_columns(const Rows& rows, bool scaled) {
  std::vector<std::string> scaled_oddly, constant;
  const std::vector<Moments> all = rows.moments();
  for (size_t c = 0; c < all.size(); ++c) {
    const double mean = all[c].mean, spread = all[c].std;
    if (spread >= 0.1 && spread <= 10 && std::abs(mean) <= 3 * spread) continue;
    if (!std::isfinite(mean) || !std::isfinite(spread)) continue;  // training refuses such rows
    const std::string name = rows.names().empty() || rows.names()[c].empty() ? std::to_string(c) : rows.names()[c];
    if (spread > 0)
      scaled_oddly.push_back(name + text(" has mean %.3g, std %.3g", mean, spread));
    else if (rows.count() > 1)
      constant.push_back(name + text(" (%.6g)", mean));
  }
  const char* plural = constant.size() == 1 ? "" : "s";
  if (!constant.empty())
    std::fprintf(
        stderr,
        "nf: warning: constant column%s: %s; a constant has no density and an unbounded likelihood: drop it with "
        "--columns\n",
        plural, some_of(std::move(constant), ", ").c_str());
  if (scaled_oddly.empty() || scaled) return;
  std::fprintf(stderr, "nf: warning: %s; a fresh model expects about 0 and 1: add --standardize\n",
               some_of(std::move(scaled_oddly), "; ").c_str());
}

// Initializes data-dependent layers from all training rows.
void init_from_data(TrainPlan& plan) { plan.model.init_from_data(plan.train.x.view(), plan.train.context.view()); }

void open_all(TrainArgs& args, TrainPlan& plan, nf_dtype dtype) {
  for (DataPaths* p : {&args.valid, &args.test}) {
    p->columns = args.train.columns;
    p->context_columns = args.train.context_columns;
  }
  plan.train = open_data(plan.runtime, args.train, *args.settings, dtype);
  check_names(plan.train, args.train.data);
  const ColumnNames names{plan.train.x.names(), plan.train.context.names()};
  if (!args.valid.data.empty()) plan.valid = open_data(plan.runtime, args.valid, *args.settings, dtype, names);
  if (!args.test.data.empty()) plan.test = open_data(plan.runtime, args.test, *args.settings, dtype, names);
}

// The event of a spec that does not say: a row of the data, or the event of the run that continues.
std::vector<int64_t> event_of(const TrainPlan& plan) {
  if (!plan.model) return plan.train.x.extents();
  const nf::ModelInfo info = plan.model.info();
  if (info.event_size != plan.train.x.cols()) return plan.train.x.extents();
  return {info.event, info.event + info.event_ndim};
}

// Reports errors for the spec as typed, because the layer that --standardize inserts would shift the paths in messages.
nf::Model create_model(const TrainPlan& plan, const std::string& spec, const std::string& typed) {
  try {
    return nf::Model(plan.runtime, spec, plan.seed);
  } catch (const nf::Exception& e) {
    if (e.status() == NF_ERR_SPEC && !is_standardized(typed))
      nf::Model(plan.runtime, complete_spec(typed, event_of(plan), plan.train.context.cols()), plan.seed);
    throw;
  }
}

// ---- resume -----------------------------------------------------------------------------------

void adopt(TrainArgs& args, const RunState& state) {
  Settings& s = *args.settings;
  // From the best validation, the length of a run may change, and its schedule with it.
  if (args.resume_best && args.steps && !s.has("trainer.max_steps"))
    s.set("trainer.max_steps", std::to_string(args.steps));
  adopt_options(s, state, args.resume_best ? Resume::best : Resume::exact_or_best);
  const auto fixed = [&](const char* flag) {
    const auto found = state.fixed.find(flag);
    return found == state.fixed.end() ? std::string() : found->second;
  };
  if (args.split.empty() && args.holdout < 0) args.split = fixed("--split");
  if (args.split.empty() && args.holdout < 0 && !fixed("--holdout").empty())
    args.holdout = std::stod(fixed("--holdout"));
  if (args.split_seed.empty()) args.split_seed = fixed("--split-seed");
  if (!fixed("--map").empty() && !s.has("table.map")) s.set("table.map", fixed("--map"));
  if (args.steps == 0 && args.epochs == 0) args.steps = state.planned;
}

nf::Model load_checkpoint(const TrainArgs& args, TrainPlan& plan) {
  const std::string from = args.resumed();
  if (!fs::exists(from))
    throw Failure(
        (args.resume_best ? "--resume-best: there is no checkpoint " : "--resume: there is no checkpoint ") + from,
        args.resume_best && fs::exists(args.checkpoint)
            ? "there was no validation yet; --resume continues from the last step"
            : "drop it to start a new run");
  Checkpoint c = open_checkpoint(plan.runtime, *args.settings, from, "train");
  plan.state = std::move(c.state);
  return std::move(c.model);
}

std::map<std::string, std::string> fingerprints(const TrainArgs& args, const TrainPlan& plan) {
  std::map<std::string, std::string> fixed;
  if (args.split.empty()) fixed["--holdout"] = plain_number(args.holdout);
  if (!args.split.empty()) fixed["--split"] = args.split;
  if (!args.split_seed.empty()) fixed["--split-seed"] = args.split_seed;
  if (args.settings->has("table.map")) fixed["--map"] = args.settings->get("table.map", "");
  const auto add = [&](const char* flag, const Rows& rows) {
    if (rows) fixed[flag] = text("%016llx", static_cast<unsigned long long>(rows.fingerprint()));
  };
  add("--data", plan.train.x);
  add("--context-data", plan.train.context);
  add("--valid", plan.valid.x);
  add("--valid-context", plan.valid.context);
  return fixed;
}

void count_steps(TrainArgs& args, TrainPlan& plan) {
  plan.per_epoch = make_batches(args, plan).per_epoch();
  const double wanted = args.epochs * static_cast<double>(plan.per_epoch);
  plan.steps = args.steps        ? args.steps
               : args.epochs > 0 ? static_cast<uint64_t>(std::ceil(std::min(wanted, 1e15)))
                                 : kSteps;
  const auto share = [&](uint64_t parts) { return (plan.steps + parts - 1) / parts; };
  plan.valid_every = args.valid_every;
  if (!plan.valid_every)
    plan.valid_every = std::max(share(kMaxValidations), std::min(share(kMinValidations), plan.per_epoch));
  // Schedules with an end finish with the run; a resumed run keeps the end of its first part.
  if (!args.settings->has("trainer.max_steps")) args.settings->set("trainer.max_steps", std::to_string(plan.steps));
}
}  // namespace

nf::Batches make_batches(const TrainArgs& args, const TrainPlan& plan) {
  return nf::Batches(plan.runtime, {plan.train.x.view(), plan.train.context.view()},
                     args.settings->options({"batches"}));
}

TrainPlan plan_training(TrainArgs& args, const Screen& screen) {
  args.resume |= args.resume_best;
  if (args.steps && args.epochs > 0)
    throw Failure("--steps and --epochs both set the length of the run: give one of them", {}, kUsage);
  if (args.checkpoint.empty()) args.checkpoint = args.output + ".checkpoint";
  TrainPlan plan;
  plan.runtime = args.settings->runtime();
  check_paths(args, plan.runtime);
  plan.replaces = fs::exists(args.output);
  const std::string typed = override_spec(read_spec(args.spec), args.overrides);
  std::string spec = args.standardize ? standardize_spec(typed) : typed;
  if (args.resume) {
    plan.model = load_checkpoint(args, plan);
    adopt(args, plan.state);
  }
  plan.seed = args.settings->integer("trainer.seed", 0);
  plan.split_seed = args.split_seed.empty() ? plan.seed : std::stoull(args.split_seed);
  open_all(args, plan, spec_dtype(spec));
  spec = complete_spec(spec, event_of(plan), plan.train.context.cols());
  nf::Model fresh = create_model(plan, spec, typed);
  if (args.resume) check_same_spec(fresh, plan.model, args.resumed());
  if (!args.resume) plan.model = std::move(fresh);

  const nf::ModelInfo info = plan.model.info();
  check_data(plan.train, args.train, info.event_size, info.context_size);
  if (plan.valid.x) check_data(plan.valid, args.valid, info.event_size, info.context_size);
  if (plan.test.x) check_data(plan.test, args.test, info.event_size, info.context_size);
  if (!args.quiet) {
    warn_of_columns(plan.train.x, is_standardized(spec) || base_is_box(plan.model));
    warn_of_model(plan.model);
  }
  examine_columns(plan.train.x, plan.model, args.quiet);
  split_rows(args, plan);
  if (args.patience && !plan.valid)
    throw Failure("--patience needs validation rows, but there are none", "give --valid FILE or a --holdout above 0",
                  kUsage);
  if (!args.resume) init_from_data(plan);
  const std::map<std::string, std::string> fixed = fingerprints(args, plan);
  if (args.resume) check_same(plan.state, fixed);
  count_steps(args, plan);
  if (!args.resume) {
    remember_options(*args.settings, plan.state);
    set_aside(plan.runtime, *args.settings, args.checkpoint, !args.quiet && !args.json, screen);
  }
  plan.state.fixed = fixed;
  plan.state.planned = plan.steps;
  set_column_names(plan.model, {plan.train.x.names(), plan.train.context.names()});
  return plan;
}

}  // namespace cli
