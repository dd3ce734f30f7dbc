// A chain of layers as written in a spec.
#pragma once
#include <memory>
#include <optional>
#include <vector>

#include "src/flow/layer.h"

namespace libnf {

inline constexpr int64_t kMaxLayers = 10000;  // in a model, after repeats are expanded

// One entry of a chain: a layer or a nested chain.
struct LayerSpec {
  const LayerKind* kind = nullptr;  // nullptr: a chain
  std::unique_ptr<Config> config;   // of the layer
  std::vector<LayerSpec> layers;    // of the chain
  int64_t repeat = 1;
  bool invert = false;
  std::optional<bool> per_pixel;  // of the layer; none: as its kind says (LayerKind::on_images)
};

}  // namespace libnf
