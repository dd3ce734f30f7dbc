// Two columns of the points after each layer, for the pictures of layers and flows.
#pragma once
#include <string>
#include <vector>

#include "src/cli/plot/plot.h"

namespace cli {

struct State {
  std::string name;  // of the layer before it; "" for the first
  std::vector<Spot> points;
};

struct States {
  std::vector<State> list;    // at least one; layers that move nothing are omitted
  std::vector<Color> colors;  // of each point, set by its place in the latent space
};

// `pair` are two columns of the data. A layer that only reorders columns (reverse, a permutation) adds no state; the
// axes follow the columns, so that the picture keeps showing the same ones.
States states_of(const Scene& scene, const Matrix& from, nf::Direction direction, std::pair<int64_t, int64_t> pair);

Range range_x(const State& state);
Range range_y(const State& state);

}  // namespace cli
