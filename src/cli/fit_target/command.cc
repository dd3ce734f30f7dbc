// nf fit-target: fits a model to a density known up to a factor, without data; nf targets lists the densities. This
// file holds the command line and the output before and after the fit; plan.cc prepares, run.cc fits.
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "src/cli/common/bounds.h"
#include "src/cli/common/commands.h"
#include "src/cli/common/failure.h"
#include "src/cli/common/fit_notes.h"
#include "src/cli/fit_target/run.h"
#include "src/cli/fit_target/weigh.h"

namespace cli {
namespace {
using Json = nlohmann::ordered_json;

void introduce(const FitArgs& a, const FitPlan& plan, const Screen& screen) {
  const nf::ModelInfo info = plan.model.info();
  std::printf("%s   %s in %s, %s\n", screen.bold("model").c_str(), counted(info.param_count, "parameter").c_str(),
              counted(info.layer_count, "layer").c_str(), info.dtype == NF_F64 ? "float64" : "float32");
  std::printf("%s  %s, %s%s\n", screen.bold("target").c_str(), a.target.c_str(),
              counted(info.event_size, "column").c_str(),
              std::isfinite(plan.log_z) ? text(", log Z = %.4f", plan.log_z).c_str() : "");
  if (plan.data.x)
    std::printf("%s    %s %s\n", screen.bold("data").c_str(), counted(plan.data.count(), "row").c_str(),
                a.data.data.empty() ? "drawn from the target by random walks" : ("of " + a.data.data).c_str());
  if (plan.replaces) std::printf("%s     replaces %s\n", screen.bold("out").c_str(), a.output.c_str());
  if (a.resume && plan.state.step >= plan.state.planned)
    std::printf("%s     nothing left to do: all %s are done; give a larger --steps to continue\n",
                screen.bold("run").c_str(), counted(static_cast<int64_t>(plan.state.step), "step").c_str());
  else
    std::printf("%s     %s of %s%s\n", screen.bold("run").c_str(),
                counted(static_cast<int64_t>(plan.state.planned), "step").c_str(),
                counted(plan.samples, plan.draws ? "sample" : "row").c_str(),
                a.resume ? ("; resumed at step " + grouped(static_cast<int64_t>(plan.state.step))).c_str() : "");
  std::fflush(stdout);
}

Json summary_of(const FitArgs& a, const FitPlan& plan, uint64_t steps, const Weighed& w) {
  Json j = {{"target", a.target},
            {"steps", steps},
            {"reverse_kl", w.found.reverse_kl},
            {"reverse_kl_error", w.found.reverse_kl_error}};
  j.update(weights_summary(a, plan, w));
  if (std::isfinite(plan.log_z)) j["known_log_z"] = plan.log_z, j["above_best"] = w.found.reverse_kl + plan.log_z;
  return j;
}

void report(const FitArgs& a, const FitPlan& plan, const Weighed& w, const std::string& missed, const Screen& screen) {
  const nf::ImportanceInfo& found = w.found;
  std::printf("%s    loss %s nats", screen.bold("fit").c_str(),
              screen.good(nats(found.reverse_kl) + " +- " + nats(found.reverse_kl_error)).c_str());
  if (std::isfinite(plan.log_z))
    std::printf("; reverse KL %s (loss minus its minimum, -log Z = %s)", nats(found.reverse_kl + plan.log_z).c_str(),
                nats(0 - plan.log_z).c_str());
  std::printf("\n");
  if (std::isinf(plan.log_z))
    std::printf(
        "%s  none: the target has no finite integral, so the loss has no minimum and the samples have no weights\n",
        screen.bold("log Z").c_str());
  else
    report_weights(a, plan, w, missed, screen);
  const std::string model = shell_word(a.output);
  const std::string stem = std::filesystem::path(a.output).stem().string();
  std::printf("%s  %s\n\nnext\n", screen.bold("model").c_str(), a.output.c_str());
  if (plan.model.info().event_size == 2)
    std::printf("  nf plot target %s %s -o %s\n", shell_word(a.target).c_str(), model.c_str(),
                shell_word(stem + ".png").c_str());
  const std::string samples = shell_word(stem + ".csv");
  std::printf("  nf sample %s -n 1000 -o %s\n  nf check %s --data %s\n", model.c_str(), samples.c_str(), model.c_str(),
              samples.c_str());
}

int fit_target(FitArgs a) {
  const Screen screen(stdout);
  if (a.checkpoint.empty()) a.checkpoint = a.output + ".checkpoint";
  FitPlan plan = plan_fit(a, screen);
  const RunResult r = run_fit(a, plan, screen, [&] {
    if (a.verbose()) introduce(a, plan, screen);
  });
  if (!a.curve.empty())
    write_fit_curve(
        r.state.curve, [&](const CurvePoint& p) { return anneal_share(*a.settings, p.step - 1); }, a.curve);
  if (r.interrupted) {
    if (a.json)
      std::printf("%s\n", Json{{"target", a.target}, {"steps", r.state.step}, {"interrupted", true}}.dump().c_str());
    return report_interrupt(r.state, a.checkpoint, ", and is also a model");
  }
  const Weighed found = weigh(a, plan);
  const Json summary = summary_of(a, plan, r.state.step, found);
  plan.model.remove_note("run");  // only for checkpoints
  plan.model.set_note("training", summary.dump());
  plan.model.save(a.output);
  if (a.json) std::printf("%s\n", summary.dump().c_str());
  if (a.verbose()) report(a, plan, found, missed_target(summary), screen);
  return kOk;
}
}  // namespace

void add_fit_target(CLI::App& app, Action& action) {
  auto a = std::make_shared<FitArgs>();
  CLI::App* cmd = app.add_subcommand("fit-target", "Fit a model to a density known up to a factor, without data");
  cmd->add_option("SPEC", a->spec, "model spec: a JSON file, - for standard input, or the JSON itself")->required();
  const char* group = "Run";
  cmd->add_option("--target", a->target, "the density: NAME, or NAME,FIELD=NUMBER,..; `nf targets` lists them")
      ->required()
      ->type_name("TARGET")
      ->group(group);
  cmd->add_option("-o,--output", a->output, "model file to write (.safetensors)")
      ->required()
      ->type_name("FILE")
      ->group(group);
  cmd->add_option("--steps", a->steps, "number of steps (4000)")->check(at_least(1))->type_name("N")->group(group);
  cmd->add_option("--weigh", a->importance_samples,
                  "samples for the final reverse KL, log Z and effective sample size (100000)")
      ->check(at_least(2))
      ->type_name("N")
      ->group(group);
  cmd->add_option("--set", a->overrides, "override a field of the spec, as in nf train")
      ->type_name("PATH=VALUE")
      ->allow_extra_args(false)
      ->group(group);
  cmd->add_option(
         "--data", a->data.data,
         "objectives symmetric and fisher: rows of the target, .npy or .csv (20000 rows drawn by random walks)")
      ->type_name("FILE")
      ->group(group);
  cmd->add_option("--check", a->check,
                  "rows of the target, .npy or .csv, nearly independent: says whether the samples reach all of it")
      ->type_name("FILE")
      ->group(group);
  cmd->add_flag("--smooth-weights", a->smooth,
                "log Z and effective samples from Pareto-smoothed weights: less noise, a small bias")
      ->group(group);
  cmd->add_option("--columns", a->data.columns, "columns of --data and --check, by name or index from 0")
      ->type_name("A,B,..")
      ->group(group);
  cmd->add_option("--checkpoint", a->checkpoint, "file for the state of the run (OUTPUT.checkpoint)")
      ->type_name("FILE")
      ->group(group);
  cmd->add_flag("--resume", a->resume,
                "continue from the checkpoint, with the same bits as if the run had never stopped")
      ->group(group);
  cmd->add_flag("--force", a->force, "overwrite -o even if it is not a model")->group(group);
  cmd->add_option("--curve", a->curve, "write the loss and the annealing factor over the steps as CSV")
      ->type_name("FILE")
      ->group(group);
  cmd->add_flag("--quiet", a->quiet, "print nothing except errors")->group(group);
  cmd->add_flag("--json", a->json, "print only the final summary, as JSON")->group(group);
  a->settings = Settings::flags(*cmd, {"trainer", "runtime"}, {"max_steps", "objective", "patience"},
                                {"batches", "table", "session", "load"});
  Settings::flag(*cmd, a->settings, "--objective", "trainer.objective", "choice",
                 "loss to minimize: reverse_kl; alpha, the Renyi bound of --renyi-alpha; symmetric, reverse_kl plus "
                 "the negative log-likelihood of --data; or fisher, the scores of model and target compared at rows of "
                 "--data (reverse_kl)",
                 group);
  Settings::flag(*cmd, a->settings, "--plateau-patience", "trainer.patience", "integer",
                 "schedule plateau: points of the curve (20 per run) without a lower loss before the rate is reduced "
                 "(10)",
                 "Options of the trainer");
  Settings::flag(*cmd, a->settings, "--batch", "trainer.samples", "N", "the same as --samples", group)
      ->excludes("--samples");
  cmd->footer(
      "The minimum of the loss, mean(log q - log p), is -log Z; it is lower only during annealing. Use flows that "
      "sample "
      "fast: coupling layers, or autoregressive layers with \"invert\": true.\n"
      "A target with any number of columns, such as funnel, takes that of the model: set it with --set event=5 or "
      "\"event\": 5 in the spec (2).\n"
      "--anneal-steps makes it more likely to find modes that are far apart, and --path-gradient removes noise near "
      "the "
      "optimum. --objective symmetric adds the likelihood of rows of the target, which finds modes that the model "
      "misses. Ctrl-C saves a checkpoint; --resume continues from it.\n\n"
      "Examples:\n"
      "  nf targets\n"
      "  nf fit-target examples/specs/nsf_target.json --target two_moons --steps 4000 --lr 2e-3 --schedule cosine \\\n"
      "                --path-gradient true --clip-norm 10 -o moons.safetensors\n"
      "  nf fit-target examples/specs/planar_target.json --target u2 --batch 512 --anneal-steps 2000 \\\n"
      "                -o band.safetensors\n"
      "  nf fit-target spec.json --target funnel --set event=5 --objective alpha --renyi-alpha 0.5 \\\n"
      "                -o funnel.safetensors");
  cmd->callback([a, &action] { action = [a] { return fit_target(*a); }; });
}

void add_targets(CLI::App& app, Action& action) {
  auto json = std::make_shared<bool>(false);
  auto target = std::make_shared<std::string>();
  CLI::App* cmd = app.add_subcommand("targets", "List the densities for nf fit-target and their fields");
  cmd->add_option("TARGET", *target, "show the formula and log Z of this one: NAME, or NAME,FIELD=NUMBER,..");
  cmd->add_flag("--json", *json, "print as JSON");
  cmd->footer("Examples:\n  nf targets\n  nf targets u2\n  nf targets u1,radius=4,spread=0.8");
  cmd->callback([json, target, &action] {
    action = [json, target] { return target->empty() ? list_targets(*json) : show_target(*target, *json); };
  });
}

}  // namespace cli
