// The columns are cut into groups of whole needs, about kGroupColumns each. Of a group, the inputs that all its columns
// read make one piece, which is most of the work and wide enough for the product to run at full speed; then comes one
// small piece for every further degree, read by the columns whose need is not below it.
#include "runtime/kernel/staircase.h"

#include <algorithm>

#include "runtime/kernel/gemm.h"

namespace nf::kernel {
namespace {
constexpr int64_t kGroupColumns = 64;
}

Staircase::Staircase(std::span<const int32_t> degree, std::span<const int32_t> need)
    : rows_(static_cast<int64_t>(degree.size())), cols_(static_cast<int64_t>(need.size())) {
  const int64_t steps = need.empty() ? 0 : need.back() + 1;
  pieces_.resize(static_cast<size_t>(steps));
  const auto reads = [&](int64_t e) { return std::upper_bound(degree.begin(), degree.end(), e) - degree.begin(); };
  for (int64_t e = 0; e <= steps; ++e)
    first_col_.push_back(std::lower_bound(need.begin(), need.end(), e) - need.begin());
  for (int64_t begin = 0, end; begin < steps; begin = end) {
    const int64_t group = first_col(begin);
    for (end = begin + 1; end < steps && first_col(end + 1) - group <= kGroupColumns;) ++end;
    const int64_t group_end = first_col(end);
    for (int64_t e = begin; e < end; ++e) {
      const int64_t row = e == begin ? 0 : reads(e - 1);
      const Piece p = {row, reads(e) - row, first_col(e), group_end - first_col(e), size_, group, group_end - group};
      if (p.rows == 0 || p.cols == 0) continue;
      pieces_[static_cast<size_t>(e)] = p;
      size_ += p.rows * p.cols;
    }
  }
}

int64_t Staircase::index(int64_t row, int64_t col) const {
  for (const Piece& p : pieces_)
    if (row >= p.row && row < p.row + p.rows && col >= p.col && col < p.col + p.cols)
      return p.offset + (row - p.row) * p.cols + col - p.col;
  return -1;
}

int64_t widest_group(const Staircase& s) {
  int64_t widest = 0;
  for (int64_t e = 0; e < s.steps(); ++e) widest = std::max(widest, s.piece(e).group_cols);
  return widest;
}

template <class T>
void staircase_add(const Staircase& s, int64_t step, const T* w, const T* x, T* y, int64_t n) {
  const Staircase::Piece& p = s.piece(step);
  if (p.cols == 0) return;
  gemm_columns<T>(p.cols, n, p.rows, w + p.offset, 1, p.cols, x + p.row * n, n, y + p.col * n, n);
}

template <class T>
void staircase_back(const Staircase& s, int64_t step, const T* w, const T* gy, T* gx, int64_t n) {
  const Staircase::Piece& p = s.piece(step);
  if (p.cols == 0) return;
  gemm_columns<T>(p.rows, n, p.cols, w + p.offset, p.cols, 1, gy + p.col * n, n, gx + p.row * n, n);
}

template <class T>
void staircase_weights(const Staircase& s, const T* x, const T* gy, T* gw, int64_t n, bool accumulate, T* scratch) {
  int64_t group = -1;
  for (int64_t e = 0; e < s.steps(); ++e) {
    const Staircase::Piece& p = s.piece(e);
    if (p.cols == 0) continue;
    if (p.group != group) transpose(p.group_cols, n, gy + p.group * n, n, scratch, p.group_cols);
    group = p.group;
    gemm<T>(p.rows, p.cols, n, x + p.row * n, n, 1, scratch + p.col - p.group, p.group_cols, gw + p.offset, p.cols,
            accumulate ? Into::accumulate : Into::overwrite);
  }
}

#define NF_STAIRCASE(T)                                                                        \
  template void staircase_add<T>(const Staircase&, int64_t, const T*, const T*, T*, int64_t);  \
  template void staircase_back<T>(const Staircase&, int64_t, const T*, const T*, T*, int64_t); \
  template void staircase_weights<T>(const Staircase&, const T*, const T*, T*, int64_t, bool, T*);
NF_STAIRCASE(float)
NF_STAIRCASE(double)
#undef NF_STAIRCASE

}  // namespace nf::kernel
