// The part of a step after the lanes have their gradients: sums them, clips them, and updates the parameters group by
// group. Works on chunks of parameters whose borders depend only on the model and its groups, so the bits do not depend
// on the number of threads.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "src/lane/collective.h"
#include "src/lane/lane.h"
#include "src/train/ema.h"
#include "src/train/groups.h"

namespace libnf {

class Update {
 public:
  // `rest` trains the parameters without a group. Throws Error{spec} for groups that match nothing or leave nothing to
  // train.
  Update(const Allocator& allocator, Executor& executor, Density& model, const std::vector<GroupConfig>& groups,
         const GroupConfig& rest, const EmaConfig& ema);

  // For every parameter of the model: whether it gets a gradient. Empty: all do.
  const std::vector<bool>& trained() const { return trained_; }
  // Sums the gradients over lanes, in lane order, and ranks into lane 0, and returns the 2-norm.
  double sum(Lanes& lanes, const Collective& collective);
  // Applies step number `step`, from 1, with this gradient, which it changes. `age` is the number of steps that the
  // moments have seen. `rate` is the rate of parameters without a group; rates of groups scale with it.
  void apply(void* gradient, uint64_t step, uint64_t age, double rate);

  // A gradient accumulated over several runs of the lanes: reserves memory for it; adds the sum over lanes, in lane
  // order, or sets it if `first`; sums it over ranks and returns its 2-norm.
  void reserve_kept();
  void keep(Lanes& lanes, bool first);
  double sum_kept(const Collective& collective);
  void* kept() const { return kept_.data(); }

  // Sets the learning rates of the groups; that of parameters without a group comes last.
  void set_rates(const std::vector<double>& rates);
  void clear_moments();

  bool has_average() const { return average_.data() != nullptr; }
  // Swaps the parameters with their average. Before the first step the average equals the parameters.
  void swap_average(uint64_t steps);

  // Returns optimizer state and the average, by name.
  std::vector<std::pair<std::string, View>> state() const;
  // Returns the description of the groups for a checkpoint; "" without groups.
  std::string describe() const;
  size_t bytes() const;

 private:
  struct Group {
    GroupConfig config;
    std::vector<Range> ranges;
    int64_t size = 0;  // total size of all ranges
    std::vector<Buffer> slots;
  };
  struct Chunk {
    size_t group;
    int64_t begin, end;  // range of parameters
    int64_t state;       // offset of element `begin` in the group's slots
  };
  void add(Group group);
  double norm_of(void* gradient, const Collective& collective);
  double factor_of(const Group& g) const;  // factor of clipping by norm
  template <class F>
  void each_chunk(F&& body) {
    executor_.parallel_for(static_cast<uint32_t>(chunks_.size()), [&](uint32_t i) { body(chunks_[i], i); });
  }

  Allocator allocator_;
  Executor& executor_;
  Density& model_;
  EmaConfig ema_;
  double base_lr_;
  std::vector<Group> groups_;  // the rest is last
  std::vector<Chunk> chunks_;  // chunks of trained parameters
  std::vector<bool> trained_;
  Buffer sums_;                  // doubles, one per chunk: sum of squares of the gradient
  std::vector<double> factors_;  // factors of the groups in this step
  Buffer average_;               // average of all parameters
  Buffer kept_;                  // accumulated gradient of all parameters
};

}  // namespace libnf
