// Philox4x32-10 on 64-bit SIMD lanes, one block of four words per lane, and the distributions built from it.
// Counter = (row low, row high, block of columns, stream), key = seed. Uses only add, subtract, multiply, divide and
// square root, each correctly rounded and never fused, so that every SIMD target gives the same bits.
#include "runtime/kernel/random.h"

#include <algorithm>
#include <bit>

#include "runtime/kernel/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernel/random.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h
#include "hwy/highway.h"
#include "runtime/kernel/coefficients.h"

#ifndef NF_KERNEL_RANDOM_ONCE_
#define NF_KERNEL_RANDOM_ONCE_
namespace libnf::kernel {
inline constexpr uint32_t kPhiloxM0 = 0xD2511F53,
                          kPhiloxM1 = 0xCD9E8D57;  // multipliers and Weyl increments from the paper
inline constexpr uint32_t kPhiloxW0 = 0x9E3779B9, kPhiloxW1 = 0xBB67AE85;
inline constexpr int kPhiloxRounds = 10;
inline constexpr int64_t kChunk = 128;  // blocks processed at a time; a multiple of every lane count

// Input: counters; output: words or normals. Each uint64_t holds one 32-bit word.
struct Chunk {
  alignas(64) uint64_t w[4][kChunk];
  alignas(64) double z[2][kChunk];
};
}  // namespace libnf::kernel
#endif

HWY_BEFORE_NAMESPACE();
namespace libnf::kernel::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class D, class V = hn::Vec<D>>
HWY_INLINE V Product32(D d, V a, uint32_t m) {  // multiplies the low words
#if HWY_TARGET == HWY_SCALAR
  return hn::Set(d, (hn::GetLane(a) & 0xFFFFFFFFu) * m);
#else
  const hn::Repartition<uint32_t, D> d32;
  return hn::MulEven(hn::BitCast(d32, a), hn::Set(d32, m));
#endif
}

struct Words {
  using D = hn::ScalableTag<uint64_t>;
  hn::Vec<D> w0, w1, w2, w3;
};

HWY_INLINE Words PhiloxAt(const Chunk& chunk, int64_t i, uint64_t seed) {
  const Words::D d;
  auto c0 = hn::Load(d, chunk.w[0] + i), c1 = hn::Load(d, chunk.w[1] + i);
  auto c2 = hn::Load(d, chunk.w[2] + i), c3 = hn::Load(d, chunk.w[3] + i);
  uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < kPhiloxRounds; ++round, k0 += kPhiloxW0, k1 += kPhiloxW1) {
    const auto p0 = Product32(d, c0, kPhiloxM0), p1 = Product32(d, c2, kPhiloxM1);
    // The high halves of the lanes collect garbage that no product reads; they are cleared at the end.
    c0 = hn::Xor(hn::Xor(hn::ShiftRight<32>(p1), c1), hn::Set(d, uint64_t{k0}));
    c2 = hn::Xor(hn::Xor(hn::ShiftRight<32>(p0), c3), hn::Set(d, uint64_t{k1}));
    c1 = p1;
    c3 = p0;
  }
  const auto low = hn::Set(d, uint64_t{0xFFFFFFFF});
  return {hn::And(c0, low), hn::And(c1, low), hn::And(c2, low), hn::And(c3, low)};
}

void PhiloxChunk(Chunk& chunk, int64_t n, uint64_t seed) {
  const Words::D d;
  for (int64_t i = 0; i < n; i += static_cast<int64_t>(hn::Lanes(d))) {
    const Words w = PhiloxAt(chunk, i, seed);
    hn::Store(w.w0, d, chunk.w[0] + i);
    hn::Store(w.w1, d, chunk.w[1] + i);
    hn::Store(w.w2, d, chunk.w[2] + i);
    hn::Store(w.w3, d, chunk.w[3] + i);
  }
}

// Horner's rule without fused operations.
template <size_t kFrom, size_t kN, class D, class V = hn::Vec<D>>
HWY_INLINE V PlainPoly(D d, V x, const double (&c)[kN]) {
  if constexpr (kFrom + 1 == kN) {
    return hn::Set(d, c[kFrom]);
  } else {
    return hn::Add(hn::Mul(PlainPoly<kFrom + 1>(d, x, c), x), hn::Set(d, c[kFrom]));
  }
}

