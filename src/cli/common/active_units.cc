#include "src/cli/common/active_units.h"

#include <algorithm>
#include <cmath>

#include "src/cli/common/text.h"

namespace cli {

double ActiveUnits::total_kl() const {
  double sum = 0;
  for (const double v : kl) sum += v;
  return sum;
}

std::string ActiveUnits::words() const {
  std::string out =
      text("%lld of %s active: the variance over rows of their posterior means is above 0.01",
           static_cast<long long>(active), counted(static_cast<int64_t>(variance.size()), "latent").c_str());
  out += text("; KL from a standard normal %.3g nats", total_kl());
  if (kl.size() > 1) {
    const auto [low, high] = std::minmax_element(kl.begin(), kl.end());
    out += text(", %.2g to %.2g per latent", *low, *high);
  }
  return out;
}

nlohmann::ordered_json ActiveUnits::json() const {
  return {{"active", active},
          {"latents", variance.size()},
          {"kl", total_kl()},
          {"kl_of_latent", kl},
          {"variance_of_mean", variance}};
}

std::string ActiveUnits::collapse_advice() {
  return "the posterior has collapsed to the prior, and the decoder ignores the latents. Train with "
         "--beta-warmup-steps "
         "or --free-bits, or give the likelihood a scale that is not learned at first";
}

ActiveUnits active_units(const std::vector<double>& mean, const std::vector<double>& log_var, int64_t latents) {
  ActiveUnits u;
  const auto d = static_cast<size_t>(latents), n = mean.size() / d;
  for (size_t j = 0; j < d; ++j) {
    double sum = 0, squares = 0, kl = 0;
    for (size_t r = 0; r < n; ++r) sum += mean[r * d + j];
    for (size_t r = 0; r < n; ++r) {
      const double m = mean[r * d + j], v = log_var[r * d + j], away = m - sum / static_cast<double>(n);
      squares += away * away;
      kl += 0.5 * (m * m + std::expm1(v) - v);
    }
    u.variance.push_back(squares / std::max<double>(1, static_cast<double>(n) - 1));
    u.kl.push_back(kl / static_cast<double>(n));
    u.active += u.variance.back() > 0.01;
  }
  return u;
}

}  // namespace cli
