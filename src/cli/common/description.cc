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

}  // namespace cli
