// Objectives that are a weighted mean over the rows of the batch: a derived class supplies the loss of a row.
#pragma once
#include "src/lane/weighted_mean.h"
#include "src/objective/objective.h"

namespace libnf {

class RowObjective : public Objective {
 public:
  using Objective::Objective;

  // Records the losses of the block's rows on the lane's tape and returns them, [n].
  virtual Var losses(Lane& lane, const Block& block) = 0;

  Room prepare(int64_t batch) override;
  void measure(Lane& lane, const Room& room) override;
  Loss run(Lanes& lanes, const Batch& batch) override;
  void report(Lane& lane, const Batch& batch, uint64_t step) override;
  size_t bytes() const override { return row_loss_.bytes(); }

  // Adds the losses of the rows to the mean, without gradients. Throws Error{numeric} as in a step.
  void evaluate(Lanes& lanes, const Batch& batch, WeightedMean& mean);

  // The parts of run(), for objectives that add other terms; the loss here is `factor` times the mean.
  void run_lane(Lane& lane, const Batch& batch, double factor = 1);
  double loss(const Batch& batch, double factor = 1) const;

 protected:
  // The batch with all that losses() needs.
  virtual Batch complete(const Batch& batch) { return batch; }
  double* row_loss() const { return row_loss_.as<double>(); }

 private:
  void run_block(Lane& lane, const Batch& batch, int64_t first, int64_t rows, double total);
  Buffer row_loss_;  // weight times loss of every row
};

}  // namespace libnf
