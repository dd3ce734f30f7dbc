// See scale.h.
#include "src/cli/train/scale.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "src/cli/common/description.h"
#include "src/cli/common/failure.h"
#include "src/cli/run/spec.h"

namespace cli {
namespace {
using Json = nlohmann::ordered_json;

std::string some_of(std::vector<std::string> words, const char* between) {
  const size_t more = words.size() > 8 ? words.size() - 8 : 0;
  words.resize(words.size() - more);
  return join(words, between) + (more ? text(" and %zu more", more) : std::string());
}

// Layers for which the scale of the data has a meaning: their domain or their image is bounded.
bool is_bounded(const Json& layer) {
  if (layer.contains("layers") && layer["layers"].is_array())
    for (const Json& inner : layer["layers"])
      if (inner.is_object() && is_bounded(inner)) return true;
  if (layer.value("tails", "") == "circular" || layer.contains("circular") || layer.contains("interval")) return true;
  const Json* part = layer.contains("type") ? find_part("layers", layer["type"]) : nullptr;
  if (!part) return false;
  if (part->at("name") == "dequantize" && layer.value("levels", int64_t{0}) == 0) return false;  // it keeps the scale
  for (const char* name : {"logit", "circular_shift", "dequantize", "exp", "softplus", "sigmoid", "tanh", "softclip"})
    if (part->at("name") == name) return true;
  return false;
}

// The type of the layer at the data end.
std::string first_type(const Json& chain) {
  if (!chain.contains("layers") || !chain["layers"].is_array() || chain["layers"].empty()) return {};
  const Json& layers = chain["layers"];
  const Json& first = chain.value("invert", false) ? layers.back() : layers.front();
  if (!first.is_object()) return {};
  const Json* part = first.contains("type") ? find_part("layers", first["type"]) : nullptr;
  return part ? part->at("name").get<std::string>() : first_type(first);
}

std::string base_of(const Json& spec) {
  if (!spec.contains("base")) return {};
  return spec["base"].is_string() ? spec["base"].get<std::string>() : spec["base"].value("type", "");
}

// What can be done about the scale of the data.
enum class Scale { add, warn, fine };

Scale data_scale(const std::string& typed, const Json& spec) {
  if (is_standardized(typed) || base_of(spec) == "uniform") return Scale::fine;
  const std::string first = first_type(spec);
  if (first == "actnorm" || first == "batch_norm" || first == "standardize") return Scale::fine;
  return is_bounded(spec) ? Scale::warn : Scale::add;
}

using Notes = std::vector<std::string>;

// Pixels are not judged column by column: many are constant, and all have one scale.
bool is_image(const TrainPlan& plan) { return plan.train.x.extents().size() > 1; }

// What an image model needs that begins with raw pixels; "" if a layer bounds or dequantizes them.
std::string image_advice(const TrainPlan& plan, const std::string& typed, const Json& spec) {
  if (data_scale(typed, spec) == Scale::fine || is_bounded(spec)) return {};
  double largest = 0;
  for (const Moments& m : plan.train.x.moments()) largest = std::max(largest, std::abs(m.mean) + m.std);
  if (largest <= 3) return {};
  return text(
      "warning: the pixels of %s have values of about %.3g; a fresh model expects about 0 and 1, and whole "
      "numbers have no density: begin the layers with {\"type\": \"dequantize\", \"levels\": 256}, {\"type\": "
      "\"logit\"}",
      plan.train.x.path().c_str(), largest);
}

std::string add_context(const std::string& spec) {
  Json json = Json::parse(spec);
  json["prepare_context"] = Json::object();
  return json.dump(2);
}

std::string scaled_data(const TrainArgs& args, const TrainPlan& plan, const std::string& typed, const Json& json,
                        Notes& notes) {
  if (args.standardize) return standardize_spec(typed);
  if (is_image(plan)) {
    if (const std::string advice = image_advice(plan, typed, json); !advice.empty()) notes.push_back(advice);
    return typed;
  }
  const std::vector<std::string> odd = odd_columns(plan.train.x).scaled;
  if (odd.empty()) return typed;
  const Scale scale = data_scale(typed, json);
  if (scale == Scale::fine) return typed;
  const std::string columns = some_of(odd, "; ");
  if (scale == Scale::add && !args.no_standardize) {
    notes.push_back(columns + ": the data is standardized first (--no-standardize leaves it as it is)");
    return standardize_spec(typed);
  }
  notes.push_back("warning: " + columns + "; a fresh model expects about 0 and 1: " +
                  (args.no_standardize ? "drop --no-standardize" : "add --standardize"));
  return typed;
}

std::string scaled_context(const TrainArgs& args, const TrainPlan& plan, const std::string& spec, const Json& json,
                           Notes& notes) {
  if (!plan.train.context || !plan.classes.empty() || json.contains("prepare_context")) return spec;
  const bool labels = base_of(json) == "class_normal";  // a context of class numbers
  const std::vector<std::string> odd = odd_columns(plan.train.context).scaled;
  if (labels || (odd.empty() && !args.standardize)) return spec;
  if (args.no_standardize) {
    notes.push_back("warning: context column " + some_of(odd, "; ") +
                    "; nets expect about 0 and 1: drop --no-standardize, or scale the context");
    return spec;
  }
  if (!odd.empty())
    notes.push_back("context column " + some_of(odd, "; ") +
                    ": the context is standardized in the model (--no-standardize leaves it as it is)");
  return add_context(spec);
}

// A run that continues has decided.
std::string as_before(const TrainPlan& plan, const std::string& typed) {
  const std::string trained = plan.model.spec();
  std::string spec = is_standardized(trained) ? standardize_spec(typed) : typed;
  if (Json::parse(trained).contains("prepare_context") && !Json::parse(spec).contains("prepare_context"))
    spec = add_context(spec);
  return spec;
}
}  // namespace

OddColumns odd_columns(const Rows& rows) {
  OddColumns odd;
  const std::vector<Moments> all = rows.moments();
  for (size_t c = 0; c < all.size(); ++c) {
    const double mean = all[c].mean, spread = all[c].std;
    if (spread >= 0.1 && spread <= 10 && std::abs(mean) <= 3 * spread) continue;
    if (!std::isfinite(mean) || !std::isfinite(spread)) continue;  // training refuses such rows
    const std::string name = rows.names().empty() || rows.names()[c].empty() ? std::to_string(c) : rows.names()[c];
    if (spread > 0)
      odd.scaled.push_back(name + text(" has mean %.3g, std %.3g", mean, spread));
    else if (rows.count() > 1)
      odd.constant.push_back(name + text(" (%.6g)", mean));
  }
  return odd;
}

ScaledSpec scaled_spec(const TrainArgs& args, const TrainPlan& plan, const std::string& typed) {
  const Json json = Json::parse(typed, nullptr, /*allow_exceptions=*/false);
  ScaledSpec out{typed, {}};
  if (!json.is_object()) return out;  // the library says what is wrong
  if (const std::string kind = spec_kind(typed); kind != "flow") {
    if (args.standardize)
      throw Failure("--standardize adds a layer to a model of kind \"flow\", but this one is of kind \"" + kind + "\"",
                    "standardize the file", kUsage);
    return out;
  }
  const std::vector<std::string> constant =
      is_image(plan) ? std::vector<std::string>{} : odd_columns(plan.train.x).constant;
  if (!constant.empty())
    out.notes.push_back(
        text("warning: constant column%s: %s; a constant has no density and an unbounded likelihood: drop it with "
             "--columns",
             constant.size() == 1 ? "" : "s", some_of(constant, ", ").c_str()));
  try {
    out.spec = args.resume
                   ? as_before(plan, typed)
                   : scaled_context(args, plan, scaled_data(args, plan, typed, json, out.notes), json, out.notes);
  } catch (const Json::exception&) {  // a field of another type, likewise
  }
  return out;
}

}  // namespace cli
