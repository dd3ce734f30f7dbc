// Products with a masked matrix W [rows, cols] whose mask is a staircase, as in masked autoregressive nets (Germain et
// al. 2015, MADE): inputs are sorted by degree, columns by need, and column j reads the inputs of degree <= need[j],
// a prefix. Only the entries that count are stored, as dense pieces one after the other, so that no product touches a
// masked entry and none can be set.
//
// Activations are stored by unit, [units, n] for n rows of the batch: a unit's values are neighbours, so that a few
// units can be completed on their own (the inverse of an autoregressive map) as fast as all of them.
// An element of a product is one chain of multiply-adds over the inputs in order: its bits do not depend on n, nor on
// whether all pieces were added in one go or step by step.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace nf::kernel {

class Staircase {
 public:
  // Rows [row, row + rows) x columns [col, col + cols), row-major at `offset`. Pieces that share columns form a group
  // of columns [group, group + group_cols).
  struct Piece {
    int64_t row = 0, rows = 0, col = 0, cols = 0, offset = 0, group = 0, group_cols = 0;
  };

  Staircase() = default;
  // Both lists non-negative and sorted.
  Staircase(std::span<const int32_t> degree, std::span<const int32_t> need);

  int64_t rows() const { return rows_; }
  int64_t cols() const { return cols_; }
  int64_t size() const { return size_; }  // entries that are stored

  // Steps e = 0, 1, ...: when the inputs of degree <= e are known, piece(e) can be added; after that the columns
  // [first_col(e), first_col(e + 1)), those of need e, are complete.
  int64_t steps() const { return static_cast<int64_t>(pieces_.size()); }
  const Piece& piece(int64_t step) const { return pieces_[static_cast<size_t>(step)]; }
  int64_t first_col(int64_t step) const { return first_col_[static_cast<size_t>(step)]; }
  // Where W[row, col] is stored; -1: masked. For imports and tests.
  int64_t index(int64_t row, int64_t col) const;

 private:
  int64_t rows_ = 0, cols_ = 0, size_ = 0;
  std::vector<Piece> pieces_;       // by step; cols = 0: there is nothing to add
  std::vector<int64_t> first_col_;  // steps + 1
};

// y += W^T x, the piece of one step; x [rows, n], y [cols, n].
template <class T>
void staircase_add(const Staircase& s, int64_t step, const T* w, const T* x, T* y, int64_t n);
// gx += W gy, the piece of one step. In decreasing order of steps, gx of degree e is complete after step e.
template <class T>
void staircase_back(const Staircase& s, int64_t step, const T* w, const T* gy, T* gx, int64_t n);
// gw = x gy^T, or += when `accumulate`. scratch: n * widest_group numbers.
template <class T>
void staircase_weights(const Staircase& s, const T* x, const T* gy, T* gw, int64_t n, bool accumulate, T* scratch);
int64_t widest_group(const Staircase& s);

}  // namespace nf::kernel
