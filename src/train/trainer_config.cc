#include "src/train/trainer_config.h"

#include <algorithm>
#include <limits>

#include "src/model/read_fields.h"
#include "src/model/write_fields.h"

namespace libnf {
namespace {

constexpr const char* kPath = "trainer";

void copy(const PartConfig& from, PartConfig& to) {
  to.choose(from.part());
  // Copies by writing and reading the list of fields, so no field can be forgotten.
  Json j = Json::Object();
  WriteFields write(j);
  const_cast<Config&>(from.config()).fields(write);  // only reads
  read_config(j, "objective", to.config());
}

// Returns the members of `options` whose names are in `names`.
Json part_of(const Json& options, const std::vector<std::string>& names) {
  Json part = Json::Object();
  for (const auto& [key, value] : *options.object())
    if (std::find(names.begin(), names.end(), key) != names.end()) part[key] = value;
  return part;
}

// Reads the fields of the objective, which are next to its name.
void read_objective_fields(const Json& options, ObjectiveConfig& objective) {
  const std::vector<std::string> own = names_of(objective.config());
  for (const PartKind* other : objective.family().parts) {
    const auto config = other->config();
    Json defaults = Json::Object();
    WriteFields write(defaults);
    config->fields(write);
    for (const auto& [key, value] : *defaults.object()) {
      const Json* given = options.find(key);
      if (given && std::find(own.begin(), own.end(), key) == own.end() && *given != value)
        fail(Code::spec, "%s.%s: %s has no effect with \"objective\": \"%s\"; leave it out", kPath, key.c_str(),
             shown(*given).c_str(), objective.part().name);
    }
  }
  read_config(part_of(options, own), kPath, objective.config());
}

}  // namespace

ObjectiveConfig::ObjectiveConfig(std::string_view text) : OneOf("nll") {
  const bool object = !text.empty() && text.front() == '{';
  const Json j = object ? parse_json(text, "objective", Code::spec, 1 << 16, 8) : Json(std::string(text));
  read_part(j, "objective", *this);
}

ObjectiveConfig::ObjectiveConfig(const ObjectiveConfig& other) : OneOf("nll") { copy(other, *this); }

ObjectiveConfig& ObjectiveConfig::operator=(const ObjectiveConfig& other) {
  if (this != &other) copy(other, *this);
  return *this;
}

void TrainerConfig::fields(Fields& f) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  static constexpr const char* kMemory[] = {"full", "recompute", "invert"};
  f.one_of("objective", "what a step minimizes", objective);
  optimizer.fields(f);
  schedule.fields(f);
  clip.fields(f);
  ema.fields(f);
  guard.fields(f);
  f.text("groups",
         "groups of parameters with their own settings, a list in JSON: [{\"match\": \"base.*\", \"lr\": 1e-4}, "
         "{\"match\": \"layers.0.*\", \"freeze\": true}]; a parameter belongs to the first group that matches its "
         "name; options that a group omits are those of the trainer; fields: match, freeze, and every option of "
         "optimizers and clipping",
         groups_json, kMaxGroupBytes);
  f.choice("memory",
           "what the forward pass keeps for gradients: everything, or inputs of layers only, or the last output, from "
           "which inputs are rebuilt layer by layer",
           memory, kMemory);
  f.real(
      "drift",
      "with memory invert: a layer's input is kept after all once it was rebuilt with a larger error, relative to its "
      "largest number; 0 = 1e-4, or 1e-9 in float64",
      drift, 0, 1);
  f.integer("seed", "seed of dropout, samples and the order of the data", seed, 0, kMax);
  f.integer("max_steps", "length of the run, used by schedules that end", max_steps, 0, kMax);
}

GroupConfig TrainerConfig::rest() const {
  GroupConfig g;
  g.optimizer = optimizer;
  g.clip = clip;
  return g;
}

TrainerConfig read_trainer_config(const Json& options) {
  TrainerConfig c;
  read_config(part_of(options, names_of(c)), kPath, c);
  read_objective_fields(options, c.objective);
  c.groups = read_groups(c.groups_json, c.rest());
  return c;
}

}  // namespace libnf
