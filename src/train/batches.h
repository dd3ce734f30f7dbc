// Mini-batches as a pure function of (seed, step), so a resumed run sees the same data without stored state.
#pragma once
#include <cstdint>
#include <vector>

#include "runtime/core/allocator.h"
#include "runtime/core/view.h"

namespace nf {

enum class Order : uint8_t {
  shuffle,      // epochs: each row once, in a new random order; the last batch of an epoch may be short
  replacement,  // every row of every batch is drawn at random
  sequential,   // epochs in row order
  blocks,       // epochs with locality: runs of rows in random order, shuffled kWindow runs at a time
};
inline constexpr uint64_t kWindow = 16;

// Selects rows: the n blocks of rows are shuffled by seed, and those at positions [begin n, end n) take part. Parts
// that share a border have no row in common; the last block may be short.
struct Part {
  int64_t block = 1024;  // rows per block; also the run length of Order::blocks
  double begin = 0, end = 1;
  uint64_t seed = 0;
};

class Batches {
 public:
  // Streams of rows, borrowed: x, scores [n, ...], context [n or 1, c], weight [n]. All but x may have no data.
  struct Streams {
    View x, context, weight, scores;
  };
  // 1 <= batch.
  Batches(const Allocator& allocator, const Streams& rows, int64_t batch, Order order, uint64_t seed,
          const Part& part = {});
  uint64_t per_epoch() const { return per_epoch_; }
  int64_t rows() const { return rows_; }  // number of rows that take part
  // Gathers batch number `step` into its own memory: [rows, ...] views with the dtype of their sources.
  void gather(uint64_t step);
  const View& x() const { return out_[0]; }
  const View& context() const { return out_[1]; }
  const View& weight() const { return out_[2]; }
  const View& scores() const { return out_[3]; }

 private:
  int64_t row_of(int64_t place) const;
  uint64_t place_in_blocks(uint64_t epoch, uint64_t at) const;
  static constexpr int kStreams = 4;
  View source_[kStreams];
  View out_[kStreams];
  Buffer memory_[kStreams];
  int64_t rows_, batch_, block_;
  std::vector<int64_t> part_;  // blocks of the part, ascending; empty: all rows
  Order order_;
  uint64_t seed_, per_epoch_;
};

}  // namespace nf
