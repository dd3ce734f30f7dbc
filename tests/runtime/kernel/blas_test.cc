// Products of gradients of weights on OpenBLAS: a program of its own, because OpenBLAS picks its kernels when it is
// loaded. main starts it again with kernels that this processor has, which an old OpenBLAS would not find by itself.
#include "runtime/kernel/blas.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

#include "tests/src/train/training.h"

namespace libnf::test {
namespace {

using kernel::blas_product;
using kernel::Into;

bool has_blas() { return kernel::product_engine().rfind("OpenBLAS", 0) == 0; }
#define NEED_BLAS() \
  if (!has_blas())  \
  GTEST_SKIP() << "built without OpenBLAS, or no kernels for this processor: " << kernel::product_engine()

TEST(BlasCore, IsComparedByWidth) {
  using kernel::core_is_wide_enough;
  EXPECT_TRUE(core_is_wide_enough("SkylakeX", "AVX3"));
  EXPECT_TRUE(core_is_wide_enough("SapphireRapids", "AVX3_DL"));
  EXPECT_TRUE(core_is_wide_enough("SkylakeX", "AVX2"));
  EXPECT_TRUE(core_is_wide_enough("Haswell", "AVX2"));
  EXPECT_TRUE(core_is_wide_enough("Zen", "AVX2"));
  EXPECT_FALSE(core_is_wide_enough("Haswell", "AVX3"));
  EXPECT_FALSE(core_is_wide_enough("Zen", "AVX3_ZEN4"));
  EXPECT_FALSE(core_is_wide_enough("Prescott", "AVX2"));
  EXPECT_FALSE(core_is_wide_enough("Prescott", "AVX3_SPR"));
  EXPECT_FALSE(core_is_wide_enough("a core of the future", "AVX2"));
}

template <class T>
void agrees(int64_t m, int64_t n, int64_t k, bool turned, Into into, int64_t pad) {
  SCOPED_TRACE(std::to_string(m) + " x " + std::to_string(n) + " x " + std::to_string(k) + (turned ? " turned" : ""));
  std::mt19937_64 random(static_cast<uint64_t>(m * n + k));
  std::normal_distribution<double> normal;
  const auto numbers = [&](int64_t count) {
    std::vector<T> v(static_cast<size_t>(count));
    for (T& x : v) x = static_cast<T>(normal(random));
    return v;
  };
  const int64_t lda = (turned ? m : k) + pad, ldb = n + pad, ldc = n + pad;
  const std::vector<T> a = numbers((turned ? k : m) * lda), b = numbers(k * ldb), start = numbers(m * ldc);
  std::vector<T> want = start, got = start;
  const int64_t a_row = turned ? 1 : lda, a_col = turned ? lda : 1;
  kernel::gemm<T>(m, n, k, a.data(), a_row, a_col, b.data(), ldb, want.data(), ldc, into);
  ASSERT_TRUE(blas_product<T>(m, n, k, a.data(), a_row, a_col, b.data(), ldb, got.data(), ldc, into));
  const double bound = 8 * std::sqrt(static_cast<double>(k)) * std::numeric_limits<T>::epsilon() * std::sqrt(k);
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < ldc; ++j) {
      const auto at = static_cast<size_t>(i * ldc + j);
      if (j < n)
        ASSERT_NEAR(got[at], want[at], bound) << i << ", " << j;
      else
        ASSERT_EQ(got[at], start[at]) << "between the rows";
    }
}

TEST(Blas, AgreesWithOurProduct) {
  NEED_BLAS();
  for (const bool turned : {false, true})
    for (const Into into : {Into::overwrite, Into::accumulate}) {
      agrees<float>(256, 256, 64, turned, into, 0);
      agrees<float>(257, 131, 301, turned, into, 3);
      agrees<float>(64, 1030, 700, turned, into, 1);
      agrees<double>(130, 257, 401, turned, into, 5);
    }
}

TEST(Blas, LeavesTheRestAlone) {
  NEED_BLAS();
  const std::vector<float> a(1 << 20, 1), b(1 << 20, 1), bias(1024, 1);
  std::vector<float> c(1 << 20, 7);
  const auto refused = [&](int64_t m, int64_t n, int64_t k, int64_t a_row, int64_t a_col, Into into) {
    return !blas_product<float>(m, n, k, a.data(), a_row, a_col, b.data(), n, c.data(), n, into) && c[0] == 7;
  };
  EXPECT_TRUE(refused(64, 64, 64, 64, 1, Into::overwrite)) << "small";
  EXPECT_TRUE(refused(1024, 32, 512, 512, 1, Into::overwrite)) << "narrow";
  EXPECT_TRUE(refused(256, 256, 256, 512, 2, Into::overwrite)) << "elements apart";
  EXPECT_TRUE(refused(256, 256, 256, 256, 1, Into::bias)) << "with a bias";
  EXPECT_TRUE(refused(0, 256, 256, 256, 1, Into::overwrite)) << "nothing";
  kernel::allow_blas(false);
  EXPECT_TRUE(refused(256, 256, 256, 256, 1, Into::overwrite)) << "not allowed";
  kernel::allow_blas(true);
}

// A training whose gradients of weights are large: the same bits for any number of threads, and others than ours.
TEST(Blas, ThreadsDoNotChangeBits) {
  NEED_BLAS();
  const char* spec =
      R"({"event": [16, 16, 4], "layers": [
          {"type": "affine_coupling", "net": {"type": "conv", "hidden": [96, 96]}}, {"type": "reverse"},
          {"type": "affine_coupling", "net": {"type": "conv", "hidden": [96, 96]}}]})";
  constexpr int64_t kRows = 24, kColumns = 16 * 16 * 4;
  std::mt19937_64 random(1);
  Values images = draw_normal(kRows * kColumns, random);
  const auto hash = [&](uint32_t threads) {
    Training run(spec, adam(), threads);
    for (int i = 0; i < 2; ++i)
      run.trainer.step(contiguous_view(images.data(), DType::f64, {kRows, kColumns}), View{}, View{});
    return run.hash();
  };
  const uint64_t want = hash(1);
  for (const uint32_t threads : {2u, 3u, 8u}) EXPECT_EQ(hash(threads), want) << threads << " threads";
  kernel::allow_blas(false);
  EXPECT_NE(hash(2), want) << "no product of this training is large enough for OpenBLAS";
  kernel::allow_blas(true);
}

}  // namespace
}  // namespace libnf::test

int main(int argc, char** argv) {
  const char* target = libnf::kernel::simd_target();
  if (!std::getenv("OPENBLAS_CORETYPE") && libnf::kernel::product_engine().rfind("own; ", 0) == 0) {
    if (std::strncmp(target, "AVX3", 4) == 0)
      setenv("OPENBLAS_CORETYPE", "SkylakeX", 1);
    else if (std::strcmp(target, "AVX2") == 0)
      setenv("OPENBLAS_CORETYPE", "Haswell", 1);
    else
      setenv("OPENBLAS_CORETYPE", "", 1);  // started again once at most
    execv("/proc/self/exe", argv);
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
