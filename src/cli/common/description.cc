// See description.h.
#include "src/cli/common/description.h"

#include <algorithm>
#include <new>
#include <nlohmann/json.hpp>

namespace cli {

using Json = nlohmann::ordered_json;

const Json& description() {
  static const Json all = [] {
    const std::string text = nf::describe_parts();
    if (text.empty()) throw std::bad_alloc();
    return Json::parse(text);
  }();
  return all;
}

std::vector<std::string> registries() {
  std::vector<std::string> names;
  for (const auto& [key, value] : description().items())
    if (value.is_array()) names.push_back(key);
  return names;
}

const Json* find_part(const std::string& registry, const std::string& name) {
  for (const Json& part : description().at(registry)) {
    const Json aliases = part.value("aliases", Json::array());
    if (part.at("name") == name || std::find(aliases.begin(), aliases.end(), name) != aliases.end()) return &part;
  }
  return nullptr;
}

const Json* find_field(const Json& fields, const std::string& name) {
  for (const Json& field : fields)
    if (field.at("name") == name) return &field;
  return nullptr;
}

Json description_of(const nf::Model& model) { return Json::parse(model.describe()); }

namespace {
bool has_noise(const Json& at) {
  if (at.is_object() && at.value("type", Json()) == "noise" && at.value("std", 0.0) > 0) return true;
  if (!at.is_structured()) return false;
  return std::any_of(at.begin(), at.end(), has_noise);
}
}  // namespace

bool is_smoothed(const nf::Model& model) { return has_noise(Json::parse(model.spec())); }

}  // namespace cli
