// See set.h.
#include "src/cli/set.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <nlohmann/json.hpp>

#include "src/cli/handle.h"
#include "src/cli/text.h"

namespace nf::cli {
namespace {
using Json = nlohmann::ordered_json;
using Names = std::vector<std::string>;

// Fields by kind, of layers and of bases.
struct Kinds {
  std::map<std::string, std::map<std::string, std::string>> layers, bases;  // kind -> field -> type
  std::vector<std::string> embedding;                                       // fields
  static const Kinds& get() {
    static const Kinds all = [] {
      Kinds k;
      const char* described = nf_layers_describe();
      if (!described) throw Failure("out of memory");
      const Json json = Json::parse(described);
      for (const auto& [family, kinds] : {std::pair("layers", &k.layers), std::pair("bases", &k.bases)})
        for (const Json& kind : json.at(family)) {
          auto& fields = (*kinds)[kind.at("name")];
          for (const Json& field : kind.at("fields")) fields[field.at("name")] = field.at("type");
        }
      for (const Json& field : json.at("embedding").at("fields")) k.embedding.push_back(field.at("name"));
      return k;
    }();
    return all;
  }
};

[[noreturn]] void bad(const std::string& assignment, const std::string& what, const std::string& hint = {}) {
  throw Failure("--set " + assignment + ": " + what, hint, kUsage);
}

// What a node of the spec is decides which fields it may have.
enum class Place { spec, chain, layer, base, embedding, list, value };

struct Node {
  Json* json;
  Place place;
  std::string path;
};

Place place_of(const Json& json, bool base) {
  if (json.is_array()) return Place::list;
  if (base) return Place::base;
  if (!json.is_object()) return Place::value;
  return json.contains("type") ? Place::layer : Place::chain;
}

Names fields_of(const Node& n) {
  if (n.place == Place::spec) return {"event", "context", "embedding", "dtype", "base", "layers", "invert"};
  if (n.place == Place::embedding) return Kinds::get().embedding;
  if (n.place == Place::chain) return {"layers", "repeat", "invert"};
  const bool base = n.place == Place::base;
  Names names = base ? Names{"type"} : Names{"type", "repeat", "invert"};
  const Json* type = n.json->is_object() && n.json->contains("type") ? &(*n.json)["type"] : nullptr;
  const std::string kind = type && type->is_string() ? type->get<std::string>() : "normal";
  const auto& kinds = base ? Kinds::get().bases : Kinds::get().layers;
  if (const auto found = kinds.find(kind); found != kinds.end())
    for (const auto& [field, ignored] : found->second) names.push_back(field);
  return names;
}

std::string described(const Node& n) {
  if (n.place == Place::spec) return "the spec";
  if (n.place == Place::chain) return n.path + ", a chain,";
  if (n.place == Place::embedding) return "the embedding";
  return n.path + ", " + n.json->value("type", "normal") + ",";
}

std::string suggestion(const std::string& word, const Names& names) {
  const std::string near = nearest(word, names);
  return near.empty() ? "its fields: " + join(names, ", ") : "did you mean '" + near + "'?";
}

// "layers[0].hidden" as layers, 0, hidden.
Names parts_of(const std::string& path, const std::string& assignment) {
  const char* example = "for example --set layers[0].hidden=[64,64]";
  Names parts;
  for (size_t i = 0; i < path.size();) {
    const size_t bracket = path[i] == '[';
    const size_t end = bracket ? path.find(']', i) : std::min(path.find_first_of(".[", i), path.size());
    if (end == std::string::npos) bad(assignment, "'[' needs its ']'", example);
    parts.push_back(path.substr(i + bracket, end - i - bracket));
    i = end + bracket;
    const bool dot = i < path.size() && path[i] == '.';
    if (parts.back().empty() || (dot && i + 1 == path.size())) bad(assignment, "the path has an empty step", example);
    if (bracket && !dot && i < path.size() && path[i] != '[') bad(assignment, "']' needs a dot behind it", example);
    i += dot;
  }
  return parts;
}

Json& element(const Node& n, const std::string& part, const std::string& assignment) {
  size_t index = 0;
  const auto [stop, error] = std::from_chars(part.data(), part.data() + part.size(), index);
  if (error != std::errc() || stop != part.data() + part.size() || index >= n.json->size())
    bad(assignment, "'" + part + "' is not an index of a list of " + std::to_string(n.json->size()),
        n.json->empty() ? "" : "from 0 to " + std::to_string(n.json->size() - 1));
  return (*n.json)[index];
}

// Every field `name` that a layer below (or the base) has, by path.
void find_fields(const Node& n, const std::string& name, std::vector<Node>& found) {
  if (n.place == Place::list) {
    for (size_t i = 0; i < n.json->size(); ++i)
      find_fields({&(*n.json)[i], place_of((*n.json)[i], false), n.path + "[" + std::to_string(i) + "]"}, name, found);
    return;
  }
  const Names fields = fields_of(n);
  const bool counts =
      n.place == Place::layer || n.place == Place::base || (n.place == Place::chain && n.json->contains(name));
  if (counts && std::find(fields.begin(), fields.end(), name) != fields.end()) {
    // "repeat" and "invert" are fields of everything: those that are written are meant.
    const bool common = name == "repeat" || name == "invert" || name == "type";
    if (!common || n.json->contains(name)) found.push_back(n);
  }
  if (n.json->is_object() && n.json->contains("layers"))
    find_fields({&(*n.json)["layers"], Place::list, n.path.empty() ? "layers" : n.path + ".layers"}, name, found);
}

Names every_field() {
  Names names{"event", "context", "embedding", "dtype", "base", "layers", "repeat", "invert"};
  for (const auto* kinds : {&Kinds::get().layers, &Kinds::get().bases})
    for (const auto& [kind, fields] : *kinds)
      for (const auto& [field, type] : fields) names.push_back(field);
  return names;
}

void set_bare(Json& spec, const std::string& name, const Json& value, const std::string& assignment) {
  const Node root{&spec, Place::spec, ""};
  const Names own = fields_of(root);
  // Of the spec itself "invert" is meant where that writes it.
  if (std::find(own.begin(), own.end(), name) != own.end() && (name != "invert" || spec.contains(name))) {
    spec[name] = value;
    return;
  }
  std::vector<Node> found;
  find_fields(root, name, found);
  if (spec.contains("base") && spec["base"].is_object()) find_fields({&spec["base"], Place::base, "base"}, name, found);
  if (found.empty())
    bad(assignment, "nothing in the spec has a field '" + name + "'", [&] {
      const std::string near = nearest(name, every_field());
      return near.empty() || near == name ? "`nf layers` lists every field" : "did you mean '" + near + "'?";
    }());
  Names paths, types;
  for (const Node& n : found) {
    paths.push_back(n.path + "." + name);
    const auto& kinds = n.place == Place::base ? Kinds::get().bases : Kinds::get().layers;
    const auto kind = n.place == Place::chain ? kinds.end() : kinds.find(n.json->value("type", ""));
    const std::string type = kind != kinds.end() && kind->second.count(name) ? kind->second.at(name) : name + n.path;
    if (std::find(types.begin(), types.end(), type) == types.end()) types.push_back(type);
  }
  if (types.size() > 1) bad(assignment, "'" + name + "' could mean " + join(paths, " or "), "give the whole path");
  for (const Node& n : found) (*n.json)[name] = value;
}

void set_path(Json& spec, const Names& parts, const Json& value, const std::string& assignment) {
  Node at{&spec, Place::spec, ""};
  for (size_t i = 0; i < parts.size(); ++i) {
    const std::string& part = parts[i];
    if (at.place == Place::list) {
      Json& next = element(at, part, assignment);
      at = {&next, place_of(next, false), at.path + "[" + part + "]"};
      if (i + 1 == parts.size()) next = value;
      continue;
    }
    if (at.place == Place::base && at.json->is_string()) *at.json = Json{{"type", *at.json}};
    if (at.place == Place::value || !at.json->is_object())
      bad(assignment, "there is nothing below the plain value " + at.path);
    const Names fields = fields_of(at);
    if (std::find(fields.begin(), fields.end(), part) == fields.end())
      bad(assignment, described(at) + " has no field '" + part + "'", suggestion(part, fields));
    const bool last = i + 1 == parts.size();
    if (!last && !at.json->contains(part)) {
      if (part != "base" && part != "embedding")
        bad(assignment, described(at) + " does not write '" + part + "' out, so there is nothing below");
      (*at.json)[part] = part == "base" ? Json("normal") : Json::object();
    }
    Json& next = (*at.json)[part];
    if (last) {
      if (part == "type" && next != value && at.place == Place::base)
        *at.json = Json{{"type", value}};
      else
        next = value;
    }
    const bool layers = part == "layers" && at.place != Place::layer;
    at = {&next,
          layers                ? Place::list
          : part == "base"      ? Place::base
          : part == "embedding" ? Place::embedding
          : next.is_array()     ? Place::list
                                : Place::value,
          at.path.empty() ? part : at.path + "." + part};
  }
}
}  // namespace

std::string override_spec(const std::string& spec, const std::vector<std::string>& assignments) {
  if (assignments.empty()) return spec;
  Json json = Json::parse(spec, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return spec;  // the library says what is wrong with it
  for (const std::string& a : assignments) {
    const size_t equals = a.find('=');
    if (equals == std::string::npos || equals == 0)
      bad(a, "expected path=value", "for example --set layers[0].hidden=[64,64]");
    const std::string raw = a.substr(equals + 1);
    Json value = Json::parse(raw, nullptr, false);
    if (value.is_discarded()) value = raw;
    const Names parts = parts_of(a.substr(0, equals), a);
    if (parts.size() == 1)
      set_bare(json, parts[0], value, a);
    else
      set_path(json, parts, value, a);
  }
  return json.dump(2);
}

}  // namespace nf::cli
