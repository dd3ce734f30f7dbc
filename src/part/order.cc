#include "src/part/order.h"

#include <cstddef>
#include <numeric>
#include <utility>

#include "runtime/kernel/random.h"

namespace libnf {
namespace {
constexpr uint32_t kOrderStream = 0x6f726472;  // separate from the streams of samples and initial values
}

std::vector<int32_t> inverse_order(const std::vector<int32_t>& order) {
  std::vector<int32_t> inverse(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) inverse[static_cast<std::size_t>(order[i])] = static_cast<int32_t>(i);
  return inverse;
}

// Fisher-Yates shuffle: exactly uniform over the n! orders.
std::vector<int32_t> random_order(int64_t n, uint64_t seed, uint64_t key) {
  std::vector<int32_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  for (int64_t i = n - 1; i > 0; --i) {
    const auto j = kernel::random_below({seed, kOrderStream}, static_cast<int64_t>(key), static_cast<uint32_t>(i),
                                        static_cast<uint64_t>(i) + 1);
    std::swap(order[static_cast<std::size_t>(i)], order[j]);
  }
  return order;
}

}  // namespace libnf
