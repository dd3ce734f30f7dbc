#include "src/model/spec.h"

#include "src/io/json.h"
#include "src/model/read_fields.h"
#include "src/model/write_fields.h"

namespace nf {
namespace {

// [n] or n.
void extent(Fields& f, const char* name, const char* doc, int64_t& value, int64_t low) {
  std::vector<int64_t> list;
  if (value >= low) list.push_back(value);
  f.integers(name, doc, list, low, kMaxEvent, 1);
  value = list.empty() ? low - 1 : list[0];
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

}  // namespace

void EmbeddingConfig::fields(Fields& f) {
  f.integer("out", "columns that layers and the base see in place of the context", out, 1, 1 << 20);
  net.fields(f);
}

void ModelSpec::fields(Fields& f) {
  static constexpr const char* kDtypes[] = {"float32", "float64"};
  extent(f, "event", "columns of x and z", event, 1);
  extent(f, "context", "columns of the context; 0: none", context, 0);
  enum class Name { f32, f64 } name = dtype == DType::f64 ? Name::f64 : Name::f32;
  f.choice("dtype", "type of parameters and arithmetic", name, kDtypes);
  dtype = name == Name::f64 ? DType::f64 : DType::f32;
  f.optional("embedding", "a net of the context, whose output layers and base see in its place", embedding);
  f.one_of("base", "distribution of z", base);
  f.flag("invert", "swap forward and inverse of the whole chain", chain.invert);
  f.chain("layers", "the chain from x to z", chain.layers);
}

ModelSpec parse_spec(std::string_view text) {
  const Json root = parse_json(text, "spec", Code::spec, kMaxSpecBytes, kMaxSpecDepth);
  if (!root.object()) fail(Code::spec, "spec: %s is not an object", shown(root).c_str());
  ModelSpec s;
  ReadFields read(root, "spec");
  s.fields(read);
  read.finish({});
  for (const char* name : {"event", "context"})
    if (const Json* j = root.find(name); j && j->array() && j->array()->empty())
      fail(Code::spec, "spec.%s: [] is not a list of one integer", name);
  if (s.event < 1) fail(Code::spec, "spec.event is missing: expected the number of columns, as in \"event\": [6]");
  if (!root.find("layers")) fail(Code::spec, "spec.layers is missing: expected a list of layers");
  if (s.embedding && s.context == 0)
    fail(Code::spec,
         "spec.embedding: there is no context to embed; write its number of columns, as in \"context\": [3]");
  const int64_t count = written_out(s.chain, "spec");
  if (count * s.event > kMaxLayerColumns)
    fail(Code::spec, "spec.event: %lld columns x %lld layers is above the limit of %lld",
         static_cast<long long>(s.event), static_cast<long long>(count), static_cast<long long>(kMaxLayerColumns));
  return s;
}

std::string write_spec(const ModelSpec& s) {
  Json j = Json::Object();
  WriteFields write(j);
  const_cast<ModelSpec&>(s).fields(write);  // which only reads
  return j.dump();
}

bool is_same_spec(std::string_view text, const std::string& canonical) {
  if (text == canonical) return true;
  try {
    return write_spec(parse_spec(text)) == canonical;
  } catch (const Error& e) {
    if (e.code() != Code::spec) throw;
    return false;
  }
}

std::string describe_parts() {
  Json all = Json::Object();
  for (const Family* family : families()) {
    Json& list = all[plural_of(*family)] = Json::Array();
    for (const PartKind* kind : family->parts) list.append(describe_part(*family, *kind));
  }
  EmbeddingConfig embedding;
  all["embedding"] = {{"name", "embedding"},
                      {"doc", "a net of the context, whose output all layers and the base see in its place"},
                      {"source", ""},
                      {"fields", describe_fields(embedding)}};
  ModelSpec spec;
  all["spec"] = {{"fields", describe_fields(spec)}};
  return all.dump();
}

}  // namespace nf
