// Training models whose layers couple the rows of a batch (batch_norm).
//
// All lanes stop at each such layer: a lane holds its rows in one graph, runs the layers up to it and adds up the
// columns that arrive; the sums of all lanes become statistics that every lane goes on with. The gradient stops at the
// same places, newest first, to add up what arrives there. Sums are taken in lane order: the same bits for any number
// of threads.
#pragma once
#include <memory>
#include <span>
#include <vector>

#include "src/train/lane_sums.h"

namespace nf {

class Phases {
 public:
  // `model` must outlive it. Models without such layers need no phases.
  Phases(const Allocator& allocator, const FlowModel& model, Memory memory);
  bool needed() const { return !coupled_.empty(); }
  size_t bytes() const { return shared_.bytes() + sums_.bytes(); }

  // Losses of the rows, and the gradient of each lane in its buffer. row_weight: as batch.weight, [n] in double, or
  // nullptr; rows: how many have weight, over all ranks. Error{argument} for fewer than two.
  void run(Executor& executor, std::span<const std::unique_ptr<Lane>> lanes, const Batch& batch,
           const double* row_weight, double rows, const Collective& collective);
  // What a lane of that many rows needs: one pass on a tape that grows, with no statistics.
  void measure(Lane& lane, const Batch& batch);
  // The layer whose statistics were not finite in the last run, or nullptr.
  const Step* not_finite() const;
  // After the step was applied: running statistics.
  void observe() const;

 private:
  struct Work {  // what a lane keeps from phase to phase
    bool active = false;
    int64_t first = 0, rows = 0;
    Var y = nullptr, log_det = nullptr, context = nullptr;
    std::vector<BatchPart> parts;  // one per coupled layer
  };
  void begin(Lane& lane, Work& w, const Batch& batch, const double* row_weight) const;
  void forward(Lane& lane, Work& w, const Batch& batch, size_t k, double* sums) const;
  void backward(Lane& lane, Work& w, size_t k, double* sums) const;
  void gradient_until(Lane& lane, Work& w, Node* from, size_t k, double* sums) const;
  double* shared(size_t k) const { return shared_.as<double>() + static_cast<int64_t>(k) * (4 * model_.event() + 1); }
  ColumnStats stats(size_t k) const;
  double* totals(size_t k) const { return shared(k) + 2 * model_.event(); }

  const FlowModel& model_;
  Memory memory_;
  std::vector<size_t> coupled_;       // steps of the model
  std::vector<bool> trained_before_;  // of each: whether gradients go on from there
  double rows_ = 0;                   // that count in the last run
  std::vector<Work> work_;            // per lane
  Buffer shared_;                     // per coupled layer: mean, squared deviations, sums of gradients
  LaneSums sums_;
};

}  // namespace nf
