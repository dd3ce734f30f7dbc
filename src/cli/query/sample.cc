// nf sample: draws rows from a model. Sample i of a seed is the same however many are drawn.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "src/cli/common/bounds.h"
#include "src/cli/common/column_kinds.h"
#include "src/cli/common/commands.h"
#include "src/cli/common/description.h"
#include "src/cli/common/evaluate.h"
#include "src/cli/common/failure.h"
#include "src/cli/common/output.h"
#include "src/cli/common/text.h"
#include "src/cli/plot/images.h"
#include "src/cli/plot/plot.h"

namespace cli {
namespace {
constexpr int64_t kChunkNumbers = int64_t{1} << 20, kMostImages = 4096;

struct SampleArgs {
  std::string model, output, log_prob, grid;
  DataPaths paths;
  std::string of_class;
  int64_t count = -1;
  uint64_t seed = 0, first = 0;
  double temperature = 1;
  bool raw = false;
  bool rows_wanted() const { return grid.empty() || !output.empty(); }
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

// [n, height, width, channels] for a .npy if the event has that shape, otherwise [n, columns].
template <class T>
nf::View rows_of(const nf::ModelInfo& info, const T* x, int64_t n, const std::string& path) {
  if (info.event_ndim == 3 && path.ends_with(".npy")) return {x, {n, info.event[0], info.event[1], info.event[2]}};
  return {x, n, info.event_size};
}

// Rounds the columns that held integers in training.
template <class T>
void round_integers(T* x, int64_t rows, const std::vector<bool>& integers) {
  const auto cols = static_cast<int64_t>(integers.size());
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < cols; ++c)
      if (integers[static_cast<size_t>(c)]) x[r * cols + c] = std::nearbyint(x[r * cols + c]) + T{0};  // no -0
}

// Draws and writes the rows: chunk by chunk to standard output, all at once to a file.
template <class T>
void draw(const SampleArgs& a, nf::Session& session, int64_t n, const Rows& context,
          const std::vector<std::string>& names, const std::vector<bool>& integers, const nf::ModelInfo& info,
          std::vector<double>& densities, std::vector<double>& images) {
  const int64_t cols = info.event_size;
  const int64_t chunk = to_stdout(a.output) ? std::max<int64_t>(1, std::min(n, kChunkNumbers / cols)) : n;
  std::vector<T> x(static_cast<size_t>(chunk * cols));
  int64_t from = 0;
  do {
    const int64_t rows = std::min(chunk, n - from);
    const nf::View ctx = context.count() > 1 ? context.view().slice(from, rows) : context.view();
    const nf::Out out(x.data(), rows, cols);
    session.sample_into(out, {a.seed, a.first + static_cast<uint64_t>(from), 1, a.temperature}, ctx,
                        densities.empty() ? nf::Out() : nf::Out(densities).slice(from, rows));
    round_integers(x.data(), rows, integers);
    if (!a.grid.empty()) images.insert(images.end(), x.begin(), x.begin() + static_cast<std::ptrdiff_t>(rows * cols));
    if (a.rows_wanted())
      write_rows(rows_of(info, x.data(), rows, a.output), a.output, from == 0 ? names : std::vector<std::string>());
    from += rows;
  } while (from < n);
}

// Whether some column of the model's rows lies so far from 0 that floats there are more than 2^-12 standard deviations
// apart.
bool needs_doubles(nf::Session& session, const Rows& context, int64_t cols) {
  constexpr int64_t kProbe = 256;
  std::vector<double> x(static_cast<size_t>(kProbe * cols));
  session.sample_into(nf::Out(x.data(), kProbe, cols), {}, context ? context.view().slice(0, 1) : nf::View());
  const Rows rows = Rows::of(x, cols, NF_F64);
  for (const Moments& m : rows.moments())
    if (m.std > 0 && std::ldexp(std::abs(m.mean), -23) > std::ldexp(m.std, -12)) return true;
  return false;
}

// The context of --class, one row for all samples.
Rows context_of_class(const SampleArgs& a, const ColumnNames& names, const nf::ModelInfo& info) {
  if (!a.paths.context.empty())
    throw Failure("--class and --context both give the context: give one of them", {}, kUsage);
  if (names.classes.empty() || info.context_size == 0)
    throw Failure("--class " + a.of_class + ": " + a.model + " was not trained with labels, so it has no classes",
                  "give its context with --context");
  Labels one;
  one.classes = names.classes;
  const auto at = std::find(one.classes.begin(), one.classes.end(), a.of_class);
  if (at == one.classes.end())
    throw Failure("--class " + a.of_class + ": " + a.model + " has no such class", "it has: " + listed(one.classes));
  one.of = {static_cast<int32_t>(at - one.classes.begin())};
  return context_of(one, info.context_size, info.dtype);
}

int sample(const SampleArgs& a) {
  check_output(a.output);
  if (!a.log_prob.empty()) check_output(a.log_prob);
  if (!a.grid.empty()) check_picture(a.grid, ".png");
  keep_inputs({{"MODEL", a.model}, {"--context", a.paths.context}},
              {{"-o", a.output}, {"--log-prob", a.log_prob}, {"--grid", a.grid}});
  const nf::Runtime runtime = a.settings->runtime();
  const nf::Model model = load_model(runtime, a.model, *a.settings);
  const nf::ModelInfo info = model.info();
  ColumnNames names = column_names(model);
  const Rows context = a.of_class.empty() ? open_context(runtime, a.paths, *a.settings, info.dtype, names)
                                          : context_of_class(a, names, info);
  if (info.context_size != context.cols())
    throw Failure(
        "the model's context has " + counted(info.context_size, "column") + ", but " +
            (context ? a.paths.context + " has " + std::to_string(context.cols()) : std::string("none was given")),
        info.context_size
            ? names.classes.empty()
                  ? "give --context FILE with one row per sample or one for all, or the row itself: --context 0.5,2"
                  : "give --class NAME, one of " + listed(names.classes)
            : std::string("drop --context"));
  if (!a.grid.empty() && info.event_ndim != 3)
    throw Failure(
        "--grid: " + a.model + " is a model of rows of " + counted(info.event_size, "number") + ", not of images",
        "`nf plot samples` and `nf plot pairs` draw rows");
  if (names.data.size() != static_cast<size_t>(info.event_size)) names.data.clear();
  if (is_smoothed(model))
    std::fprintf(
        stderr,
        "nf: note: the model was trained with noise, to rank rows: its samples are wider than the data; for samples, "
        "train a density (nf train auto --holdout 0.1, or nsf)\n");
  nf::Session session(model, a.settings->options({"session"}));
  const int64_t n = count_of(a, context);
  if (!a.grid.empty() && n > kMostImages)
    throw Failure("--grid: " + grouped(n) + " images are more than a picture shows", "-n 64", kUsage);
  std::vector<double> images, densities(a.log_prob.empty() ? 0 : static_cast<size_t>(n));
  std::vector<bool> integers = integer_columns(model);
  // The densities are those of the rows as drawn.
  if (a.raw || !a.log_prob.empty() || integers.size() != static_cast<size_t>(info.event_size)) integers.clear();
  if (info.dtype == NF_F64 || needs_doubles(session, context, info.event_size))
    draw<double>(a, session, n, context, names.data, integers, info, densities, images);
  else
    draw<float>(a, session, n, context, names.data, integers, info, densities, images);
  if (!a.log_prob.empty()) write_rows(densities, a.log_prob, {"log_prob"});
  if (!a.grid.empty()) save_grid(model, images, a.grid, a.rows_wanted() && to_stdout(a.output) ? stderr : stdout);
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
  cmd->add_option("--context,--context-data", a->paths.context,
                  "context rows: one per sample, or one for all, which may be the numbers themselves")
      ->type_name("FILE|A,B,..");
  cmd->add_option("--context-columns", a->paths.context_columns, "columns of the context file, by name or index from 0")
      ->type_name("A,B,..");
  cmd->add_option("--class", a->of_class, "samples of this class, for models that were trained with labels")
      ->type_name("NAME");
  cmd->add_option("-o,--output", a->output, ".npy or .csv file (CSV on standard output)")->type_name("FILE");
  cmd->add_option("--log-prob", a->log_prob, "also write the log-likelihood of each sample, .npy or .csv")
      ->type_name("FILE");
  cmd->add_option("--temperature", a->temperature,
                  "factor of the latents' deviation from their mean; below 1: more usual rows (1)")
      ->check(above_zero())
      ->type_name("T");
  cmd->add_option("--grid", a->grid, "draw the samples of an image model as a sheet (.png); rows only with -o")
      ->type_name("FILE");
  cmd->add_flag(
      "--raw", a->raw,
      "do not round columns that held integers in training (implied by --log-prob, which is of rows as drawn)");
  a->settings =
      Settings::flags(*cmd, {"session", "table", "runtime", "load"}, {"dtype", "columns", "seed", "id", "where"});
  cmd->footer(
      "Sample i of a seed is always the same row, so -n 10 --first 5 continues -n 5.\n\n"
      "Examples:\n"
      "  nf sample power.safetensors -n 1000 -o samples.npy --log-prob densities.npy\n"
      "  nf sample power.safetensors -n 5                      # print CSV\n"
      "  nf sample mnist.safetensors -n 64 --temperature 0.8 --grid samples.png\n"
      "  nf sample weather.safetensors --context tomorrow.csv -n 100 -o forecast.csv\n"
      "  nf sample digits.safetensors --class 7 -n 16 --grid sevens.png");
  cmd->callback([a, &action] { action = [a] { return sample(*a); }; });
}

}  // namespace cli
