// The maps from a net's raw output to a positive scale, as ordinary ops; formulas in runtime/kernel/scale_map.h.
#include "runtime/op/scale_map.h"

namespace libnf {

using kernel::kLeastScale, kernel::kLog1000, kernel::kMostScale;

ScaleVars scale_map(Tape& t, ScaleMap map, double cap, Var raw) {
  Var s = nullptr, log_s = raw;
  switch (map) {
    case ScaleMap::bounded_exp:
      log_s = scale(t, unary(t, Unary::tanh, scale(t, raw, 1 / cap)), cap);
      break;
    case ScaleMap::exp:
      break;
    case ScaleMap::sigmoid:
      s = add_scalar(t, unary(t, Unary::sigmoid, add_scalar(t, raw, 2)), kLeastScale);
      break;
    case ScaleMap::softplus:
      s = add_scalar(t, unary(t, Unary::softplus, raw, 1), kLeastScale);
      s = minimum(t, s, add_scalar(t, t.zeros({1}), kMostScale));
      break;
    case ScaleMap::soft_exp:
      log_s = scale(t, unary(t, Unary::softsign, scale(t, raw, 1 / kLog1000)), kLog1000);
      break;
    case ScaleMap::plain_sigmoid:
      log_s = scale(t, unary(t, Unary::softplus, scale(t, add_scalar(t, raw, 2), -1), 1), -1);
      break;
    case ScaleMap::softplus_open:
      s = add_scalar(t, unary(t, Unary::softplus, raw, 1), kLeastScale);
      break;
  }
  return s ? ScaleVars{s, unary(t, Unary::log, s)} : ScaleVars{unary(t, Unary::exp, log_s), log_s};
}

}  // namespace libnf
