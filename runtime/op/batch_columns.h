// Statistics of the columns of a batch whose rows may lie on several tapes, in double: sums are taken per tape in row
// order, added in the order of the tapes, and handed to every tape. Variances are taken in two passes.
#pragma once
#include <cmath>
#include <cstdint>

#include "runtime/op/mapped.h"

namespace nf {

// Mean and sum of squared deviations of each column; borrowed.
struct ColumnStats {
  double rows = 0;
  int64_t cols = 0;
  const double* mean = nullptr;
  const double* squares = nullptr;
  // Unbiased; 0 for fewer than two rows.
  double variance(int64_t j) const { return rows > 1 ? squares[j] / (rows - 1) : 0; }
  // The standard deviation, but 1 for a constant column: what to divide by. A deviation below the rounding of the mean
  // is that of a constant, and one below 1e-36 has no inverse in float32.
  double spread(int64_t j) const {
    const double s = std::sqrt(variance(j));
    return s > 1e-14 * std::abs(mean[j]) && s > 1e-36 ? s : 1;
  }
};

// The rows of one tape as part of a batch.
struct BatchPart {
  ColumnStats stats;               // of the whole batch
  const double* weight = nullptr;  // [rows of this tape]; those of weight 0 are no part of it. nullptr: all are
  const double* totals = nullptr;  // batch_grad_sums over the whole batch; needed before the gradient only
  Node* node = nullptr;            // the op, once it is recorded
};

// z = (x - mean) / sqrt(variance + eps), log_det = -sum_j log(variance_j + eps) / 2. x [n, d]. The variance
// is the unbiased one or, with `biased`, that over the number of rows. Gradients go through the statistics. Without a
// part the rows of x are the whole batch.
Mapped batch_normalise(Tape& t, Var x, BatchPart* part, double eps, bool biased);

// Each adds its sums over the rows of x that count to `out`.
void column_sums(const View& x, const double* weight, double* out);  // [d]: x
void column_deviations(const View& x, const double* weight, const double* mean,
                       double* out);  // [2 d]: x - mean | (x - mean)^2
// [2 d + 1]: gz | gz z | g_log_det, of what has arrived at a batch_normalise node.
void batch_grad_sums(const Tape& t, const Node& n, const double* weight, double* out);

}  // namespace nf
