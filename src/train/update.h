// What a step does once the gradients of its lanes are there: sums them, clips them, and updates the parameters group by
// group. Works on chunks of parameters whose borders depend on the model and its groups alone, so that any number of
// threads gives the same bits.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "src/lane/collective.h"
#include "src/lane/lane.h"
#include "src/train/ema.h"
#include "src/train/groups.h"

namespace nf {

class Update {
 public:
  // `rest` trains the parameters of no group. Error{spec} for groups that match nothing or leave nothing to train.
  Update(const Allocator& allocator, Executor& executor, Density& model, const std::vector<GroupConfig>& groups,
         const GroupConfig& rest, const EmaConfig& ema);

  // Of every parameter of the model: whether it gets a gradient. Empty: all do.
  const std::vector<bool>& trained() const { return trained_; }
  // Leaves the sum over lanes and ranks in lane 0, added in lane order, and returns its 2-norm.
  double sum(Lanes& lanes, const Collective& collective);
  // Step number `step`, from 1; `age` is that of the moments. `rate` is that of the rest; it scales those of groups.
  // Changes the gradient.
  void apply(void* gradient, uint64_t step, uint64_t age, double rate);

  // A gradient that is added up over several runs of the lanes: takes memory for it; adds, in lane order, or with `first`
  // begins; sums it over ranks and returns its 2-norm.
  void reserve_kept();
  void keep(Lanes& lanes, bool first);
  double sum_kept(const Collective& collective);
  void* kept() const { return kept_.data(); }

  // Learning rates of groups, the rest last.
  void set_rates(const std::vector<double>& rates);
  void clear_moments();

  bool has_average() const { return average_.data() != nullptr; }
  // Exchanges parameters and their average; before the first step the average is what the parameters are.
  void swap_average(uint64_t steps);

  // Optimizer state and the average, by name.
  std::vector<std::pair<std::string, View>> state() const;
  // What a checkpoint says of the groups; "" without groups.
  std::string describe() const;
  size_t bytes() const;

 private:
  struct Group {
    GroupConfig config;
    std::vector<Range> ranges;
    int64_t size = 0;  // of all ranges
    std::vector<Buffer> slots;
  };
  struct Chunk {
    size_t group;
    int64_t begin, end;  // of the parameters
    int64_t state;       // of the group's slots: where element `begin` lies
  };
  void add(Group group);
  double norm_of(void* gradient, const Collective& collective);
  double factor_of(const Group& g) const;  // of clipping by norm
  template <class F>
  void each_chunk(F&& body) {
    executor_.parallel_for(static_cast<uint32_t>(chunks_.size()), [&](uint32_t i) { body(chunks_[i], i); });
  }

  Allocator allocator_;
  Executor& executor_;
  Density& model_;
  EmaConfig ema_;
  double base_lr_;
  std::vector<Group> groups_;  // the rest comes last
  std::vector<Chunk> chunks_;  // of parameters that are trained
  std::vector<bool> trained_;
  Buffer sums_;                  // doubles, one per chunk: squares of the gradient
  std::vector<double> factors_;  // of groups, in this step
  Buffer average_, kept_;        // of all parameters
};

}  // namespace nf
