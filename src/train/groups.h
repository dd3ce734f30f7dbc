// Groups of parameters: which are trained, and how.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "runtime/tape/params.h"
#include "src/train/clip.h"
#include "src/train/optimizer.h"

namespace nf {

// One entry of the option "groups". The first group that matches a name has the parameter; parameters that no group
// matches are trained as the trainer's own options say.
struct GroupConfig : Config {
  std::string match;    // patterns of names, separated by commas: * stands for any characters, ? for one
  bool freeze = false;  // no gradient, no optimizer state, no weight decay
  OptimizerConfig optimizer;
  ClipConfig clip;
  bool own_norm = false;  // clip.max_norm is for the norm of this group; else the group is part of the common one
  void fields(Fields& f) override;
};

inline constexpr int64_t kMaxGroupBytes = int64_t{1} << 20;

// Reads a JSON list of groups: [{"match": "base.*", "lr": 1e-4}, {"match": "layers.0.*", "freeze": true}]. Every option
// of optimizers and of clipping is a field; what a group leaves out is as in `rest`, or the optimizer's default where
// the group takes another optimizer. Error{spec} with the path "groups[0]...".
std::vector<GroupConfig> read_groups(std::string_view json, const GroupConfig& rest);

// Whether a pattern matches a whole name.
bool matches(std::string_view pattern, std::string_view name);

// The group of every slot of the store: an index into `groups`, or groups.size() for the rest; -1 for buffers.
// Error{spec} for a pattern that matches no parameter that is left, naming the nearest.
std::vector<int> assign_groups(const ParamStore& store, const std::vector<GroupConfig>& groups);

// Elements [begin, end) of the trainable parameters.
struct Range {
  int64_t begin, end;
};
// Where the parameters of a group lie, padding included, neighbors joined.
std::vector<Range> ranges_of(const ParamStore& store, const std::vector<int>& assigned, int group);

}  // namespace nf