// Converts an integer below 2^53 to double: two halves below 2^52 are exact in the bits of 2^52 + half.
template <class D, class VU>
HWY_INLINE hn::Vec<D> ToDouble(D d, VU k) {
  const hn::RebindToUnsigned<D> du;
  const auto two52 = hn::Set(d, 0x1p52);
  const auto bits52 = hn::BitCast(du, two52);
  const auto high = hn::Sub(hn::BitCast(d, hn::Or(hn::ShiftRight<27>(k), bits52)), two52);
  const auto low = hn::Sub(hn::BitCast(d, hn::Or(hn::And(k, hn::Set(du, uint64_t{0x7FFFFFF})), bits52)), two52);
  return hn::Add(hn::Mul(high, hn::Set(d, 0x1p27)), low);
}

// Returns -2 log u for 0 < u <= 1, computed like LogWithCorrection in math-inl.h.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V MinusTwoLog(D d, V u) {
  using C = Coefficients<double>;
  const hn::RebindToUnsigned<D> du;
  constexpr uint64_t kOne = 0x3FF0000000000000ull, kSqrtHalf = 0x3FE6A09E667F3BCDull;
  const auto bits = hn::BitCast(du, u);
  const auto biased = hn::ShiftRight<52>(hn::Add(bits, hn::Set(du, kOne - kSqrtHalf)));
  const V k = hn::Sub(hn::BitCast(d, hn::Or(biased, hn::BitCast(du, hn::Set(d, 0x1p52)))), hn::Set(d, 0x1p52 + 1023));
  const V m = hn::BitCast(d, hn::Add(hn::Sub(bits, hn::ShiftLeft<52>(biased)), hn::Set(du, kOne)));
  const V f = hn::Sub(m, hn::Set(d, 1.0));
  const V s = hn::Div(f, hn::Add(f, hn::Set(d, 2.0)));
  const V z = hn::Mul(s, s);
  const V tail = hn::Mul(s, hn::Sub(f, hn::Mul(z, PlainPoly<0>(d, z, C::kLog))));
  const V low = hn::Sub(hn::Sub(f, tail), hn::Mul(k, hn::Set(d, -C::kLn2[1])));
  return hn::Mul(hn::Add(hn::Mul(k, hn::Set(d, C::kLn2[0])), low), hn::Set(d, -2.0));
}

void NormalChunk(Chunk& chunk, int64_t n, uint64_t seed) {
  using C = Coefficients<double>;
  const hn::ScalableTag<double> d;
  const Words::D du;
  const auto unit = hn::Set(d, 0x1p-53);
  for (int64_t i = 0; i < n; i += static_cast<int64_t>(hn::Lanes(d))) {
    const Words w = PhiloxAt(chunk, i, seed);
    const auto k1 = hn::Or(hn::ShiftLeft<21>(w.w0), hn::ShiftRight<11>(w.w1));
    const auto k2 = hn::Or(hn::ShiftLeft<21>(w.w2), hn::ShiftRight<11>(w.w3));
    const auto u1 = hn::Mul(hn::Add(ToDouble(d, k1), hn::Set(d, 1.0)), unit);  // (0, 1]
    const auto turn = hn::Mul(ToDouble(d, k2), hn::Set(d, 0x1p-51));           // [0, 4) quarter turns
    const auto magic = hn::Set(d, 0x1.8p52);
    const auto shifted = hn::Add(turn, magic);
    const auto r = hn::Mul(hn::Sub(turn, hn::Sub(shifted, magic)), hn::Set(d, 1.5707963267948966));
    const auto z = hn::Mul(r, r);
    const auto sin = hn::Add(hn::Mul(hn::Mul(z, r), PlainPoly<0>(d, z, C::kSin)), r);
    const auto cos = hn::Add(hn::Mul(hn::Mul(z, z), PlainPoly<0>(d, z, C::kCos)),
                             hn::Sub(hn::Set(d, 1.0), hn::Mul(z, hn::Set(d, 0.5))));
    const auto quadrant = hn::BitCast(du, shifted);
    const auto odd = hn::RebindMask(d, hn::TestBit(quadrant, hn::Set(du, uint64_t{1})));
    const auto two = hn::Set(du, uint64_t{2});
    const auto sin_sign = hn::ShiftLeft<62>(hn::And(quadrant, two));
    const auto cos_sign = hn::ShiftLeft<62>(hn::And(hn::Add(quadrant, hn::Set(du, uint64_t{1})), two));
    const auto radius = hn::Sqrt(MinusTwoLog(d, u1));
    const auto c = hn::Xor(hn::IfThenElse(odd, sin, cos), hn::BitCast(d, cos_sign));
    const auto s = hn::Xor(hn::IfThenElse(odd, cos, sin), hn::BitCast(d, sin_sign));
    hn::Store(hn::Mul(radius, c), d, chunk.z[0] + i);
    hn::Store(hn::Mul(radius, s), d, chunk.z[1] + i);
  }
}

}  // namespace libnf::kernel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace libnf::kernel {

