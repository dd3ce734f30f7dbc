// nf score: the log-likelihood of rows under a model, in nats.
#include <cstdio>
#include <nlohmann/json.hpp>

#include "src/cli/commands.h"
#include "src/cli/evaluate.h"
#include "src/cli/text.h"
#include "src/cli/writer.h"

namespace nf::cli {
namespace {
struct ScoreArgs {
  std::string model, output;
  DataPaths paths;
  bool json = false;
  std::shared_ptr<Settings> settings;
};

void print(const Summary& s, const ScoreArgs& a, const Screen& screen) {
  if (a.json) {
    const nlohmann::ordered_json j = {
        {"rows", s.rows}, {"nonfinite", s.nonfinite}, {"mean", s.mean}, {"two_standard_errors", s.two_errors},
        {"min", s.min},   {"median", s.median},       {"max", s.max}};
    std::printf("%s\n", j.dump().c_str());
    return;
  }
  std::printf("log-likelihood  %s nats per row (mean of %s, 2 standard errors)\n",
              screen.bold(mean_and_errors(s)).c_str(), counted(s.rows - s.nonfinite, "row").c_str());
  std::printf("min, median, max  %.4f, %.4f, %.4f\n", s.min, s.median, s.max);
}

int score(const ScoreArgs& a) {
  if (!a.output.empty()) check_output(a.output);
  const Runtime runtime = a.settings->runtime();
  const Options options = a.settings->bag();
  const Model model = load_model(runtime.get(), a.model, *a.settings);
  const nf_model_info info = info_of(model.get());
  const Data data = open_data(runtime.get(), a.paths, *a.settings, info.dtype, column_names(model.get()));
  check_data(data, a.paths, info.event_size, info.context_size);
  const Session session = make<Session>(nf_session_create, model.get(), options.get());
  const std::vector<double> values = log_probs(session.get(), data);
  const Summary s = summarise(values);

  // With the rows on standard output, the summary would be one more row.
  const bool rows_on_stdout = a.output == "-";
  if (!rows_on_stdout) print(s, a, Screen(stdout));
  if (s.nonfinite)
    std::fprintf(stderr, "nf: warning: %s of %s without a finite log-likelihood; the numbers are of the others\n",
                 grouped(s.nonfinite).c_str(), counted(s.rows, "row").c_str());
  if (a.output.empty()) return kOk;
  RowWriter writer(a.output, NF_F64, s.rows, 1, true, {"log_prob"});
  writer.write(values.data(), s.rows);
  writer.commit();
  if (!rows_on_stdout && !a.json) std::printf("rows  %s\n", a.output.c_str());
  return kOk;
}
}  // namespace

void add_score(CLI::App& app, Action& action) {
  auto a = std::make_shared<ScoreArgs>();
  CLI::App* cmd = app.add_subcommand("score", "Log-likelihood of data under a model: mean, spread, and per row");
  cmd->add_option("MODEL", a->model, "a model or checkpoint (.safetensors)")->required();
  cmd->add_option("--data", a->paths.data, "rows to score, .npy or .csv")->required()->type_name("FILE");
  cmd->add_option("--context,--context-data", a->paths.context, "context rows: one per row of data, or one for all")
      ->type_name("FILE");
  cmd->add_option("--columns", a->paths.columns, "columns of the data file that are data")->type_name("A,B,..");
  cmd->add_option(
         "--context-columns", a->paths.context_columns,
         "columns of the data file (or of --context) that are context; all others are data unless --columns says")
      ->type_name("A,B,..");
  cmd->add_option("-o,--output", a->output, "log-likelihood per row: .npy, .csv, or - for standard output")
      ->type_name("FILE");
  cmd->add_flag("--json", a->json, "the summary as JSON");
  a->settings = Settings::flags(*cmd, {"session", "table", "runtime", "load"}, {"dtype", "columns"});
  cmd->footer(
      "Examples:\n"
      "  nf score power.safetensors --data test.npy\n"
      "  nf score power.safetensors --data test.csv --columns a,b,c -o scores.csv\n"
      "  nf score power.safetensors --data test.npy --json | jq .mean");
  cmd->callback([a, &action] { action = [a] { return score(*a); }; });
}

}  // namespace nf::cli
