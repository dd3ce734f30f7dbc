// See target.h.
#include "src/cli/target.h"

#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "src/cli/settings.h"
#include "src/cli/text.h"

namespace nf::cli {
namespace {
using Json = nlohmann::ordered_json;

Json described() {
  const char* text = nf_targets_describe();
  if (!text) throw Failure("out of memory");
  return Json::parse(text);
}

bool is_json(const std::string& argument) { return argument.find('{') != std::string::npos; }
}  // namespace

std::string target_spec(const std::string& argument) {
  if (is_json(argument)) return argument;
  size_t at = argument.find(',');
  if (at == std::string::npos) return argument;
  Json spec = {{"type", argument.substr(0, at)}};
  while (at != std::string::npos) {
    const size_t next = argument.find(',', at + 1);
    const std::string field = argument.substr(at + 1, next == std::string::npos ? next : next - at - 1);
    const size_t equals = field.find('=');
    const Json value = equals == std::string::npos
                           ? Json()
                           : Json::parse(field.substr(equals + 1), nullptr, /*allow_exceptions=*/false);
    if (equals == std::string::npos || value.is_discarded())
      throw Failure("--target " + argument + ": '" + field + "' is not FIELD=NUMBER",
                    "as in --target u1,radius=4,spread=0.8; `nf targets` lists the fields", kUsage);
    spec[field.substr(0, equals)] = value;
    at = next;
  }
  return spec.dump();
}

Target open_target(nf_runtime* runtime, const std::string& argument, int64_t columns) {
  const std::string spec = target_spec(argument);
  return make<Target>(nf_target_create, runtime, spec.c_str(), spec.size(), columns);
}

nf_target_info info_of(const nf_target* target) {
  nf_target_info info = NF_TARGET_INFO_INIT;
  call(nf_target_get_info, target, &info);
  return info;
}

int64_t usual_columns(const std::string& argument) {
  const Json spec = is_json(argument) ? Json::parse(argument, nullptr, /*allow_exceptions=*/false) : Json();
  const std::string name = spec.is_object() && spec.contains("type") && spec["type"].is_string()
                               ? spec["type"].get<std::string>()
                               : argument.substr(0, argument.find(','));
  for (const Json& t : described())
    if (t["name"] == name && t["min_columns"] == t["max_columns"]) return t["min_columns"];
  return 2;
}

int list_targets(bool json) {
  const Json all = described();
  if (json) {
    std::printf("%s\n", all.dump(2).c_str());
    return kOk;
  }
  const Screen screen(stdout);
  const Settings none;
  const Runtime runtime = none.runtime();
  for (const Json& t : all) {
    const std::string name = t["name"];
    const double log_z = info_of(open_target(runtime.get(), name, usual_columns(name)).get()).log_z;
    std::printf("%s  %s%s\n", screen.bold(name).c_str(), t.value("doc", "").c_str(),
                std::isnan(log_z) ? "" : text("; log Z = %.4f", log_z).c_str());
    if (const std::string source = t.value("source", ""); !source.empty())
      std::printf("  %s\n", screen.dim(source).c_str());
    for (const Json& f : t["fields"])
      std::printf("  %s%s %s\n", screen.name(text("%-10s", f["name"].get<std::string>().c_str())).c_str(),
                  f.value("doc", "").c_str(),
                  screen.dim("(" + shown(f["default"]) + ", " + bounds_of(f) + ")").c_str());
    std::printf("\n");
  }
  std::printf(
      "Set fields with --target NAME,FIELD=NUMBER: nf fit-target SPEC --target u1,radius=4,spread=0.8 -o OUT\n");
  return kOk;
}

}  // namespace nf::cli
