// nf encode and nf decode: from rows to latents of a model, and back. For a flow these are its two maps; for a variational
// autoencoder the posterior's mean, and the mean of the rows given latents.
#include "src/cli/common/bounds.h"
#include "src/cli/common/commands.h"
#include "src/cli/common/evaluate.h"
#include "src/cli/common/failure.h"
#include "src/cli/common/output.h"
#include "src/cli/common/text.h"
#include "src/cli/plot/images.h"
#include "src/cli/plot/plot.h"

namespace cli {
namespace {

struct LatentArgs {
  std::string model, output, log_var, grid;
  DataPaths paths;
  bool draw = false;
  std::shared_ptr<Settings> settings;
};

// "z0,z1,..", the columns of latents in a CSV.
std::vector<std::string> latent_names(int64_t n) {
  std::vector<std::string> names;
  for (int64_t j = 0; j < n; ++j) names.push_back("z" + std::to_string(j));
  return names;
}

Rows context_of(const LatentArgs& a, const nf::Runtime& runtime, const nf::Model& model, int64_t rows) {
  const nf::ModelInfo info = model.info();
  Rows context = open_context(runtime, a.paths, *a.settings, info.dtype, column_names(model));
  if (context.cols() != info.context_size)
    throw Failure("the model's context has " + counted(info.context_size, "column") + ", but " +
                      (context ? a.paths.context + " has " + std::to_string(context.cols()) : "none was given"),
                  info.context_size ? "give --context FILE with one row per row, or one for all" : "drop --context");
  if (context.count() > 1 && context.count() != rows)
    throw Failure(a.paths.context + " has " + counted(context.count(), "row") + ", but there are " + grouped(rows),
                  "give one context row per row, or a single one for all");
  return context;
}

int encode(const LatentArgs& a) {
  check_output(a.output);
  if (!a.log_var.empty()) check_output(a.log_var);
  keep_inputs({{"MODEL", a.model}, {"--data", a.paths.data}, {"--context", a.paths.context}},
              {{"-o", a.output}, {"--log-var", a.log_var}});
  const nf::Runtime runtime = a.settings->runtime();
  const nf::Model model = load_model(runtime, a.model, *a.settings);
  const nf::ModelInfo info = model.info();
  if (!is_vae(info) && (a.draw || !a.log_var.empty()))
    throw Failure(std::string(a.draw ? "--draw" : "--log-var") + ": " + a.model +
                      " is a flow, whose latents are a function of the row",
                  "drop it", kUsage);
  const Data data = open_data(runtime, a.paths, *a.settings, info.dtype, column_names(model));
  check_data(data, a.paths, info.event_size, info.context_size);
  nf::Session session(model, a.settings->options({"session"}));
  const int64_t n = data.x.count();
  std::vector<double> z(static_cast<size_t>(n * info.latent_size)), log_var(a.log_var.empty() ? 0 : z.size());
  const nf::Out to(z.data(), n, info.latent_size);
  const nf::View ctx = data.context.view();
  if (!is_vae(info))
    session.forward_into(to, {}, data.x.view(), ctx);
  else
    session.encode_into(a.draw ? nf::Out() : to,
                        log_var.empty() ? nf::Out() : nf::Out(log_var.data(), n, info.latent_size),
                        a.draw ? to : nf::Out(), {}, data.x.view(), ctx);
  const std::vector<std::string> names = latent_names(info.latent_size);
  write_rows(nf::View(z.data(), n, info.latent_size), a.output, names);
  if (!log_var.empty()) write_rows(nf::View(log_var.data(), n, info.latent_size), a.log_var, names);
  return kOk;
}

int decode(const LatentArgs& a) {
  check_output(a.output);
  if (!a.grid.empty()) check_picture(a.grid, ".png");
  keep_inputs({{"MODEL", a.model}, {"--data", a.paths.data}, {"--context", a.paths.context}},
              {{"-o", a.output}, {"--grid", a.grid}});
  const nf::Runtime runtime = a.settings->runtime();
  const nf::Model model = load_model(runtime, a.model, *a.settings);
  const nf::ModelInfo info = model.info();
  if (!a.grid.empty() && info.event_ndim != 3)
    throw Failure(
        "--grid: " + a.model + " is a model of rows of " + counted(info.event_size, "number") + ", not of images",
        "drop it", kUsage);
  const Rows z = Rows::open(runtime, a.paths.data, *a.settings, NF_F64);
  if (z.cols() != info.latent_size)
    throw Failure(a.paths.data + " has " + counted(z.cols(), "column") + ", but the latents of " + a.model + " have " +
                      std::to_string(info.latent_size),
                  "nf encode writes latents");
  if (constexpr int64_t kMostImages = 4096; !a.grid.empty() && z.count() > kMostImages)
    throw Failure("--grid: " + grouped(z.count()) + " images are more than a picture shows", "fewer latents", kUsage);
  const Rows context = context_of(a, runtime, model, z.count());
  nf::Session session(model, a.settings->options({"session"}));
  const std::vector<double> x = is_vae(info) ? session.decode<double>(z.view(), context.view())
                                             : session.inverse<double>(z.view(), {}, context.view());
  const int64_t n = z.count();
  std::vector<std::string> names = column_names(model).data;
  if (names.size() != static_cast<size_t>(info.event_size)) names.clear();
  const bool rows = a.grid.empty() || !a.output.empty();
  const bool image = info.event_ndim == 3 && a.output.ends_with(".npy");
  if (rows)
    write_rows(image ? nf::View(x.data(), {n, info.event[0], info.event[1], info.event[2]})
                     : nf::View(x.data(), n, info.event_size),
               a.output, image ? std::vector<std::string>() : names);
  if (!a.grid.empty()) save_grid(model, x, a.grid, rows && to_stdout(a.output) ? stderr : stdout);
  return kOk;
}

void add_common(CLI::App& cmd, LatentArgs& a, const char* data) {
  cmd.add_option("MODEL", a.model, "a model or checkpoint (.safetensors)")->required();
  cmd.add_option("--data", a.paths.data, data)->required()->type_name("FILE");
  cmd.add_option("--context,--context-data", a.paths.context,
                 "context rows: one per row, or one for all, which may be the numbers themselves")
      ->type_name("FILE|A,B,..");
  cmd.add_option("--context-columns", a.paths.context_columns, "columns of the context file, by name or index from 0")
      ->type_name("A,B,..");
  cmd.add_option("-o,--output", a.output, ".npy or .csv file (CSV on standard output)")->type_name("FILE");
}
}  // namespace

void add_encode(CLI::App& app, Action& action) {
  auto a = std::make_shared<LatentArgs>();
  CLI::App* cmd = app.add_subcommand("encode", "Map rows to the latents of a model");
  add_common(*cmd, *a, "rows: .npy, .npz, CSV, IDX, or a folder of PNGs");
  cmd->add_option("--columns", a->paths.columns, "data columns, by name or index from 0")->type_name("A,B,..");
  cmd->add_option("--log-var", a->log_var, "also write the log variances of an autoencoder's latents, .npy or .csv")
      ->type_name("FILE");
  cmd->add_flag("--draw", a->draw,
                "draw an autoencoder's latents from the posterior, instead of the mean before its layers");
  a->settings = Settings::flags(*cmd, {"session", "table", "runtime", "load"}, {"dtype", "columns", "id"});
  cmd->footer(
      "The latents of a flow are its forward map. Those of a variational autoencoder are the means that its encoder "
      "gives, or with --draw samples of the posterior (--score-seed).\n\n"
      "Examples:\n"
      "  nf encode vae.safetensors --data digits.idx -o latents.npy\n"
      "  nf decode vae.safetensors --data latents.npy --grid back.png");
  cmd->callback([a, &action] { action = [a] { return encode(*a); }; });
}

void add_decode(CLI::App& app, Action& action) {
  auto a = std::make_shared<LatentArgs>();
  CLI::App* cmd = app.add_subcommand("decode", "Map latents of a model to rows");
  add_common(*cmd, *a, "latents, as nf encode writes them: .npy, .npz or CSV");
  cmd->add_option("--grid", a->grid, "draw the rows of an image model as a sheet (.png); rows only with -o")
      ->type_name("FILE");
  a->settings = Settings::flags(*cmd, {"session", "table", "runtime", "load"},
                                {"dtype", "columns", "id", "where", "score_samples", "score_seed"});
  cmd->footer(
      "The rows of a flow are its inverse map. Those of a variational autoencoder are the means given the latents; nf "
      "sample draws latents and rows.\n\n"
      "Examples:\n"
      "  nf decode flow.safetensors --data latents.npy -o rows.csv\n"
      "  nf decode vae.safetensors --data latents.npy --grid back.png");
  cmd->callback([a, &action] { action = [a] { return decode(*a); }; });
}

}  // namespace cli
