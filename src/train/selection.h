// Which rows of some data take part, in ascending order: all, a list, or whole blocks drawn by seed.
#pragma once
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace libnf {

// The blocks at places [begin n, end n) of the n blocks, shuffled by seed. Parts that share a border share no row; the
// last block may be short.
struct Part {
  int64_t block = 1024;  // rows
  double begin = 0, end = 1;
  uint64_t seed = 0;
};

class Selection {
 public:
  explicit Selection(int64_t rows) : rows_(rows) {}
  // Error{shape} when that is no block.
  Selection(int64_t rows, const Part& part);
  explicit Selection(std::vector<int64_t> list)
      : blocks_(std::move(list)), block_(1), rows_(static_cast<int64_t>(blocks_.size())) {}

  int64_t rows() const { return rows_; }
  bool all() const { return blocks_.empty(); }
  int64_t row_of(int64_t place) const {
    return blocks_.empty() ? place : blocks_[static_cast<size_t>(place / block_)] * block_ + place % block_;
  }
  // Calls body(row, place, count) for runs of neighbors among the places [first, end).
  template <class F>
  void each_run(int64_t first, int64_t end, F&& body) const {
    while (first < end) {
      const int64_t row = row_of(first);
      int64_t count = 1;
      if (blocks_.empty()) count = end - first;
      while (first + count < end && row_of(first + count) == row + count) ++count;
      body(row, first, count);
      first += count;
    }
  }

 private:
  std::vector<int64_t> blocks_;  // ascending; empty: all rows
  int64_t block_ = 1;
  int64_t rows_;
};

}  // namespace libnf
