#include "src/model/write_fields.h"

#include "src/flow/chain.h"

namespace libnf {
namespace {

Json layer_json(LayerSpec& s) {
  Json j = Json::Object();
  if (s.kind) j["type"] = s.kind->name;
  if (s.repeat != 1) j["repeat"] = s.repeat;
  if (s.invert) j["invert"] = true;
  if (s.per_pixel) j["per_pixel"] = *s.per_pixel;
  if (s.kind) return written(*s.config, std::move(j));
  WriteFields(j).chain("layers", "", s.layers);
  return j;
}

}  // namespace

Json written(Config& config, Json object) {
  WriteFields write(object);
  config.fields(write);
  return object;
}

void WriteFields::object(const char* name, const char*, Config& value) { object_[name] = written(value); }

void WriteFields::one_of(const char* name, const char*, PartConfig& value) {
  object_[name] = written(value.config(), {{"type", value.part().name}});
}

void WriteFields::chain(const char* name, const char*, std::vector<LayerSpec>& value) {
  Json list = Json::Array();
  for (LayerSpec& s : value) list.append(layer_json(s));
  object_[name] = std::move(list);
}

void DescribeFields::integer(const char* name, const char* doc, int64_t& value, int64_t low, int64_t high) {
  list.append({{"name", name}, {"type", "integer"}, {"default", value}, {"min", low}, {"max", high}, {"doc", doc}});
}
void DescribeFields::real(const char* name, const char* doc, double& value, double low, double high) {
  list.append({{"name", name}, {"type", "number"}, {"default", value}, {"min", low}, {"max", high}, {"doc", doc}});
}
void DescribeFields::flag(const char* name, const char* doc, bool& value) {
  list.append({{"name", name}, {"type", "boolean"}, {"default", value}, {"doc", doc}});
}
void DescribeFields::text(const char* name, const char* doc, std::string& value, int64_t max_bytes) {
  list.append({{"name", name}, {"type", "text"}, {"default", value}, {"max_bytes", max_bytes}, {"doc", doc}});
}
void DescribeFields::integers(const char* name, const char* doc, std::vector<int64_t>& value, int64_t low, int64_t high,
                              int64_t max_count) {
  list.append({{"name", name},
               {"type", "integers"},
               {"default", value},
               {"min", low},
               {"max", high},
               {"max_count", max_count},
               {"doc", doc}});
}
void DescribeFields::reals(const char* name, const char* doc, std::vector<double>& value, double low, double high,
                           int64_t max_count) {
  list.append({{"name", name},
               {"type", "numbers"},
               {"default", value},
               {"min", low},
               {"max", high},
               {"max_count", max_count},
               {"doc", doc}});
}
void DescribeFields::choose(const char* name, const char* doc, int& value, std::span<const char* const> names) {
  Json choices = Json::Array(names.begin(), names.end());
  list.append({{"name", name},
               {"type", "choice"},
               {"default", names[static_cast<size_t>(value)]},
               {"choices", choices},
               {"doc", doc}});
}
void DescribeFields::object(const char* name, const char* doc, Config& value) {
  list.append({{"name", name},
               {"type", "object"},
               {"default", written(value)},
               {"doc", doc},
               {"fields", describe_fields(value)}});
}
void DescribeFields::optional_object(const char* name, const char* doc, Config& value, bool& present) {
  list.append({{"name", name},
               {"type", "object"},
               {"default", present ? written(value) : Json()},
               {"optional", true},
               {"doc", doc},
               {"fields", describe_fields(value)}});
}
void DescribeFields::one_of(const char* name, const char* doc, PartConfig& value) {
  Json& field = list.append({{"name", name},
                             {"type", "part"},
                             {"of", plural_of(value.family())},
                             {"default", written(value.config(), {{"type", value.part().name}})},
                             {"doc", doc}});
  if (!value.beside.empty()) field["beside"] = Json::Array(value.beside.begin(), value.beside.end());
}
void DescribeFields::chain(const char* name, const char* doc, std::vector<LayerSpec>&) {
  list.append({{"name", name},
               {"type", "chain"},
               {"of", plural_of(Registry<LayerKind>::family())},
               {"default", Json::Array()},
               {"doc", doc}});
}

Json describe_fields(Config& config) {
  DescribeFields describe;
  config.fields(describe);
  return std::move(describe.list);
}

Json describe_part(const Family& family, const PartKind& kind) {
  Json j = {{"name", kind.name}, {"doc", kind.doc}, {"source", kind.source}};
  if (family.facts) {
    WriteFields write(j);
    family.facts(kind, write);
  }
  if (!kind.aliases.empty()) j["aliases"] = Json::Array(kind.aliases.begin(), kind.aliases.end());
  j["fields"] = describe_fields(*kind.config());
  return j;
}

std::vector<std::string> names_of(Config& config) {
  std::vector<std::string> names;
  const Json fields = describe_fields(config);
  for (const Json& field : *fields.array()) names.push_back(*field.find("name")->string());
  return names;
}

std::string plural_of(const Family& family) { return std::string(family.word) + "s"; }

}  // namespace libnf
