// Laplace distribution per column, u = (z - loc) exp(-log_scale):
//   log p(z) = sum_j (-|u_j| - log 2 - log_scale_j),   z = loc - exp(log_scale) sign(w) log(1 - 2|w|), w = v - 1/2.
#include <cmath>

#include "runtime/kernel/quantile.h"
#include "src/base/location_scale_base.h"

namespace libnf {
namespace {

double quantile(double v) { return v < 0.5 ? std::log(2 * v) : -std::log(2 * (1 - v)); }

using Laplace = LocationScaleBase<laplace_log_prob, quantile, kernel::laplace_quantile>;

}  // namespace

NF_PART(Base, laplace, Laplace, "Laplace distribution with a location and a scale per column", "");

}  // namespace libnf
