// Mini-batches as a pure function of (seed, step): a resumed run sees the same data, and nothing needs to be stored.
#pragma once
#include <cstdint>

#include "runtime/core/allocator.h"
#include "runtime/core/view.h"

namespace nf {

enum class Order : uint8_t {
  shuffle,      // epochs: each row once, in a new random order; the last batch of an epoch may be short
  replacement,  // every row of every batch drawn at random
  sequential,   // epochs in the order of the rows
};

class Batches {
 public:
  // Views are borrowed. context: [n or 1, c] or no data; weight: [n] or no data. 1 <= batch.
  Batches(const Allocator& allocator, const View& x, const View& context, const View& weight, int64_t batch,
          Order order, uint64_t seed);
  uint64_t per_epoch() const { return per_epoch_; }
  // Gathers batch number `step` into memory of its own: [rows, ...] views of the dtype of their sources.
  void gather(uint64_t step);
  const View& x() const { return out_[0]; }
  const View& context() const { return out_[1]; }
  const View& weight() const { return out_[2]; }

 private:
  View source_[3];
  View out_[3];
  Buffer memory_[3];
  int64_t rows_, batch_;
  Order order_;
  uint64_t seed_, per_epoch_;
};

}  // namespace nf
