// What a layer is: a configuration, parameters, and a map in two directions with its log-determinant.
// A new layer is one file that ends in NF_LAYER(word, ...) and its word in src/flow/meson.build.
#pragma once
#include <memory>
#include <span>

#include "runtime/op/batch_columns.h"
#include "runtime/op/family.h"
#include "runtime/op/mapped.h"
#include "runtime/tape/params.h"
#include "runtime/tape/tape.h"
#include "src/flow/declare.h"
#include "src/flow/fields.h"

namespace nf {

// A graph under construction: the tape and the parameters as its leaves.
struct Scope {
  Tape& tape;
  Node* params;                // indexed by ParamId
  BatchPart* batch = nullptr;  // training a layer that couples rows: these rows' part of the batch
  Var param(ParamId id) const { return id < 0 ? nullptr : &params[id]; }
};

class Layer {
 public:
  virtual ~Layer() = default;
  // Data to latent. x [n, event], context [n, context] or nullptr.
  virtual Mapped forward(const Scope& s, Var x, Var context) const = 0;
  // Latent to data; log_det is that of this direction.
  virtual Mapped inverse(const Scope& s, Var z, Var context) const = 0;

  // A layer whose parameters start from data has a saved flag, a buffer [1] that is 0 until then. -1: it does not.
  virtual ParamId started() const { return -1; }
  // Sets parameters by the rows that arrive: x, or z where the chain has the layer inverted.
  virtual void start(const ParamStore&, const ColumnStats&, bool /*inverted*/) const {}

  // Training couples the rows of a batch: forward finds statistics of x in s.batch; without (scoring, the inverse) rows
  // are independent.
  virtual bool couples_rows() const { return false; }
  // After a step was applied: what the batch was like.
  virtual void observe(const ParamStore&, const ColumnStats&) const {}
};

struct LayerConfig {
  virtual ~LayerConfig() = default;
  virtual void fields(Fields& f) = 0;
};
struct NoConfig : LayerConfig {
  void fields(Fields&) override {}
};

// One entry of the registry.
struct LayerKind {
  const char* name;
  const char* doc;     // one line: formula in words
  const char* source;  // paper and equation
  std::unique_ptr<LayerConfig> (*config)();
  std::unique_ptr<Layer> (*build)(const LayerConfig& config, const Declare& declare);
  Domain domain = Domain::real;  // of x: what tests and fuzzing feed
  Domain image = Domain::real;   // of z, likewise
};

std::span<const LayerKind* const> layer_kinds();     // generated
const LayerKind* find_layer_kind(const char* name);  // nullptr when there is none

// L has a nested Config and a constructor (const Config&, const Declare&), or (const Config&, Declare) when it declares
// parameters of its own: param() is not const. `word` is also the name of the file and its entry in meson.build; the
// three must agree. What follows `source` is domain and image, where they are not all reals: a layer that takes (0, 1)
// to the reals ends in NF_LAYER(logit, Logit, "...", "...", Domain::unit, Domain::real).
#define NF_LAYER(word, L, doc, source, ...)                                                                       \
  extern const LayerKind layer_##word;                                                                            \
  const LayerKind layer_##word = {#word, doc, source,                                                             \
                                  []() -> std::unique_ptr<LayerConfig> { return std::make_unique<L::Config>(); }, \
                                  [](const LayerConfig& c, const Declare& d) -> std::unique_ptr<Layer> {          \
                                    return std::make_unique<L>(static_cast<const L::Config&>(c), d);              \
                                  } __VA_OPT__(, ) __VA_ARGS__}

}  // namespace nf
