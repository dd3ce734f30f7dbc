// Products with a masked matrix W [rows, cols] whose mask is a staircase, as in masked autoregressive nets (Germain et
// al. 2015, MADE): inputs are sorted by degree, columns by need, and column j reads the inputs of degree <= need[j],
// a prefix. Only the entries that count are stored, as dense pieces one after the other, so that no product touches a
// masked entry and none can be set.
//
// Activations are stored by unit, [units, n] for n rows of the batch: a unit's values are neighbours, so that a few
// units can be completed on their own (the inverse of an autoregressive map) as fast as all of them.
// An element of a product is one chain of multiply-adds over the inputs in order: its bits do not depend on n.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "runtime/kernel/gemm.h"

namespace nf::kernel {

class Staircase {
 public:
  // Columns of neighbouring needs that share the inputs [0, rows), and read some of [rows, all_rows).
  struct Group {
    int64_t col = 0, cols = 0, rows = 0, all_rows = 0, step = 0, end = 0;  // needs [step, end)
  };
  // Rows [row, row + rows) x columns [col, col + cols), row-major at `offset`; `opens`: the first one of its group.
  struct Piece {
    int64_t row = 0, rows = 0, col = 0, cols = 0, offset = 0;
    bool opens = false;
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
  const std::vector<Group>& groups() const { return groups_; }
  // Where W[row, col] is stored; -1: masked. For imports and tests.
  int64_t index(int64_t row, int64_t col) const;
  // Numbers of scratch that products with n rows of the batch need.
  int64_t scratch(int64_t n) const;

 private:
  int64_t rows_ = 0, cols_ = 0, size_ = 0;
  std::vector<Group> groups_;       // of at least one column each
  std::vector<Piece> pieces_;       // by step; cols = 0: there is nothing to add
  std::vector<int64_t> first_col_;  // steps + 1
};

// y = finish(W^T x + bias); x [rows, n], y [cols, n], bias [cols] or nullptr.
template <class T>
void staircase_forward(const Staircase& s, const T* w, const T* bias, const T* x, T* y, int64_t n, T* scratch,
                       const Finish<T>& finish = {});
// gx = W gy, or += when `accumulate`
template <class T>
void staircase_back(const Staircase& s, const T* w, const T* gy, T* gx, int64_t n, bool accumulate, T* scratch);
// gw = x gy^T, or += when `accumulate`
template <class T>
void staircase_weights(const Staircase& s, const T* x, const T* gy, T* gw, int64_t n, bool accumulate, T* scratch);

// The first two, one step at a time: forward in increasing order of steps, reading inputs of degree <= step; back in
// decreasing order, adding to gx, of which degree = step is complete afterwards.
template <class T>
void staircase_forward_step(const Staircase& s, int64_t step, const T* w, const T* bias, const T* x, T* y, int64_t n);
template <class T>
void staircase_back_step(const Staircase& s, int64_t step, const T* w, const T* gy, T* gx, int64_t n);

}  // namespace nf::kernel
