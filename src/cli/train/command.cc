// nf train: fits a model to rows of numbers. This file holds the command line and the output before and after training;
// plan.cc prepares, run.cc trains.
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>

#include "src/cli/common/bounds.h"
#include "src/cli/common/commands.h"
#include "src/cli/common/description.h"
#include "src/cli/common/failure.h"
#include "src/cli/common/image_model.h"
#include "src/cli/run/chart.h"
#include "src/cli/run/presets.h"
#include "src/cli/run/resume.h"
#include "src/cli/run/spec.h"
#include "src/cli/run/warn_model.h"
#include "src/cli/train/classes.h"
#include "src/cli/train/latents.h"
#include "src/cli/train/run.h"
#include "src/cli/train/scores.h"

namespace cli {
namespace {
using Json = nlohmann::ordered_json;

void introduce(const TrainArgs& a, const TrainPlan& plan, const Sizes& sizes, const Screen& screen) {
  const nf::ModelInfo info = plan.model.info();
  std::printf("%s  %s in %s, %s\n", screen.bold("model").c_str(), counted(info.param_count, "parameter").c_str(),
              (is_vae(info) ? "a variational autoencoder" : counted(info.layer_count, "layer")).c_str(),
              info.dtype == NF_F64 ? "float64" : "float32");
  std::printf("%s   %s x %s", screen.bold("data").c_str(), counted(sizes.train_rows, "row").c_str(),
              counted(plan.train.x.cols(), "column").c_str());
  if (info.context_size) std::printf(" + %s of context", grouped(info.context_size).c_str());
  if (plan.large) std::printf(", used in place in the file");
  if (a.settings->get("batches.flip", "") == "true") std::printf(", half of them mirrored, others in each epoch");
  std::printf("\n");
  if (const std::string classes = classes_words(plan); !classes.empty())
    std::printf("%s  %s\n", screen.bold("class").c_str(), classes.c_str());
  const std::string seed = std::to_string(plan.split_seed), by = plan.large ? "blocks drawn by seed " : "by seed ";
  if (plan.held_out > 0)
    std::printf("%s  %s, held out: %.3g %% of the data, %s%s\n", screen.bold("valid").c_str(),
                counted(sizes.valid_rows, "row").c_str(), 100 * plan.held_out, by.c_str(), seed.c_str());
  else if (plan.validates)
    std::printf("%s  %s of %s\n", screen.bold("valid").c_str(), counted(sizes.valid_rows, "row").c_str(),
                a.valid.data.c_str());
  else
    std::printf("%s  no validation rows: the last model is kept\n", screen.bold("valid").c_str());
  if (plan.test && a.test.data.empty())
    std::printf("%s   %s, held out %s%s\n", screen.bold("test").c_str(), counted(plan.test.count(), "row").c_str(),
                by.c_str(), seed.c_str());
  if (plan.replaces && !a.resume) std::printf("%s    replaces %s\n", screen.bold("out").c_str(), a.output.c_str());
  if (sizes.merged_rows)
    std::printf("%s  the last %s of an epoch %s the batch before: batch_norm needs at least 2 rows\n",
                screen.bold("batch").c_str(), counted(sizes.merged_rows, "row").c_str(),
                sizes.merged_rows == 1 ? "joins" : "join");
  if (a.resume && plan.state.step >= sizes.steps) {
    std::printf("%s    nothing left to do: all %s are done; give a larger --steps to continue\n",
                screen.bold("run").c_str(), counted(static_cast<int64_t>(plan.state.step), "step").c_str());
    std::fflush(stdout);
    return;
  }
  std::printf("%s    %s", screen.bold("run").c_str(), counted(static_cast<int64_t>(sizes.steps), "step").c_str());
  if (sizes.per_epoch) {
    const double epochs = static_cast<double>(sizes.steps) / static_cast<double>(sizes.per_epoch);
    std::printf(" (%s epochs of %s)",
                (epochs < 100 ? text("%.3g", epochs) : grouped(static_cast<int64_t>(epochs))).c_str(),
                grouped(static_cast<int64_t>(sizes.per_epoch)).c_str());
  }
  std::printf(", validation every %s", grouped(static_cast<int64_t>(sizes.valid_every)).c_str());
  if (a.resume)
    std::printf("; resumed at step %s%s", grouped(static_cast<int64_t>(plan.state.step)).c_str(),
                a.resume_best ? ", the best so far" : "");
  std::printf("\n");
  std::fflush(stdout);
}

// Draws of the noise per row, in validation and for test rows.
int64_t draws_of(const TrainArgs& a) { return std::stoll(a.settings->get("session.score_samples", "1")); }

// What is known of the best model at the end.
struct Ending {
  std::unique_ptr<Summary> test;
  std::optional<ActiveUnits> latents;
};

Json summary_of(const TrainArgs& a, const nf::Model& model, const RunState& s, const Ending& end) {
  const Summary* test = end.test.get();
  Json j = {{"steps", s.step}, {"best_step", s.best_step}};
  if (std::isfinite(s.best)) j["valid_log_likelihood"] = s.best;
  if (const auto bits = bits_per_dim(model, s.best); bits && std::isfinite(s.best))
    j["valid_bits_per_dim"] = *bits, j["score_samples"] = draws_of(a);
  if (s.best_bad > 0) j["valid_log_likelihood_of_others"] = s.best_rest, j["valid_nonfinite"] = s.best_bad;
  if (test)
    j["test_log_likelihood"] = test->mean, j["test_two_standard_errors"] = test->two_errors,
    j["test_rows"] = test->rows, j["test_nonfinite"] = test->nonfinite;
  if (const auto bits = test ? bits_per_dim(model, test->mean) : std::nullopt)
    j["test_bits_per_dim"] = *bits, j["score_samples"] = draws_of(a);
  if (end.latents) j["latents"] = end.latents->json();
  return j;
}

void report(const TrainArgs& a, const TrainPlan& plan, const RunResult& r, const Ending& end, const Screen& screen) {
  const Summary* test = end.test.get();
  const RunState& s = r.state;
  const std::string picture = screen.terminal() ? chart(s.curve, screen) : "";
  std::printf("%s", picture.c_str());
  std::printf("%s    %s in %s", screen.bold("done").c_str(), counted(static_cast<int64_t>(s.step), "step").c_str(),
              duration(s.seconds).c_str());
  if (r.rows_per_second > 0) std::printf(", %s rows/s", grouped(static_cast<int64_t>(r.rows_per_second)).c_str());
  std::printf("%s\n", r.stopped_early ? ", stopped early: validation no longer improved" : "");
  const auto print_bits = [&](double nats) {
    const std::string bits = bits_words(plan.model, nats, draws_of(a));
    if (!bits.empty()) std::printf("       %s\n", bits.c_str());
  };
  if (plan.validates) {
    std::printf("%s   validation log-likelihood %s nats at step %s%s\n", screen.bold("best").c_str(),
                screen.good(text("%.4f", s.best_bad > 0 ? s.best_rest : s.best)).c_str(),
                grouped(static_cast<int64_t>(s.best_step)).c_str(),
                s.best_bad > 0 ? (", without " + counted(s.best_bad, "row") + " at -infinity").c_str() : "");
    print_bits(s.best_bad > 0 ? s.best_rest : s.best);
  }
  if (test) {
    std::printf("%s   log-likelihood %s nats (2 standard errors, %s)\n", screen.bold("test").c_str(),
                screen.good(mean_and_errors(*test)).c_str(), counted(test->rows - test->nonfinite, "row").c_str());
    print_bits(test->mean);
    if (test->nonfinite)
      std::fprintf(stderr, "nf: warning: %s no finite log-likelihood\n",
                   (counted(test->nonfinite, "test row") + (test->nonfinite == 1 ? " has" : " have")).c_str());
  }
  if (end.latents) std::printf("%s %s\n", screen.bold("latent").c_str(), end.latents->words().c_str());
  std::printf("%s  %s\n", screen.bold("model").c_str(), a.output.c_str());
  std::printf("%s  %s%s: resume with more --steps, or delete when finished\n", screen.bold("state").c_str(),
              a.checkpoint.c_str(), s.best_step && plan.validates ? " and .best" : "");
  const DataPaths& scored = !a.test.data.empty() ? a.test : !a.valid.data.empty() ? a.valid : a.train;
  const bool contextual = plan.model.info().context_size > 0;
  std::string rows = shell_word(a.output) + " --data " + shell_word(scored.data);
  if (!scored.labels.empty()) rows += " --labels " + shell_word(scored.labels);
  if (!a.train.classes.empty()) rows += " --classes " + shell_word(a.train.classes);
  rows += a.settings->as_flags("table");
  if (!a.train.columns.empty()) rows += " --columns " + shell_word(a.train.columns);
  if (!a.train.context_columns.empty())
    rows += " --context-columns " + shell_word(a.train.context_columns);
  else if (contextual && plan.classes.empty())
    rows += " --context CONTEXT.npy";
  if (is_smoothed(plan.model)) {  // nf check would object to the noise
    std::string drawn = rows;
    if (const size_t at = drawn.find(" --columns "); at != std::string::npos) drawn.replace(at, 10, " --data-columns");
    std::printf(
        "\nnext\n  nf score %s --quantile 0.01 -o scores.csv\n  nf plot scores %s --quantile 0.01 -o scores.png\n",
        rows.c_str(), drawn.c_str());
    return;
  }
  if (is_vae(plan.model.info())) {
    const std::string model = shell_word(a.output);
    std::printf("\nnext\n  nf check %s\n  nf score %s --score-samples 100\n", rows.c_str(), rows.c_str());
    if (plan.model.info().event_ndim == 3)
      std::printf("  nf plot images %s --show reconstruct -o reconstructed.png\n  nf plot images %s -o samples.png\n",
                  rows.c_str(), model.c_str());
    std::printf("  nf encode %s -o latents.npy\n", rows.c_str());
    return;
  }
  std::printf("\nnext\n  nf check %s\n  nf score %s\n  nf sample %s -n 1000%s -o samples.csv\n", rows.c_str(),
              rows.c_str(), shell_word(a.output).c_str(),
              !plan.classes.empty() ? (" --class " + shell_word(plan.classes.front())).c_str()
              : contextual          ? " --context CONTEXT.npy"
                                    : "");
}

// Scores the best model on test rows, which neither training nor the choice of the best model has seen.
Ending finish(const TrainArgs& a, TrainPlan& plan, const RunState& state) {
  if (state.best_step == 0)
    throw Failure("no validation had a finite log-likelihood, so there is no model to keep",
                  nonfinite_advice(plan.model, kAtBase));
  nf::Model best = load_model(plan.runtime, a.output, *a.settings);
  Ending end;
  if (plan.test) {
    nf::Session session(best, a.settings->options({"session"}));
    end.test = std::make_unique<Summary>(summarize(log_probs(session, plan.test)));
  }
  end.latents = latents_of(a, plan, best);
  keep_scores(a, plan, state, best);
  best.set_note("training", summary_of(a, best, state, end).dump());
  best.save(a.output);
  return end;
}

// Puts the frozen parameters in front of the other groups: the first group that matches a name has it.
void set_groups(TrainArgs& a) {
  const std::string given = a.settings->get("trainer.groups", "");
  Json groups = Json::array();
  if (!given.empty()) {
    groups = Json::parse(given.find('[') == std::string::npos ? read_spec(given) : given, nullptr, false);
    if (!groups.is_array())
      throw Failure("--groups: not a list in JSON",
                    "a file, or the list itself: [{\"match\": \"base.*\", \"lr\": 1e-4}]", kUsage);
  }
  Json all = Json::array();
  for (const std::string& pattern : a.freeze) all.push_back({{"match", pattern}, {"freeze", true}});
  all.insert(all.end(), groups.begin(), groups.end());
  if (!all.empty()) a.settings->set("trainer.groups", all.dump());
}

int train(TrainArgs a) {
  set_groups(a);
  const Screen screen(stdout);
  TrainPlan plan = plan_training(a);
  const bool verbose = !a.quiet && !a.json;
  const RunResult r = run_training(a, plan, screen, [&](const Sizes& sizes) {
    if (!a.resume) set_aside(plan.runtime, *a.settings, a.checkpoint, verbose, screen);
    if (verbose) introduce(a, plan, sizes, screen);
  });
  if (!a.curve.empty()) write_train_curve(r.state.curve, a.curve);
  if (r.interrupted) {
    Json j = summary_of(a, plan.model, r.state, {});
    j["interrupted"] = true;
    if (a.json) std::printf("%s\n", j.dump().c_str());
    return report_interrupt(r.state, a.checkpoint, "");
  }
  const Ending end = finish(a, plan, r.state);
  if (verbose) report(a, plan, r, end, screen);
  if (end.latents && end.latents->active == 0 && !a.quiet)
    std::fprintf(stderr, "nf: warning: no latent is active: %s\n", ActiveUnits::collapse_advice().c_str());
  if (a.json) {
    Json j = summary_of(a, plan.model, r.state, end);
    j["seconds"] = r.state.seconds;
    j["rows_per_second"] = r.rows_per_second;
    j["stopped_early"] = r.stopped_early;
    j["model"] = a.output;
    std::printf("%s\n", j.dump().c_str());
  }
  return kOk;
}

void add_data(CLI::App& cmd, TrainArgs& a) {
  const char* group = "Data";
  const auto file = [&](const char* flag, std::string& to, const char* help) {
    return cmd.add_option(flag, to, help)->type_name("FILE")->group(group);
  };
  file("--data", a.train.data, "training rows: .npy, .npz or CSV, also .gz; - for standard input")->required();
  file("--valid", a.valid.data, "validation rows, which select the best model (a tenth of --data)");
  file("--test", a.test.data, "test rows, used only for the final log-likelihood");
  file("--context-data,--context", a.train.context, "context of --data for conditional models, with as many rows");
  file("--valid-context", a.valid.context, "context of --valid");
  file("--test-context", a.test.context, "context of --test");
  cmd.add_option(
         "--labels", a.train.labels,
         "the class of each row of --data, a whole number: a file with one per row (IDX, .npy or CSV), or a column "
         "of --data; pictures in a folder per class need none. If the spec has a context of as many numbers as "
         "there are classes, it holds the class one-hot, and if it has one of 1, the index of the class; the model "
         "remembers the classes, and `nf score --labels` uses them")
      ->type_name("FILE|COLUMN")
      ->group(group);
  file("--valid-labels", a.valid.labels, "labels of --valid");
  file("--test-labels", a.test.labels, "labels of --test");
  cmd.add_option("--classes", a.train.classes,
                 "only rows of these classes: 0,3,7, or the names of folders; the first is class 0 of the context in "
                 "ascending order")
      ->type_name("A,B,..")
      ->group(group);
  cmd.add_flag_callback(
         "--flip", [settings = &a.settings] { (*settings)->set("batches.flip", "true"); },
         "mirror each image left to right with probability 1/2, drawn anew in each epoch. It helps where left and "
         "right "
         "look alike (faces, scenes, textures) and harms where they do not (digits, text). Validation and test rows "
         "stay "
         "as they are")
      ->group(group);
  cmd.add_option("--columns", a.train.columns, "data columns, by name or index from 0")
      ->type_name("A,B,..")
      ->group(group);
  cmd.add_option("--context-columns", a.train.context_columns,
                 "context columns of the same files; all others are data unless --columns is given")
      ->type_name("A,B,..")
      ->group(group);
  cmd.add_flag(
         "--standardize,--standardise", a.standardize,
         "start the model with a layer that maps every column to mean 0 and standard deviation 1 on the training rows, "
         "and prepare a context likewise; by default where the columns need it")
      ->group(group);
  cmd.add_flag("--no-standardize,--no-standardise", a.no_standardize, "leave data and context as they are")
      ->excludes("--standardize")
      ->group(group);
  cmd.add_option(
         "--dequantize", a.dequantize,
         "spread repeated numbers of these columns over their steps with a layer in front of the model; by name, or "
         "by index among the data columns; auto: all columns with repeated numbers")
      ->type_name("A,B,..|auto")
      ->group(group);
  cmd.add_option("--weights", a.weights,
                 "weights of the rows in training and validation: a column of --data, by name or index from 0, or a "
                 "file with one "
                 "number per row")
      ->type_name("COLUMN|FILE")
      ->group(group);
  cmd.add_option("--holdout", a.holdout,
                 "fraction of --data to validate with if there is no --valid (0.1); 0 for no validation")
      ->check(CLI::Range(0.0, 0.9))
      ->type_name("PART")
      ->group(group);
  cmd.add_option("--split", a.split, "fractions of --data for training, validation and, optionally, test: 0.8,0.1,0.1")
      ->type_name("A,B[,C]")
      ->group(group);
  cmd.add_option("--split-seed", a.split_seed, "seed of the held-out rows (--seed)")
      ->check(at_least(0))
      ->type_name("S")
      ->group(group);
  cmd.add_option("--split-out", a.split_out,
                 "write the part of each row of --data, .npy or .csv: 0 train, 1 valid, 2 test; after the row's "
                 "number, counted "
                 "from 0, if rows are left out")
      ->type_name("FILE")
      ->group(group);
}

void add_run(CLI::App& cmd, TrainArgs& a) {
  const char* group = "Run";
  cmd.add_option("-o,--output", a.output, "model file to write, the best on validation rows (.safetensors)")
      ->required()
      ->type_name("FILE")
      ->group(group);
  cmd.add_option("--steps", a.steps, "number of steps, one batch each (4000)")
      ->check(at_least(1))
      ->type_name("N")
      ->group(group);
  cmd.add_option("--epochs", a.epochs, "number of passes over the data")
      ->check(above_zero())
      ->type_name("N")
      ->group(group);
  cmd.add_option("--valid-every", a.valid_every,
                 "steps between validations (one epoch, but 16 to 64 validations per run)")
      ->check(at_least(1))
      ->type_name("N")
      ->group(group);
  cmd.add_option("--patience", a.patience, "stop early after N validations without improvement (never)")
      ->check(at_least(1))
      ->type_name("N")
      ->group(group);
  cmd.add_option("--checkpoint", a.checkpoint, "file for the state of the run (OUTPUT.checkpoint)")
      ->type_name("FILE")
      ->group(group);
  cmd.add_flag("--resume", a.resume, "continue from the checkpoint, with the same bits as if the run had never stopped")
      ->group(group);
  cmd.add_flag(
         "--resume-best", a.resume_best,
         "continue from the best validation (CHECKPOINT.best), including its optimizer state, optionally with another "
         "--lr or --schedule; schedules still count from step 0 of the run")
      ->group(group);
  cmd.add_option("--set", a.overrides,
                 "override a field of the spec, by path (layers[0].repeat=5) or by name wherever it occurs "
                 "(net.hidden=[64,64])")
      ->type_name("PATH=VALUE")
      ->allow_extra_args(false)
      ->group(group);
  cmd.add_option("--freeze", a.freeze,
                 "leave the parameters of these names as they are: base.* or layers.0.*; * stands for any characters")
      ->type_name("PATTERN")
      ->allow_extra_args(false)
      ->group(group);
  cmd.add_option("--curve", a.curve, "write the learning curve as CSV")->type_name("FILE")->group(group);
  cmd.add_flag("--force", a.force, "overwrite -o even if it is not a model")->group(group);
  cmd.add_flag("--quiet", a.quiet, "print nothing except errors")->group(group);
  cmd.add_flag("--json", a.json, "print only the final summary, as JSON")->group(group);
}
}  // namespace

void add_train(CLI::App& app, Action& action) {
  auto a = std::make_shared<TrainArgs>();
  CLI::App* cmd = app.add_subcommand("train", "Fit a model to data; keep the one that is best on validation rows");
  std::vector<std::string> names;
  for (const PresetDoc& p : presets()) names.emplace_back(p.name);
  cmd->add_option("SPEC", a->spec,
                  "model: " + join(names, ", ") +
                      " (`nf parts presets`), or a spec: a JSON file, - for standard input, or the JSON itself")
      ->required();
  add_data(*cmd, *a);
  add_run(*cmd, *a);
  a->settings =
      Settings::flags(*cmd, {"trainer", "batches", "table", "runtime", "session", "load"},
                      {"dtype", "columns", "patience", "max_steps", "part_begin", "part_end", "part_seed", "flip",
                       // used by nf fit-target
                       "samples", "path_gradient", "data_weight", "renyi_alpha", "anneal_steps"});
  Settings::flag(*cmd, a->settings, "--plateau-patience", "trainer.patience", "integer",
                 "schedule plateau: validations without improvement before the rate is reduced (10)",
                 "Options of the trainer");
  cmd->footer(
      "\"event\" and \"context\" may be omitted from the spec; the data sets them, a .npy of images [n, height, width, "
      "channels] to [height, width, channels]. Ctrl-C saves a checkpoint; --resume continues from it.\n\n"
      "Examples:\n"
      "  nf train auto --data table.csv -o model.safetensors            # then, for the anomalies among the rows:\n"
      "  nf score model.safetensors --data table.csv --quantile 0.01 -o scores.csv\n"
      "  nf plot scores model.safetensors --data table.csv --quantile 0.01 -o scores.png\n"
      "  nf train examples/specs/realnvp_power.json --data train.npy --valid valid.npy --test test.npy \\\n"
      "           --steps 4000 --batch 512 --lr 5e-4 --schedule cosine --clip-norm 5 -o power.safetensors\n"
      "  nf train spec.json --data table.csv --columns height,weight --context-columns age -o people.safetensors\n"
      "  nf train spec.json --data train.npy --set layers[0].repeat=12 --patience 10 --epochs 200 -o deep.safetensors\n"
      "  nf train glow.json --data train-images-idx3-ubyte.gz --labels train-labels-idx1-ubyte.gz --set context=10 \\\n"
      "           -o digits.safetensors                    # a model of each digit\n"
      "  nf train glow.json --data photos --classes cat,dog --flip -o pets.safetensors    # photos/cat/*.png, ...");
  cmd->callback([a, &action] { action = [a] { return train(*a); }; });
}

}  // namespace cli
