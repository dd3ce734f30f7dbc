// nll for models whose layers couple the rows of a batch (batch_norm).
//
// All lanes stop at each such layer: a lane keeps its rows in one graph, runs the layers up to it and sums the columns
// that arrive. The sums of all lanes become the statistics with which every lane continues. The gradient stops at the
// same layers, in reverse order, to sum what arrives there. Lanes are added in order, so the bits do not depend on the
// number of threads.
#pragma once
#include <vector>

#include "src/lane/lane_sums.h"
#include "src/model/flow_model.h"
#include "src/objective/row_objective.h"

namespace libnf {

// Returns whether training this model needs phases.
bool couples_rows(const Density& model);

class Phases : public RowObjective {
 public:
  explicit Phases(const ObjectiveScope& scope);
  // Throws Error{argument} for fewer than two rows with weight above 0.
  Loss run(Lanes& lanes, const Batch& batch) override;
  Room prepare(int64_t batch) override;
  void measure(Lane& lane, const Room& room) override;
  void report(Lane& lane, const Batch& batch, uint64_t step) override;
  void applied() override;  // updates running statistics
  size_t bytes() const override;
  Var losses(Lane&, const Block&) override { return nullptr; }  // rows are not independent

 protected:
  Var log_prob_of(const Scope& s, const Mapped& results, Var context) const;
  // Called with what the chain makes of rows first ...: writes their losses and seeds the gradient. False when there is
  // none.
  virtual bool end(Lane& lane, const Batch& batch, int64_t first, const Mapped& results, Var context);

 private:
  struct Work {  // what a lane keeps between phases
    bool active = false;
    int64_t first = 0, rows = 0;
    Var y = nullptr, log_det = nullptr, context = nullptr;
    View arrived;                  // y at a coupled layer, with its low part
    std::vector<BatchPart> parts;  // one per coupled layer
  };
  void begin(Lane& lane, Work& w, const Batch& batch) const;
  void forward(Lane& lane, Work& w, const Batch& batch, size_t k, double* sums);
  void gradient_until(Lane& lane, Work& w, Node* from, size_t k, double* sums) const;
  const LayerInstance* not_finite() const;  // the layer whose statistics were not finite in the last run
  double* shared(size_t k) const {
    return shared_.as<double>() + static_cast<int64_t>(k) * (4 * model().columns() + 1);
  }
  double* totals(size_t k) const { return shared(k) + 2 * model().columns(); }
  // Returns the statistics of the columns that the layer acts on, the first ones.
  ColumnStats stats(size_t k) const {
    return {rows_, flow_.layers()[coupled_[k]].columns, shared(k), shared(k) + model().columns()};
  }

  const FlowModel& flow_;
  std::vector<size_t> coupled_;       // indices of layers of the flow
  std::vector<bool> trained_before_;  // per coupled layer: whether the gradient continues past it
  double rows_ = 0;                   // rows with weight in the last run
  Buffer row_weight_;                 // doubles
  std::vector<Work> work_;            // per lane
  Buffer shared_;                     // per coupled layer: mean, squared deviations, sums of gradients
  LaneSums sums_;
};

}  // namespace libnf
