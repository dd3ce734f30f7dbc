// Distributions of data given the outputs h of a decoder. To add one, write one file that ends in
// NF_PART(Likelihood, word, ...) and put its word in src/likelihood/meson.build.
#pragma once
#include <memory>

#include "src/part/registry.h"
#include "src/part/scope.h"

namespace libnf {

class Likelihood {
 public:
  virtual ~Likelihood() = default;
  // How many numbers the decoder gives for every column of x. Number k of column j is column k D + j of h.
  virtual int64_t outputs() const = 0;
  // Returns log p(x | h) [n] of rows x [n, D], -infinity for a row outside the support; h [n, outputs() D].
  virtual Var log_prob(const Scope& s, Var x, Var h) const = 0;
  // Returns the mean of x given h, [n, D].
  virtual Var mean(const Scope& s, Var h) const = 0;
  // Draws rows tape.random.first_row ... of x given h, [n, D]. Values only.
  virtual Var sample(const Scope& s, Var h) const = 0;
  // Returns x as a net should see it: numbers of about the size of 1.
  virtual Var scaled(const Scope& /*s*/, Var x) const { return x; }
  // What rows may hold, for messages: "numbers in [0, 1]".
  virtual std::string support() const { return "numbers"; }
};

struct LikelihoodKind : PartKind {
  std::unique_ptr<Likelihood> (*build)(const Config& config, const Declare& declare);
};

}  // namespace libnf
