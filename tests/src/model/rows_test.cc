#include "src/model/rows.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "tests/support/expect_error.h"

namespace libnf::test {
namespace {

constexpr int64_t kN = 3, kH = 2, kW = 4, kC = 3, kD = kH * kW * kC;

// Returns a view [n, h, w, c] whose element (r, i, j, k) is at data + r*s0 + i*s1 + j*s2 + k*s3.
View image(void* data, DType dtype, int64_t s0, int64_t s1, int64_t s2, int64_t s3) {
  View v;
  v.data = data;
  v.dtype = dtype;
  v.shape = {kN, kH, kW, kC};
  const int64_t strides[] = {s0, s1, s2, s3};
  std::copy(strides, strides + 4, v.stride);
  return v;
}

template <class T>
std::vector<T> counted(size_t n) {
  std::vector<T> v(n);
  std::iota(v.begin(), v.end(), T(0));
  return v;
}

// Bytes become the numbers they stand for, in a tape of either dtype, and can be copied as bytes; nothing computes in them.
TEST(Rows, BytesAreConverted) {
  std::vector<uint8_t> memory = counted<uint8_t>(kN * kD);
  memory[kD + 5] = 255;
  for (const DType dtype : {DType::f32, DType::f64}) {
    Tape t(system_allocator(), dtype);
    for (const View& v :
         {image(memory.data(), DType::u8, kD, kW * kC, kC, 1), image(memory.data(), DType::u8, kD, kW, 1, kH * kW)}) {
      const Var x = load_rows(t, v, 1, 2, /*with_low=*/true);
      for (int64_t e = 0; e < 2 * kD; ++e) {
        const int64_t i = e % kD / (kW * kC), j = e / kC % kW, k = e % kC;
        const uint8_t wanted =
            memory[static_cast<size_t>((e / kD + 1) * kD + i * v.stride[1] + j * v.stride[2] + k * v.stride[3])];
        EXPECT_EQ(dtype == DType::f32 ? static_cast<double>(x->out.as<float>()[e]) : x->out.as<double>()[e], wanted);
      }
    }
  }
  std::vector<uint8_t> copy(memory.size());
  copy_rows(image(memory.data(), DType::u8, kD, kW * kC, kC, 1), contiguous_view(copy.data(), DType::u8, {kN, kD}));
  EXPECT_EQ(copy, memory);
  const View bytes = contiguous_view(memory.data(), DType::u8, {kN});
  EXPECT_ERROR(scalar_at(bytes, 0), Code::internal, "uint8");
}

// Channel-first, gaps, reversed axes and repeated memory are loaded and stored in row, column, channel order.
TEST(Rows, AnyStridesOfImages) {
  const auto check = [](const char* what, int64_t base, int64_t s0, int64_t s1, int64_t s2, int64_t s3, size_t size) {
    SCOPED_TRACE(what);
    std::vector<float> memory = counted<float>(size);
    const View v = image(memory.data() + base, DType::f32, s0, s1, s2, s3);
    Tape t(system_allocator(), DType::f64);
    const Var x = load_rows(t, v, 1, 2);
    ASSERT_EQ(x->out.shape, (Dims{2, kD}));
    for (int64_t r = 0; r < 2; ++r)
      for (int64_t e = 0; e < kD; ++e) {
        const int64_t i = e / (kW * kC), j = e / kC % kW, k = e % kC;
        ASSERT_EQ(x->out.as<double>()[r * kD + e],
                  memory[static_cast<size_t>(base + (r + 1) * s0 + i * s1 + j * s2 + k * s3)])
            << r << " " << e;
      }
    if (s0 == 0) return;
    std::vector<float> copy(memory.size(), -1);
    store_rows(x, image(copy.data() + base, DType::f32, s0, s1, s2, s3), 1);
    size_t written = 0;
    for (size_t e = 0; e < copy.size(); ++e) {
      if (copy[e] == -1) continue;
      ++written;
      ASSERT_EQ(copy[e], memory[e]) << e;
    }
    EXPECT_EQ(written, static_cast<size_t>(2 * kD));
  };
  check("packed", 0, kD, kW * kC, kC, 1, kN * kD);
  check("channel first", 0, kD, kW, 1, kH * kW, kN * kD);
  check("column by column", 0, kD, kC, kH * kC, 1, kN * kD);
  check("every other row of pixels", 0, 2 * kD, 2 * kW * kC, kC, 1, 2 * kN * kD);
  check("every other number", 0, 2 * kD, 2 * kW * kC, 2 * kC, 2, 2 * kN * kD);
  check("upside down", (kH - 1) * kW * kC, kD, -kW * kC, kC, 1, kN * kD);
  check("n last", 0, 1, kW * kC * kN, kC * kN, kN, kN * kD);
  check("the same image for every row", 0, 0, kW * kC, kC, 1, kD);
}

TEST(Rows, CopyBetweenRanks) {
  std::vector<double> from = counted<double>(kN * kD), to(from.size(), -1);
  // Channel-first on both sides, one of them transposed: runs of different lengths.
  copy_rows(image(from.data(), DType::f64, kD, kW, 1, kH * kW), image(to.data(), DType::f64, kD, 1, kH, kH * kW));
  for (int64_t r = 0; r < kN; ++r)
    for (int64_t k = 0; k < kC; ++k)
      for (int64_t i = 0; i < kH; ++i)
        for (int64_t j = 0; j < kW; ++j)
          ASSERT_EQ(to[static_cast<size_t>(r * kD + k * kH * kW + j * kH + i)],
                    from[static_cast<size_t>(r * kD + k * kH * kW + i * kW + j)]);
  std::vector<float> column(3);
  copy_rows(contiguous_view(from.data(), DType::f64, {3}), contiguous_view(column.data(), DType::f32, {3, 1}));
  EXPECT_EQ(column, (std::vector<float>{0, 1, 2}));
}

template <class T>
std::vector<uint64_t> hashes(const std::vector<T>& x, int64_t cols, const std::vector<T>& context, int64_t contexts) {
  Tape t(system_allocator(), dtype_of<T>);
  const auto rows = static_cast<int64_t>(x.size()) / cols;
  const auto leaf = [&](const std::vector<T>& v, int64_t n) {
    return t.input(contiguous_view(const_cast<T*>(v.data()), dtype_of<T>, {n, static_cast<int64_t>(v.size()) / n}),
                   false);
  };
  std::vector<uint64_t> h(static_cast<size_t>(rows));
  hash_rows(leaf(x, rows), contexts ? leaf(context, contexts) : nullptr, h.data());
  return h;
}

TEST(Rows, HashesAreOfTheNumbers) {
  const std::vector<double> x = {1, 2, 2, 1, -0.0, 0.5, 1, 2}, c = {7, 7, 8, 9};
  const auto h = hashes(x, 2, c, 4);
  EXPECT_EQ(h, hashes(x, 2, c, 4));
  EXPECT_NE(h[0], h[1]) << "the order of columns matters";
  EXPECT_NE(h[0], h[3]) << "the context matters";
  EXPECT_EQ(hashes(x, 2, {}, 0)[0], hashes(x, 2, {}, 0)[3]);
  EXPECT_EQ(h, hashes(std::vector<float>(x.begin(), x.end()), 2, std::vector<float>(c.begin(), c.end()), 4)) << "dtype";
  EXPECT_EQ(h[2], hashes<double>({0, 0.5}, 2, {8}, 1)[0]) << "-0 is 0";
  EXPECT_EQ(hashes<double>({1, 2, 1, 2}, 2, {7}, 1), hashes<double>({1, 2, 1, 2}, 2, {7, 7}, 2)) << "one for all";
  EXPECT_EQ(hashes<double>({NAN, 2}, 2, {}, 0), hashes<double>({-NAN, 2}, 2, {}, 0));
  // XXH64 of the little-endian bytes of 1.0, seed 0; pinned so that noise stays the same across releases.
  EXPECT_EQ(hashes<double>({1}, 1, {}, 0)[0], 0x949522f153a1a395u);
}

}  // namespace
}  // namespace libnf::test
