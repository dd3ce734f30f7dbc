// The columns are cut into groups of whole degrees. In a group, the inputs that all its columns read form one piece,
// which is most of the work and wide enough for the product to run at full speed. It is followed by one small piece per
// further degree, read by the columns of at least that degree. Products with the whole matrix join these small pieces
// in scratch memory, with zeros for masked entries, because they are too small to be fast separately.
#include "runtime/kernel/staircase.h"

#include <algorithm>

namespace libnf::kernel {
namespace {

// Approximate width of a group, and approximate height of its part with zeros.
constexpr int64_t kGroupColumns = 64, kGroupRows = 64;

// Gathers the entries of a group below its first piece into a dense matrix [all_rows - rows, cols].
template <class T>
void gather_corner(const Staircase& s, const Staircase::Group& g, const T* w, T* corner) {
  for (int64_t e = g.step + 1; e < g.end; ++e) {
    const Staircase::Piece& p = s.piece(e);
    const T* from = w + p.offset;
    const int64_t closed = p.col - g.col;
    for (int64_t r = 0; r < p.rows; ++r, corner += g.cols, from += p.cols) {
      std::fill_n(corner, closed, T(0));
      std::copy_n(from, p.cols, corner + closed);
    }
  }
}

// Scatters the unmasked entries of such a matrix to where they are stored.
template <class T>
void scatter_corner(const Staircase& s, const Staircase::Group& g, const T* corner, T* w, bool accumulate) {
  for (int64_t e = g.step + 1; e < g.end; ++e) {
    const Staircase::Piece& p = s.piece(e);
    for (int64_t r = 0; r < p.rows; ++r) {
      const T* from = corner + (p.row + r - g.rows) * g.cols + p.col - g.col;
      T* to = w + p.offset + r * p.cols;
      for (int64_t c = 0; c < p.cols; ++c) to[c] = accumulate ? to[c] + from[c] : from[c];
    }
  }
}

}  // namespace

Staircase::Staircase(std::span<const int32_t> degree, std::span<const int32_t> need)
    : rows_(static_cast<int64_t>(degree.size())), cols_(static_cast<int64_t>(need.size())) {
  const int64_t steps = need.empty() ? 0 : need.back() + 1;
  pieces_.resize(static_cast<size_t>(steps));
  const auto reads = [&](int64_t e) { return std::upper_bound(degree.begin(), degree.end(), e) - degree.begin(); };
  for (int64_t e = 0; e <= steps; ++e)
    first_col_.push_back(std::lower_bound(need.begin(), need.end(), e) - need.begin());
  for (int64_t begin = 0, end; begin < steps; begin = end) {
    end = begin + 1;
    const int64_t col = first_col(begin), rows = reads(begin);
    if (first_col(end) == col) continue;
    while (end < steps && first_col(end + 1) - col <= kGroupColumns && reads(end) - rows <= kGroupRows) ++end;
    const Group g = {col, first_col(end) - col, rows, reads(end - 1), begin, end};
    for (int64_t e = begin; e < end; ++e) {
      const int64_t row = e == begin ? 0 : reads(e - 1);
      const Piece p = {row, reads(e) - row, first_col(e), g.col + g.cols - first_col(e), size_, e == begin};
      if (p.rows == 0 && !p.opens) continue;
      pieces_[static_cast<size_t>(e)] = p;
      size_ += p.rows * p.cols;
    }
    groups_.push_back(g);
  }
}

int64_t Staircase::index(int64_t row, int64_t col) const {
  for (const Piece& p : pieces_)
    if (row >= p.row && row < p.row + p.rows && col >= p.col && col < p.col + p.cols)
      return p.offset + (row - p.row) * p.cols + col - p.col;
  return -1;
}

int64_t Staircase::scratch(int64_t n) const {
  int64_t most = 0;
  for (const Group& g : groups_) most = std::max(most, (g.all_rows - g.rows + n) * g.cols);
  return most;
}

template <class T>
void staircase_forward(const Staircase& s, const T* w, const T* bias, const T* x, T* y, int64_t n, T* scratch,
                       const Finish<T>& finish) {
  const Into begin = bias ? Into::row_bias : Into::overwrite;
  for (const Staircase::Group& g : s.groups()) {
    const Staircase::Piece& p = s.piece(g.step);
    const bool corner = g.all_rows > g.rows;
    Finish<T> last = finish;
    if (last.add) last.add += g.col * n;
    gemm_columns<T>(g.cols, n, p.rows, w + p.offset, 1, p.cols, x, n, y + g.col * n, n, begin,
                    bias ? bias + g.col : bias, corner ? Finish<T>() : last);
    if (!corner) continue;
    gather_corner(s, g, w, scratch);
    gemm_columns<T>(g.cols, n, g.all_rows - g.rows, scratch, 1, g.cols, x + g.rows * n, n, y + g.col * n, n,
                    Into::accumulate, nullptr, last);
  }
}

// The last group reads the most rows, so it overwrites and the others add.
template <class T>
void staircase_back(const Staircase& s, const T* w, const T* gy, T* gx, int64_t n, bool accumulate, T* scratch) {
  const int64_t read = s.groups().empty() ? 0 : s.groups().back().all_rows;
  if (!accumulate) std::fill(gx + read * n, gx + s.rows() * n, T(0));
  Into into = accumulate ? Into::accumulate : Into::overwrite;
  for (auto g = s.groups().rbegin(); g != s.groups().rend(); ++g) {
    if (g->all_rows > g->rows) {
      gather_corner(s, *g, w, scratch);
      gemm_columns<T>(g->all_rows - g->rows, n, g->cols, scratch, g->cols, 1, gy + g->col * n, n, gx + g->rows * n, n,
                      into);
    }
    const Staircase::Piece& p = s.piece(g->step);
    gemm_columns<T>(p.rows, n, p.cols, w + p.offset, p.cols, 1, gy + p.col * n, n, gx, n, into);
    into = Into::accumulate;
  }
}

template <class T>
void staircase_weights(const Staircase& s, const T* x, const T* gy, T* gw, int64_t n, bool accumulate, T* scratch) {
  for (const Staircase::Group& g : s.groups()) {
    transpose(g.cols, n, gy + g.col * n, n, scratch, g.cols);
    const Staircase::Piece& p = s.piece(g.step);
    gemm<T>(p.rows, p.cols, n, x, n, 1, scratch, g.cols, gw + p.offset, p.cols,
            accumulate ? Into::accumulate : Into::overwrite);
    if (g.all_rows == g.rows) continue;
    T* corner = scratch + n * g.cols;
    gemm<T>(g.all_rows - g.rows, g.cols, n, x + g.rows * n, n, 1, scratch, g.cols, corner, g.cols, Into::overwrite);
    scatter_corner(s, g, corner, gw, accumulate);
  }
}

template <class T>
void staircase_forward_step(const Staircase& s, int64_t step, const T* w, const T* bias, const T* x, T* y, int64_t n) {
  const Staircase::Piece& p = s.piece(step);
  const Into into = !p.opens ? Into::accumulate : bias ? Into::row_bias : Into::overwrite;
  gemm_columns<T>(p.cols, n, p.rows, w + p.offset, 1, p.cols, x + p.row * n, n, y + p.col * n, n, into,
                  bias ? bias + p.col : bias);
}

template <class T>
void staircase_back_step(const Staircase& s, int64_t step, const T* w, const T* gy, T* gx, int64_t n) {
  const Staircase::Piece& p = s.piece(step);
  gemm_columns<T>(p.rows, n, p.cols, w + p.offset, p.cols, 1, gy + p.col * n, n, gx + p.row * n, n, Into::accumulate);
}

#define NF_STAIRCASE(T)                                                                                          \
  template void staircase_forward<T>(const Staircase&, const T*, const T*, const T*, T*, int64_t, T*,            \
                                     const Finish<T>&);                                                          \
  template void staircase_back<T>(const Staircase&, const T*, const T*, T*, int64_t, bool, T*);                  \
  template void staircase_weights<T>(const Staircase&, const T*, const T*, T*, int64_t, bool, T*);               \
  template void staircase_forward_step<T>(const Staircase&, int64_t, const T*, const T*, const T*, T*, int64_t); \
  template void staircase_back_step<T>(const Staircase&, int64_t, const T*, const T*, T*, int64_t);
NF_STAIRCASE(float)
NF_STAIRCASE(double)
#undef NF_STAIRCASE

}  // namespace libnf::kernel
