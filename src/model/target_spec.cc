#include "src/model/target_spec.h"

#include "src/io/json.h"
#include "src/model/nearest.h"
#include "src/model/spec.h"
#include "src/model/spec_fields.h"

namespace nf {
namespace {

const TargetKind& kind_of(const std::string& name) {
  if (const TargetKind* kind = Registry<TargetKind>::find(name.c_str())) return *kind;
  std::vector<std::string> names;
  for (const TargetKind* k : Registry<TargetKind>::all()) names.emplace_back(k->name);
  const std::string near = nearest(name, names);
  if (!near.empty())
    fail(Code::spec, "target: unknown target \"%.40s\", did you mean \"%s\"?", name.c_str(), near.c_str());
  fail(Code::spec, "target: unknown target \"%.40s\"; known: %s", name.c_str(), known_names(names, 150).c_str());
}

bool is_word(std::string_view text) {
  if (text.empty()) return false;
  for (const char c : text)
    if (!(c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))) return false;
  return true;
}

}  // namespace

std::unique_ptr<Target> parse_target(std::string_view text, int64_t event) {
  const Json j = is_word(text) ? Json{{"type", std::string(text)}}
                               : parse_json(text, "target", Code::spec, kMaxSpecBytes, kMaxSpecDepth);
  const Json* type = j.object() ? j.find("type") : nullptr;
  if (!type || !type->string())
    fail(Code::spec, "target: %s is not a target; write a name, or {\"type\": NAME, fields...}", shown(j).c_str());
  const TargetKind& kind = kind_of(*type->string());
  const auto config = kind.config();
  ReadFields read(j, "target");
  config->fields(read);
  read.finish({"type"});
  if (event < kind.min_event || event > kind.max_event)
    fail(Code::shape, "target \"%s\" has %s%lld columns, not %lld", kind.name,
         kind.min_event == kind.max_event ? "" : "at least ", static_cast<long long>(kind.min_event),
         static_cast<long long>(event));
  return kind.build(*config, event);
}

std::string describe_targets() {
  Json list = Json::Array();
  for (const TargetKind* k : Registry<TargetKind>::all()) {
    DescribeFields fields;
    k->config()->fields(fields);
    list.append({{"name", k->name},
                 {"doc", k->doc},
                 {"formula", k->formula},
                 {"source", k->source},
                 {"min_columns", k->min_event},
                 {"max_columns", k->max_event},
                 {"fields", fields.list}});
  }
  return list.dump();
}

}  // namespace nf
