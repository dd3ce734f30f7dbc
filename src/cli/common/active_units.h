// Which latents of a variational autoencoder say something about the rows.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace cli {

// A latent is active if the variance of its posterior mean over rows is above 0.01 (Burda et al. 2016, section 5.2).
struct ActiveUnits {
  int64_t active = 0;
  std::vector<double> variance;  // of the mean of each latent
  // Mean KL divergence of each latent's normal posterior (before layers) from a standard normal, in nats.
  std::vector<double> kl;
  double total_kl() const;
  std::string words() const;  // "12 of 20 active, ..."
  nlohmann::ordered_json json() const;
  static std::string collapse_advice();
};

// mean and log_var: [n, latents] of nf_encode.
ActiveUnits active_units(const std::vector<double>& mean, const std::vector<double>& log_var, int64_t latents);

}  // namespace cli
