// Statistics of the columns of a batch whose rows may be on several tapes, in double. Sums are taken per tape in row
// order, then added in the order of the tapes, and the totals are given to every tape. Variances take two passes.
#pragma once
#include <cmath>
#include <cstdint>

#include "runtime/op/mapped.h"

namespace libnf {

// Mean and sum of squared deviations of each column; borrowed.
struct ColumnStats {
  double rows = 0;
  int64_t cols = 0;
  const double* mean = nullptr;
  const double* squares = nullptr;
  // Returns the unbiased variance; 0 for fewer than two rows.
  double variance(int64_t j) const { return rows > 1 ? squares[j] / (rows - 1) : 0; }
  // Returns the standard deviation to divide by, which is 1 for a constant column. A deviation below the rounding error
  // of the mean counts as constant, and one below 1e-36 has no inverse in float32.
  double spread(int64_t j) const {
    const double s = std::sqrt(variance(j));
    return s > 1e-14 * std::abs(mean[j]) && s > 1e-36 ? s : 1;
  }
};

// The rows of one tape, as part of a batch.
struct BatchPart {
  ColumnStats stats;               // of the whole batch
  const double* weight = nullptr;  // [rows of this tape]; rows of weight 0 are excluded. nullptr: none are
  const double* totals = nullptr;  // batch_grad_sums over the whole batch; only needed for the gradient
  Node* node = nullptr;            // the op, after it is recorded
};

// Computes z = (x - mean) / sqrt(variance + eps), log_det = -sum_j log(variance_j + eps) / 2. x [n, d]. The variance is
// unbiased or, with `biased`, divided by the number of rows. Gradients flow through the statistics. Without a part, the
// rows of x are the whole batch.
Mapped batch_normalize(Tape& t, Var x, BatchPart* part, double eps, bool biased);

// Returns the rows of x with what rounding took from them (Node::low) as doubles in scratch memory, or x->out itself.
View whole_rows(Tape& t, const Node& x);

// Each adds to `out` its sums over the rows of x that have weight.
void column_sums(const View& x, const double* weight, double* out);  // [d]: x
void column_deviations(const View& x, const double* weight, const double* mean,
                       double* out);  // [2 d]: x - mean | (x - mean)^2
// [2 d + 1]: gz | gz z | g_log_det, from the gradients that have arrived at a batch normalization node.
void batch_grad_sums(const Tape& t, const Node& n, const double* weight, double* out);

}  // namespace libnf
