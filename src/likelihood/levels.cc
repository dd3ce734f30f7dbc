#include "src/likelihood/levels.h"

#include <cstdio>

#include "runtime/op/dequantize.h"
#include "runtime/op/ops.h"
#include "runtime/op/support.h"

namespace libnf {

void LevelsConfig::fields(Fields& f) {
  f.integer("levels", "number of levels", levels, 2, 1 << 16);
  f.real("step", "distance between neighboring levels in the data; the first level is 0", step, 1e-9, 1e9);
}

LevelsLikelihood::LevelsLikelihood(const LevelsConfig& c, const Declare& d) : grid_{c.step, c.levels} {
  for (int64_t j = 0; j < d.columns(); ++j) all_.push_back(static_cast<int32_t>(j));
}

Var LevelsLikelihood::scaled(const Scope& s, Var x) const {
  return add_scalar(s.tape, libnf::scale(s.tape, x, 2 / top()), -1);
}

std::string LevelsLikelihood::support() const {
  char text[96];
  std::snprintf(text, sizeof text, "the %lld levels 0, %g, ..., %g", static_cast<long long>(grid_.levels), grid_.step,
                top());
  return text;
}

Var LevelsLikelihood::support_of(Tape& t, Var x) const { return row_support(t, x, {0, top(), grid_.step}); }

Var LevelsLikelihood::level_of(Tape& t, Var v) const { return quantize(t, v, all_, grid_).y; }

}  // namespace libnf
