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
  // Samples or other z [n, event] with `temperature` times their deviation from the location, which is the mean where
  // there is one. nullptr: the base has no location and scale.
  virtual Var temper(const Scope& /*s*/, Var /*z*/, Var /*context*/, double /*temperature*/) const { return nullptr; }
  // The inverse distribution function of every column at u [rows, event], each in (0, 1). u is float64 whatever the
  // dtype of the tape, as it would round to 1 in float32. nullptr: the columns depend on each other.
  virtual Var quantile(const Scope& /*s*/, const double* /*u*/, int64_t /*rows*/, Var /*context*/) const {
    return nullptr;
  }
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
// [rows, event] values of a quantile function of runtime/kernel/quantile.h at u.
using QuantileKernel = void (*)(const double* u, double* out, int64_t n);
Var quantiles(Tape& t, const double* u, int64_t rows, int64_t event, QuantileKernel q);
// loc + temperature (z - loc), loc [event] or [n, event].
Var tempered(Tape& t, Var z, Var loc, double temperature);

}  // namespace nf
