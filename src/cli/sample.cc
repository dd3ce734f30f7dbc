// nf sample: draws rows from a model. Sample i of a seed is the same however many are drawn.
#include <algorithm>
#include <cstdio>
#include <optional>

#include "src/cli/bounds.h"
#include "src/cli/commands.h"
#include "src/cli/description.h"
#include "src/cli/evaluate.h"
#include "src/cli/text.h"
#include "src/cli/writer.h"

namespace nf::cli {
namespace {
constexpr int64_t kChunkNumbers = int64_t{1} << 20;

struct SampleArgs {
  std::string model, output, log_prob;
  DataPaths paths;
  int64_t count = -1;
  uint64_t seed = 0, first = 0;
  std::shared_ptr<Settings> settings;
};

int64_t count_of(const SampleArgs& a, const Rows& context) {
  if (a.count < 0 && context.count() > 1) return context.count();
  if (a.count < 0)
    throw Failure("-n is missing: the number of samples", "nf sample " + shell_word(a.model) + " -n 1000", kUsage);
  if (context && context.count() != 1 && context.count() != a.count)
    throw Failure(a.paths.context + " has " + counted(context.count(), "row") + ", but -n is " + grouped(a.count),
                  "give one context row per sample, or a single one for all");
  return a.count;
}

int sample(const SampleArgs& a) {
  check_output(a.output);
  if (!a.log_prob.empty()) check_output(a.log_prob);
  const Runtime runtime = a.settings->runtime();
  const Options options = a.settings->bag();
  const Model model = load_model(runtime.get(), a.model, *a.settings);
  const nf_model_info info = info_of(model.get());
  ColumnNames names = column_names(model.get());
  const Rows context = open_context(runtime.get(), a.paths, *a.settings, info.dtype, names);
  if (info.context_size != context.cols())
    throw Failure(
        "the model's context has " + counted(info.context_size, "column") + ", but " +
            (context ? a.paths.context + " has " + std::to_string(context.cols()) : std::string("none was given")),
        info.context_size ? "give --context FILE with one row per sample, or one for all" : "drop --context");
  const int64_t n = count_of(a, context), cols = info.event_size;
  const Session session = make<Session>(nf_session_create, model.get(), options.get());

  if (names.data.size() != static_cast<size_t>(cols)) names.data.clear();
  const auto event = description_of(model.get())["event"].get<std::vector<int64_t>>();
  RowWriter writer(a.output, info.dtype, n, event, names.data);
  std::optional<RowWriter> densities;
  if (!a.log_prob.empty())
    densities.emplace(a.log_prob, NF_F64, n, std::vector<int64_t>(), std::vector<std::string>{"log_prob"});
  const int64_t chunk = std::max<int64_t>(1, std::min(n, kChunkNumbers / cols));
  std::vector<double> x(static_cast<size_t>(chunk * cols));  // for either dtype; floats use the first half
  std::vector<double> density(static_cast<size_t>(chunk));
  for (int64_t from = 0; from < n; from += chunk) {
    const int64_t rows = std::min(chunk, n - from);
    const nf_view out = matrix_view(x.data(), info.dtype, rows, cols), lp = vector_view(density.data(), rows);
    const nf_view ctx = context.count() > 1 ? context.view(from, rows) : context.view();
    call(nf_sample, session.get(), a.seed, a.first + static_cast<uint64_t>(from), context ? &ctx : nullptr, &out,
         densities ? &lp : nullptr);
    writer.write(x.data(), rows);
    if (densities) densities->write(density.data(), rows);
  }
  writer.commit();
  if (densities) densities->commit();
  return kOk;
}
}  // namespace

void add_sample(CLI::App& app, Action& action) {
  auto a = std::make_shared<SampleArgs>();
  CLI::App* cmd = app.add_subcommand("sample", "Draw rows from a model");
  cmd->add_option("MODEL", a->model, "a model or checkpoint (.safetensors)")->required();
  cmd->add_option("-n,--count", a->count, "number of rows")->check(at_least(0))->type_name("N");
  cmd->add_option("--seed", a->seed, "stream of samples (0)")->check(at_least(0))->type_name("S");
  cmd->add_option("--first", a->first, "index of the first sample in the stream (0)")
      ->check(at_least(0))
      ->type_name("K");
  cmd->add_option("--context,--context-data", a->paths.context, "context rows: one per sample, or one for all")
      ->type_name("FILE");
  cmd->add_option("--context-columns", a->paths.context_columns, "columns of the context file, by name or index from 0")
      ->type_name("A,B,..");
  cmd->add_option("-o,--output", a->output, ".npy or .csv file (CSV on standard output)")->type_name("FILE");
  cmd->add_option("--log-prob", a->log_prob, "also write the log-likelihood of each sample, .npy or .csv")
      ->type_name("FILE");
  a->settings = Settings::flags(*cmd, {"session", "table", "runtime", "load"}, {"dtype", "columns", "seed"});
  cmd->footer(
      "Sample i of a seed is always the same row, so -n 10 --first 5 continues -n 5.\n\n"
      "Examples:\n"
      "  nf sample power.safetensors -n 1000 -o samples.npy --log-prob densities.npy\n"
      "  nf sample power.safetensors -n 5                      # print CSV\n"
      "  nf sample weather.safetensors --context tomorrow.csv -n 100 -o forecast.csv");
  cmd->callback([a, &action] { action = [a] { return sample(*a); }; });
}

}  // namespace nf::cli
