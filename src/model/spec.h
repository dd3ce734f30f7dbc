// A model as data: the tree of layers read from JSON, and its canonical form with every default written out.
//
//   {"event": [6], "context": [0], "dtype": "float32", "base": "normal",
//    "layers": [{"repeat": 8, "layers": [{"type": "affine_coupling", "hidden": [128, 128]}, {"type": "reverse"}]}]}
//
// Every object with "layers" is a chain; any layer or chain takes "invert" and "repeat". Errors are Error{spec} whose
// message starts with the JSON path and says the value and what would be right.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/base.h"
#include "src/flow/layer.h"

namespace nf {

struct LayerSpec {
  const LayerKind* kind = nullptr;  // nullptr: a chain
  std::unique_ptr<LayerConfig> config;
  std::vector<LayerSpec> layers;
  int64_t repeat = 1;
  bool invert = false;
};

struct ModelSpec {
  int64_t event = 0;
  int64_t context = 0;
  DType dtype = DType::f32;
  const BaseKind* base = nullptr;
  std::unique_ptr<LayerConfig> base_config;
  LayerSpec chain;
};

inline constexpr size_t kMaxSpecBytes = size_t{1} << 20;
inline constexpr int kMaxSpecDepth = 32;
inline constexpr int64_t kMaxEvent = int64_t{1} << 24;
inline constexpr int64_t kMaxLayers = 10000;                   // after repeats are written out
inline constexpr int64_t kMaxLayerColumns = int64_t{1} << 27;  // event x layers: orders and masks are lists of columns

ModelSpec parse_spec(std::string_view json);
std::string write_spec(const ModelSpec& spec);

// The registry as JSON: layers, bases and their fields.
std::string describe_layers();

}  // namespace nf
