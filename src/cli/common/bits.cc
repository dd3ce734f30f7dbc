#include "src/cli/common/bits.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "src/cli/common/text.h"

namespace cli {
namespace {
using Json = nlohmann::ordered_json;

// Whether the first layer that maps numbers, behind those that move columns, is a dequantization of all columns.
bool of_levels(const Json& layers) {
  for (const Json& layer : layers) {
    const std::string type = layer.value("type", "");
    if (type == "squeeze" || type == "flatten") continue;
    if (type.empty()) return !layer.value("invert", false) && of_levels(layer["layers"]);
    return type == "variational_dequantize" || (type == "dequantize" && layer.value("columns", Json::array()).empty());
  }
  return false;
}

}  // namespace

std::optional<double> bits_per_dim(const nf::Model& model, double nats) {
  const Json spec = Json::parse(model.spec());
  const Json event = spec.value("event", Json::array());
  if (event.size() != 3 || spec.value("invert", false) || !of_levels(spec["layers"])) return {};
  return -nats / (std::log(2.0) * static_cast<double>(model.info().event_size));
}

std::string bits_words(const nf::Model& model, double nats, int64_t draws) {
  const auto bits = bits_per_dim(model, nats);
  if (!bits) return "";
  return text("%.4f bits/dim (S = %lld %s of the noise per image)", *bits, static_cast<long long>(draws),
              draws == 1 ? "draw" : "draws");
}

}  // namespace cli
