// Base distributions of z. A new one is one file that ends in NF_PART(Base, word, ...) and its word in src/base/meson.build.
#pragma once
#include <memory>
#include <string>

#include "src/part/registry.h"
#include "src/part/scope.h"

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

struct BaseKind : PartKind {
  std::unique_ptr<Base> (*build)(const Config& config, const Declare& declare);
};

// [rows, event] standard normal numbers of the tape's key.
Var standard_normal(Tape& t, int64_t rows, int64_t event);
// [rows, event] numbers quantile(u), u uniform on (0, 1), of the tape's key. Computed in float64.
Var draws(Tape& t, int64_t rows, int64_t event, double (*quantile)(double u));

}  // namespace nf
