// Logistic distribution per column, u = (z - loc) exp(-log_scale), F(u) = 1/(1 + e^-u):
//   log p(z) = sum_j (-|u_j| - 2 log(1 + e^-|u_j|) - log_scale_j),   z = loc + exp(log_scale) log(v/(1 - v)), v uniform.
#include <cmath>

#include "runtime/kernel/quantile.h"
#include "src/base/location_scale_base.h"

namespace libnf {
namespace {

double quantile(double v) { return std::log(v) - std::log1p(-v); }

using Logistic = LocationScaleBase<logistic_log_prob, quantile, kernel::logistic_quantile>;

}  // namespace

NF_PART(Base, logistic, Logistic, "logistic distribution with a location and a scale per column", "");

}  // namespace libnf