HWY_EXPORT(PhiloxChunk);
HWY_EXPORT(NormalChunk);

std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> c, std::array<uint32_t, 2> k) {
  for (int round = 0; round < kPhiloxRounds; ++round) {
    const uint64_t p0 = uint64_t{kPhiloxM0} * c[0], p1 = uint64_t{kPhiloxM1} * c[2];
    c = {static_cast<uint32_t>(p1 >> 32) ^ c[1] ^ k[0], static_cast<uint32_t>(p1),
         static_cast<uint32_t>(p0 >> 32) ^ c[3] ^ k[1], static_cast<uint32_t>(p0)};
    k = {k[0] + kPhiloxW0, k[1] + kPhiloxW1};
  }
  return c;
}

namespace {

std::array<uint32_t, 2> key_words(uint64_t seed) {
  return {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)};
}

// Visits all blocks of kPer columns, a chunk at a time: generate(chunk, blocks), then put(block in chunk, row, column).
template <int kPer, class Generate, class Put>
void for_each_block(RandomKey key, int64_t first_row, int64_t rows, int64_t cols, Generate generate, Put put) {
  const int64_t per_row = (cols + kPer - 1) / kPer;
  if (rows <= 0 || per_row <= 0) return;
  Chunk chunk;
  int64_t row = 0, block = 0;
  while (row < rows) {
    const int64_t start_row = row, start_block = block;
    int64_t n = 0;
    for (; n < kChunk && row < rows; ++n) {
      const uint64_t r = static_cast<uint64_t>(first_row + row);
      chunk.w[0][n] = r & 0xFFFFFFFF;
      chunk.w[1][n] = r >> 32;
      chunk.w[2][n] = static_cast<uint64_t>(block);
      chunk.w[3][n] = key.stream;
      if (++block == per_row) block = 0, ++row;
    }
    for (int64_t i = n; i < kChunk; ++i) {  // the last vector may read past n
      chunk.w[0][i] = chunk.w[1][i] = chunk.w[2][i] = chunk.w[3][i] = 0;
    }
    generate(chunk, n);
    int64_t r = start_row, b = start_block;
    for (int64_t i = 0; i < n; ++i) {
      put(chunk, i, r, b * kPer);
      if (++b == per_row) b = 0, ++r;
    }
  }
}

uint64_t top53(uint64_t high, uint64_t low) { return (high << 21) | (low >> 11); }

// A float32 draw consists of the leading bits of the float64 draw.
template <class T>
T closed_unit(uint64_t high, uint64_t low) {
  if constexpr (sizeof(T) == 4) return static_cast<float>(high >> 8) * 0x1p-24f;
  return static_cast<T>(static_cast<double>(top53(high, low)) * 0x1p-53);
}
template <class T>
T open_unit(uint64_t high, uint64_t low) {
  if constexpr (sizeof(T) == 4) return (static_cast<float>(high >> 9) + 0.5f) * 0x1p-23f;
  return static_cast<T>((static_cast<double>(top53(high, low) >> 1) + 0.5) * 0x1p-52);
}

template <class T, T (*kUnit)(uint64_t, uint64_t)>
void uniform(RandomKey key, int64_t first_row, int64_t rows, int64_t cols, T* out, int64_t ld) {
  for_each_block<2>(
      key, first_row, rows, cols,
      [&](Chunk& chunk, int64_t n) {
        HWY_DYNAMIC_DISPATCH(PhiloxChunk)
        (chunk, n, key.seed);
      },
      [&](const Chunk& chunk, int64_t i, int64_t r, int64_t c) {
        T* y = out + r * ld + c;
        y[0] = kUnit(chunk.w[0][i], chunk.w[1][i]);
        if (c + 1 < cols) y[1] = kUnit(chunk.w[2][i], chunk.w[3][i]);
      });
}

}  // namespace

template <class T>
void uniform01(RandomKey key, int64_t first_row, int64_t rows, int64_t cols, T* out, int64_t ld) {
  uniform<T, closed_unit<T>>(key, first_row, rows, cols, out, ld);
}
template <class T>
void uniform_open(RandomKey key, int64_t first_row, int64_t rows, int64_t cols, T* out, int64_t ld) {
  uniform<T, open_unit<T>>(key, first_row, rows, cols, out, ld);
}

