// Counter-based random numbers: Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").
// Every number is a pure function of (seed, stream, row, column): it never depends on the batch split, thread or lane,
// and its bits are the same on every SIMD target (only correctly rounded operations, no fused multiply-add).
// A float32 draw is the float64 draw of the same key, truncated to 24 bits (uniform) or rounded (normal).
#pragma once
#include <array>
#include <cstdint>

namespace libnf::kernel {

// The generator itself: computes four words from a counter and a key.
std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

// Streams separate uses (base samples, dropout of layer 3, shuffling ...) of one seed.
struct RandomKey {
  uint64_t seed = 0;
  uint32_t stream = 0;
};

// Fill out[(r - first_row) ld + c] for r in [first_row, first_row + rows), c in [0, cols).
template <class T>
void uniform01(RandomKey key, int64_t first_row, int64_t rows, int64_t cols, T* out, int64_t ld);  // [0, 1), k 2^-53
template <class T>
void uniform_open(RandomKey key, int64_t first_row, int64_t rows, int64_t cols, T* out, int64_t ld);  // (0, 1)
// Standard normal by Box-Muller in float64: |z| < 8.6, relative error below 1e-15 of the exact transform.
template <class T>
void normal(RandomKey key, int64_t first_row, int64_t rows, int64_t cols, T* out, int64_t ld);
// Writes `value` with probability p (to 2^-32), else 0: a dropout mask with p = 1 - rate and value = 1/p.
template <class T>
void bernoulli(RandomKey key, int64_t first_row, int64_t rows, int64_t cols, double p, T value, T* out, int64_t ld);

// Returns an integer in [0, bound), exactly uniform (Lemire's rejection); 0 if bound is 0.
uint64_t random_below(RandomKey key, int64_t row, uint32_t column, uint64_t bound);

// A pseudo-random permutation of [0, n), computed per element without state: a Feistel network on the smallest power of
// two >= n, with round keys from Philox, applied repeatedly until the result is below n. Every epoch has its own order.
class Permutation {
 public:
  Permutation(RandomKey key, uint64_t epoch, uint64_t n);
  uint64_t operator()(uint64_t i) const;  // i < n

 private:
  uint64_t n_;
  int low_bits_, high_bits_;
  std::array<uint32_t, 8> round_key_;
};
inline uint64_t permute_index(RandomKey key, uint64_t epoch, uint64_t n, uint64_t i) {
  return Permutation(key, epoch, n)(i);
}

}  // namespace libnf::kernel
