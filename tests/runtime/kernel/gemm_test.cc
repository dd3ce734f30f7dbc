// The matrix product against a long double reference: every tile size and edge, both transposes, all ways to combine
// with C, every SIMD target; and that the bits of a row do not depend on the rows around it.
#include "runtime/kernel/gemm.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "tests/runtime/kernel/every_target.h"
#include "tests/support/brief.h"

namespace libnf::kernel {
namespace {

using test::on_every_target;

// 64-byte aligned memory with guard elements at the end.
template <class T>
struct Scratch {
  explicit Scratch(int64_t n) : size(static_cast<size_t>(n)), memory(size + kGuard + 64 / sizeof(T), kMark) {}
  T* begin() const {
    const auto at = reinterpret_cast<uintptr_t>(memory.data());
    return const_cast<T*>(memory.data()) + (64 - at % 64) % 64 / sizeof(T);
  }
  bool intact() const {
    return std::all_of(begin() + size, begin() + size + kGuard, [](T x) { return x == kMark; });
  }
  static constexpr size_t kGuard = 64;
  static constexpr T kMark = 12345;
  size_t size;
  std::vector<T> memory;
};

template <class T>
struct Problem {
  int64_t m, n, k, pad;
  bool trans;  // A is stored [k, m]
  std::vector<T> a, b, c, bias;
  int64_t lda() const { return (trans ? m : k) + pad; }
  int64_t ldb() const { return n + pad; }
  int64_t ldc() const { return n + pad; }
  T at(int64_t i, int64_t p) const {
    return trans ? a[static_cast<size_t>(p * lda() + i)] : a[static_cast<size_t>(i * lda() + p)];
  }

