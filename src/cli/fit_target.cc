// nf fit-target: fits a model to a density that is known up to a factor, without data; nf targets lists the densities.
#include <atomic>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "src/cli/bounds.h"
#include "src/cli/commands.h"
#include "src/cli/evaluate.h"
#include "src/cli/file_kind.h"
#include "src/cli/progress.h"
#include "src/cli/set.h"
#include "src/cli/spec.h"
#include "src/cli/target.h"

namespace nf::cli {
namespace {
using Json = nlohmann::ordered_json;

struct FitArgs {
  std::string spec, target, output, curve;
  std::vector<std::string> overrides;
  uint64_t steps = 4000;
  int64_t weighed = 100000;  // samples for the summary
  bool quiet = false, json = false;
  std::shared_ptr<Settings> settings;
};

std::atomic<bool> g_stop{false};
void stop(int) { g_stop.store(true); }

// Ctrl-C ends the fit after the step; the model so far is weighed and kept.
class Interrupts {
 public:
  Interrupts() : old_(std::signal(SIGINT, stop)) {}
  ~Interrupts() { std::signal(SIGINT, old_); }
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

 private:
  void (*old_)(int);
};

struct Fit {
  Runtime runtime;
  Model model;
  Target target;
  Trainer trainer;
  double log_z;
};

Fit prepare(FitArgs& a) {
  Settings& s = *a.settings;
  if (!s.has("objective")) s.set("objective", "reverse_kl");
  if (s.get("objective", "") == "nll" || s.get("objective", "") == "symmetric")
    throw Failure("--objective " + s.get("objective", "") + " needs data, and nf fit-target has none",
                  "use reverse_kl or alpha; `nf train` fits to data", kUsage);
  if (!s.has("max_steps")) s.set("max_steps", std::to_string(a.steps));
  if (std::stod(s.get("anneal_steps", "0")) > static_cast<double>(a.steps))
    throw Failure("--anneal-steps " + s.get("anneal_steps", "0") + " is more than --steps " + std::to_string(a.steps) +
                      ": the target would never count in full",
                  "anneal over half to three quarters of the steps", kUsage);
  Fit f;
  f.runtime = s.runtime();
  const std::string spec = complete_spec(override_spec(read_spec(a.spec), a.overrides), usual_columns(a.target), 0);
  const auto seed = static_cast<uint64_t>(std::stod(s.get("seed", "0")));
  f.model = make<Model>(nf_model_create, f.runtime.get(), spec.c_str(), spec.size(), seed);
  const nf_model_info info = info_of(f.model.get());
  if (info.context_size) throw Failure("the spec has a context, and a target has none", "leave \"context\" out");
  f.target = open_target(f.runtime.get(), a.target, info.event_size);
  f.log_z = info_of(f.target.get()).log_z;
  f.trainer = make<Trainer>(nf_trainer_create, f.model.get(), s.bag().get(), nullptr);
  call(nf_trainer_set_target, f.trainer.get(), f.target.get());
  return f;
}

void introduce(const FitArgs& a, const Fit& f, const Screen& screen) {
  const nf_model_info info = info_of(f.model.get());
  std::printf("%s   %s in %s, %s\n", screen.bold("model").c_str(), counted(info.param_count, "parameter").c_str(),
              counted(info.layer_count, "layer").c_str(), info.dtype == NF_F64 ? "float64" : "float32");
  std::printf("%s  %s, %s%s\n", screen.bold("target").c_str(), a.target.c_str(),
              counted(info.event_size, "column").c_str(),
              std::isnan(f.log_z) ? "" : text(", log Z = %.4f", f.log_z).c_str());
  std::printf("%s     %s of %s samples\n", screen.bold("run").c_str(),
              counted(static_cast<int64_t>(a.steps), "step").c_str(), a.settings->get("samples", "256").c_str());
  std::fflush(stdout);
}

std::vector<CurvePoint> run(const FitArgs& a, Fit& f, const Screen& screen) {
  const bool quiet = a.quiet || a.json;
  const auto samples = static_cast<int64_t>(std::stod(a.settings->get("samples", "256")));
  Progress progress(screen, quiet, 0, a.steps);
  const Interrupts interrupts;
  std::vector<CurvePoint> curve;
  const uint64_t every = std::max<uint64_t>(1, a.steps / 20);
  double sum = 0;
  uint64_t count = 0;
  for (uint64_t k = 1; k <= a.steps && !g_stop.load(); ++k) {
    nf_step_info info = NF_STEP_INFO_INIT;
    try {
      call(nf_train_step, f.trainer.get(), nullptr, nullptr, nullptr, &info);
    } catch (const LibraryFailure& e) {
      if (e.status != NF_ERR_NUMERIC) throw;
      throw Failure(e.what(), "try a lower --lr or --clip-norm 5");
    }
    sum += info.loss;
    ++count;
    progress.step(k, info.loss, samples);
    if (k % every != 0 && k != a.steps) continue;
    CurvePoint p;
    p.step = k;
    p.train = -sum / static_cast<double>(count);
    p.valid = std::nan("");
    p.lr = info.lr;
    p.seconds = progress.seconds();
    curve.push_back(p);
    if (!quiet && !screen.terminal())
      progress.note(text("step %llu/%llu  loss %.4f  lr %.3g  %s", static_cast<unsigned long long>(k),
                         static_cast<unsigned long long>(a.steps), -p.train, p.lr, duration(p.seconds).c_str()));
    sum = 0;
    count = 0;
  }
  if (a.settings->has("ema_decay") && std::stod(a.settings->get("ema_decay", "0")) > 0)
    call(nf_trainer_use_average, f.trainer.get(), 1);  // what is weighed is what is kept
  return curve;
}

nf_importance_info weigh(const FitArgs& a, const Fit& f) {
  const Options options = a.settings->bag();
  const Session session = make<Session>(nf_session_create, f.model.get(), options.get());
  nf_importance_info found = NF_IMPORTANCE_INFO_INIT;
  // Rows that the fit has not seen.
  call(nf_importance, session.get(), f.target.get(), uint64_t{1} << 40, uint64_t{0}, a.weighed, nullptr, nullptr,
       nullptr, &found);
  return found;
}

Json summary_of(const FitArgs& a, const Fit& f, const nf_importance_info& found) {
  Json j = {{"target", a.target},
            {"steps", a.steps},
            {"reverse_kl", found.reverse_kl},
            {"reverse_kl_error", found.reverse_kl_error},
            {"log_z", found.log_z},
            {"log_z_error", found.log_z_error},
            {"ess", found.ess},
            {"ess_fraction", found.ess_fraction},
            {"samples", found.samples}};
  if (!std::isnan(f.log_z)) j["known_log_z"] = f.log_z, j["above_best"] = found.reverse_kl + f.log_z;
  return j;
}

void report(const FitArgs& a, const Fit& f, const nf_importance_info& found, const Screen& screen) {
  const bool known = !std::isnan(f.log_z);
  std::printf("%s    loss %s nats", screen.bold("fit").c_str(),
              screen.good(text("%.4f +- %.4f", found.reverse_kl, found.reverse_kl_error)).c_str());
  if (known)
    std::printf("; reverse KL %.4f: the loss less its least value, -log Z = %.4f", found.reverse_kl + f.log_z,
                -f.log_z);
  std::printf("\n%s  %s by importance sampling%s\n", screen.bold("log Z").c_str(),
              screen.good(text("%.4f +- %.4f", found.log_z, found.log_z_error)).c_str(),
              known ? text(", known: %.4f", f.log_z).c_str() : "");
  std::printf("%s    %.1f %% of %s samples are effective\n", screen.bold("ess").c_str(), 100 * found.ess_fraction,
              grouped(found.samples).c_str());
  constexpr double kOneRules = 0.05;
  if (found.largest_share > kOneRules)
    std::fprintf(stderr, "nf: warning: one sample has %.0f %% of all weight: these numbers say little\n",
                 100 * found.largest_share);
  constexpr double kMiss = 5;  // errors
  if (known && std::abs(found.log_z - f.log_z) > kMiss * found.log_z_error)
    std::fprintf(stderr,
                 "nf: warning: log Z is not the known value, and surely so: the model has not found all of "
                 "the target\n      try more --anneal-steps and --samples\n");
  else if (!known)
    std::fprintf(stderr,
                 "nf: note: a part of the target that the model never reaches shows neither in log Z and its bounds "
                 "nor in ess\n");
  std::printf("%s  %s\n\nnext\n  nf plot target %s %s -o target.png\n  nf sample %s -n 1000 -o samples.csv\n",
              screen.bold("model").c_str(), a.output.c_str(), shell_word(a.target).c_str(),
              shell_word(a.output).c_str(), shell_word(a.output).c_str());
}

int fit_target(FitArgs a) {
  const Screen screen(stdout);
  Fit f = prepare(a);
  if (!a.quiet && !a.json) introduce(a, f, screen);
  const std::vector<CurvePoint> curve = run(a, f, screen);
  if (!a.curve.empty()) write_curve(curve, a.curve);
  const nf_importance_info found = weigh(a, f);
  const Json summary = summary_of(a, f, found);
  call(nf_model_set_note, f.model.get(), "training", summary.dump().c_str());
  call(nf_model_save, f.model.get(), a.output.c_str());
  if (a.json) std::printf("%s\n", summary.dump().c_str());
  if (!a.quiet && !a.json) report(a, f, found, screen);
  return g_stop.load() ? kInterrupted : kOk;
}
}  // namespace

void add_fit_target(CLI::App& app, Action& action) {
  auto a = std::make_shared<FitArgs>();
  CLI::App* cmd = app.add_subcommand("fit-target", "Fit a model to a known density, up to a factor, without data");
  cmd->add_option("SPEC", a->spec, "model spec: a JSON file, - for standard input, or the JSON itself")->required();
  const char* group = "Run";
  cmd->add_option("--target", a->target, "the density: NAME, or NAME,FIELD=NUMBER,..; `nf targets` lists them")
      ->required()
      ->type_name("TARGET")
      ->group(group);
  cmd->add_option("-o,--output", a->output, "where the model goes (.safetensors)")
      ->required()
      ->type_name("FILE")
      ->group(group);
  cmd->add_option("--steps", a->steps, "how long to fit (4000)")->check(at_least(1))->type_name("N")->group(group);
  cmd->add_option("--weigh", a->weighed, "samples for reverse KL, log Z and effective sample size at the end (100000)")
      ->check(at_least(1))
      ->type_name("N")
      ->group(group);
  cmd->add_option("--set", a->overrides, "override a field of the spec, as in nf train")
      ->type_name("PATH=VALUE")
      ->allow_extra_args(false)
      ->group(group);
  cmd->add_option("--curve", a->curve, "write the learning curve, with -loss as train, as CSV")
      ->type_name("FILE")
      ->group(group);
  cmd->add_flag("--quiet", a->quiet, "say nothing unless it fails")->group(group);
  cmd->add_flag("--json", a->json, "only the final summary, as JSON")->group(group);
  a->settings = Settings::flags(*cmd, {"trainer", "runtime"}, {"max_steps", "data_weight"});
  cmd->add_option_function<std::string>(
         "--batch", [s = a->settings](const std::string& value) { s->set("samples", value); }, "the same as --samples")
      ->type_name("N")
      ->group(group);
  cmd->footer(
      "The loss, mean(log q - log p), is at best -log Z; lower only while it is annealed. Flows that are quick from "
      "latent to data suit: coupling "
      "layers, "
      "or autoregressive ones with \"invert\": true.\nModes far apart are found more surely with --anneal-steps, and "
      "--path-gradient takes the noise out near the end.\n\n"
      "Examples:\n"
      "  nf targets\n"
      "  nf fit-target examples/specs/nsf_target.json --target two_moons --steps 4000 --lr 2e-3 --schedule cosine "
      "\\\n"
      "                --path-gradient true --clip-norm 10 -o moons.safetensors\n"
      "  nf fit-target examples/specs/planar_target.json --target u2 --batch 512 --anneal-steps 2000 -o "
      "band.safetensors\n"
      "  nf fit-target spec.json --target funnel --objective alpha --renyi-alpha 0.5 -o funnel.safetensors");
  cmd->callback([a, &action] { action = [a] { return fit_target(*a); }; });
}

void add_targets(CLI::App& app, Action& action) {
  auto json = std::make_shared<bool>(false);
  CLI::App* cmd = app.add_subcommand("targets", "The densities that nf fit-target knows, with their fields");
  cmd->add_flag("--json", *json, "as JSON");
  cmd->callback([json, &action] { action = [json] { return list_targets(*json); }; });
}

}  // namespace nf::cli
