// nf score: computes the log-likelihood of rows under a model, in nats.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "src/cli/common/commands.h"
#include "src/cli/common/evaluate.h"
#include "src/cli/common/failure.h"
#include "src/cli/common/file_kind.h"
#include "src/cli/common/output.h"
#include "src/cli/common/text.h"

namespace cli {
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

// Returns the line of a row in a CSV file, counting blank lines.
int64_t line_of(const std::string& path, int64_t row, bool header) {
  std::ifstream file(path, std::ios::binary);
  int64_t line = 0, left = row + (header ? 1 : 0);
  for (std::string words; std::getline(file, words);) {
    ++line;
    if (words.find_first_not_of("\r") != std::string::npos && left-- == 0) break;
  }
  return line;
}

// "3 NaN, 1 -infinity; the first is row 17, counted from 0, in line 19 of x.csv"
std::string of_nonfinite(const std::vector<double>& values, const Rows& x, const std::string& path) {
  int64_t nan = 0, below = 0, above = 0;
  for (const double v : values) {
    nan += std::isnan(v);
    below += v == -std::numeric_limits<double>::infinity();
    above += v == std::numeric_limits<double>::infinity();
  }
  std::vector<std::string> parts;
  if (nan) parts.push_back(grouped(nan) + " NaN");
  if (below) parts.push_back(grouped(below) + " -infinity");
  if (above) parts.push_back(grouped(above) + " +infinity");
  const auto first = std::find_if(values.begin(), values.end(), [](double v) { return !std::isfinite(v); });
  const int64_t row = first - values.begin();
  const std::string line =
      kind_of_file(path) == "a .npy table"
          ? std::string()
          : text(", in line %lld of %s", static_cast<long long>(line_of(path, row, !x.names().empty())), path.c_str());
  return join(parts, ", ") + text("; the first is row %lld, counted from 0", static_cast<long long>(row)) + line;
}

int score(const ScoreArgs& a) {
  if (!a.output.empty()) check_output(a.output);
  const nf::Runtime runtime = a.settings->runtime();
  const nf::Model model = load_model(runtime, a.model, *a.settings);
  const nf::ModelInfo info = model.info();
  Data data = open_data(runtime, a.paths, *a.settings, info.dtype, column_names(model));
  check_data(data, a.paths, info.event_size, info.context_size);
  nf::Session session(model, a.settings->options({"session"}));
  const std::vector<double> values = log_probs(session, data);
  const Summary s = summarize(values);

  // Do not print the summary if the rows go to standard output.
  const bool rows_on_stdout = a.output == "-";
  if (!rows_on_stdout) print(s, a, Screen(stdout));
  if (s.nonfinite)
    std::fprintf(stderr,
                 "nf: warning: %s of %s have no finite log-likelihood (%s); the statistics exclude them\n"
                 "      see --nonfinite to stop at such rows, with the layer named\n",
                 grouped(s.nonfinite).c_str(), counted(s.rows, "row").c_str(),
                 of_nonfinite(values, data.x, a.paths.data).c_str());
  if (a.output.empty()) return kOk;
  write_rows(values, a.output, {"log_prob"});
  if (!rows_on_stdout && !a.json) std::printf("rows  %s\n", a.output.c_str());
  return kOk;
}
}  // namespace

void add_score(CLI::App& app, Action& action) {
  auto a = std::make_shared<ScoreArgs>();
  CLI::App* cmd =
      app.add_subcommand("score", "Compute the log-likelihood of data under a model: mean, spread, and per row");
  cmd->add_option("MODEL", a->model, "a model or checkpoint (.safetensors)")->required();
  cmd->add_option("--data", a->paths.data, "rows to score, .npy or .csv")->required()->type_name("FILE");
  cmd->add_option("--context,--context-data", a->paths.context, "context rows: one per data row, or one for all")
      ->type_name("FILE");
  cmd->add_option("--columns", a->paths.columns, "data columns of the data file")->type_name("A,B,..");
  cmd->add_option("--context-columns", a->paths.context_columns,
                  "context columns of the data file (or of --context); all others are data unless --columns is given")
      ->type_name("A,B,..");
  cmd->add_option("-o,--output", a->output, "file for the log-likelihood per row: .npy, .csv, or - for standard output")
      ->type_name("FILE");
  cmd->add_flag("--json", a->json, "print the summary as JSON");
  a->settings = Settings::flags(*cmd, {"session", "table", "runtime", "load"}, {"dtype", "columns"});
  cmd->footer(
      "Examples:\n"
      "  nf score power.safetensors --data test.npy\n"
      "  nf score power.safetensors --data test.csv --columns a,b,c -o scores.csv\n"
      "  nf score power.safetensors --data test.npy --json | jq .mean");
  cmd->callback([a, &action] { action = [a] { return score(*a); }; });
}

}  // namespace cli
