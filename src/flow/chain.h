// A chain of layers as written in a spec.
#pragma once
#include <memory>
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
};

}  // namespace libnf
