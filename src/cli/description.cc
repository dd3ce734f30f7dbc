// See description.h.
#include "src/cli/description.h"

#include <algorithm>

#include "src/cli/handle.h"
#include "src/cli/text.h"

namespace nf::cli {

using Json = nlohmann::ordered_json;

const Json& description() {
  static const Json all = [] {
    const char* text = nf_layers_describe();
    if (!text) throw Failure("out of memory");
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

Json description_of(const nf_model* model) {
  std::string text;
  const nf_write_fn append = [](void* user, const void* bytes, size_t n) -> int32_t {
    static_cast<std::string*>(user)->append(static_cast<const char*>(bytes), n);
    return 0;
  };
  call(nf_model_describe, model, append, static_cast<void*>(&text));
  return Json::parse(text);
}

}  // namespace nf::cli
