// Base distributions of z. To add one, write one file that ends in NF_PART(Base, word, ...) and put its word in
// src/base/meson.build.
#pragma once
#include <memory>
#include <string>

#include "src/part/registry.h"
#include "src/part/scope.h"

namespace libnf {

class Base {
 public:
  virtual ~Base() = default;
  // Returns the log-densities [n] of the rows of z [n, event]; context [n, context] or nullptr.
  virtual Var log_prob(const Scope& s, Var z, Var context) const = 0;
  // Returns what training by the likelihood of rows of data maximizes the mean of [n]: log_prob, unless the base is a
  // mixture whose members are fitted on their own.
  virtual Var fitted_log_prob(const Scope& s, Var z, Var context) const { return log_prob(s, z, context); }
  // Draws rows tape.random.first_row ... with seed tape.random.seed. Differentiable in the parameters and the context,
  // so gradients of expectations over samples are unbiased.
  virtual Var sample(const Scope& s, int64_t rows, Var context) const = 0;
  // Returns z [n, event] with `temperature` times its deviation from the location, which is the mean if there is one.
  // Returns nullptr if the base has no location and scale.
  virtual Var temper(const Scope& /*s*/, Var /*z*/, Var /*context*/, double /*temperature*/) const { return nullptr; }
  // Returns the inverse distribution function of every column at u [rows, event], each in (0, 1). u is float64 whatever
  // the dtype of the tape, because it would round to 1 in float32. Returns nullptr if the columns depend on each other.
  virtual Var quantile(const Scope& /*s*/, const double* /*u*/, int64_t /*rows*/, Var /*context*/) const {
    return nullptr;
  }
  // Returns why the first row of this context is invalid, for messages; "" if it is valid.
  virtual std::string context_error(Var /*context*/) const { return {}; }
};

struct BaseKind : PartKind {
  std::unique_ptr<Base> (*build)(const Config& config, const Declare& declare);
};

// Draws standard normal numbers [rows, event] with the tape's random key.
Var standard_normal(Tape& t, int64_t rows, int64_t event);
// Draws numbers quantile(u) [rows, event], u uniform on (0, 1), with the tape's random key. Computed in float64.
Var draws(Tape& t, int64_t rows, int64_t event, double (*quantile)(double u));
// [rows, event] values of a quantile function of runtime/kernel/quantile.h at u.
using QuantileKernel = void (*)(const double* u, double* out, int64_t n);
Var quantiles(Tape& t, const double* u, int64_t rows, int64_t event, QuantileKernel q);
// loc + temperature (z - loc), loc [event] or [n, event].
Var tempered(Tape& t, Var z, Var loc, double temperature);

}  // namespace libnf
