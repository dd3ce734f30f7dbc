// See spec.h.
#include "src/cli/run/spec.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>

#include "src/cli/common/description.h"
#include "src/cli/common/failure.h"
#include "src/cli/common/text.h"

namespace cli {
namespace {
using Json = nlohmann::ordered_json;
constexpr char kStandardize[] = "standardize", kDequantize[] = "dequantize";

Json parse(const std::string& spec) { return Json::parse(spec, nullptr, /*allow_exceptions=*/false); }

void insert(std::string& spec, const char* key, const std::vector<int64_t>& extents) {
  const size_t brace = spec.find('{');
  const size_t next = spec.find_first_not_of(" \t\r\n", brace + 1);
  const bool only = next != std::string::npos && spec[next] == '}';
  std::string list;
  for (const int64_t n : extents) list += (list.empty() ? "" : ", ") + std::to_string(n);
  spec.insert(brace + 1, text("\"%s\": [%s]%s", key, list.c_str(), only ? "" : ", "));
}

// Whether a layer is of this type, in the library's own word or an alias of it.
bool is_layer(const Json& layer, const char* type) {
  if (!layer.is_object() || !layer.contains("type") || !layer["type"].is_string()) return false;
  const Json* part = find_part("layers", layer["type"]);
  return part && part->at("name") == type;
}

bool contains_layer(const Json& layers, const char* type) {
  if (!layers.is_array()) return false;
  return std::any_of(layers.begin(), layers.end(), [&](const Json& l) {
    return is_layer(l, type) || (l.is_object() && l.contains("layers") && contains_layer(l["layers"], type));
  });
}

// The number of leading layers that make levels continuous and take them to the reals: "dequantize", then "logit".
// Rescaled data would not be levels any more, nor inside (0, 1).
size_t preparing_layers(const Json& layers) {
  size_t n = 0;
  while (n < layers.size() && is_layer(layers[n], kDequantize)) ++n;
  const bool logit = n > 0 && n < layers.size() && is_layer(layers[n], "logit") && !layers[n].contains("invert");
  return logit ? n + 1 : n;
}

// Returns the list of layers, whose front is the data end: a whole chain that is inverted or repeated becomes one of them.
Json& front_of(Json& spec) {
  Json chain = {{"layers", spec["layers"]}};
  for (const char* key : {"invert", "repeat"})
    if (spec.contains(key)) {
      chain[key] = spec[key];
      spec.erase(key);
    }
  if (chain.size() > 1) spec["layers"] = Json::array({chain});
  return spec["layers"];
}

bool is_auto(const Json& spec, const char* key) { return spec.contains(key) && spec[key] == "auto"; }
}  // namespace

std::string read_spec(const std::string& source) {
  if (source.find('{') != std::string::npos) return source;
  if (source == "-") return {std::istreambuf_iterator<char>(std::cin), {}};
  const auto refuse = [&](const char* what) {
    throw Failure(text("cannot %s spec '%s': %s", what, source.c_str(), std::strerror(errno)),
                  "SPEC is a JSON file, '-' for standard input, or the JSON itself; `nf train` also takes a preset: "
                  "auto, realnvp, maf or nsf");
  };
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(source.c_str(), "rb"), std::fclose);
  if (!file) refuse("open");
  std::string spec;
  char block[4096];
  while (const size_t n = std::fread(block, 1, sizeof block, file.get())) spec.append(block, n);
  if (std::ferror(file.get())) refuse("read");
  return spec;
}

std::string standardize_spec(const std::string& original) {
  Json json = parse(original);
  if (!json.is_object() || !json.contains("layers") || !json["layers"].is_array()) return original;
  Json& layers = front_of(json);
  const size_t at = preparing_layers(layers);
  if (contains_layer(Json(layers.begin() + static_cast<std::ptrdiff_t>(at), layers.end()), kDequantize))
    throw Failure("--standardize would rescale the data in front of \"dequantize\", which needs the levels as they are",
                  "leave --standardize out, and put {\"type\": \"standardize\"} after \"dequantize\" in the spec",
                  kUsage);
  if (at == layers.size() || !is_layer(layers[at], kStandardize))
    layers.insert(layers.begin() + static_cast<std::ptrdiff_t>(at), Json{{"type", kStandardize}});
  return json.dump(2);
}

bool is_standardized(const std::string& spec) {
  const Json json = parse(spec);
  if (!json.is_object() || !json.contains("layers") || !json["layers"].is_array() || json["layers"].empty())
    return false;
  const Json& layers = json["layers"];
  const size_t at = preparing_layers(layers);
  return !json.value("invert", false) && at < layers.size() && is_layer(layers[at], kStandardize);
}

bool is_dequantized(const std::string& spec) {
  const Json json = parse(spec);
  return json.is_object() && json.contains("layers") && contains_layer(json["layers"], kDequantize);
}

std::string spec_behind(const std::string& layers, const std::string& spec) {
  Json json = parse(spec);
  const Json first = parse(layers);
  if (first.empty() || !json.is_object() || !json.contains("layers") || !json["layers"].is_array()) return spec;
  Json& all = front_of(json);
  all.insert(all.begin(), first.begin(), first.end());
  return json.dump(2);
}

std::string complete_spec(const std::string& original, const std::vector<int64_t>& event, int64_t context) {
  Json json = parse(original);
  if (!json.is_object()) return original;
  std::string spec = original;
  if (is_auto(json, "event") || is_auto(json, "context")) {
    if (is_auto(json, "event")) json["event"] = event;
    if (is_auto(json, "context")) json["context"] = Json::array({context});
    spec = json.dump(2);
  }
  // As text, so that whatever else the user wrote reaches the library's strict reader unchanged.
  if (!json.contains("context") && context > 0) insert(spec, "context", {context});
  if (!json.contains("event")) insert(spec, "event", event);
  return spec;
}

std::string spec_kind(const std::string& spec) {
  const Json json = parse(spec);
  return json.is_object() && json.contains("kind") && json["kind"].is_string() ? json["kind"].get<std::string>()
                                                                               : "flow";
}

nf_dtype spec_dtype(const std::string& spec) {
  const Json json = parse(spec);
  return json.is_object() && json.contains("dtype") && json["dtype"] == "float64" ? NF_F64 : NF_F32;
}

}  // namespace cli
