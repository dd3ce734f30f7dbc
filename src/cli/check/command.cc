// nf check: reports whether a model can be trusted before it is deployed. The checks are in maps.cc and density.cc.
#include "src/cli/check/check.h"

#include <algorithm>
#include <cstdio>

#include "src/cli/common/bounds.h"
#include "src/cli/common/commands.h"
#include "src/cli/common/description.h"
#include "src/cli/common/failure.h"
#include "src/cli/common/fit_notes.h"
#include "src/cli/common/text.h"

namespace cli {
namespace {
using Json = nlohmann::ordered_json;

struct CheckArgs {
  std::string model;
  DataPaths paths, training;
  int64_t rows = 2000;
  uint64_t seed = 0;
  bool json = false;
  std::shared_ptr<Settings> settings;
};

const char* word(Verdict v) {
  switch (v) {
    case Verdict::ok:
      return "ok";
    case Verdict::look:
      return "look";
    case Verdict::fail:
      return "FAIL";
    case Verdict::none:
      break;
  }
  return "-";
}

void print(const Finding& f, const Screen& screen) {
  const std::string verdict = text("%-4s", word(f.verdict));
  const std::string painted = f.verdict == Verdict::ok     ? screen.good(verdict)
                              : f.verdict == Verdict::fail ? screen.bad(verdict)
                              : f.verdict == Verdict::look ? screen.bold(verdict)
                                                           : screen.dim(verdict);
  std::printf("  %s  %-17s  %s\n", painted.c_str(), f.name.c_str(),
              wrapped(f.message, 27, std::max<size_t>(screen.width(), 80)).c_str());
  std::fflush(stdout);
}

int check(const CheckArgs& a) {
  const nf::Runtime runtime = a.settings->runtime();
  const nf::Model model = load_model(runtime, a.model, *a.settings);
  const nf::ModelInfo info = model.info();
  const ColumnNames names = column_names(model);
  Data data = open_data(runtime, a.paths, *a.settings, info.dtype, names);
  use_labels(data, a.paths, names, info.context_size, info.dtype);
  check_data(data, a.paths, info.event_size, info.context_size);
  const int64_t all = data.x.count();
  const CheckedModel subject(runtime, model, std::move(data), a.rows, *a.settings);
  const Screen screen(stdout);
  if (!a.json)
    std::printf("%s  %s of %s, %s\n%s  %s of %s%s\n\n", screen.bold("model").c_str(),
                counted(info.event_size, "column").c_str(), info.dtype == NF_F64 ? "float64" : "float32",
                is_vae(info) ? ("autoencoder of " + counted(info.latent_size, "latent")).c_str()
                             : counted(info.layer_count, "layer").c_str(),
                screen.bold("data ").c_str(), counted(all, "row").c_str(), a.paths.data.c_str(),
                subject.rows < all ? (", " + grouped(subject.rows) + " of them examined").c_str() : "");
  int failed = 0, odd = 0, passed = 0, silent = 0;
  std::vector<std::string> missed;  // checks with a row that could not be inverted
  std::string first_missed;
  Json findings = Json::array();
  const auto take = [&](const Finding& f) {
    failed += f.verdict == Verdict::fail;
    odd += f.verdict == Verdict::look;
    passed += f.verdict == Verdict::ok;
    silent += f.verdict == Verdict::none;
    if (!a.json) print(f, screen);
    Json j = {{"name", f.name}, {"verdict", word(f.verdict)}, {"message", f.message}, {"numbers", f.numbers}};
    findings.push_back(std::move(j));
  };
  // A row that an iterative inverse cannot solve fails only the checks that hit it; the error is printed once.
  const auto finding = [&](const char* name, const auto& f) {
    try {
      return f();
    } catch (const nf::Exception& e) {
      if (e.status() != NF_ERR_NOT_INVERTED) throw;
      missed.push_back(name);
      if (missed.size() == 1) first_missed = e.what();
      return Finding{name, Verdict::fail, a.json ? e.what() : "not inverted: see below", Json::object()};
    }
  };
  const auto run = [&](const char* name, const auto& f) { take(finding(name, f)); };
  // Where latents are not a function of the data, what follows from that has no meaning.
  const bool exact = info.log_prob == NF_EXACT, vae = is_vae(info);
  const auto run_exact = [&](const char* name, const auto& f) {
    if (exact) return run(name, f);
    take({name, Verdict::none, "does not apply: the model draws numbers while it scores (dequantize)", Json::object()});
  };
  const Finding rows = finding("data", [&] { return check_data_rows(subject); });
  const Finding samples = finding("samples", [&] { return check_samples(subject, a.seed); });
  const bool scored = !rows.numbers.empty() && !samples.numbers.empty();
  take(rows);
  if (vae) {
    run("posterior", [&] { return check_evidence(subject, a.seed); });
    run("active latents", [&] { return check_active_units(subject); });
  } else {
    run("data -> z -> data", [&] { return check_round_trip_x(subject); });
    run_exact("z -> data -> z", [&] { return check_round_trip_z(subject, a.seed); });
    run_exact("log-det", [&] { return check_jacobian(subject, a.seed); });
    if (info.dtype == NF_F32) run("float32", [&] { return check_float32(subject); });
  }
  if (!vae) run_exact("mass", [&] { return check_mass(subject, a.seed); });
  run("stress", [&] { return check_stress(subject); });
  take(samples);
  if (scored) take(check_fit(subject, rows, samples, a.seed));
  run("latents", [&] { return check_latents(subject, a.seed); });
  run("columns", [&] { return check_columns(subject, a.seed); });
  run("neighbors", [&] { return check_neighbors(subject, a.seed); });
  run("copies", [&] { return check_copies(subject, a.seed); });
  if (info.context_size) run("conditionals", [&] { return check_conditionals(subject, a.seed); });
  if (!a.training.data.empty() && !rows.numbers.empty()) {
    Data training = open_data(runtime, a.training, *a.settings, info.dtype, names);
    use_labels(training, a.training, names, info.context_size, info.dtype);
    check_data(training, a.training, info.event_size, info.context_size);
    run("overfit",
        [&] { return check_training(subject, rows, summarize(subject.log_probs_of(training)), a.training.data); });
  }
  if (const Json notes = fit_notes(model); !notes.is_null()) take(check_target(notes));
  run("sample log-prob", [&] { return check_sample_densities(subject, a.seed); });
  run("one row", [&] { return check_single_rows(subject); });
  run("speed", [&] { return measure_speed(subject, a.seed); });
  const char* verdict = failed ? "FAIL" : odd ? "look" : "ok";
  if (a.json) {
    const Json out = {{"model", a.model},   {"data", a.paths.data}, {"rows", all}, {"rows_examined", subject.rows},
                      {"verdict", verdict}, {"checks", findings}};
    std::printf("%s\n", out.dump(2).c_str());
  } else if (failed) {
    if (!missed.empty())
      std::printf("\n%s\n", wrapped(counted(static_cast<int64_t>(missed.size()), "check") + " of " +
                                        std::to_string(findings.size()) +
                                        " hit a row that could not be inverted to tolerance. First: " + first_missed +
                                        " (both are fields of the spec; train again after changing them)",
                                    0, std::max<size_t>(screen.width(), 80))
                                .c_str());
    std::printf(
        "\n%s\n",
        screen.bad(text("FAIL: %d of %zu checks failed; do not rely on this model", failed, findings.size())).c_str());
    if (is_smoothed(model))
      std::printf(
          "The model was trained with noise, which makes its density broader than the data on purpose: it ranks "
          "rows.\n");
  } else if (odd) {
    std::printf("\n%s\n", screen
                              .bold(text("look: nothing failed, but %s a closer look",
                                         (counted(odd, "check") + (odd == 1 ? " needs" : " need")).c_str()))
                              .c_str());
  } else {
    const std::string rest = silent ? text(", %d without a verdict", silent) : "";
    std::printf("\n%s\n", screen.good("ok: " + counted(passed, "check") + " passed" + rest).c_str());
  }
  return failed ? kFailed : kOk;
}
}  // namespace

void add_check(CLI::App& app, Action& action) {
  auto a = std::make_shared<CheckArgs>();
  CLI::App* cmd = app.add_subcommand(
      "check", "Check whether a model can be trusted: inverse, log-det, mass, samples, limits, speed");
  cmd->add_option("MODEL", a->model, "a model or checkpoint (.safetensors)")->required();
  cmd->add_option("--data", a->paths.data, "rows like those it will be used on, .npy or .csv")
      ->required()
      ->type_name("FILE");
  cmd->add_option("--context,--context-data", a->paths.context, "context rows: one per data row, or one for all")
      ->type_name("FILE");
  cmd->add_option("--columns", a->paths.columns, "data columns of the data file")->type_name("A,B,..");
  cmd->add_option("--context-columns", a->paths.context_columns,
                  "context columns of the data file (or of --context); all others are data unless --columns is given")
      ->type_name("A,B,..");
  add_labels(*cmd, a->paths);
  cmd->add_option("--train", a->training.data, "the rows that the model was trained on: tells whether it overfits them")
      ->type_name("FILE");
  cmd->add_option("--rows", a->rows, "rows to examine closely (2000); every row is scored")
      ->check(at_least(1))
      ->type_name("N");
  cmd->add_option("--seed", a->seed, "seed of the samples (0)")->check(at_least(0))->type_name("S");
  cmd->add_flag("--json", a->json, "print the report as JSON, with more numbers");
  a->settings = Settings::flags(*cmd, {"table", "runtime", "load"}, {"dtype", "columns"}, {"session"});
  cmd->footer(
      "Each line is ok, look (take a closer look) or FAIL; - has no verdict. Exit code 1 if any check fails.\n"
      "Judged: whether the numbers are right (inverse, log-det, mass, samples), and whether the model's distribution "
      "is "
      "that of the data: log-likelihoods of rows and samples, latents against the base, columns and correlations, "
      "nearest "
      "neighbors, copies of rows, latents within quarters of each context column, and with --train, overfitting. A "
      "verdict "
      "needs a difference that is significant for the number of rows and large enough to matter; more --rows see "
      "smaller "
      "ones. Give held-out rows: rows the model was trained on hide overfitting. For a model from nf fit-target, the "
      "line "
      "target reports log Z, reverse KL and effective samples of the fit. Of a variational autoencoder it checks, "
      "instead "
      "of the inverse, how far the bound is below log p(x) and which latents are active.\n\n"
      "Examples:\n"
      "  nf check power.safetensors --data test.npy\n"
      "  nf check power.safetensors --data test.npy --train train.npy\n"
      "  nf check power.safetensors --data test.npy --json | jq .verdict");
  cmd->callback([a, &action] { action = [a] { return check(*a); }; });
}

}  // namespace cli
