// Products with a masked matrix W [rows, cols] whose mask is a staircase, as in masked autoregressive nets (Germain et
// al. 2015, MADE): inputs are sorted by degree, columns by `need`, and column j reads the inputs of degree <= need[j],
// which are a prefix. Only unmasked entries are stored, as a sequence of dense pieces, so no product touches a masked
// entry and none can be set.
//
// Activations are stored by unit, [units, n] for n rows of the batch: the values of a unit are contiguous, so a few
// units can be completed separately (in the inverse of an autoregressive map) as fast as all of them.
// An element of a product is one chain of multiply-adds over the inputs in order, so its bits do not depend on n.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "runtime/kernel/gemm.h"

namespace libnf::kernel {

class Staircase {
 public:
  // Columns of adjacent needs that all read the inputs [0, rows), and each some of [rows, all_rows).
  struct Group {
    int64_t col = 0, cols = 0, rows = 0, all_rows = 0, step = 0, end = 0;  // needs [step, end)
  };
  // Rows [row, row + rows) x columns [col, col + cols), row-major at `offset`; `opens`: the first piece of its group.
  struct Piece {
    int64_t row = 0, rows = 0, col = 0, cols = 0, offset = 0;
    bool opens = false;
  };

  Staircase() = default;
  // Both lists must be non-negative and sorted.
  Staircase(std::span<const int32_t> degree, std::span<const int32_t> need);

  int64_t rows() const { return rows_; }
  int64_t cols() const { return cols_; }
  int64_t size() const { return size_; }  // number of stored entries

  // Steps e = 0, 1, ...: once the inputs of degree <= e are known, piece(e) can be added; then columns
  // [first_col(e), first_col(e + 1)), those of need e, are complete.
  int64_t steps() const { return static_cast<int64_t>(pieces_.size()); }
  const Piece& piece(int64_t step) const { return pieces_[static_cast<size_t>(step)]; }
  int64_t first_col(int64_t step) const { return first_col_[static_cast<size_t>(step)]; }
  const std::vector<Group>& groups() const { return groups_; }
  // Returns where W[row, col] is stored; -1: masked. For imports and tests.
  int64_t index(int64_t row, int64_t col) const;
  // Returns the numbers of scratch memory that products with n rows of the batch need.
  int64_t scratch(int64_t n) const;

 private:
  int64_t rows_ = 0, cols_ = 0, size_ = 0;
  std::vector<Group> groups_;       // each has at least one column
  std::vector<Piece> pieces_;       // by step; cols = 0: nothing to add
  std::vector<int64_t> first_col_;  // size: steps + 1
};

// Computes y = finish(W^T x + bias); x [rows, n], y [cols, n], bias [cols] or nullptr.
template <class T>
void staircase_forward(const Staircase& s, const T* w, const T* bias, const T* x, T* y, int64_t n, T* scratch,
                       const Finish<T>& finish = {});
// Computes gx = W gy, or gx += W gy if `accumulate`.
template <class T>
void staircase_back(const Staircase& s, const T* w, const T* gy, T* gx, int64_t n, bool accumulate, T* scratch);
// Computes gw = x gy^T, or gw += x gy^T if `accumulate`.
template <class T>
void staircase_weights(const Staircase& s, const T* x, const T* gy, T* gw, int64_t n, bool accumulate, T* scratch);

// The first two products, one step at a time: forward in increasing order of steps, reading inputs of degree <= step;
// back in decreasing order, adding to gx, whose part of degree = step is complete afterward.
template <class T>
void staircase_forward_step(const Staircase& s, int64_t step, const T* w, const T* bias, const T* x, T* y, int64_t n);
template <class T>
void staircase_back_step(const Staircase& s, int64_t step, const T* w, const T* gy, T* gx, int64_t n);

}  // namespace libnf::kernel
