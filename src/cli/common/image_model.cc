// See image_model.h.
#include "src/cli/common/image_model.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "src/cli/common/text.h"

namespace cli {
namespace {
using Json = nlohmann::ordered_json;

// The dequantization of all columns that a chain begins with, behind layers that only move columns; null without one.
Json dequantization(const Json& layers) {
  for (const Json& layer : layers) {
    const std::string type = layer.value("type", "");
    if (type == "squeeze" || type == "flatten") continue;
    if (type.empty()) return layer.value("invert", false) ? Json() : dequantization(layer["layers"]);
    const bool all =
        type == "variational_dequantize" || (type == "dequantize" && layer.value("columns", Json::array()).empty());
    return all ? layer : Json();
  }
  return {};
}

Json dequantization_of(const nf::Model& model) {
  const Json spec = Json::parse(model.spec());
  if (spec.contains("likelihood")) {  // a variational autoencoder: of levels if it has any
    const Json& likelihood = spec["likelihood"];
    return spec.value("event", Json::array()).size() == 3 && likelihood.is_object() && likelihood.contains("levels")
               ? likelihood
               : Json();
  }
  if (spec.value("event", Json::array()).size() != 3 || spec.value("invert", false)) return {};
  return dequantization(spec["layers"]);
}

}  // namespace

std::optional<double> bits_per_dim(const nf::Model& model, double nats) {
  if (dequantization_of(model).is_null()) return {};
  return -nats / (std::log(2.0) * static_cast<double>(model.info().event_size));
}

std::string bits_words(const nf::Model& model, double nats, int64_t draws) {
  const auto bits = bits_per_dim(model, nats);
  if (!bits) return "";
  const bool latent = Json::parse(model.spec()).contains("likelihood");
  return text("%.4f bits/dim (S = %lld %s of %s per image)", *bits, static_cast<long long>(draws),
              draws == 1 ? "draw" : "draws", latent ? "z" : "the noise");
}

PixelRange pixel_range(const nf::Model& model, std::span<const double> shown) {
  constexpr double kTail = 0.005;
  const Json levels = dequantization_of(model);
  if (!levels.is_null() && levels.value("levels", int64_t{0}) > 1)
    return {0, static_cast<double>(levels["levels"].get<int64_t>() - 1) * levels.value("step", 1.0)};
  std::vector<double> values(shown.begin(), shown.end());
  std::erase_if(values, [](double v) { return !std::isfinite(v); });
  if (values.empty()) return {0, 1};
  std::sort(values.begin(), values.end());
  const auto at = [&](double part) {
    return values[static_cast<size_t>(part * static_cast<double>(values.size() - 1))];
  };
  const double low = at(kTail), high = at(1 - kTail);
  if (low >= -0.01 && high <= 1.01) return {0, 1};
  return high > low ? PixelRange{low, high} : PixelRange{low - 1, low + 1};
}

}  // namespace cli
