// Orders of columns: an index list, its inverse, and random orders that are a pure function of a key.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace libnf {
std::vector<int32_t> inverse_order(const std::vector<int32_t>& order);
std::vector<int32_t> random_order(int64_t n, uint64_t seed, uint64_t key);
}  // namespace libnf
