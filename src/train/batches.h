// Mini-batches as a pure function of (seed, step), so a resumed run sees the same data without stored state.
#pragma once
#include <cstdint>
#include <vector>

#include "runtime/core/allocator.h"
#include "runtime/core/view.h"
#include "src/train/selection.h"

namespace libnf {

enum class Order : uint8_t {
  shuffle,      // epochs: each row once, in a new random order; the last batch of an epoch may be short
  replacement,  // every row of every batch is drawn at random
  sequential,   // epochs in row order
  blocks,       // epochs with locality: runs of rows in random order, shuffled kWindow runs at a time
};
inline constexpr uint64_t kWindow = 16;

class Batches {
 public:
  // Streams of rows, borrowed: x, scores [n, ...], context [n or 1, c], weight [n]. All but x may have no data.
  struct Streams {
    View x, context, weight, scores;
  };
  // 1 <= batch. block: the runs of Order::blocks. When the last batch of an epoch would have fewer than `smallest` rows,
  // they join the batch before it. mirrored: the extents [height, width, channels] of rows of x and scores, if half of them,
  // drawn anew in each epoch, are to be mirrored left to right; rank 0: none.
  Batches(const Allocator& allocator, const Streams& rows, int64_t batch, Order order, uint64_t seed, Selection which,
          int64_t block, int64_t smallest = 1, const Dims& mirrored = {});
  Batches(const Allocator& allocator, const Streams& rows, int64_t batch, Order order, uint64_t seed,
          const Part& part = {})
      : Batches(allocator, rows, batch, order, seed, Selection(rows.x.shape[0], part), part.block) {}
  uint64_t per_epoch() const { return per_epoch_; }
  int64_t rows() const { return which_.rows(); }  // number of rows that take part
  int64_t merged() const { return merged_; }      // rows at the end of an epoch that join the batch before; often 0
  const Selection& which() const { return which_; }
  // Gathers batch number `step` into its own memory: [rows, ...] views with the dtype of their sources.
  void gather(uint64_t step);
  const View& x() const { return out_[0]; }
  const View& context() const { return out_[1]; }
  const View& weight() const { return out_[2]; }
  const View& scores() const { return out_[3]; }
  // Where the rows of the last batch stand in their sources.
  const int64_t* numbers() const { return numbers_.data(); }

 private:
  uint64_t place_in_blocks(uint64_t epoch, uint64_t at) const;
  bool is_mirrored(uint64_t step, int64_t row) const;
  View mirrored(const View& row) const;
  static constexpr int kStreams = 4;
  View source_[kStreams];
  View out_[kStreams];
  Buffer memory_[kStreams];
  Selection which_;
  int64_t rows_, batch_, block_, merged_ = 0;
  std::vector<int64_t> numbers_;
  Dims mirrored_;
  Order order_;
  uint64_t seed_, per_epoch_;
};

}  // namespace libnf