template <class T>
void normal(RandomKey key, int64_t first_row, int64_t rows, int64_t cols, T* out, int64_t ld) {
  for_each_block<2>(
      key, first_row, rows, cols,
      [&](Chunk& chunk, int64_t n) {
        HWY_DYNAMIC_DISPATCH(NormalChunk)
        (chunk, n, key.seed);
      },
      [&](const Chunk& chunk, int64_t i, int64_t r, int64_t c) {
        T* y = out + r * ld + c;
        y[0] = static_cast<T>(chunk.z[0][i]);
        if (c + 1 < cols) y[1] = static_cast<T>(chunk.z[1][i]);
      });
}

template <class T>
void bernoulli(RandomKey key, int64_t first_row, int64_t rows, int64_t cols, double p, T value, T* out, int64_t ld) {
  // w < limit with probability limit 2^-32; NaN counts as 0
  const uint64_t limit = p >= 1 ? uint64_t{1} << 32 : p > 0 ? static_cast<uint64_t>(p * 0x1p32) : 0;
  for_each_block<4>(
      key, first_row, rows, cols,
      [&](Chunk& chunk, int64_t n) {
        HWY_DYNAMIC_DISPATCH(PhiloxChunk)
        (chunk, n, key.seed);
      },
      [&](const Chunk& chunk, int64_t i, int64_t r, int64_t c) {
        for (int64_t j = 0; j < 4 && c + j < cols; ++j) out[r * ld + c + j] = chunk.w[j][i] < limit ? value : T{0};
      });
}

uint64_t random_below(RandomKey key, int64_t row, uint32_t column, uint64_t bound) {
  if (bound == 0) return 0;
  const uint64_t reject = (0 - bound) % bound;  // low products below this would make some results more likely
  const uint64_t r = static_cast<uint64_t>(row);
  for (uint64_t seed = key.seed;; seed += 0x9E3779B97F4A7C15ull) {
    const auto w =
        philox4x32({static_cast<uint32_t>(r), static_cast<uint32_t>(r >> 32), column, key.stream}, key_words(seed));
    for (int half = 0; half < 4; half += 2) {
      const uint64_t x = uint64_t{w[half]} << 32 | w[half + 1];
      __extension__ const unsigned __int128 product = static_cast<unsigned __int128>(x) * bound;
      if (static_cast<uint64_t>(product) >= reject) return static_cast<uint64_t>(product >> 64);
    }
  }
}

Permutation::Permutation(RandomKey key, uint64_t epoch, uint64_t n) : n_(n) {
  const int bits = std::max(2, static_cast<int>(std::bit_width(n > 0 ? n - 1 : 0)));
  high_bits_ = bits / 2;
  low_bits_ = bits - high_bits_;
  for (uint32_t half = 0; half < 2; ++half) {
    const auto w = philox4x32({static_cast<uint32_t>(epoch), static_cast<uint32_t>(epoch >> 32), ~half, key.stream},
                              key_words(key.seed));
    for (size_t j = 0; j < 4; ++j) round_key_[half * 4 + j] = w[j];
  }
}

uint64_t Permutation::operator()(uint64_t i) const {
  if (n_ <= 1) return 0;
  const uint64_t low_mask = (uint64_t{1} << low_bits_) - 1, high_mask = (uint64_t{1} << high_bits_) - 1;
  do {
    uint64_t low = i & low_mask, high = i >> low_bits_;
    for (size_t round = 0; round < round_key_.size(); ++round) {
      uint64_t h = ((round % 2 ? high : low) + round_key_[round]) * 0xD1342543DE82EF95ull;
      h = (h ^ (h >> 32)) * 0x9E3779B97F4A7C15ull >> 32;
      if (round % 2) {
        low ^= h & low_mask;
      } else {
        high ^= h & high_mask;
      }
    }
    i = high << low_bits_ | low;
  } while (i >= n_);
  return i;
}

#define NF_INSTANTIATE(T)                                                        \
  template void uniform01(RandomKey, int64_t, int64_t, int64_t, T*, int64_t);    \
  template void uniform_open(RandomKey, int64_t, int64_t, int64_t, T*, int64_t); \
  template void normal(RandomKey, int64_t, int64_t, int64_t, T*, int64_t);       \
  template void bernoulli(RandomKey, int64_t, int64_t, int64_t, double, T, T*, int64_t);
NF_INSTANTIATE(float)
NF_INSTANTIATE(double)
#undef NF_INSTANTIATE

}  // namespace libnf::kernel
#endif
