// Sums over columns of rows that are spread over lanes (and ranks), in double. Every lane adds up its own rows, and the
// lanes are added in order, so the bits do not depend on the number of threads.
#pragma once
#include <algorithm>

#include "runtime/core/allocator.h"
#include "runtime/core/executor.h"
#include "runtime/op/batch_columns.h"
#include "src/lane/collective.h"
#include "src/lane/cut.h"

namespace libnf {

class LaneSums {
 public:
  // Makes room for up to 2 cols + 1 sums.
  LaneSums(const Allocator& allocator, int64_t cols)
      : cols_(cols),
        width_(2 * cols + 1),
        memory_(allocator, static_cast<size_t>(checked_mul(width_ * (kMaxLanes + 1), sizeof(double))),
                "sums over columns") {}
  size_t bytes() const { return memory_.bytes(); }

  // Returns the lane's own sums, set to 0.
  double* clear(int64_t lane) const {
    double* p = row(lane);
    std::fill_n(p, width_, 0.0);
    return p;
  }

  // Writes the first n sums, added over all lanes and ranks, to out.
  void total(int64_t lanes, int64_t n, const Collective& collective, const char* what, double* out) const {
    std::fill_n(out, n, 0.0);
    for (int64_t i = 0; i < lanes; ++i)
      for (int64_t j = 0; j < n; ++j) out[j] += row(i)[j];
    collective.sum(out, n, DType::f64, what);
  }

  // Turns the column_sums of every lane into statistics of `rows` rows. deviations(lane, mean, out) runs for every
  // lane, on any thread, and adds column_deviations. The rounding error of the mean is corrected afterwards, so the
  // deviation of a constant column is 0 or almost 0.
  template <class F>
  void finish(Executor& executor, int64_t lanes, double rows, const Collective& collective, double* mean,
              double* squares, F&& deviations) const {
    total(lanes, cols_, collective, "means of columns", mean);
    for (int64_t j = 0; j < cols_; ++j) mean[j] /= rows;
    executor.parallel_for(static_cast<uint32_t>(lanes), [&](uint32_t i) { deviations(i, mean, clear(i)); });
    double* all = row(kMaxLanes);
    total(lanes, 2 * cols_, collective, "variances of columns", all);
    for (int64_t j = 0; j < cols_; ++j) {
      mean[j] += all[j] / rows;
      squares[j] = std::max(all[cols_ + j] - all[j] * all[j] / rows, 0.0);
      if (!(all[cols_ + j] >= 0)) squares[j] = all[cols_ + j];  // keeps a NaN
    }
  }

 private:
  double* row(int64_t i) const { return memory_.as<double>() + i * width_; }
  int64_t cols_, width_;
  Buffer memory_;
};

}  // namespace libnf
