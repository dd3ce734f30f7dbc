// A chain of layers as written in a spec.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "src/flow/layer.h"

namespace libnf {

inline constexpr int64_t kMaxLayers = 10000;       // in a model, after repeats are expanded
inline constexpr int64_t kMaxEntries = 1'000'000;  // layers and chains of a model, likewise

// One entry of a chain: a layer or a nested chain.
struct LayerSpec {
  const LayerKind* kind = nullptr;  // nullptr: a chain
  std::unique_ptr<Config> config;   // of the layer
  std::vector<LayerSpec> layers;    // of the chain
  int64_t repeat = 1;
  bool invert = false;
  std::optional<bool> per_pixel;  // of the layer; none: as its kind says (LayerKind::on_images)
};

struct ChainSize {
  int64_t layers = 0, entries = 0;  // after repeats are expanded; entries: layers and chains
};
// Returns the size of the chain that `path` names ("spec.layers"). Throws Error{spec} with the path of what makes more than
// kMaxLayers layers or kMaxEntries entries, since chains without a layer take time to expand, too.
ChainSize expanded_size(const std::vector<LayerSpec>& layers, const std::string& path);

// Returns whether the layer acts on the channels of each pixel of its event. A vector, and an image of one pixel, is one
// pixel: the layer is then the same either way.
inline bool acts_per_pixel(const LayerSpec& s, const Dims& event) {
  return event.rank == 3 && event[0] * event[1] > 1 && s.per_pixel.value_or(s.kind->on_images == OnImages::per_pixel);
}

}  // namespace libnf
