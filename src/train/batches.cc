#include "src/train/batches.h"

#include <algorithm>
#include <cmath>

#include "runtime/kernel/random.h"
#include "src/model/rows.h"

namespace libnf {
namespace {
// Separate from the streams of samples and from each other.
constexpr uint32_t kBatchStream = 0x62617463, kBlockStream = 0x626c6f63, kFlipStream = 0x666c6970;
}  // namespace

Batches::Batches(const Allocator& allocator, const Streams& rows, int64_t batch, Order order, uint64_t seed,
                 Selection which, int64_t block, int64_t smallest, const Dims& mirrored)
    : source_{rows.x, rows.context, rows.weight, rows.scores},
      which_(std::move(which)),
      rows_(which_.rows()),
      batch_(batch),
      block_(block),
      mirrored_(mirrored),
      order_(order),
      seed_(seed) {
  if (rows_ < 1) fail(Code::shape, "no rows to make batches of");
  if (order != Order::replacement) batch_ = std::min(batch, rows_);
  per_epoch_ = static_cast<uint64_t>((rows_ + batch_ - 1) / batch_);
  const int64_t rest = order == Order::replacement ? 0 : rows_ % batch_;
  if (rest > 0 && rest < smallest && rows_ > batch_) merged_ = rest, --per_epoch_;
  for (int i = 0; i < kStreams; ++i) {
    const View& s = source_[i];
    if (!s.data) continue;
    Dims shape = s.shape;
    const bool shared = i == 1 && s.shape[0] == 1;  // one context for all rows
    shape[0] = shared ? 1 : batch_ + merged_;
    memory_[i] = Buffer(allocator, static_cast<size_t>(checked_mul(shape.count(), size_of(s.dtype))), "a batch");
    out_[i] = contiguous_view(memory_[i].data(), s.dtype, shape);
    if (shared) source_[i].stride[0] = 0;
  }
  numbers_.resize(static_cast<size_t>(batch_ + merged_));
}

// Whole blocks come in random order, a short block last; kWindow neighbors in that order are shuffled together.
uint64_t Batches::place_in_blocks(uint64_t epoch, uint64_t at) const {
  const auto n = static_cast<uint64_t>(rows_), block = static_cast<uint64_t>(block_), window = kWindow * block;
  const uint64_t w = at / window, first = w * window;
  const kernel::Permutation rows({seed_, kBatchStream}, epoch * (n / window + 1) + w, std::min(window, n - first));
  const uint64_t mixed = first + rows(at - first), whole = n / block;
  if (mixed >= whole * block) return mixed;
  const kernel::Permutation blocks({seed_, kBlockStream}, epoch, whole);
  return blocks(mixed / block) * block + mixed % block;
}

// A function of the seed, the epoch and the row, however the rows are batched. Rows that are drawn with replacement know
// no epochs: there every step draws anew.
bool Batches::is_mirrored(uint64_t step, int64_t row) const {
  const uint64_t epoch = order_ == Order::replacement ? step : step / per_epoch_;
  const kernel::RandomKey key{seed_, kFlipStream};
  return kernel::random_below(key, row, static_cast<uint32_t>(epoch), 2) == 1;
}

// One row of images, or of as many columns, as a view in which the columns of pixels run backwards.
View Batches::mirrored(const View& row) const {
  View v = row;
  if (row.shape.rank == 2) {
    int64_t step = row.stride[1];
    v.shape = Dims{1, mirrored_[0], mirrored_[1], mirrored_[2]};
    for (int i = 3; i > 0; --i) {
      v.stride[i] = step;
      step *= v.shape[i];
    }
  }
  const int64_t last = v.shape[2] - 1;
  v.data = v.as<char>() + last * v.stride[2] * size_of(v.dtype);
  v.stride[2] = -v.stride[2];
  return v;
}

void Batches::gather(uint64_t step) {
  int64_t rows = batch_;
  if (order_ != Order::replacement && step % per_epoch_ == per_epoch_ - 1)
    rows = rows_ - static_cast<int64_t>(per_epoch_ - 1) * batch_;
  for (int i = 0; i < kStreams; ++i)
    if (out_[i].data && !(i == 1 && source_[1].shape[0] == 1)) out_[i].shape[0] = rows;
  const auto n = static_cast<uint64_t>(rows_);
  const kernel::RandomKey key{seed_, kBatchStream};
  const uint64_t first = step % per_epoch_ * static_cast<uint64_t>(batch_);
  const kernel::Permutation shuffled(key, step / per_epoch_, n);
  const auto place_at = [&](int64_t i) {
    const uint64_t at = first + static_cast<uint64_t>(i);
    switch (order_) {
      case Order::replacement:
        return static_cast<int64_t>(kernel::random_below(key, static_cast<int64_t>(step), static_cast<uint32_t>(i), n));
      case Order::shuffle:
        return static_cast<int64_t>(shuffled(at));
      case Order::blocks:
        return static_cast<int64_t>(place_in_blocks(step / per_epoch_, at));
      case Order::sequential:
        break;
    }
    return static_cast<int64_t>(at);
  };
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t from = which_.row_of(place_at(r));
    numbers_[static_cast<size_t>(r)] = from;
    const bool mirror = mirrored_.rank == 3 && is_mirrored(step, from);
    for (int i = 0; i < kStreams; ++i) {
      const View& s = source_[i];
      const View& o = out_[i];
      if (!o.data || r >= o.shape[0]) continue;
      const View row = rows_of_view(s, from, 1);
      copy_rows(mirror && (i == 0 || i == 3) ? mirrored(row) : row, rows_of_view(o, r, 1));
    }
  }
}

}  // namespace libnf
