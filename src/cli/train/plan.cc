// See plan.h.
#include "src/cli/train/plan.h"

#include <array>
#include <cstdio>
#include <filesystem>

#include "src/cli/common/failure.h"
#include "src/cli/common/output.h"
#include "src/cli/run/presets.h"
#include "src/cli/run/resume.h"
#include "src/cli/run/set.h"
#include "src/cli/run/spec.h"
#include "src/cli/run/warn_model.h"
#include "src/cli/train/classes.h"
#include "src/cli/train/dequantize.h"
#include "src/cli/train/scale.h"
#include "src/cli/train/split.h"
#include "src/cli/train/warn_data.h"
#include "src/cli/train/weights.h"

namespace cli {
namespace {
namespace fs = std::filesystem;

// ---- paths ------------------------------------------------------------------------------------

void check_paths(const TrainArgs& a, const nf::Runtime& runtime) {
  check_destinations(
      {{"SPEC", a.spec},
       {"--data", a.train.data},
       {"--valid", a.valid.data},
       {"--test", a.test.data},
       {"--context-data", a.train.context},
       {"--valid-context", a.valid.context},
       {"--test-context", a.test.context},
       {"--labels", a.train.labels},
       {"--valid-labels", a.valid.labels},
       {"--test-labels", a.test.labels},
       {"--weights", a.weights}},
      {{"-o", a.output}, {"--checkpoint", a.checkpoint}, {"--curve", a.curve}, {"--split-out", a.split_out}});
  if (!a.split_out.empty()) check_output(a.split_out);
  if (a.force) return;
  check_replaced(runtime, *a.settings, a.output);
  if (!a.resume)  // with --resume, opening the checkpoint reports what is wrong with it
    check_replaced(runtime, *a.settings, a.checkpoint);
}

// ---- data -------------------------------------------------------------------------------------

void open_all(TrainArgs& args, TrainPlan& plan, nf_dtype dtype) {
  share_labels(args, plan.runtime);
  plan.train = open_data(plan.runtime, args.train, *args.settings, dtype);
  check_names(plan.train, args.train.data);
  const ColumnNames names{plan.train.x.names(), plan.train.context.names(), plan.train.labels.classes};
  for (DataPaths* p : {&args.valid, &args.test}) {
    // All columns but the weights are found by name where they have names: another file may lack the weights.
    const bool by_name = !args.weight_column.empty() && !args.columns_given && !names.data.empty();
    p->columns = by_name ? "" : args.train.columns;
    p->context_columns = args.train.context_columns;
  }
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

// ---- resume -----------------------------------------------------------------------------------

// What a resumed run keeps unless it is given again: it decides which weights are the best.
std::array<std::pair<const char*, uint64_t*>, 2> validation_options(TrainArgs& args) {
  return {{{"--valid-every", &args.valid_every}, {"--patience", &args.patience}}};
}

void adopt(TrainArgs& args, const RunState& state) {
  Settings& s = *args.settings;
  // From the best validation, the length of a run may change, and its schedule with it.
  if (args.resume_best && args.steps && args.steps != state.planned && !s.has("trainer.max_steps"))
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
  if (args.train.classes.empty()) args.train.classes = fixed("--classes");
  if (!fixed("--map").empty() && !s.has("table.map")) s.set("table.map", fixed("--map"));
  for (const auto& [flag, value] : validation_options(args))
    if (*value == 0 && !fixed(flag).empty()) *value = std::stoull(fixed(flag));
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
  if (!args.train.classes.empty()) fixed["--classes"] = args.train.classes;
  const auto add = [&](const char* flag, const Rows& rows) {
    if (rows) fixed[flag] = text("%016llx", static_cast<unsigned long long>(rows.fingerprint()));
  };
  // Of the rows in a part, as nf before 0.3 did.
  const auto add_part = [&](const char* flag, const Rows& rows, float part) {
    if (!rows) return;
    std::vector<int64_t> which;
    for (size_t r = 0; r < plan.parts.size(); ++r)
      if (plan.parts[r] == part) which.push_back(static_cast<int64_t>(r));
    if (plan.parts.empty() || rows.count() == 1) return add(flag, rows);
    fixed[flag] = text("%016llx", static_cast<unsigned long long>(rows.fingerprint(which)));
  };
  add_part("--data", plan.train.x, 0);
  add_part("--context-data", plan.train.context, 0);
  if (!plan.parts.empty() && plan.held_out > 0) {
    add_part("--valid", plan.train.x, 1);
    add_part("--valid-context", plan.train.context, 1);
  }
  add("--valid", plan.valid.x);
  add("--valid-context", plan.valid.context);
  add("--weights", plan.train_weight);
  add("--weights of --valid", plan.valid_weight);
  return fixed;
}

// Tells nf::fit what the arguments ask for.
void set_fit_options(const TrainArgs& args, const TrainPlan& plan) {
  Settings& s = *args.settings;
  const auto set = [&](const char* key, uint64_t value) {
    if (value) s.set(key, std::to_string(value));
  };
  set("fit.steps", args.steps);
  if (args.epochs > 0 && !args.steps) s.set("fit.epochs", plain_number(args.epochs));
  set("fit.valid_every", args.valid_every);
  set("fit.patience", args.patience);
  set("fit.split_seed", plan.split_seed);
  s.set("fit.holdout", plain_number(plan.large ? plan.held_out : 0));  // rows in memory are split by `parts`
  s.set("fit.checkpoint", args.checkpoint);
  s.set("fit.announce", "true");
  if (plan.validates) s.set("fit.keep_best", "true");
  if (!args.resume) return;
  s.set("fit.resume_from", args.resumed());
  if (args.resume_best) s.set("fit.new_settings", "true");
}

nf::Batch batch_of(const Data& data, const Rows& weight, std::vector<double>& copy) {
  nf::Batch b(data.x.view(), data.context.view());
  if (!weight) return b;
  copy = weight.view().to_vector<double>();
  b.weight = nf::View(copy);
  return b;
}
}  // namespace

nf::Batch TrainPlan::train_rows() {
  nf::Batch b = batch_of(train, train_weight, weights_[0]);
  if (!parts.empty()) b.part = nf::View(parts);
  return b;
}

nf::Batch TrainPlan::valid_rows() { return valid.x ? batch_of(valid, valid_weight, weights_[1]) : nf::Batch(); }

TrainPlan plan_training(TrainArgs& args) {
  args.resume |= args.resume_best;
  if (args.steps && args.epochs > 0)
    throw Failure("--steps and --epochs both set the length of the run: give one of them", {}, kUsage);
  if (args.checkpoint.empty()) args.checkpoint = args.output + ".checkpoint";
  TrainPlan plan;
  plan.runtime = args.settings->runtime();
  check_paths(args, plan.runtime);
  plan.replaces = fs::exists(args.output);
  const bool preset = is_preset(args.spec);
  if (preset && !args.no_standardize) args.standardize = true;
  std::string typed = override_spec(preset ? preset_spec(args.spec, {}) : read_spec(args.spec), args.overrides);
  if (args.resume) {
    plan.model = load_checkpoint(args, plan);
    adopt(args, plan.state);
  }
  plan.seed = args.settings->integer("trainer.seed", 0);
  plan.split_seed = args.split_seed.empty() ? plan.seed : std::stoull(args.split_seed);
  set_weight_column(args, plan.runtime);
  open_all(args, plan, spec_dtype(typed));
  set_label_context(args, plan, typed);
  if (preset) {
    const bool validates = !args.valid.data.empty() || !args.split.empty() || args.holdout > 0;
    const DataSize size{plan.train.x.count(), plan.train.x.cols(), plan.train.context.cols(), validates};
    if (plan.train.x.extents().size() != 1)
      throw Failure(args.spec + " is for tables, but " + args.train.data + " has images", "write a spec: `nf parts`",
                    kUsage);
    typed = override_spec(preset_spec(args.spec, size), args.overrides);
    // A resumed run has adopted the options of its first part; patience is in none of them.
    const PresetRun run = preset_settings(args.spec, size, *args.settings);
    if (!args.steps && args.epochs == 0) args.steps = run.steps;
    if (!args.valid_every) args.valid_every = run.valid_every;
    if (run.all_rows) args.holdout = 0;
    if (!args.patience && args.holdout != 0) args.patience = run.patience;
  }
  if (spec_kind(typed) == "vae" && !args.settings->has("trainer.objective"))
    args.settings->set("trainer.objective", "elbo");
  const auto complete = [&](const std::string& spec) {
    return complete_spec(spec, event_of(plan), plan.train.context.cols());
  };
  const std::vector<ColumnKind> kinds = column_kinds(plan.train.x);
  if (args.resume)
    typed = dequantized_like(plan.model.spec(), typed);
  else if (!args.dequantize.empty())
    typed = dequantized_spec(typed, args.dequantize, plan.train.x, kinds);
  const ScaledSpec scaled = scaled_spec(args, plan, typed);
  nf::Model fresh(nullptr);
  try {
    fresh = nf::Model(plan.runtime, complete(scaled.spec), plan.seed);
  } catch (const nf::Exception& e) {
    // An added layer shifts the paths in messages, so report what is wrong with the spec as typed.
    if (e.status() == NF_ERR_SPEC) nf::Model(plan.runtime, complete(typed), plan.seed);
    throw;
  }
  if (args.resume) check_same_spec(fresh, plan.model, args.resumed());
  if (!args.resume) plan.model = std::move(fresh);

  const nf::ModelInfo info = plan.model.info();
  check_data(plan.train, args.train, info.event_size, info.context_size);
  if (args.settings->get("batches.flip", "false") == "true" && info.event_ndim != 3)
    throw Failure("--flip mirrors images, but the model's event is " + counted(info.event_size, "number"),
                  plan.train.x.extents().size() == 3
                      ? "leave \"event\" out of the spec: the data sets it to [height, width, channels]"
                      : "give images: IDX, a .npy [n, height, width, channels], or a folder of PNG pictures",
                  kUsage);
  if (plan.valid.x) check_data(plan.valid, args.valid, info.event_size, info.context_size);
  if (plan.test.x) check_data(plan.test, args.test, info.event_size, info.context_size);
  open_weights(args, plan);
  for (const std::string& note : scaled.notes)
    if (!args.quiet) std::fprintf(stderr, "nf: %s\n", note.c_str());
  if (!args.quiet) warn_of_model(plan.model);
  split_rows(args, plan);
  examine_columns(plan.train.x, kinds, plan.model, args.quiet);
  plan.validates = plan.held_out > 0 || plan.valid.x;
  if (args.patience && !plan.validates)
    throw Failure("--patience needs validation rows, but there are none", "give --valid FILE or a --holdout above 0",
                  kUsage);
  const std::map<std::string, std::string> fixed = fingerprints(args, plan);
  if (args.resume) check_same(plan.state, fixed);
  set_fit_options(args, plan);
  if (!args.resume || args.resume_best) remember_options(*args.settings, plan.state);
  plan.state.fixed = fixed;
  for (const auto& [flag, value] : validation_options(args))
    if (*value) plan.state.fixed[flag] = std::to_string(*value);
  set_column_names(plan.model, {plan.train.x.names(), plan.train.context.names(), plan.classes});
  return plan;
}

}  // namespace cli
