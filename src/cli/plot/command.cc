// nf plot: pictures of models. This file holds the command line; the other files of this folder draw.
#include "src/cli/plot/plot.h"

#include <cstdio>

#include "src/cli/common/bounds.h"
#include "src/cli/common/commands.h"
#include "src/cli/common/output.h"
#include "src/cli/plot/images.h"

namespace cli {
namespace {
constexpr int kMinSize = 120, kMaxSize = 2000;
constexpr int64_t kMaxPoints = 1000000;

using Draw = int (*)(const PlotArgs&);

void check(const PlotArgs& a) {
  keep_inputs({{"MODEL", a.model}, {"--data", a.data}, {"--context", a.context}, {"--reference", a.reference}},
              {{"-o", a.output}});
  if (a.size < kMinSize || a.size > kMaxSize)
    throw Failure("--size " + std::to_string(a.size) + ": expected 120 to 2000 pixels", {}, kUsage);
  if (a.points < 1 || a.points > kMaxPoints)
    throw Failure("--points " + std::to_string(a.points) + ": expected 1 to 1000000", {}, kUsage);
}

void add_output(CLI::App& cmd, PlotArgs& a, const char* kind) {
  cmd.add_option("-o,--output", a.output, std::string("picture file to write (") + kind + ")")
      ->required()
      ->type_name("FILE");
  cmd.add_option("--size", a.size, "side of a panel in pixels (" + std::to_string(a.size) + ")")->type_name("PIXELS");
}

void add_scene(CLI::App& cmd, PlotArgs& a, bool own_contexts) {
  cmd.add_option("--data", a.data, "rows to show next to the model, .npy or .csv")->type_name("FILE");
  cmd.add_option("--data-columns", a.data_columns,
                 "data columns of that file, by name or index from 0 (found by the model's column names)")
      ->type_name("A,B,..");
  cmd.add_option("--context", a.context,
                 own_contexts ? "for conditional models: a file with one row; without it each data row has its own"
                              : "for conditional models: a file with one row")
      ->type_name("FILE");
  cmd.add_option("--context-columns", a.context_columns,
                 "context columns of that file (or of --data), by name or index from 0")
      ->type_name("A,B,..");
  cmd.add_option("--points", a.points, "maximum number of points (" + std::to_string(a.points) + ")")->type_name("N");
  cmd.add_option("--seed", a.seed, "seed of the samples (0)")->check(at_least(0))->type_name("S");
  a.settings = Settings::flags(cmd, {"session", "table", "runtime", "load"}, {"dtype", "columns", "seed"});
  a.settings->set("table.missing", "keep");  // unless given: a picture leaves out points that are not finite
}

CLI::App* add_picture(CLI::App& plot, Action& action, const char* name, const char* doc, const char* kind, Draw draw,
                      PlotArgs defaults = {}) {
  auto a = std::make_shared<PlotArgs>(defaults);
  CLI::App* cmd = plot.add_subcommand(name, doc);
  cmd->add_option("MODEL", a->model, "a model or checkpoint (.safetensors)")->required();
  add_output(*cmd, *a, kind);
  if (draw == plot_density) cmd->add_flag("--log", a->log, "draw the logarithm of the density, to show the tails");
  if (draw == plot_pairs)
    cmd->add_option("--columns", a->columns, "the columns to show, by name or index from 0 (the first 6)")
        ->type_name("A,B,..");
  else if (draw != plot_density)
    cmd->add_option("--columns", a->columns, "the two columns to show, by name or index from 0")->type_name("A,B");
  add_scene(*cmd, *a, draw != plot_density);
  cmd->callback([a, draw, &action] {
    action = [a, draw] {
      check(*a);
      return draw(*a);
    };
  });
  return cmd;
}

void add_scores(CLI::App& plot, Action& action) {
  auto a = std::make_shared<PlotArgs>();
  CLI::App* cmd =
      plot.add_subcommand("scores", "Draw a histogram of the log-likelihoods of rows, and a threshold for anomalies");
  cmd->add_option("MODEL", a->model, "a model or checkpoint (.safetensors)")->required();
  cmd->add_option("--data", a->data, "rows to score, .npy or .csv")->required()->type_name("FILE");
  add_output(*cmd, *a, ".png");
  cmd->add_option("--threshold", a->threshold, "where to draw the threshold, in nats")->type_name("NATS");
  cmd->add_option("--quantile", a->quantile,
                  "draw it at this quantile of the rows of --reference, of the training rows (models of nf train know "
                  "their scores), "
                  "or of those shown: 0.01 for one in a hundred below")
      ->type_name("SHARE");
  cmd->add_option("--reference", a->reference, "rows for --quantile, such as those the model was trained on")
      ->type_name("FILE");
  cmd->add_option("--data-columns", a->data_columns,
                  "data columns of the files, by name or index from 0 (found by the model's column names)")
      ->type_name("A,B,..");
  cmd->add_option("--context", a->context, "for conditional models: one row per data row, or one for all")
      ->type_name("FILE");
  cmd->add_option("--context-columns", a->context_columns,
                  "context columns of that file (or of --data), by name or index from 0")
      ->type_name("A,B,..");
  add_labels(*cmd, a->labeled);
  cmd->add_option("--seed", a->seed, "seed of the samples (0)")->check(at_least(0))->type_name("S");
  a->settings = Settings::flags(*cmd, {"session", "table", "runtime", "load"}, {"dtype", "columns", "seed"});
  a->settings->set("table.missing", "keep");  // unless given, as in other pictures
  cmd->footer(
      "The orange line are the log-likelihoods of the model's own samples: rows that look like them follow it. A "
      "triangle\n"
      "at the left edge stands for rows below the window; they are counted in the picture, with those of -infinity.\n\n"
      "Examples:\n"
      "  nf plot scores model.safetensors --data new.csv -o scores.png\n"
      "  nf plot scores model.safetensors --data new.csv --quantile 0.01 --reference train.csv -o scores.png");
  cmd->callback([a, &action] {
    action = [a] {
      check(*a);
      return plot_scores(*a);
    };
  });
}

void add_latents(CLI::App& plot, Action& action) {
  auto a = std::make_shared<PlotArgs>();
  a->size = 300;
  CLI::App* cmd = plot.add_subcommand("latents", "Draw where rows are in the latent space, colored by class");
  cmd->add_option("MODEL", a->model, "a model or checkpoint (.safetensors)")->required();
  cmd->add_option("--data", a->data, "rows to show: .npy, .npz, CSV, IDX, or a folder of PNGs")
      ->required()
      ->type_name("FILE");
  add_output(*cmd, *a, ".png");
  cmd->add_option("--data-columns", a->data_columns,
                  "data columns of the file, by name or index from 0 (found by the model's column names)")
      ->type_name("A,B,..");
  cmd->add_option("--context", a->context, "for conditional models: one row per data row, or one for all")
      ->type_name("FILE");
  cmd->add_option("--context-columns", a->context_columns,
                  "context columns of that file (or of --data), by name or index from 0")
      ->type_name("A,B,..");
  add_labels(*cmd, a->labeled);
  cmd->add_option("--points", a->points, "maximum number of rows (4000)")->type_name("N");
  a->settings = Settings::flags(*cmd, {"session", "table", "runtime", "load"}, {"dtype", "columns", "seed"});
  cmd->footer(
      "More than two latents are shown in the two directions in which they spread most (principal components), with "
      "the "
      "share of the variance that these have. Of a variational autoencoder, z0 is the draw of the encoder's normal "
      "distribution, and zk what k layers of the posterior make of it (--score-seed). Without labels, colors tell the "
      "place in the last panel.\n\n"
      "Examples:\n"
      "  nf plot latents vae.safetensors --data t10k-images-idx3-ubyte.gz --labels t10k-labels-idx1-ubyte.gz -o z.png\n"
      "  nf plot latents flow.safetensors --data test.csv -o z.png");
  cmd->callback([a, &action] {
    action = [a] {
      check(*a);
      return plot_latents(*a);
    };
  });
}

void add_curve(CLI::App& plot, Action& action) {
  auto a = std::make_shared<PlotArgs>();
  CLI::App* cmd =
      plot.add_subcommand("curve", "Draw a learning curve: log-likelihood, or -loss of a fit, over the steps");
  cmd->add_option("FILE", a->data, "file written by `nf train --curve FILE` or `nf fit-target --curve FILE`")
      ->required();
  add_output(*cmd, *a, ".png");
  cmd->footer(
      "Examples:\n"
      "  nf train spec.json --data moons.npy --curve moons.csv -o moons.safetensors\n"
      "  nf plot curve moons.csv -o curve.png");
  cmd->callback([a, &action] {
    action = [a] {
      check(*a);
      return plot_curve(*a);
    };
  });
}

void add_sheet(CLI::App& plot, Action& action) {
  auto a = std::make_shared<PlotArgs>();
  auto models = std::make_shared<std::vector<std::string>>(), data = std::make_shared<std::vector<std::string>>();
  a->size = 150;
  CLI::App* cmd =
      plot.add_subcommand("sheet", "Draw many models of two columns on one sheet: data above, density below");
  cmd->add_option("MODELS", *models, "models; each panel is titled with its file name")->required();
  cmd->add_option("--data", *data, "rows of each model, in the same order")->required()->type_name("FILES");
  add_output(*cmd, *a, ".png");
  cmd->add_option("--points", a->points, "maximum number of points (4000)")->type_name("N");
  a->settings = Settings::flags(*cmd, {"session", "runtime", "load"}, {"dtype", "seed"});
  cmd->footer(
      "Examples:\n"
      "  nf plot sheet moons.safetensors rings.safetensors --data moons.npy rings.npy -o sheet.png\n"
      "  examples/toys.sh        # all toy sets");
  cmd->callback([a, models, data, &action] {
    action = [a, models, data] {
      check(*a);
      return plot_sheet(*a, *models, *data);
    };
  });
}

void add_target(CLI::App& plot, Action& action) {
  auto a = std::make_shared<PlotArgs>();
  auto target = std::make_shared<std::string>();
  auto models = std::make_shared<std::vector<std::string>>();
  a->size = 260;
  CLI::App* cmd =
      plot.add_subcommand("target", "Draw a known density, Metropolis samples of it, and models fitted to it");
  cmd->add_option("TARGET", *target, "as in nf fit-target --target: NAME, or NAME,FIELD=NUMBER,..")->required();
  cmd->add_option("MODELS", *models, "models of two columns; each panel is titled with its file name");
  add_output(*cmd, *a, ".png");
  cmd->add_option("--points", a->points, "Metropolis samples to draw (4000)")->type_name("N");
  cmd->add_option("--seed", a->seed, "seed of the chains (0)")->check(at_least(0))->type_name("S");
  cmd->add_flag("--log", a->log, "draw the logarithm of the densities, to show the tails");
  a->settings = Settings::flags(*cmd, {"session", "runtime", "load"}, {"dtype", "seed"});
  cmd->footer(
      "Examples:\n"
      "  nf plot target two_moons -o moons.png\n"
      "  nf plot target u1,radius=4,spread=0.8 K4.safetensors K16.safetensors -o u1.png");
  cmd->callback([a, target, models, &action] {
    action = [a, target, models] {
      check(*a);
      return plot_target(*a, *target, *models);
    };
  });
}
void add_images(CLI::App& plot, Action& action) {
  auto a = std::make_shared<ImagesArgs>();
  const std::map<std::string, Show> shows{{"samples", Show::samples},
                                          {"temperature", Show::temperature},
                                          {"scales", Show::scales},
                                          {"interpolate", Show::interpolate},
                                          {"reconstruct", Show::reconstruct}};
  CLI::App* cmd =
      plot.add_subcommand("images", "Draw a sheet of small images: samples, temperatures, scales, between two");
  cmd->add_option("MODEL", a->model, "a model of images, or a checkpoint (.safetensors)")->required();
  const auto show = std::make_shared<std::string>("samples");
  std::vector<std::string> words;
  for (const auto& s : shows) words.push_back(s.first);
  cmd->add_option("--show", *show, "what the sheet shows (samples)")
      ->check(CLI::IsMember(words))
      ->type_name("samples|temperature|scales|interpolate|reconstruct");
  cmd->add_option("--data", a->data, "images for scales, interpolate and reconstruct, .npy or IDX")->type_name("FILE");
  cmd->add_option("--context", a->context, "for conditional models: one row for each row of the sheet, or one for all")
      ->type_name("FILE");
  cmd->add_option("--context-columns", a->context_columns, "context columns of that file, by name or index from 0")
      ->type_name("A,B,..");
  add_labels(*cmd, a->labeled);
  cmd->add_option("-o,--output", a->output, "picture file to write (.png)")->required()->type_name("FILE");
  cmd->add_option("--columns", a->count, "images in a row (10)")
      ->check(CLI::Range(int64_t{1}, int64_t{1000}))
      ->type_name("N");
  cmd->add_option("--rows", a->rows, "rows of the sheet (8, or one per context)")
      ->check(CLI::Range(int64_t{1}, int64_t{1000}))
      ->type_name("N");
  cmd->add_option("--zoom", a->zoom, "picture pixels per pixel of an image (about 64 pixels for an image)")
      ->check(CLI::Range(1, 64))
      ->type_name("N");
  cmd->add_option("--temperature", a->temperature,
                  "factor of the latents' deviation from their mean; below 1: more usual images (1)")
      ->check(above_zero())
      ->type_name("T");
  cmd->add_option("--seed", a->seed, "seed of the samples (0)")->check(at_least(0))->type_name("S");
  a->settings = Settings::flags(*cmd, {"session", "table", "runtime", "load"}, {"dtype", "columns", "seed"});
  cmd->footer(
      "samples      drawn from the model\n"
      "temperature  the same samples from T = 0, the most usual image, to 1\n"
      "scales       images of --data with more and more of their latents drawn anew, the finest details first\n"
      "interpolate  the way from one image of --data to the next through the latents\n"
      "reconstruct  images of --data, and what comes back of their latents\n\n"
      "Examples:\n"
      "  nf plot images mnist.safetensors -o samples.png\n"
      "  nf plot images mnist.safetensors --show temperature --columns 12 -o temperatures.png\n"
      "  nf plot images mnist.safetensors --show interpolate --data t10k-images-idx3-ubyte.gz -o between.png");
  cmd->callback([a, show, shows, &action] {
    a->show = shows.at(*show);
    action = [a] {
      keep_inputs({{"MODEL", a->model}, {"--data", a->data}, {"--context", a->context}}, {{"-o", a->output}});
      return plot_images(*a);
    };
  });
}
}  // namespace

void add_plot(CLI::App& app, Action& action) {
  CLI::App* plot = app.add_subcommand(
      "plot", "Draw pictures: density, samples, pairs of columns, scores, layers, learning curve, animation");
  plot->require_subcommand(0, 1);
  add_picture(*plot, action, "density", "Draw the density of a model of one or two columns next to the data", ".png",
              plot_density)
      ->footer(
          "Bright is dense. The mass in the window is the share of the model's probability inside it.\n\n"
          "Examples:\n"
          "  nf plot density moons.safetensors --data moons.npy -o density.png\n"
          "  nf plot density moons.safetensors --log -o tails.png");
  add_picture(*plot, action, "samples", "Draw samples of a model next to the data, in two columns", ".png",
              plot_samples)
      ->footer(
          "Examples:\n"
          "  nf plot samples moons.safetensors --data moons.npy -o samples.png\n"
          "  nf plot samples power.safetensors --data test.npy --columns 0,3 -o power.png");
  PlotArgs pairs;
  pairs.size = 150;
  add_picture(*plot, action, "pairs", "Draw several columns of data and model against each other, with histograms",
              ".png", plot_pairs, pairs)
      ->footer(
          "Points are rows of the data. Orange lines hold 50 % and 90 % of the model's samples; on the diagonal are "
          "histograms of both.\n\n"
          "Examples:\n"
          "  nf plot pairs power.safetensors --data test.npy -o pairs.png\n"
          "  nf plot pairs power.safetensors --data test.npy --columns 0,3,5 --size 220 -o pairs.png");
  add_scores(*plot, action);
  PlotArgs layers;
  layers.size = 200;
  layers.points = 3000;
  add_picture(*plot, action, "layers", "Draw what every layer does to the data: scatter plots from x to z", ".png",
              plot_layers, layers)
      ->footer(
          "A point has the same color on all panels, set by its place in the latent space, to show how the flow folds "
          "the plane.\nLayers that only reorder columns have no panel; the axes follow the columns.\n\n"
          "Examples:\n"
          "  nf plot layers moons.safetensors --data moons.npy -o layers.png\n"
          "  nf plot layers power.safetensors --columns 0,3 -o layers.png    # of samples, without --data");
  PlotArgs flow;
  flow.size = 380;
  flow.points = 1200;
  add_picture(*plot, action, "flow", "Animate samples on their way from the latent space to the data", ".gif",
              plot_flow, flow)
      ->footer("Examples:\n  nf plot flow moons.safetensors -o flow.gif");
  add_latents(*plot, action);
  add_curve(*plot, action);
  add_images(*plot, action);
  add_sheet(*plot, action);
  add_target(*plot, action);
  plot->footer(
      "Examples:\n"
      "  nf plot density moons.safetensors --data moons.npy -o density.png\n"
      "  nf plot samples moons.safetensors --data moons.npy -o samples.png\n"
      "  nf plot pairs power.safetensors --data power.npy -o pairs.png\n"
      "  nf plot scores power.safetensors --data new.npy --quantile 0.01 --reference power.npy -o scores.png\n"
      "  nf plot layers moons.safetensors --data moons.npy -o layers.png\n"
      "  nf plot flow moons.safetensors -o flow.gif\n"
      "  nf plot images mnist.safetensors -o images.png\n"
      "  nf plot latents vae.safetensors --data digits.idx --labels labels.idx -o latents.png\n"
      "  nf plot curve moons.csv -o curve.png\n\n"
      "`nf plot PICTURE --help` has more on each.");
  plot->callback([plot, &action] {
    if (!plot->get_subcommands().empty()) return;
    action = [plot]() -> int {
      std::printf("%s", plot->help("nf").c_str());
      return kUsage;
    };
  });
}

}  // namespace cli
