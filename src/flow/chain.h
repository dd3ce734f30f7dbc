// A chain of layers as a spec writes it.
#pragma once
#include <memory>
#include <vector>

#include "src/flow/layer.h"

namespace nf {

inline constexpr int64_t kMaxLayers = 10000;  // of a model, after repeats are written out

// One entry of a chain: a layer, or a chain of its own.
struct LayerSpec {
  const LayerKind* kind = nullptr;  // nullptr: a chain
  std::unique_ptr<Config> config;   // of the layer
  std::vector<LayerSpec> layers;    // of the chain
  int64_t repeat = 1;
  bool invert = false;
};

}  // namespace nf
