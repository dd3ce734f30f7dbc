#include "src/train/batches.h"

#include <algorithm>
#include <cstring>

#include "runtime/kernel/random.h"

namespace nf {
namespace {
constexpr uint32_t kBatchStream = 0x62617463;  // apart from the streams of samples
}

Batches::Batches(const Allocator& allocator, const View& x, const View& context, const View& weight, int64_t batch,
                 Order order, uint64_t seed)
    : source_{x, context, weight},
      rows_(x.shape[0]),
      batch_(std::min(batch, std::max<int64_t>(rows_, 1))),
      order_(order),
      seed_(seed) {
  if (rows_ < 1) fail(Code::shape, "no rows to make batches of");
  if (order == Order::replacement) batch_ = batch;
  per_epoch_ = static_cast<uint64_t>((rows_ + batch_ - 1) / batch_);
  for (int i = 0; i < 3; ++i) {
    const View& s = source_[i];
    if (!s.data) continue;
    Dims shape = s.shape;
    const bool shared = i == 1 && s.shape[0] == 1;  // one context for all rows
    shape[0] = shared ? 1 : batch_;
    memory_[i] = Buffer(allocator, static_cast<size_t>(checked_mul(shape.count(), size_of(s.dtype))), "a batch");
    out_[i] = contiguous_view(memory_[i].data(), s.dtype, shape);
    if (shared) source_[i].stride[0] = 0;
  }
}

void Batches::gather(uint64_t step) {
  int64_t rows = batch_;
  if (order_ != Order::replacement) rows = std::min(batch_, rows_ - static_cast<int64_t>(step % per_epoch_) * batch_);
  for (int i = 0; i < 3; ++i)
    if (out_[i].data && !(i == 1 && source_[1].shape[0] == 1)) out_[i].shape[0] = rows;
  const auto n = static_cast<uint64_t>(rows_);
  const kernel::RandomKey key{seed_, kBatchStream};
  const uint64_t first = step % per_epoch_ * static_cast<uint64_t>(batch_);
  const kernel::Permutation shuffled(key, step / per_epoch_, n);
  const auto row_at = [&](int64_t i) {
    const uint64_t at = first + static_cast<uint64_t>(i);
    switch (order_) {
      case Order::replacement:
        return static_cast<int64_t>(kernel::random_below(key, static_cast<int64_t>(step), static_cast<uint32_t>(i), n));
      case Order::shuffle:
        return static_cast<int64_t>(shuffled(at));
      case Order::sequential:
        break;
    }
    return static_cast<int64_t>(at);
  };
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t from = row_at(r);
    for (int i = 0; i < 3; ++i) {
      const View& s = source_[i];
      const View& o = out_[i];
      if (!o.data || r >= o.shape[0]) continue;
      const int64_t cols = s.shape.rank > 1 ? s.shape[1] : 1, step_in = s.shape.rank > 1 ? s.stride[1] : 1;
      const int64_t size = size_of(s.dtype);
      const char* a = static_cast<const char*>(s.data) + from * s.stride[0] * size;
      char* b = static_cast<char*>(o.data) + r * o.stride[0] * size;
      if (step_in == 1)
        std::memcpy(b, a, static_cast<size_t>(cols * size));
      else
        for (int64_t c = 0; c < cols; ++c) std::memcpy(b + c * size, a + c * step_in * size, static_cast<size_t>(size));
    }
  }
}

}  // namespace nf
