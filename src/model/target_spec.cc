#include "src/model/target_spec.h"

#include "src/io/json.h"
#include "src/model/read_fields.h"
#include "src/model/spec.h"
#include "src/model/write_fields.h"

namespace libnf {
namespace {

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
  const auto& kind =
      static_cast<const TargetKind&>(find_part(Registry<TargetKind>::family(), "target", *type->string()));
  const auto config = kind.config();
  read_config(j, "target", *config);
  if (event < kind.min_event || event > kind.max_event)
    fail(Code::shape, "target \"%s\" has %s%lld columns, not %lld", kind.name,
         kind.min_event == kind.max_event ? "" : "at least ", static_cast<long long>(kind.min_event),
         static_cast<long long>(event));
  return kind.build(*config, event);
}

std::string describe_targets() {
  const Family& family = Registry<TargetKind>::family();
  Json list = Json::Array();
  for (const PartKind* kind : family.parts) list.append(describe_part(family, *kind));
  return list.dump();
}

}  // namespace libnf
