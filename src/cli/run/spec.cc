// See spec.h.
#include "src/cli/run/spec.h"

#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "src/cli/common/description.h"
#include "src/cli/common/failure.h"
#include "src/cli/common/text.h"

namespace cli {
namespace {
using Json = nlohmann::ordered_json;
constexpr char kStandardize[] = "standardize";

Json parse(const std::string& spec) { return Json::parse(spec, nullptr, /*allow_exceptions=*/false); }

void insert(std::string& spec, const char* key, int64_t size) {
  const size_t brace = spec.find('{');
  const size_t next = spec.find_first_not_of(" \t\r\n", brace + 1);
  const bool only = next != std::string::npos && spec[next] == '}';
  spec.insert(brace + 1, text("\"%s\": [%lld]%s", key, static_cast<long long>(size), only ? "" : ", "));
}

// The library's own word for a layer, "standardize", or an alias of it.
bool is_standardize(const Json& layer) {
  if (!layer.is_object() || !layer.contains("type") || !layer["type"].is_string()) return false;
  const Json* part = find_part("layers", layer["type"]);
  return part && part->at("name") == kStandardize;
}

bool is_auto(const Json& spec, const char* key) { return spec.contains(key) && spec[key] == "auto"; }
}  // namespace

std::string read_spec(const std::string& source) {
  if (source.find('{') != std::string::npos) return source;
  if (source == "-") return {std::istreambuf_iterator<char>(std::cin), {}};
  std::ifstream file(source, std::ios::binary);
  std::string spec{std::istreambuf_iterator<char>(file), {}};
  if (!file.good() && !file.eof())
    throw Failure("cannot read the spec " + source, "SPEC is a JSON file, '-' for standard input, or the JSON itself");
  return spec;
}

std::string standardize_spec(const std::string& original) {
  Json json = parse(original);
  if (!json.is_object() || !json.contains("layers") || !json["layers"].is_array()) return original;
  // The whole chain may be inverted or repeated: the layer goes in front of all that.
  if (json.contains("invert") || json.contains("repeat")) {
    Json chain = {{"layers", json["layers"]}};
    for (const char* key : {"invert", "repeat"})
      if (json.contains(key)) {
        chain[key] = json[key];
        json.erase(key);
      }
    json["layers"] = Json::array({chain});
  }
  Json& layers = json["layers"];
  if (layers.empty() || !is_standardize(layers[0])) layers.insert(layers.begin(), Json{{"type", kStandardize}});
  return json.dump(2);
}

bool is_standardized(const std::string& spec) {
  const Json json = parse(spec);
  if (!json.is_object() || !json.contains("layers") || !json["layers"].is_array() || json["layers"].empty())
    return false;
  const Json& first = json["layers"][0];
  return !json.value("invert", false) && is_standardize(first);
}

std::string complete_spec(const std::string& original, int64_t event, int64_t context) {
  Json json = parse(original);
  if (!json.is_object()) return original;
  std::string spec = original;
  if (is_auto(json, "event") || is_auto(json, "context")) {
    if (is_auto(json, "event")) json["event"] = Json::array({event});
    if (is_auto(json, "context")) json["context"] = Json::array({context});
    spec = json.dump(2);
  }
  // As text, so that whatever else the user wrote reaches the library's strict reader unchanged.
  if (!json.contains("context") && context > 0) insert(spec, "context", context);
  if (!json.contains("event")) insert(spec, "event", event);
  return spec;
}

nf_dtype spec_dtype(const std::string& spec) {
  const Json json = parse(spec);
  return json.is_object() && json.contains("dtype") && json["dtype"] == "float64" ? NF_F64 : NF_F32;
}

}  // namespace cli
