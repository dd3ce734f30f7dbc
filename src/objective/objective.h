// An objective is what a training step minimizes. To add one, write one file that ends in NF_PART(Objective, word, ...)
// and put its word in src/objective/meson.build. An objective that is a mean of row losses derives from RowObjective
// (row_objective.h); one that draws rows from the model and weights them by a target has a TargetSampler
// (target_sampler.h).
#pragma once
#include "src/lane/batch.h"
#include "src/lane/collective.h"
#include "src/part/registry.h"
#include "src/target/target.h"

namespace libnf {

struct ObjectiveKind;

// What an objective is built from. All of it outlives the objective.
struct ObjectiveScope {
  const ObjectiveKind& kind;
  const Allocator& allocator;
  const Density& model;
  Memory memory;
  const Collective& collective;
  const BatchCut& cut;
};

// What the tape of a lane must have room for.
struct Room {
  int64_t rows = 0;           // rows of the batch at once
  int64_t samples = 0;        // samples from the model at once
  bool keeps_graphs = false;  // graphs survive from one section of a step to the next
  bool constants = false;     // lanes have Lane::constants()
};

struct Loss {
  double value;
  double error;  // standard error of value as an estimate of its expectation; 0 for objectives that do not sample
};

class Objective {
 public:
  explicit Objective(const ObjectiveScope& scope) : scope_(scope) {}
  virtual ~Objective() = default;
  Objective(const Objective&) = delete;
  Objective& operator=(const Objective&) = delete;

  const ObjectiveKind& kind() const { return scope_.kind; }
  void set_target(std::shared_ptr<const Target> target) { target_ = std::move(target); }
  // Returns the number of rows that a step draws from the model.
  virtual int64_t samples() const { return 0; }
  virtual size_t bytes() const { return 0; }
  // Returns the step until which losses change because the objective does.
  virtual uint64_t settles() const { return 0; }

  // Called first in a step. Throws Error{state} if something is missing: by default, the target of a kind that needs
  // one.
  virtual void check(const Batch& batch) const;
  // Allocates memory for a batch of this many rows or fewer, and returns what tapes need for it.
  virtual Room prepare(int64_t batch) = 0;
  // Does on the lane's tape, which grows, everything that a step with this room may do.
  virtual void measure(Lane& lane, const Room& room) = 0;
  // Leaves the gradient of the loss in the lanes, each holding the sum over its share.
  virtual Loss run(Lanes& lanes, const Batch& batch) = 0;
  // Called after a loss that is not finite. Throws Error{numeric} that names a row and where it stops being finite.
  [[noreturn]] virtual void report(Lane& lane, const Batch& batch, uint64_t step) = 0;
  // Called after the parameters were updated.
  virtual void applied() {}

 protected:
  const Density& model() const { return scope_.model; }
  // What a loss that is not finite means to the caller.
  virtual std::string outcome(uint64_t step) const { return "step " + std::to_string(step) + " was not applied"; }
  const ObjectiveScope scope_;
  std::shared_ptr<const Target> target_;
};

struct ObjectiveKind : PartKind {
  std::unique_ptr<Objective> (*build)(const Config& config, const ObjectiveScope& scope);
  bool data = true;     // a step has rows of data
  bool target = false;  // needs a target
  bool exact = true;    // needs the density of the model, not a bound of it
};

}  // namespace libnf
