// nf score: computes the log-likelihood of rows under a model, in nats.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

#include "src/cli/common/commands.h"
#include "src/cli/common/evaluate.h"
#include "src/cli/common/failure.h"
#include "src/cli/common/image_model.h"
#include "src/cli/common/output.h"
#include "src/cli/common/text.h"

namespace cli {
namespace {
struct ScoreArgs {
  std::string model, output;
  DataPaths paths;
  double quantile = -1;  // -1: not given
  std::optional<double> threshold;
  bool json = false;
  std::shared_ptr<Settings> settings;
};

// "3 NaN, 1 -infinity; the first is row 17, counted from 0, in line 19 of x.csv"
std::string of_nonfinite(const std::vector<double>& values, const Data& data) {
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
  return join(parts, ", ") + "; the first is " + data.x.place(first - values.begin());
}

// ---- anomalies --------------------------------------------------------------------------------

// Scores below `threshold` are unusual. `rank` is the part of the training rows with a lower score, per row.
struct Unusual {
  double threshold = 0;
  std::vector<double> rank;                                  // empty if the model has no scores of training rows
  int64_t count = 0, judged = 0;                             // judged: rows whose score is not NaN
  bool is(double score) const { return score < threshold; }  // not NaN, which says nothing about the row
};

std::optional<Unusual> find_unusual(const ScoreArgs& a, const nf::Model& model, const std::vector<double>& values) {
  if (a.quantile < 0 && !a.threshold) return {};
  const bool known = model.has_note("score_quantiles");
  if (a.quantile >= 0 && !known)
    throw Failure(a.model + " has no scores of its training rows, so --quantile has no meaning",
                  "a run that was interrupted has none until --resume ends it, and models of older versions have none: "
                  "finish or repeat the training, or give --threshold in nats");
  Unusual u;
  u.threshold = a.threshold ? *a.threshold : static_cast<double>(nf::score_quantile(model, a.quantile));
  if (known) u.rank = nf::score_rank(model, values);
  u.count = std::count_if(values.begin(), values.end(), [&](double v) { return u.is(v); });
  u.judged = std::count_if(values.begin(), values.end(), [](double v) { return !std::isnan(v); });
  return u;
}

std::string threshold_words(const ScoreArgs& a, const Unusual& u) {
  return a.threshold ? text("threshold %g", u.threshold)
                     : text("threshold %.4f, the %g quantile of the training rows", u.threshold, a.quantile);
}

void print(const Summary& s, const std::optional<Unusual>& u, const ScoreArgs& a, const nf::Model& model,
           const Screen& screen) {
  const int64_t draws = std::stoll(a.settings->get("session.score_samples", "1"));
  if (a.json) {
    nlohmann::ordered_json j = {
        {"rows", s.rows}, {"nonfinite", s.nonfinite}, {"mean", s.mean}, {"two_standard_errors", s.two_errors},
        {"min", s.min},   {"median", s.median},       {"max", s.max}};
    if (const auto bits = bits_per_dim(model, s.mean)) j["bits_per_dim"] = *bits, j["score_samples"] = draws;
    if (u) j["threshold"] = u->threshold, j["anomalies"] = u->count;
    std::printf("%s\n", j.dump().c_str());
    return;
  }
  std::printf("log-likelihood  %s nats per row (mean of %s, 2 standard errors)\n",
              screen.bold(mean_and_errors(s)).c_str(), counted(s.rows - s.nonfinite, "row").c_str());
  if (const std::string bits = bits_words(model, s.mean, draws); !bits.empty())
    std::printf("mean            %s\n", bits.c_str());
  std::printf("min, median, max  %.4f, %.4f, %.4f\n", s.min, s.median, s.max);
  if (u)
    std::printf("anomalies  %s of %s (%.3g %%), below %s\n", grouped(u->count).c_str(),
                counted(u->judged, "row").c_str(),
                100.0 * static_cast<double>(u->count) / static_cast<double>(std::max<int64_t>(u->judged, 1)),
                threshold_words(a, *u).c_str());
}

// ---- output -----------------------------------------------------------------------------------

// A cell of a CSV file.
std::string cell(const std::string& words) {
  std::string out = "\"";
  for (const char c : words) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

std::string number_cell(double v) { return std::isnan(v) ? "nan" : plain_number(v); }

void write(const ScoreArgs& a, const Data& data, const std::vector<double>& values, const std::optional<Unusual>& u) {
  const bool npy = a.output.ends_with(".npy"), gaps = data.x.has_gaps();
  std::string id = a.settings->get("table.id", "");
  if (id.empty() && data.x.has_ids() && !npy) id = "file";
  if (id.empty() && gaps && !npy) id = "row";
  if (gaps && npy)
    std::fprintf(stderr,
                 "nf: note: %s has a score for %s of %s only, because others were left out; a .csv has their numbers\n",
                 a.output.c_str(), counted(data.x.count(), "row").c_str(), data.x.path().c_str());
  std::vector<std::string> names = {"log_prob"};
  if (u && !u->rank.empty()) names.push_back("percentile");
  if (u) names.push_back("anomaly");
  const auto cells_of = [&](size_t r) {
    std::vector<double> cells = {values[r]};
    if (u && !u->rank.empty()) cells.push_back(100 * u->rank[r]);
    if (u) cells.push_back(std::isnan(values[r]) ? values[r] : u->is(values[r]));
    return cells;
  };
  if (id.empty()) {
    std::vector<double> all;
    for (size_t r = 0; r < values.size(); ++r)
      for (const double v : cells_of(r)) all.push_back(v);
    const nf::View rows(all.data(), static_cast<int64_t>(values.size()), static_cast<int64_t>(names.size()));
    return write_rows(u ? rows : nf::View(all), a.output, names);
  }
  std::string lines = data.x.has_ids() ? cell(id) : id;
  for (const std::string& name : names) lines += "," + name;
  lines += "\n";
  for (size_t r = 0; r < values.size(); ++r) {
    const auto row = static_cast<int64_t>(r);
    lines += data.x.has_ids() ? cell(data.x.id(row)) : std::to_string(data.x.number(row));
    for (const double v : cells_of(r)) lines += "," + number_cell(v);
    lines += "\n";
  }
  write_text(lines, a.output);
}

int score(const ScoreArgs& a) {
  if (!a.output.empty()) check_output(a.output);
  keep_inputs(
      {{"MODEL", a.model}, {"--data", a.paths.data}, {"--context", a.paths.context}, {"--labels", a.paths.labels}},
      {{"-o", a.output}});
  if (a.quantile >= 0 && a.threshold)
    throw Failure("--quantile and --threshold both set what is unusual: give one of them", {}, kUsage);
  if (a.quantile != -1 && !(a.quantile > 0 && a.quantile < 1))
    throw Failure("--quantile " + plain_number(a.quantile) + ": expected a share between 0 and 1",
                  "--quantile 0.01 for rows as rare as one training row in a hundred", kUsage);
  if (a.settings->has("table.id") && a.output.ends_with(".npy"))
    throw Failure("--id needs a .csv output: ids are texts", "-o scores.csv, or - for standard output", kUsage);
  const nf::Runtime runtime = a.settings->runtime();
  const nf::Model model = load_model(runtime, a.model, *a.settings);
  const nf::ModelInfo info = model.info();
  const ColumnNames names = column_names(model);
  Data data = open_data(runtime, a.paths, *a.settings, info.dtype, names);
  use_labels(data, a.paths, names, info.context_size, info.dtype);
  check_data(data, a.paths, info.event_size, info.context_size);
  nf::Session session(model, a.settings->options({"session"}));
  const std::vector<double> values = log_probs(session, data);
  const Summary s = summarize(values);
  const std::optional<Unusual> unusual = find_unusual(a, model, values);

  // Do not print the summary if the rows go to standard output.
  const bool rows_on_stdout = a.output == "-";
  if (!rows_on_stdout) print(s, unusual, a, model, Screen(stdout));
  if (s.nonfinite)
    std::fprintf(stderr,
                 "nf: warning: %s of %s have no finite log-likelihood (%s); the statistics exclude them\n"
                 "      see --nonfinite to stop at such rows, with the layer named\n",
                 grouped(s.nonfinite).c_str(), counted(s.rows, "row").c_str(), of_nonfinite(values, data).c_str());
  if (a.output.empty()) return kOk;
  write(a, data, values, unusual);
  if (!rows_on_stdout && !a.json) std::printf("rows  %s\n", a.output.c_str());
  return kOk;
}
}  // namespace

void add_score(CLI::App& app, Action& action) {
  auto a = std::make_shared<ScoreArgs>();
  CLI::App* cmd =
      app.add_subcommand("score", "Compute the log-likelihood of data under a model: mean, spread, and per row");
  cmd->add_option("MODEL", a->model, "a model or checkpoint (.safetensors)")->required();
  cmd->add_option("--data", a->paths.data, "rows to score: .npy, .npz or CSV, also .gz; - for standard input")
      ->required()
      ->type_name("FILE");
  cmd->add_option("--context,--context-data", a->paths.context,
                  "context rows: one per data row, or one for all, which may be the numbers themselves")
      ->type_name("FILE|A,B,..");
  cmd->add_option("--columns", a->paths.columns, "data columns of the data file")->type_name("A,B,..");
  cmd->add_option("--context-columns", a->paths.context_columns,
                  "context columns of the data file (or of --context); all others are data unless --columns is given")
      ->type_name("A,B,..");
  add_labels(*cmd, a->paths);
  cmd->add_option("-o,--output", a->output, "file for the log-likelihood per row: .npy, .csv, or - for standard output")
      ->type_name("FILE");
  cmd->add_option(
         "--quantile", a->quantile,
         "call rows anomalies whose score is below this quantile of the training rows' scores: 0.01 is as rare as "
         "one training row in a hundred")
      ->type_name("P")
      ->group("Anomalies");
  cmd->add_option("--threshold", a->threshold, "call rows anomalies whose log-likelihood is below this, in nats")
      ->type_name("X")
      ->group("Anomalies");
  cmd->add_flag("--json", a->json, "print the summary as JSON");
  a->settings = Settings::flags(*cmd, {"session", "table", "runtime", "load"}, {"dtype", "columns"});
  cmd->footer(
      "Examples:\n"
      "  nf score power.safetensors --data test.npy\n"
      "  nf score power.safetensors --data test.csv --columns a,b,c -o scores.csv\n"
      "  nf score power.safetensors --data test.npy --json | jq .mean\n"
      "  nf score people.safetensors --data new.csv --quantile 0.01 --id name -o scores.csv   # log_prob, percentile, "
      "anomaly");
  cmd->callback([a, &action] { action = [a] { return score(*a); }; });
}

}  // namespace cli
