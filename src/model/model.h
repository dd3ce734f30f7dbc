// Kinds of models, the "kind" of a spec. To add one, write a class that derives from Density (src/model/density.h) in a
// file that ends in NF_PART(Model, word, ...), and put its word in src/model/meson.build.
#pragma once
#include <memory>

#include "src/model/density.h"
#include "src/part/registry.h"

namespace libnf {

// What a model is built from in addition to the fields of its kind. `spec` is moved from.
struct ModelBuild {
  const Allocator& allocator;
  ModelSpec& spec;
  uint64_t seed;       // seed of the initial parameters
  int64_t max_params;  // more numbers in total are an Error{nomem}
};

struct ModelKind : PartKind {
  std::unique_ptr<Density> (*build)(const Config& config, const ModelBuild& build);
  // Throws Error{spec} for fields that contradict each other.
  void (*check)(const ModelSpec& spec) = nullptr;
  // A field without a default, and what is expected there.
  const char* required = nullptr;
  const char* expected = nullptr;
};

std::unique_ptr<Density> make_model(const Allocator& allocator, ModelSpec spec, uint64_t seed,
                                    int64_t max_params = ParamStore::kMaxElements);

}  // namespace libnf
