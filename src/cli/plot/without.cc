// In place of the pictures if nf is built without cairo.
#include "src/cli/plot/images.h"
#include "src/cli/plot/plot.h"

namespace cli {
namespace {
int refuse() {
  throw Failure(
      "this nf was built without cairo, which draws pictures",
      "install libcairo2-dev and libgif-dev (their names in Debian), then rebuild: meson setup --reconfigure build "
      "-Dcairo=enabled && ninja -C build");
}
}  // namespace

int plot_density(const PlotArgs&) { return refuse(); }
int plot_samples(const PlotArgs&) { return refuse(); }
int plot_pairs(const PlotArgs&) { return refuse(); }
int plot_scores(const PlotArgs&) { return refuse(); }
int plot_layers(const PlotArgs&) { return refuse(); }
int plot_latents(const PlotArgs&) { return refuse(); }
int plot_flow(const PlotArgs&) { return refuse(); }
int plot_curve(const PlotArgs&) { return refuse(); }
int plot_target(const PlotArgs&, const std::string&, const std::vector<std::string>&) { return refuse(); }
int plot_images(const ImagesArgs&) { return refuse(); }
void check_picture(const std::string&, const char*) { refuse(); }
void save_grid(const nf::Model&, std::span<const double>, const std::string&, std::FILE*) { refuse(); }
int plot_sheet(const PlotArgs&, const std::vector<std::string>&, const std::vector<std::string>&) { return refuse(); }

}  // namespace cli
