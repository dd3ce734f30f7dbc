// Base distributions of z. A new one is one file that ends in NF_BASE(word, ...) and its word in src/base/meson.build.
#pragma once
#include "src/flow/layer.h"

namespace nf {

class Base {
 public:
  virtual ~Base() = default;
  // Row log-densities [n] of z [n, event]; context [n, context] or nullptr.
  virtual Var log_prob(const Scope& s, Var z, Var context) const = 0;
  // Rows tape.random.first_row ... of tape.random.seed. Differentiable in the parameters and the context: gradients of
  // expectations over samples are unbiased.
  virtual Var sample(const Scope& s, int64_t rows, Var context) const = 0;
  // What is wrong with the first row of this context, for messages; "" when nothing is.
  virtual std::string complaint(Var /*context*/) const { return {}; }
};

struct BaseKind {
  const char* name;
  const char* doc;
  const char* source;
  std::unique_ptr<LayerConfig> (*config)();
  std::unique_ptr<Base> (*build)(const LayerConfig& config, const Declare& declare);
};

std::span<const BaseKind* const> base_kinds();     // generated
const BaseKind* find_base_kind(const char* name);  // nullptr when there is none

// [rows, event] standard normal numbers of the tape's key.
Var standard_normal(Tape& t, int64_t rows, int64_t event);
// [rows, event] numbers quantile(u), u uniform on (0, 1), of the tape's key. Computed in float64.
Var draws(Tape& t, int64_t rows, int64_t event, double (*quantile)(double u));

#define NF_BASE(word, B, doc, source)                                                                           \
  extern const BaseKind base_##word;                                                                            \
  const BaseKind base_##word = {#word, doc, source,                                                             \
                                []() -> std::unique_ptr<LayerConfig> { return std::make_unique<B::Config>(); }, \
                                [](const LayerConfig& c, const Declare& d) -> std::unique_ptr<Base> {           \
                                  return std::make_unique<B>(static_cast<const B::Config&>(c), d);              \
                                }}

}  // namespace nf
