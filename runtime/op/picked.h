// Some columns of matrices, block of rows by block of rows: neighbors are used where they are, others through copies
// that stay in cache.
#pragma once
#include "runtime/kernel/columns.h"
#include "runtime/op/layout.h"

namespace libnf {

class PickedColumns {
 public:
  // `index` of m columns is borrowed.
  PickedColumns(const int32_t* index, int64_t m) : index_(index), m_(m), step_(kernel::column_step(index, m)) {}

  bool neighbors() const { return step_ == 1; }
  int64_t first() const { return m_ ? index_[0] : 0; }
  int64_t count() const { return m_; }
  // The columns [j, j + m) of the list.
  PickedColumns part(int64_t j, int64_t m) const { return {index_ + j, m}; }
  // Numbers of a copy of one block of rows.
  int64_t scratch() const { return rows_of_block(m_) * m_; }

  // The columns of a block x.
  template <class T>
  Rows<const T> read(const Rows<T>& x, T* copy) const {
    if (neighbors()) return x.columns_from(first(), m_);
    const Rows<T> y = {copy, x.rows, m_, m_};
    kernel::gather_columns<T>(x, index_, y, step_);
    return y;
  }
  // Where to put the columns of a block y; call `written` afterwards.
  template <class T>
  Rows<T> write(const Rows<T>& y, T* copy) const {
    return neighbors() ? y.columns_from(first(), m_) : Rows<T>{copy, y.rows, m_, m_};
  }
  template <class T>
  void written(const Rows<T>& y, const T* copy) const {
    if (!neighbors()) kernel::scatter_columns<T>({copy, y.rows, m_, m_}, index_, y, step_);
  }
  // gx += gy in the columns that are not picked, gx += g [rows, m] in those that are.
  template <class T>
  void add_back(Tape& t, const Rows<const T>& gy, const Rows<const T>& g, const Rows<T>& gx) const {
    const auto add = [](const Rows<const T>& x, const Rows<T>& y) {
      kernel::binary_rows<T>(kernel::Binary::add, y, x, y);
    };
    if (neighbors()) {
      const int64_t end = first() + m_;
      add(gy.columns_from(0, first()), gx.columns_from(0, first()));
      add(g, gx.columns_from(first(), m_));
      add(gy.columns_from(end, gx.cols - end), gx.columns_from(end, gx.cols - end));
      return;
    }
    const ScratchScope scope(t);
    T* all = t.scratch<T>(rows_of_block(gx.cols) * gx.cols);
    for_row_blocks(gx.rows, gx.cols, [&](int64_t r, int64_t n) {
      const Rows<T> through = {all, n, gx.cols, gx.cols};
      kernel::copy_rows<T>(gy.rows_from(r, n), through);
      kernel::scatter_columns<T>(g.rows_from(r, n), index_, through, step_);
      add(through, gx.rows_from(r, n));
    });
  }
  // f(first row, rows) for every block.
  template <class F>
  void blocks(int64_t rows, const F& f) const {
    for_row_blocks(rows, m_, f);
  }

 private:
  const int32_t* index_;
  int64_t m_, step_;
};

}  // namespace libnf
