// Losses that the host computes from results of forward or inverse: it hands in their derivatives, and lanes carry them
// back to the parameters. As in a step, every row's gradient is taken in its lane, so the sums are a function of the
// batch alone.
#pragma once
#include <memory>

#include "src/objective/objective.h"

namespace libnf {

// Derivatives of the host's loss; those without data are 0. Shapes are checked by the caller.
struct HostCotangents {
  bool inverse = false;  // of z to x, otherwise of x to z
  View out;              // by the result [n, columns]
  View log_det;          // [n], by that of this direction
  View log_prob;         // [n], by the log-density of the data row: x, or what inverse makes of z
};

// The cotangents of one call, and which rows have any.
class CotangentRows {
 public:
  CotangentRows(const Allocator& allocator, const Density& model) : allocator_(allocator), model_(model) {}
  // Checks all numbers: Error{numeric} names the row. Rows whose cotangents are all 0 get weight 0 in `batch`, the others
  // weight 1. Takes memory for a batch of that many rows.
  void take(const HostCotangents& c, Batch& batch);
  // While it lives: zeros for any number of rows, to measure with.
  class Zeros {
   public:
    explicit Zeros(CotangentRows& c);
    ~Zeros() { rows_.given_ = given_; }
    Zeros(const Zeros&) = delete;
    Zeros& operator=(const Zeros&) = delete;

   private:
    CotangentRows& rows_;
    const HostCotangents given_;
    double zero_ = 0;
  };
  bool of_log_prob() const { return given_.log_prob.data != nullptr; }
  // Adds those of rows first ... to the gradients of the results. False when none of them has a gradient.
  bool seed(Tape& t, int64_t first, const Mapped& results, Var log_prob) const;
  size_t bytes() const { return weight_.bytes() + row_.bytes(); }

 private:
  const Allocator& allocator_;
  const Density& model_;
  HostCotangents given_;
  Buffer weight_, row_;  // doubles
};

// An objective whose gradient is that of the cotangents; its loss is 0, or NaN when a result is not finite.
// Error{unsupported} for models that are no chain of layers, and for those that draw numbers in this direction. With
// layers that couple rows, forward takes the statistics of the batch, as nll does.
std::unique_ptr<Objective> host_objective(const ObjectiveScope& scope, CotangentRows& cotangents, bool inverse);
// What the scope of such an objective says that it is.
const ObjectiveKind& host_kind();

}  // namespace libnf
