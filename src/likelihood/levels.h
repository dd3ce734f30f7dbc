// Likelihoods of levels 0, step, ..., (levels - 1) step, such as pixels.
#pragma once
#include <vector>

#include "runtime/kernel/quantize.h"
#include "src/likelihood/likelihood.h"

namespace libnf {

struct LevelsConfig : Config {
  int64_t levels = 256;
  double step = 1;
  void fields(Fields& f) override;
};

class LevelsLikelihood : public Likelihood {
 public:
  LevelsLikelihood(const LevelsConfig& c, const Declare& d);
  // To [-1, 1].
  Var scaled(const Scope& s, Var x) const override;
  std::string support() const override;

 protected:
  Var support_of(Tape& t, Var x) const;
  // Returns the level whose cell of (0, 1) contains v.
  Var level_of(Tape& t, Var v) const;
  double top() const { return static_cast<double>(grid_.levels - 1) * grid_.step; }  // the highest level
  kernel::Grid grid_;
  std::vector<int32_t> all_;  // columns
};

}  // namespace libnf
