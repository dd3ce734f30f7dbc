// Groups of parameters: which parameters are trained, and with which settings.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "runtime/tape/params.h"
#include "src/train/clip.h"
#include "src/train/optimizer.h"

namespace libnf {

// One entry of the option "groups". A parameter belongs to the first group that matches its name; parameters without a
// group are trained with the trainer's own options.
struct GroupConfig : Config {
  std::string match;    // patterns of names, separated by commas; * matches any characters, ? matches one
  bool freeze = false;  // no gradient, no optimizer state, no weight decay
  OptimizerConfig optimizer;
  ClipConfig clip;
  bool own_norm = false;  // clip.max_norm limits the norm of this group; otherwise the group is part of the common norm
  void fields(Fields& f) override;
};

inline constexpr int64_t kMaxGroupBytes = int64_t{1} << 20;

// Reads a JSON list of groups: [{"match": "base.*", "lr": 1e-4}, {"match": "layers.0.*", "freeze": true}]. Every option
// of optimizers and of clipping is a field. Fields that a group omits are as in `rest`, or the optimizer's defaults if
// the group uses another optimizer. Throws Error{spec} with the path "groups[0]...".
std::vector<GroupConfig> read_groups(std::string_view json, const GroupConfig& rest);

// Returns whether a pattern matches a whole name.
bool matches(std::string_view pattern, std::string_view name);

// Returns the group of every slot of the store: an index into `groups`, or groups.size() for the rest; -1 for buffers.
// Throws Error{spec} for a pattern that matches no remaining parameter, and names the nearest.
std::vector<int> assign_groups(const ParamStore& store, const std::vector<GroupConfig>& groups);

// Elements [begin, end) of the trainable parameters.
struct Range {
  int64_t begin, end;
};
// Returns the ranges of a group's parameters, including padding; adjacent ranges are joined.
std::vector<Range> ranges_of(const ParamStore& store, const std::vector<int>& assigned, int group);

}  // namespace libnf
