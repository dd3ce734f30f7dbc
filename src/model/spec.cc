#include "src/model/spec.h"

#include <algorithm>

#include "src/io/json.h"
#include "src/model/flow.h"
#include "src/model/model.h"
#include "src/model/read_fields.h"
#include "src/model/write_fields.h"

namespace libnf {
namespace {

// Reads and writes the event: [columns], [height, width, channels], or a plain number of columns.
void event_field(Fields& f, Dims& event) {
  std::vector<int64_t> list(event.d, event.d + event.rank);
  f.integers("event", "shape of x: [columns], or [height, width, channels]", list, 1, kMaxEvent, 3);
  event = {};
  for (const int64_t n : list) event[event.rank++] = n;
}

// Reads and writes the context: [columns] or a plain number of columns.
void context_field(Fields& f, int64_t& context) {
  std::vector<int64_t> list = {context};
  f.integers("context", "columns of the context; 0: none", list, 0, kMaxEvent, 1);
  context = list.empty() ? 0 : list[0];
}

// Reads and writes the kind. When it changes, the configuration becomes the default of the new kind.
void kind_field(Fields& f, ModelSpec& s) {
  const auto kinds = Registry<ModelKind>::all();
  std::vector<const char*> names;
  for (const ModelKind* k : kinds) names.push_back(k->name);
  enum class Index {};
  auto index = static_cast<Index>(std::find(kinds.begin(), kinds.end(), s.kind) - kinds.begin());
  f.choice("kind", "kind of model, which determines the other fields", index, names);
  const ModelKind* chosen = kinds[static_cast<size_t>(index)];
  if (chosen == s.kind) return;
  s.kind = chosen;
  s.config = chosen->config();
}

void check_event(const Json* j, const Dims& event) {
  if (!j)
    fail(Code::spec,
         "spec.event is missing: expected the number of columns, as in \"event\": [6], or [height, width, channels]");
  int64_t columns = 1;
  for (int64_t i = 0; i < event.rank && columns <= kMaxEvent; ++i) columns *= event[i];
  if ((event.rank != 1 && event.rank != 3) || columns > kMaxEvent)
    fail(Code::spec, "spec.event: %s is not [columns] or [height, width, channels] with a product of at most %lld",
         shown(*j).c_str(), static_cast<long long>(kMaxEvent));
}

}  // namespace

ModelSpec::ModelSpec() : kind(Registry<ModelKind>::find("flow")), config(kind->config()) {}

void ModelSpec::fields(Fields& f) {
  static constexpr const char* kDtypes[] = {"float32", "float64"};
  event_field(f, event);
  context_field(f, context);
  enum class Name { f32, f64 } name = dtype == DType::f64 ? Name::f64 : Name::f32;
  f.choice("dtype", "type of parameters and arithmetic", name, kDtypes);
  dtype = name == Name::f64 ? DType::f64 : DType::f32;
  kind_field(f, *this);
  config->fields(f);
}

ModelSpec parse_spec(std::string_view text) {
  const Json root = parse_json(text, "spec", Code::spec, kMaxSpecBytes, kMaxSpecDepth);
  if (!root.object()) fail(Code::spec, "spec: %s is not an object", shown(root).c_str());
  ModelSpec s;
  ReadFields read(root, "spec");
  s.fields(read);
  read.finish({});
  check_event(root.find("event"), s.event);
  if (const char* field = s.kind->required; field && !root.find(field))
    fail(Code::spec, "spec.%s is missing: expected %s", field, s.kind->expected);
  if (s.kind->check) s.kind->check(s);
  return s;
}

std::string write_spec(const ModelSpec& s) {
  Json j = Json::Object();
  WriteFields write(j);
  const_cast<ModelSpec&>(s).fields(write);  // only reads
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
                      {"doc", "a net of the context, whose output all layers and the base get instead"},
                      {"source", ""},
                      {"fields", describe_fields(embedding)}};
  ModelSpec spec;
  all["spec"] = {{"doc", "a model: its event, its chain of layers and its base"}, {"fields", describe_fields(spec)}};
  return all.dump();
}

}  // namespace libnf
