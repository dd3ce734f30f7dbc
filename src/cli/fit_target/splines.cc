// See splines.h.
#include "src/cli/fit_target/splines.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "src/cli/common/description.h"

namespace cli {
namespace {
using Json = nlohmann::ordered_json;
constexpr double kLeastSlope = 0.05, kMostShare = 0.02, kUsualShare = 1e-3;
constexpr int64_t kBins = 8;  // the layers' default

bool is_spline(const Json& layer) {
  if (!layer.is_object() || !layer.contains("type") || !layer["type"].is_string()) return false;
  const Json* part = find_part("layers", layer["type"]);
  if (!part) return false;
  const std::string name = part->at("name");
  if (name != "spline" && name != "spline_coupling" && name != "spline_autoregressive") return false;
  const auto is = [&](const char* field, const char* usual, const char* word) {
    const Json v = layer.value(field, Json(usual));
    return v == word;
  };
  return is("spline", "rational_quadratic", "rational_quadratic") && !is("convention", "identity", "zuko");
}

// Returns whether something was filled in.
bool soften(Json& layers) {
  bool any = false;
  if (!layers.is_array()) return any;
  for (Json& layer : layers) {
    if (layer.is_object() && layer.contains("layers")) any |= soften(layer["layers"]);
    if (!is_spline(layer)) continue;
    const Json bins = layer.value("bins", Json(kBins));
    const int64_t n = bins.is_number_integer() ? std::max<int64_t>(bins.get<int64_t>(), 1) : kBins;
    const double share = std::clamp(0.25 / static_cast<double>(n), kUsualShare, kMostShare);
    for (const auto& [field, value] :
         {std::pair("min_bin_width", share), {"min_bin_height", share}, {"min_derivative", kLeastSlope}})
      if (!layer.contains(field)) layer[field] = value, any = true;
  }
  return any;
}

}  // namespace

std::string soften_splines(const std::string& spec) {
  Json json = Json::parse(spec, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("layers") || !soften(json["layers"])) return spec;
  return json.dump(2);
}

}  // namespace cli
