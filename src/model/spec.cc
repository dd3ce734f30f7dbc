#include "src/model/spec.h"

#include <algorithm>

#include "src/io/json.h"
#include "src/model/nearest.h"
#include "src/model/spec_fields.h"

namespace nf {
namespace {

template <class Kind>
[[noreturn]] void unknown_kind(const std::string& path, const char* what, const std::string& name,
                               std::span<const Kind* const> kinds) {
  std::vector<std::string> names;
  for (const Kind* k : kinds) names.emplace_back(k->name);
  const std::string alias = what == std::string_view("layer") ? layer_alias(name) : "", near = nearest(name, names);
  const std::string meant = !alias.empty() ? alias : near.empty() ? near : "\"" + near + "\"";
  if (!meant.empty())
    fail(Code::spec, "%s: unknown %s \"%.40s\", did you mean %s?", path.c_str(), what, name.c_str(), meant.c_str());
  const std::string known = known_names(names, Error::kMessageBytes - std::min<size_t>(path.size(), 110) - 75);
  fail(Code::spec, "%s: unknown %s \"%.40s\"; known: %s", path.c_str(), what, name.c_str(), known.c_str());
}

std::string type_of(const Json& object, const std::string& path) {
  const Json& type = *object.find("type");
  if (!type.string()) fail(Code::spec, "%s.type: %s is not a name", path.c_str(), shown(type).c_str());
  return *type.string();
}

LayerSpec read_layer(const Json& j, const std::string& path);

void read_layers(const Json& list, const std::string& path, LayerSpec& chain) {
  const Json::Array* items = list.array();
  if (!items) fail(Code::spec, "%s: %s is not a list of layers", path.c_str(), shown(list).c_str());
  for (size_t i = 0; i < items->size(); ++i)
    chain.layers.push_back(read_layer((*items)[i], path + "[" + std::to_string(i) + "]"));
}

LayerSpec read_layer(const Json& j, const std::string& path) {
  if (!j.object())
    fail(Code::spec, "%s: %s is not a layer; write {\"type\": NAME, ...} or {\"layers\": [...]}", path.c_str(),
         shown(j).c_str());
  const Json* chain = j.find("layers");
  if ((chain != nullptr) == (j.find("type") != nullptr))
    fail(Code::spec, "%s: a layer has either \"type\" or \"layers\"%s", path.c_str(), chain ? ", not both" : "");
  LayerSpec s;
  ReadFields read(j, path);
  read.integer("repeat", "", s.repeat, 1, kMaxLayers);
  read.flag("invert", "", s.invert);
  if (chain) {
    read.finish({"layers"});
    read_layers(*chain, path + ".layers", s);
    return s;
  }
  const std::string type = type_of(j, path);
  s.kind = Registry<LayerKind>::find(type.c_str());
  if (!s.kind) unknown_kind(path + ".type", "layer", type, Registry<LayerKind>::all());
  s.config = s.kind->config();
  s.config->fields(read);
  read.finish({"type"});
  return s;
}

// [n] or n; 0 when it is missing.
int64_t read_context(const Json& root) {
  const Json* j = root.find("context");
  if (!j) return 0;
  const auto n = (j->array() && j->array()->size() == 1 ? j->array()->front() : *j).int64();
  if (!n || *n < 0 || *n > kMaxEvent)
    fail(Code::spec, "spec.context: %s is not a list of one integer in [0, %lld]", shown(*j).c_str(),
         static_cast<long long>(kMaxEvent));
  return *n;
}

// [columns], [height, width, channels], or columns.
Dims read_event(const Json& root) {
  const Json* j = root.find("event");
  if (!j)
    fail(Code::spec,
         "spec.event: is missing; write the number of columns, as in \"event\": [6], or [height, width, channels]");
  const std::span<const Json> extents = j->array() ? std::span<const Json>(*j->array()) : std::span(j, 1);
  Dims event;
  bool good = extents.size() == 1 || extents.size() == 3;
  int64_t columns = 1;
  for (size_t i = 0; good && i < extents.size(); ++i) {
    const auto n = extents[i].int64();
    good = n && *n >= 1 && *n <= kMaxEvent && columns * *n <= kMaxEvent;
    if (good) columns *= event[event.rank++] = *n;
  }
  if (!good)
    fail(Code::spec,
         "spec.event: %s is not [columns] or [height, width, channels], integers above 0 whose product is at most %lld",
         shown(*j).c_str(), static_cast<long long>(kMaxEvent));
  return event;
}

Json event_json(const Dims& event) { return Json::Array(event.d, event.d + event.rank); }

void read_base(const Json& root, ModelSpec& s) {
  const Json* base = root.find("base");
  Json j = base ? *base : Json("normal");
  const std::string path = "spec.base";
  if (j.string()) j = Json{{"type", j}};
  if (!j.find("type"))
    fail(Code::spec, "%s: %s is not a base; write \"normal\" or {\"type\": \"normal\"}", path.c_str(),
         shown(j).c_str());
  const std::string type = type_of(j, path);
  s.base = Registry<BaseKind>::find(type.c_str());
  if (!s.base) unknown_kind(path, "base", type, Registry<BaseKind>::all());
  s.base_config = s.base->config();
  ReadFields read(j, path);
  s.base_config->fields(read);
  read.finish({"type"});
}

void read_embedding(const Json& root, ModelSpec& s) {
  const Json* j = root.find("embedding");
  if (!j) return;
  const std::string path = "spec.embedding";
  if (!j->object())
    fail(Code::spec, "%s: %s is not an embedding; write {\"out\": 8, \"hidden\": [32]}", path.c_str(),
         shown(*j).c_str());
  s.embedding = std::make_unique<EmbeddingConfig>();
  ReadFields read(*j, path);
  s.embedding->fields(read);
  read.finish({});
  if (s.context == 0)
    fail(Code::spec, "%s: there is no context to embed; write its number of columns, as in \"context\": [3]",
         path.c_str());
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
  Json j = Json::Object();
  if (s.kind) j["type"] = s.kind->name;
  if (s.repeat != 1) j["repeat"] = s.repeat;
  if (s.invert) j["invert"] = true;
  if (s.kind) {
    WriteFields write(j);
    s.config->fields(write);
    return j;
  }
  Json& layers = j["layers"] = Json::Array();
  for (const LayerSpec& child : s.layers) layers.append(layer_json(child));
  return j;
}

template <class Kind>
Json describe(const Kind& kind) {
  DescribeFields fields;
  kind.config()->fields(fields);
  return Json{{"name", kind.name}, {"doc", kind.doc}, {"source", kind.source}, {"fields", fields.list}};
}

}  // namespace

void EmbeddingConfig::fields(Fields& f) {
  f.integer("out", "columns that layers and the base see in place of the context", out, 1, 1 << 20);
  net.fields(f);
}

ModelSpec parse_spec(std::string_view text) {
  const Json root = parse_json(text, "spec", Code::spec, kMaxSpecBytes, kMaxSpecDepth);
  if (!root.object()) fail(Code::spec, "spec: %s is not an object", shown(root).c_str());
  ModelSpec s;
  ReadFields read(root, "spec");
  static constexpr const char* kDtypes[] = {"float32", "float64"};
  enum class Name { f32, f64 } dtype = Name::f32;
  read.choice("dtype", "", dtype, kDtypes);
  s.dtype = dtype == Name::f64 ? DType::f64 : DType::f32;
  read.flag("invert", "", s.chain.invert);
  read.finish({"event", "context", "embedding", "base", "layers"});
  s.event = read_event(root);
  s.context = read_context(root);
  read_embedding(root, s);
  read_base(root, s);
  const Json* layers = root.find("layers");
  if (!layers) fail(Code::spec, "spec.layers: is missing; write a list of layers");
  read_layers(*layers, "spec.layers", s.chain);
  const int64_t count = written_out(s.chain, "spec");
  const int64_t columns = s.event.count();
  if (count * columns > kMaxLayerColumns)
    fail(Code::spec, "spec.event: %lld columns x %lld layers is above the limit of %lld",
         static_cast<long long>(columns), static_cast<long long>(count), static_cast<long long>(kMaxLayerColumns));
  return s;
}

std::string write_spec(const ModelSpec& s) {
  Json j = {{"event", event_json(s.event)}, {"context", Json::Array{s.context}}, {"dtype", name_of(s.dtype)}};
  if (s.embedding) {
    WriteFields write_embedding(j["embedding"] = Json::Object());
    s.embedding->fields(write_embedding);
  }
  WriteFields write(j["base"] = Json{{"type", s.base->name}});
  s.base_config->fields(write);
  if (s.chain.invert) j["invert"] = true;
  j["layers"] = layer_json(s.chain)["layers"];
  return j.dump();
}

std::string describe_layers() {
  Json layers = Json::Array(), bases = Json::Array();
  for (const LayerKind* k : Registry<LayerKind>::all()) layers.append(describe(*k));
  for (const BaseKind* k : Registry<BaseKind>::all()) bases.append(describe(*k));
  DescribeFields embedding;
  EmbeddingConfig().fields(embedding);
  const Json net = {{"name", "embedding"},
                    {"doc", "a net of the context, whose output all layers and the base see in its place"},
                    {"source", ""},
                    {"fields", embedding.list}};
  return Json{{"layers", layers}, {"bases", bases}, {"embedding", net}}.dump();
}

}  // namespace nf
