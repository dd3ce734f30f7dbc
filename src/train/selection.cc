#include "src/train/selection.h"

#include <algorithm>
#include <cmath>

#include "runtime/core/status.h"
#include "runtime/kernel/random.h"

namespace libnf {
namespace {

constexpr uint32_t kPartStream = 0x70617274;  // apart from the streams of samples and batches

// The blocks of a part, ascending.
std::vector<int64_t> blocks_of(const Part& part, int64_t rows) {
  const int64_t n = (rows + part.block - 1) / part.block;
  const auto place = [&](double share) { return static_cast<int64_t>(std::llround(share * static_cast<double>(n))); };
  const int64_t begin = place(part.begin), end = place(part.end);
  if (begin >= end)
    fail(Code::shape, "rows %g to %g of %lld blocks of %lld rows are none: smaller blocks divide more finely",
         part.begin, part.end, static_cast<long long>(n), static_cast<long long>(part.block));
  const kernel::Permutation shuffled({part.seed, kPartStream}, 0, static_cast<uint64_t>(n));
  std::vector<int64_t> blocks;
  for (int64_t i = begin; i < end; ++i) blocks.push_back(static_cast<int64_t>(shuffled(static_cast<uint64_t>(i))));
  std::sort(blocks.begin(), blocks.end());
  return blocks;
}

}  // namespace

Selection::Selection(int64_t rows, const Part& part) : block_(part.block), rows_(rows) {
  if (part.begin <= 0 && part.end >= 1) return;
  blocks_ = blocks_of(part, rows);
  const int64_t last = blocks_.back() * block_;
  rows_ = static_cast<int64_t>(blocks_.size() - 1) * block_ + std::min(block_, rows - last);
}

}  // namespace libnf
