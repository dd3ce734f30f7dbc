#include "src/model/spec.h"

#include "src/model/json.h"
#include "src/model/spec_fields.h"

namespace nf {
namespace {

template <class Kind>
[[noreturn]] void unknown_kind(const std::string& path, const char* what, const std::string& name,
                               std::span<const Kind* const> kinds) {
  std::vector<std::string> names;
  for (const Kind* k : kinds) names.emplace_back(k->name);
  const std::string near = nearest(name, names);
  if (!near.empty())
    fail(Code::spec, "%s: unknown %s \"%.40s\", did you mean \"%s\"?", path.c_str(), what, name.c_str(), near.c_str());
  std::string list;
  for (const std::string& n : names) list += (list.empty() ? "" : ", ") + n;
  fail(Code::spec, "%s: unknown %s \"%.40s\"; known: %s", path.c_str(), what, name.c_str(), list.c_str());
}

std::string type_of(const Json& object, const std::string& path) {
  const Json& type = object.at("type");
  if (!type.is_string()) fail(Code::spec, "%s.type: %s is not a name", path.c_str(), shown(type).c_str());
  return type.get<std::string>();
}

LayerSpec read_layer(const Json& j, const std::string& path);

void read_layers(const Json& list, const std::string& path, LayerSpec& chain) {
  if (!list.is_array()) fail(Code::spec, "%s: %s is not a list of layers", path.c_str(), shown(list).c_str());
  for (size_t i = 0; i < list.size(); ++i)
    chain.layers.push_back(read_layer(list[i], path + "[" + std::to_string(i) + "]"));
}

LayerSpec read_layer(const Json& j, const std::string& path) {
  if (!j.is_object())
    fail(Code::spec, "%s: %s is not a layer; write {\"type\": NAME, ...} or {\"layers\": [...]}", path.c_str(),
         shown(j).c_str());
  const bool chain = j.contains("layers");
  if (chain == j.contains("type"))
    fail(Code::spec, "%s: a layer has either \"type\" or \"layers\"%s", path.c_str(), chain ? ", not both" : "");
  LayerSpec s;
  ReadFields read(j, path);
  read.integer("repeat", "", s.repeat, 1, kMaxLayers);
  read.flag("invert", "", s.invert);
  if (chain) {
    read.finish({"layers"});
    read_layers(j["layers"], path + ".layers", s);
    return s;
  }
  const std::string type = type_of(j, path);
  s.kind = find_layer_kind(type.c_str());
  if (!s.kind) unknown_kind(path + ".type", "layer", type, layer_kinds());
  s.config = s.kind->config();
  s.config->fields(read);
  read.finish({"type"});
  return s;
}

// [n] or n.
int64_t read_extent(const Json& root, const char* name, int64_t low, int64_t missing) {
  const auto it = root.find(name);
  if (it == root.end()) {
    if (missing < 0)
      fail(Code::spec, "spec.%s: is missing; write the number of columns, as in \"%s\": [6]", name, name);
    return missing;
  }
  const Json& v = it->is_array() && it->size() == 1 ? (*it)[0] : *it;
  const bool whole = v.is_number_integer() && !(v.is_number_unsigned() && v.get<uint64_t>() > INT64_MAX);
  if (!whole || v.get<int64_t>() < low || v.get<int64_t>() > kMaxEvent)
    fail(Code::spec, "spec.%s: %s is not a list of one integer in [%lld, %lld]", name, shown(*it).c_str(),
         static_cast<long long>(low), static_cast<long long>(kMaxEvent));
  return v.get<int64_t>();
}

void read_base(const Json& root, ModelSpec& s) {
  Json j = root.contains("base") ? root["base"] : Json("normal");
  const std::string path = "spec.base";
  if (j.is_string()) j = Json{{"type", j}};
  if (!j.is_object() || !j.contains("type"))
    fail(Code::spec, "%s: %s is not a base; write \"normal\" or {\"type\": \"normal\"}", path.c_str(),
         shown(j).c_str());
  const std::string type = type_of(j, path);
  s.base = find_base_kind(type.c_str());
  if (!s.base) unknown_kind(path, "base", type, base_kinds());
  s.base_config = s.base->config();
  ReadFields read(j, path);
  s.base_config->fields(read);
  read.finish({"type"});
}

int64_t written_out(const LayerSpec& s, const std::string& path) {
  int64_t n = s.kind ? 1 : 0;
  for (size_t i = 0; i < s.layers.size(); ++i)
    n += written_out(s.layers[i], path + ".layers[" + std::to_string(i) + "]");
  n *= s.repeat;
  if (n > kMaxLayers)
    fail(Code::spec, "%s: more than %lld layers after repeats are written out", path.c_str(),
         static_cast<long long>(kMaxLayers));
  return n;
}

Json layer_json(const LayerSpec& s) {
  Json j = Json::object();
  if (s.kind) j["type"] = s.kind->name;
  if (s.repeat != 1) j["repeat"] = s.repeat;
  if (s.invert) j["invert"] = true;
  if (s.kind) {
    WriteFields write(j);
    s.config->fields(write);
    return j;
  }
  j["layers"] = Json::array();
  for (const LayerSpec& child : s.layers) j["layers"].push_back(layer_json(child));
  return j;
}

template <class Kind>
Json describe(const Kind& kind) {
  DescribeFields fields;
  kind.config()->fields(fields);
  return {{"name", kind.name}, {"doc", kind.doc}, {"source", kind.source}, {"fields", fields.list}};
}

}  // namespace

ModelSpec parse_spec(std::string_view text) {
  const Json root = parse_json(text, "spec", Code::spec, kMaxSpecBytes, kMaxSpecDepth);
  if (!root.is_object()) fail(Code::spec, "spec: %s is not an object", shown(root).c_str());
  ModelSpec s;
  ReadFields read(root, "spec");
  static constexpr const char* kDtypes[] = {"float32", "float64"};
  enum class Name { f32, f64 } dtype = Name::f32;
  read.choice("dtype", "", dtype, kDtypes);
  s.dtype = dtype == Name::f64 ? DType::f64 : DType::f32;
  read.flag("invert", "", s.chain.invert);
  read.finish({"event", "context", "base", "layers"});
  s.event = read_extent(root, "event", 1, -1);
  s.context = read_extent(root, "context", 0, 0);
  read_base(root, s);
  if (!root.contains("layers")) fail(Code::spec, "spec.layers: is missing; write a list of layers");
  read_layers(root["layers"], "spec.layers", s.chain);
  const int64_t layers = written_out(s.chain, "spec");
  if (layers * s.event > kMaxLayerColumns)
    fail(Code::spec, "spec.event: %lld columns x %lld layers is above the limit of %lld",
         static_cast<long long>(s.event), static_cast<long long>(layers), static_cast<long long>(kMaxLayerColumns));
  return s;
}

std::string write_spec(const ModelSpec& s) {
  Json j = {{"event", {s.event}}, {"context", {s.context}}, {"dtype", name_of(s.dtype)}};
  j["base"] = {{"type", s.base->name}};
  WriteFields write(j["base"]);
  s.base_config->fields(write);
  const Json chain = layer_json(s.chain);
  if (s.chain.invert) j["invert"] = true;
  j["layers"] = chain["layers"];
  return j.dump();
}

std::string describe_layers() {
  Json layers = Json::array(), bases = Json::array();
  for (const LayerKind* k : layer_kinds()) layers.push_back(describe(*k));
  for (const BaseKind* k : base_kinds()) bases.push_back(describe(*k));
  return Json{{"layers", layers}, {"bases", bases}}.dump();
}

}  // namespace nf
