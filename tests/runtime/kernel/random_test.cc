// Philox against the published known answers of Random123; moments and uniformity of the distributions; independence of
// batch split and SIMD target; and that permutations are permutations. Statistical bounds are about six sigma.
#include "runtime/kernel/random.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "tests/runtime/kernel/every_target.h"
#include "tests/support/long_double.h"

namespace libnf::test {
namespace {

using kernel::RandomKey;
constexpr RandomKey kKey = {0x0123456789ABCDEFull, 42};

TEST(Philox, KnownAnswers) {
  using W = std::array<uint32_t, 4>;
  EXPECT_EQ(kernel::philox4x32({0, 0, 0, 0}, {0, 0}), (W{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(kernel::philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
            (W{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(kernel::philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (W{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

// Recomputes each distribution from one block of words.
TEST(Philox, DistributionsAreMadeOfTheStatedWords) {
  NEED_LONG_DOUBLE();
  const int64_t rows = 300, cols = 5, first = (int64_t{7} << 32) - 100;
  on_every_target([&](int64_t) {
    std::vector<double> u(rows * cols), open(rows * cols), z(rows * cols), coin(rows * cols);
    kernel::uniform01(kKey, first, rows, cols, u.data(), cols);
    kernel::uniform_open(kKey, first, rows, cols, open.data(), cols);
    kernel::normal(kKey, first, rows, cols, z.data(), cols);
    kernel::bernoulli(kKey, first, rows, cols, 0.3, 2.5, coin.data(), cols);
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < cols; ++c) {
        const uint64_t row = static_cast<uint64_t>(first + r);
        const auto words = [&](int64_t per) {
          return kernel::philox4x32({static_cast<uint32_t>(row), static_cast<uint32_t>(row >> 32),
                                     static_cast<uint32_t>(c / per), kKey.stream},
                                    {static_cast<uint32_t>(kKey.seed), static_cast<uint32_t>(kKey.seed >> 32)});
        };
        const auto w = words(2);
        const auto k53 = [&](int i) { return ((uint64_t{w[i]} << 32) | w[i + 1]) >> 11; };
        const size_t at = static_cast<size_t>(r * cols + c);
        const int half = static_cast<int>(c % 2) * 2;
        ASSERT_EQ(u[at], static_cast<double>(k53(half)) * 0x1p-53);
        ASSERT_EQ(open[at], (static_cast<double>(k53(half) >> 1) + 0.5) * 0x1p-52);
        const long double radius = std::sqrt(-2 * std::log((k53(0) + 1) * 0x1p-53L));
        const long double turn = k53(2) * 0x1p-53L * 2 * 3.14159265358979323846264L;
        const long double exact = radius * (half ? std::sin(turn) : std::cos(turn));
        ASSERT_NEAR(z[at], static_cast<double>(exact), 1e-15 * std::fabs(static_cast<double>(exact)) + 1e-18);
        ASSERT_EQ(coin[at], words(4)[static_cast<size_t>(c % 4)] < 0.3 * 0x1p32 ? 2.5 : 0.0);
      }
    }
  });
}

TEST(Random, SameBitsOnEveryTargetAndForEverySplit) {
  for (const int64_t cols : {1, 2, 3, 8, 301}) {
    const int64_t rows = 100;
    std::vector<float> whole(static_cast<size_t>(rows * cols));
    kernel::normal(kKey, 1000, rows, cols, whole.data(), cols);
    on_every_target([&](int64_t) {
      std::vector<float> parts(whole.size() + 1, -77.0f);
      for (int64_t r = 0; r < rows;) {
        const int64_t n = std::min<int64_t>(1 + r % 7, rows - r);
        kernel::normal(kKey, 1000 + r, n, cols, parts.data() + r * cols, cols);
        r += n;
      }
      EXPECT_EQ(parts.back(), -77.0f);
      parts.pop_back();
      EXPECT_EQ(parts, whole);
    });
  }
}

TEST(Random, LeadingDimensionAndEmptyShapes) {
  std::vector<double> x(40, -1);
  kernel::uniform01(kKey, 0, 4, 3, x.data(), 10);
  for (size_t i = 0; i < x.size(); ++i) EXPECT_EQ(x[i] == -1, i % 10 >= 3) << i;
  kernel::normal<double>(kKey, 0, 0, 3, nullptr, 3);
  kernel::normal<double>(kKey, 0, 3, 0, nullptr, 0);
}

TEST(Random, Float32IsTheFloat64DrawShortened) {
  std::vector<float> f(1000), z(1000);
  std::vector<double> d(1000), zd(1000);
  kernel::uniform01(kKey, 0, 500, 2, f.data(), 2);
  kernel::uniform01(kKey, 0, 500, 2, d.data(), 2);
  kernel::normal(kKey, 0, 500, 2, z.data(), 2);
  kernel::normal(kKey, 0, 500, 2, zd.data(), 2);
  for (size_t i = 0; i < f.size(); ++i) {
    EXPECT_EQ(f[i], std::floor(d[i] * 0x1p24) * 0x1p-24);
    EXPECT_EQ(z[i], static_cast<float>(zd[i]));
  }
}

TEST(Random, UniformIsUniform) {
  constexpr int kBins = 100, kN = 400000;
  std::vector<float> u(kN), open(kN);
  kernel::uniform01(kKey, 0, kN / 4, 4, u.data(), 4);
  kernel::uniform_open(kKey, 0, kN / 4, 4, open.data(), 4);
  std::vector<int> count(kBins);
  for (const float v : u) {
    ASSERT_TRUE(v >= 0 && v < 1);
    ++count[static_cast<size_t>(v * kBins)];
  }
  double chi2 = 0;
  for (const int c : count) chi2 += (c - kN / kBins) * (c - kN / kBins) / (1.0 * kN / kBins);
  EXPECT_LT(chi2, 99 + 6 * std::sqrt(2 * 99.0));
  EXPECT_GT(chi2, 99 - 6 * std::sqrt(2 * 99.0));
  for (const float v : open) ASSERT_TRUE(v > 0 && v < 1);
}

TEST(Random, NormalMoments) {
  constexpr int kN = 1000000;
  std::vector<double> z(kN);
  kernel::normal(kKey, 0, kN / 2, 2, z.data(), 2);
  double m[5] = {}, cross = 0, neighbor = 0;
  for (int i = 0; i < kN; ++i) {
    for (int p = 1; p < 5; ++p) m[p] += std::pow(z[static_cast<size_t>(i)], p) / kN;
  }
  for (size_t i = 0; i + 3 < kN; i += 2) cross += z[i] * z[i + 1] / (kN / 2), neighbor += z[i] * z[i + 2] / (kN / 2);
  const double sigma = 1 / std::sqrt(1.0 * kN);
  EXPECT_NEAR(m[1], 0, 6 * sigma);
  EXPECT_NEAR(m[2], 1, 6 * std::sqrt(2) * sigma);
  EXPECT_NEAR(m[3], 0, 6 * std::sqrt(15) * sigma);
  EXPECT_NEAR(m[4], 3, 6 * std::sqrt(96) * sigma);
  EXPECT_NEAR(cross, 0, 6 * std::sqrt(2) * sigma);
  EXPECT_NEAR(neighbor, 0, 6 * std::sqrt(2) * sigma);
  // Kolmogorov-Smirnov against the normal distribution function
  std::sort(z.begin(), z.end());
  double distance = 0;
  for (int i = 0; i < kN; ++i) {
    const double cdf = 0.5 * std::erfc(-z[static_cast<size_t>(i)] * std::sqrt(0.5));
    distance = std::fmax(distance, std::fabs(cdf - (i + 0.5) / kN));
  }
  EXPECT_LT(distance, 2.2 * sigma);
}

TEST(Random, BernoulliRateAndEdges) {
  std::vector<float> x(100000);
  kernel::bernoulli(kKey, 0, 100, 1000, 0.9, 1.5f, x.data(), 1000);
  EXPECT_NEAR(std::count(x.begin(), x.end(), 1.5f), 90000, 6 * std::sqrt(9000.0));
  kernel::bernoulli(kKey, 0, 100, 1000, 1.0, 1.5f, x.data(), 1000);
  EXPECT_EQ(std::count(x.begin(), x.end(), 1.5f), 100000);
  for (const double p : {0.0, -1.0, std::nan("")}) {
    kernel::bernoulli(kKey, 0, 100, 1000, p, 1.5f, x.data(), 1000);
    EXPECT_EQ(std::count(x.begin(), x.end(), 0.0f), 100000);
  }
}

TEST(Random, IntegersBelowABound) {
  EXPECT_EQ(kernel::random_below(kKey, 0, 0, 0), 0u);
  EXPECT_EQ(kernel::random_below(kKey, 0, 0, 1), 0u);
  std::vector<int> count(6);
  for (int64_t i = 0; i < 60000; ++i) ++count[kernel::random_below(kKey, i, 3, 6)];
  for (const int c : count) EXPECT_NEAR(c, 10000, 6 * std::sqrt(10000.0));
  const uint64_t bound = (uint64_t{3} << 62) - 1;  // a third of the raw words is rejected
  int64_t upper = 0;
  for (int64_t i = 0; i < 30000; ++i) {
    const uint64_t v = kernel::random_below(kKey, i, 0, bound);
    ASSERT_LT(v, bound);
    upper += v >= bound / 3 * 2;
  }
  EXPECT_NEAR(upper, 10000, 6 * std::sqrt(30000 * 2.0 / 9));
}

TEST(Permutation, IsABijection) {
  for (const uint64_t n : {1, 2, 3, 4, 5, 7, 8, 9, 16, 31, 97, 100, 127, 128, 1009, 65537, 100003}) {
    for (uint64_t epoch = 0; epoch < 3; ++epoch) {
      const kernel::Permutation p(kKey, epoch, n);
      std::vector<bool> seen(n);
      for (uint64_t i = 0; i < n; ++i) {
        const uint64_t j = p(i);
        ASSERT_LT(j, n);
        ASSERT_FALSE(seen[j]) << "n = " << n << ", i = " << i;
        seen[j] = true;
      }
    }
  }
  const uint64_t huge = ~uint64_t{0};
  EXPECT_LT(kernel::permute_index(kKey, 0, huge, huge - 1), huge);
  EXPECT_EQ(kernel::permute_index(kKey, 5, 100, 7), kernel::Permutation(kKey, 5, 100)(7));
}

TEST(Permutation, EveryOrderOfThreeAndFourIsAboutEquallyLikely) {
  for (const uint64_t n : {3, 4}) {
    std::map<std::vector<uint64_t>, int> count;
    const uint64_t orders = n == 3 ? 6 : 24, trials = orders * 2000;
    for (uint64_t epoch = 0; epoch < trials; ++epoch) {
      std::vector<uint64_t> order;
      const kernel::Permutation p(kKey, epoch, n);
      for (uint64_t i = 0; i < n; ++i) order.push_back(p(i));
      ++count[order];
    }
    EXPECT_EQ(count.size(), orders);
    for (const auto& [order, c] : count) EXPECT_NEAR(c, 2000, 6 * std::sqrt(2000.0));
  }
}

TEST(Permutation, PlacesEveryElementUniformly) {
  constexpr uint64_t kN = 50, kEpochs = 50000;
  std::vector<int> first(kN), adjacent(kN);
  for (uint64_t epoch = 0; epoch < kEpochs; ++epoch) {
    const kernel::Permutation p(kKey, epoch, kN);
    ++first[p(0)];
    ++adjacent[(p(20) + kN - p(21)) % kN];
  }
  double chi_first = 0, chi_adjacent = 0;
  for (const int c : first) chi_first += (c - 1000.0) * (c - 1000.0) / 1000.0;
  const double expected = kEpochs / (kN - 1.0);
  for (size_t i = 1; i < kN; ++i) chi_adjacent += (adjacent[i] - expected) * (adjacent[i] - expected) / expected;
  EXPECT_EQ(adjacent[0], 0);
  EXPECT_LT(chi_first, 49 + 6 * std::sqrt(2 * 49.0));
  EXPECT_LT(chi_adjacent, 48 + 6 * std::sqrt(2 * 48.0));
}

}  // namespace
}  // namespace libnf::test
