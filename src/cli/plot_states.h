// Two columns of the points on their way through the layers, as the pictures of layers and flows show them.
#pragma once
#include <string>
#include <vector>

#include "src/cli/plot.h"

namespace nf::cli {

struct State {
  std::string name;  // the layer that led here; "" of the first
  std::vector<Spot> points;
};

struct States {
  std::vector<State> list;      // at least the first; steps that move nothing are left out
  std::vector<Colour> colours;  // of each point, by its place in the latent space
};

// `pair`: columns of the data. A step that only reorders columns (reverse, a permutation) would swap the picture for that
// of other columns: the axes follow the columns instead, and such a step is no state.
States states_of(const Scene& scene, const Matrix& from, bool inverse, std::pair<int64_t, int64_t> pair);

Range range_x(const State& state);
Range range_y(const State& state);

}  // namespace nf::cli
