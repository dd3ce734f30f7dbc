// The configuration of a trainer: optimizer, schedule, clipping, average, objective and groups of parameters.
#pragma once
#include "src/io/json.h"
#include "src/objective/objective.h"
#include "src/part/part_config.h"
#include "src/train/clip.h"
#include "src/train/divergence.h"
#include "src/train/ema.h"
#include "src/train/groups.h"
#include "src/train/optimizer.h"
#include "src/train/schedule.h"

namespace libnf {

// An objective and its configuration; copies are deep.
class ObjectiveConfig : public OneOf<ObjectiveKind> {
 public:
  ObjectiveConfig() : OneOf("nll") {}
  // Takes the form used in specs: "nll", or {"type": "reverse_kl", "samples": 64} as JSON text.
  explicit ObjectiveConfig(std::string_view text);
  ObjectiveConfig(const ObjectiveConfig& other);
  ObjectiveConfig& operator=(const ObjectiveConfig& other);
};

struct TrainerConfig : Config {
  OptimizerConfig optimizer;
  ScheduleConfig schedule;
  ClipConfig clip;
  EmaConfig ema;
  GuardConfig guard;
  ObjectiveConfig objective;
  std::vector<GroupConfig> groups;
  std::string groups_json;  // the text that `groups` was read from
  Memory memory = Memory::full;
  double drift = 0;       // of Memory::invert
  int64_t seed = 0;       // seed of dropout and of samples
  int64_t max_steps = 0;  // length of the run, for schedules that end

  void fields(Fields& f) override;
  // Returns the settings of parameters without a group.
  GroupConfig rest() const;
};

// Reads the options of a trainer: its fields, those of its objective (next to the objective's name), and the groups.
// Throws Error{spec}, also for settings that other choices make irrelevant.
TrainerConfig read_trainer_config(const Json& options);

}  // namespace libnf