  Problem(int64_t m_, int64_t n_, int64_t k_, bool t, int64_t pad_ = 3) : m(m_), n(n_), k(k_), pad(pad_), trans(t) {
    std::mt19937 rng(static_cast<unsigned>(m * 131 + n * 17 + k));
    std::normal_distribution<double> normal;
    const auto fill = [&](std::vector<T>& v, int64_t size) {
      v.resize(static_cast<size_t>(size));
      for (T& x : v) x = static_cast<T>(normal(rng));
    };
    fill(a, (trans ? k : m) * lda());
    fill(b, k * ldb());
    fill(c, m * ldc());
    fill(bias, std::max(m, n));
  }
  std::vector<T> run(Into into, const Finish<T>& finish = {}, bool with_scratch = false) const {
    std::vector<T> out = c;
    const Scratch<T> scratch(with_scratch ? gemm_scratch<T>(m, n, k) : 0);
    gemm<T>(m, n, k, a.data(), trans ? 1 : lda(), trans ? lda() : 1, b.data(), ldb(), out.data(), ldc(), into,
            bias.data(), finish, with_scratch ? scratch.begin() : nullptr);
    EXPECT_TRUE(scratch.intact());
    return out;
  }
};

template <class T>
void compare(const Problem<T>& p, Into into) {
  const std::vector<T> out = p.run(into);
  for (int64_t i = 0; i < p.m; ++i) {
    for (int64_t j = 0; j < p.ldc(); ++j) {
      const auto at = static_cast<size_t>(i * p.ldc() + j);
      if (j >= p.n) {
        ASSERT_EQ(out[at], p.c[at]) << "wrote beyond row " << i;
        continue;
      }
      long double sum = into == Into::accumulate ? p.c[at]
                        : into == Into::bias     ? p.bias[static_cast<size_t>(j)]
                        : into == Into::row_bias ? p.bias[static_cast<size_t>(i)]
                                                 : 0;
      long double size = std::fabs(sum);
      for (int64_t q = 0; q < p.k; ++q) {
        const long double term = static_cast<long double>(p.at(i, q)) * p.b[static_cast<size_t>(q * p.ldb() + j)];
        sum += term;
        size += std::fabs(term);
      }
      // A chain of k roundings (2k without fused multiply-add).
      const long double bound = size * (2 * p.k + 2) * std::numeric_limits<T>::epsilon();
      ASSERT_LE(std::fabs(sum - out[at]), bound) << p.m << "x" << p.n << "x" << p.k << " at " << i << ", " << j;
    }
  }
}

template <class T>
class Gemm : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(Gemm, Types);

TYPED_TEST(Gemm, MatchesReference) {
  on_every_target([](int64_t) {
    for (int64_t m : {1, 2, 4, 7, 8, 12, 13, 20, 27, 64})
      for (int64_t n : {1, 2, 3, 4, 5, 8, 15, 16, 17, 31, 32, 33, 64, 130})
        for (int64_t k : {1, 3, 64, 65})
          for (bool trans : {false, true}) compare(Problem<TypeParam>(m, n, k, trans), Into::overwrite);
  });
}

TYPED_TEST(Gemm, CombinesWithCAndBias) {
  on_every_target([](int64_t) {
    for (Into into : {Into::overwrite, Into::bias, Into::accumulate, Into::row_bias})
      for (int64_t k : {1, 255, 256, 257, 600})  // around the blocks of k
        for (bool trans : {false, true})
          for (int64_t n : {2, 37})
            for (int64_t m : {13, 30}) compare(Problem<TypeParam>(m, n, k, trans), into);
  });
}

// The fused finish has the same bits as the plain product followed by the two steps.
TYPED_TEST(Gemm, FinishAddsAndRectifies) {
  using T = TypeParam;
  on_every_target([](int64_t) {
    for (int64_t m : {1, 3, 13, 64})
      for (int64_t n : {1, 2, 4, 5, 16, 37, 64})
        for (int64_t k : {0, 1, 40, 300})
          for (bool relu : {false, true})
            for (bool residual : {false, true}) {
              Problem<T> p(m, n, k, false);
              if (k > 0) p.a[0] = std::numeric_limits<T>::quiet_NaN();
              const Problem<T> r(m, n, 2, false, 5);
              std::vector<T> want = p.run(Into::bias), got = p.c;
              const Finish<T> finish{residual ? r.c.data() : nullptr, r.ldc(), relu};
              gemm<T>(m, n, k, p.a.data(), p.lda(), 1, p.b.data(), p.ldb(), got.data(), p.ldc(), Into::bias,
                      p.bias.data(), finish);
              for (int64_t i = 0; i < m; ++i)
                for (int64_t j = 0; j < n; ++j) {
                  T& w = want[static_cast<size_t>(i * p.ldc() + j)];
                  if (residual) w += r.c[static_cast<size_t>(i * r.ldc() + j)];
                  if (relu && w < 0) w = 0;
                  const T g = got[static_cast<size_t>(i * p.ldc() + j)];
                  ASSERT_TRUE(g == w || (std::isnan(g) && std::isnan(w)))
                      << m << "x" << n << "x" << k << " at " << i << ", " << j << ": " << g << " for " << w;
                }
            }
  });
}

TYPED_TEST(Gemm, EmptyExtents) {
  for (Into into : {Into::overwrite, Into::bias, Into::accumulate, Into::row_bias})
    for (const auto& s : {std::array<int64_t, 3>{0, 5, 3}, {5, 0, 3}, {5, 7, 0}, {0, 0, 0}, {1, 3, 0}})
      compare(Problem<TypeParam>(s[0], s[1], s[2], false), into);
}

TYPED_TEST(Gemm, RowsDoNotDependOnTheirNeighbors) {
  on_every_target([](int64_t) {
    for (int64_t n : {1, 2, 5, 48, 64, 100})
      for (int64_t k : {3, 64, 300})
        for (bool trans : {false, true}) {
          const Problem<TypeParam> all(67, n, k, trans);
          const auto whole = all.run(Into::bias);
          for (int64_t first : {0, 1, 11, 12, 40, 63})
            for (int64_t rows : {1, 2, 3, 4}) {
              Problem<TypeParam> part = all;
              part.c.assign(static_cast<size_t>(rows * part.ldc()), 0);
              gemm<TypeParam>(rows, n, k, all.a.data() + first * (trans ? 1 : all.lda()), trans ? 1 : all.lda(),
                              trans ? all.lda() : 1, all.b.data(), all.ldb(), part.c.data(), part.ldc(), Into::bias,
                              all.bias.data());
              for (int64_t r = 0; r < rows; ++r)
                ASSERT_EQ(0, std::memcmp(&part.c[static_cast<size_t>(r * part.ldc())],
                                         &whole[static_cast<size_t>((first + r) * all.ldc())],
                                         static_cast<size_t>(n) * sizeof(TypeParam)))
                    << "row " << first + r << " of " << n << " x " << k;
            }
        }
  });
}

// Columns are the rows of a batch here: few of them take other ways than many, to the same bits.
TYPED_TEST(Gemm, ColumnsDoNotDependOnTheirNumber) {
  using T = TypeParam;
  on_every_target([](int64_t) {
    for (int64_t m : {1, 3, 16, 17, 45})
      for (int64_t k : {1, 2, 3, 4, 7, 64, 300})
        for (bool trans : {false, true})
          for (Into into : {Into::overwrite, Into::bias, Into::accumulate, Into::row_bias})
            for (bool finished : {false, true}) {
              const Problem<T> all(m, 21, k, trans), other(m, 21, 1, false);
              const auto run = [&](int64_t first, int64_t n, std::vector<T>& c, int64_t ldc) {
                const T* bias = all.bias.data() + (into == Into::bias ? first : 0);
                gemm_columns<T>(m, n, k, all.a.data(), trans ? 1 : all.lda(), trans ? all.lda() : 1,
                                all.b.data() + first, all.ldb(), c.data(), ldc, into, bias,
                                finished ? Finish<T>{other.c.data() + first, other.ldc(), true} : Finish<T>{});
              };
              std::vector<T> whole = all.c;
              run(0, 21, whole, all.ldc());
              for (int64_t n : {1, 2, 3, 4, 5})
                for (int64_t gap : {0, 2}) {
                  const int64_t first = 6 + n, ldc = n + gap;
                  std::vector<T> part(static_cast<size_t>(m * ldc), T(-77));
                  for (int64_t i = 0; i < m; ++i)
                    std::copy_n(&all.c[static_cast<size_t>(i * all.ldc() + first)], n,
                                &part[static_cast<size_t>(i * ldc)]);
                  run(first, n, part, ldc);
                  for (int64_t i = 0; i < m; ++i) {
                    const T* got = &part[static_cast<size_t>(i * ldc)];
                    ASSERT_EQ(0, std::memcmp(got, &whole[static_cast<size_t>(i * all.ldc() + first)],
                                             static_cast<size_t>(n) * sizeof(T)))
                        << n << " columns, row " << i << " of " << m << " x " << k << (trans ? ", transposed" : "");
                    ASSERT_TRUE(gap == 0 || got[n] == T(-77)) << "wrote beside the row";
                  }
                }
            }
  });
}

// With scratch memory, a large product runs through blocks and copies but gives the same bits: whole blocks, partial
// blocks, several blocks of k and of columns, gaps between rows.
TYPED_TEST(Gemm, ScratchDoesNotChangeBits) {
  using T = TypeParam;
  on_every_target([](int64_t) {
    struct Shape {
      int64_t m, n, k, pad;
    };
    for (const auto& [m, n, k, pad] :
         {Shape{512, 256, 128, 0}, {515, 257, 601, 3}, {530, 1060, 140, 1}, {513, 300, 256, 0}})
      for (bool trans : {false, true}) {
        if (test::brief() && trans != (m == 513)) continue;
        ASSERT_GT(gemm_scratch<T>(m, n, k), 0);
        const Problem<T> p(m, n, k, trans, pad), other(m, n, 1, false, 5);
        for (Into into : {Into::overwrite, Into::bias, Into::accumulate, Into::row_bias})
          for (bool finished : {false, true}) {
            if (test::brief() && finished != (into == Into::bias)) continue;
            const Finish<T> finish = finished ? Finish<T>{other.c.data(), other.ldc(), true} : Finish<T>{};
            const auto want = p.run(into, finish), got = p.run(into, finish, true);
            ASSERT_EQ(0, std::memcmp(want.data(), got.data(), want.size() * sizeof(T))) << m << "x" << n << "x" << k;
          }
      }
  });
}

// Arenas are measured with the largest block of rows, so a smaller product must never need more.
TYPED_TEST(Gemm, ScratchGrowsWithTheProduct) {
  using T = TypeParam;
  EXPECT_EQ(gemm_scratch<T>(64, 64, 64), 0);
  for (int64_t m = 500; m < 530; ++m)
    for (int64_t n : {100, 127, 128, 255, 256, 257, 500, 512, 513, 5000})
      for (int64_t k : {1, 127, 128, 255, 256, 257, 5000}) {
        const int64_t size = gemm_scratch<T>(m, n, k);
        EXPECT_LE(size * static_cast<int64_t>(sizeof(T)), 512 * 1024);
        EXPECT_LE(size, gemm_scratch<T>(m + 1, n, k));
        EXPECT_LE(size, gemm_scratch<T>(m, n + 1, k));
        EXPECT_LE(size, gemm_scratch<T>(m, n, k + 1));
      }
}

TYPED_TEST(Gemm, NanStaysInItsRow) {
  Problem<TypeParam> p(20, 9, 11, false);
  p.a[static_cast<size_t>(5 * p.lda() + 2)] = std::numeric_limits<TypeParam>::quiet_NaN();
  const auto out = p.run(Into::overwrite);
  for (int64_t i = 0; i < p.m; ++i)
    for (int64_t j = 0; j < p.n; ++j) EXPECT_EQ(std::isnan(out[static_cast<size_t>(i * p.ldc() + j)]), i == 5);
}

TEST(GemmSelfTest, PassesOnEveryTarget) {
  on_every_target([](int64_t) { EXPECT_TRUE(gemm_self_test()); });
}

TEST(Transpose, IsExact) {
  for (int64_t rows : {0, 1, 15, 16, 17, 50})
    for (int64_t cols : {0, 1, 15, 16, 17, 50}) {
      std::vector<float> x(static_cast<size_t>(rows * (cols + 2))), y(static_cast<size_t>(cols * (rows + 1)), -1);
      for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i);
      transpose<float>(rows, cols, x.data(), cols + 2, y.data(), rows + 1);
      for (int64_t c = 0; c < cols; ++c)
        for (int64_t r = 0; r <= rows; ++r)
          ASSERT_EQ(y[static_cast<size_t>(c * (rows + 1) + r)],
                    r < rows ? x[static_cast<size_t>(r * (cols + 2) + c)] : -1);
    }
}

}  // namespace
}  // namespace libnf::kernel
