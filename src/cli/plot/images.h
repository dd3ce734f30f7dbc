// Pictures of image models: samples, and what happens to images on their way to the latents and back.
#pragma once
#include <cstdio>
#include <nf/nf.hpp>
#include <span>
#include <string>

#include "src/cli/common/evaluate.h"
#include "src/cli/common/settings.h"

namespace cli {

enum class Show { samples, temperature, scales, interpolate, reconstruct };

struct ImagesArgs {
  std::string model, data, data_columns, context, context_columns, output;
  DataPaths labeled;  // its labels and classes
  Show show = Show::samples;
  int64_t count = 0;  // images in a row; 0: as many as look well
  int64_t rows = 0;   // likewise
  int zoom = 0;       // pixels of the picture per pixel of an image; 0: what makes an image about 64 wide
  double temperature = 1;
  uint64_t seed = 0;
  std::shared_ptr<Settings> settings;
};

int plot_images(const ImagesArgs& args);

// Writes images [n, height, width, channels] of a model as a square sheet, for `nf sample --grid`. `says`: where the line
// about the picture goes.
void save_grid(const nf::Model& model, std::span<const double> images, const std::string& path, std::FILE* says);

}  // namespace cli
