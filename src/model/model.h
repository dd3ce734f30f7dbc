// Kinds of models: "kind" of a spec. A new one is a class that derives from Density (src/model/density.h), and one file
// that ends in NF_PART(Model, word, ...) with its word in src/model/meson.build.
#pragma once
#include <memory>

#include "src/model/density.h"
#include "src/part/registry.h"

namespace nf {

// What a model is made of beside the fields of its kind. `spec` is moved from.
struct ModelBuild {
  const Allocator& allocator;
  ModelSpec& spec;
  uint64_t seed;       // of the initial parameters
  int64_t max_params;  // Error{nomem} for more numbers in all
};

struct ModelKind : PartKind {
  std::unique_ptr<Density> (*build)(const Config& config, const ModelBuild& build);
  // Error{spec} for fields that do not fit each other.
  void (*check)(const ModelSpec& spec) = nullptr;
};

std::unique_ptr<Density> make_model(const Allocator& allocator, ModelSpec spec, uint64_t seed,
                                    int64_t max_params = ParamStore::kMaxElements);

}  // namespace nf
