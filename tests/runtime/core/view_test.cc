// Shapes and views: counts that cannot overflow, row-major strides, the definition of contiguous.
#include "runtime/core/view.h"

#include <gtest/gtest.h>

#include "tests/support/expect_error.h"

namespace libnf {
namespace {

TEST(Dims, CountsAndCompares) {
  EXPECT_EQ(Dims{}.count(), 1);  // a scalar
  EXPECT_EQ((Dims{5}).count(), 5);
  EXPECT_EQ((Dims{2, 3, 4, 5}).count(), 120);
  EXPECT_EQ((Dims{2, 0, 4}).count(), 0);
  EXPECT_TRUE((Dims{2, 3}) == (Dims{2, 3}));
  EXPECT_FALSE((Dims{2, 3}) == (Dims{3, 2}));
  EXPECT_FALSE((Dims{2}) == (Dims{2, 1}));
  EXPECT_EQ(Dims{}.last(), 1);
  EXPECT_EQ((Dims{2, 7}).last(), 7);
}

TEST(Dims, RefusesTooManyAndTooMuch) {
  static_assert(!std::is_constructible_v<Dims, int, int, int, int, int>);  // above kMaxRank
  const int64_t big = int64_t{1} << 40;
  EXPECT_ERROR((Dims{big, big}).count(), Code::nomem, "overflow");
}

TEST(Dims, Prints) {
  EXPECT_EQ(to_string(Dims{}), "[]");
  EXPECT_EQ(to_string(Dims{3}), "[3]");
  EXPECT_EQ(to_string(Dims{3, 0, 12}), "[3, 0, 12]");
}

TEST(DType, SizesAndNames) {
  EXPECT_EQ(size_of(DType::f32), 4);
  EXPECT_EQ(size_of(DType::f64), 8);
  EXPECT_STREQ(name_of(DType::f32), "float32");
  EXPECT_STREQ(name_of(DType::f64), "float64");
  EXPECT_EQ(dtype_of<float>, DType::f32);
  EXPECT_EQ(dtype_of<double>, DType::f64);
  EXPECT_EQ(static_cast<int>(DType::f32), 1);  // NF_F32 and NF_F64 of the C header
  EXPECT_EQ(static_cast<int>(DType::f64), 2);
}

TEST(View, ContiguousIsRowMajor) {
  double data[24] = {};
  const View v = contiguous_view(data, DType::f64, {2, 3, 4});
  EXPECT_EQ(v.as<double>(), data);
  EXPECT_EQ(v.dtype, DType::f64);
  EXPECT_EQ(v.count(), 24);
  EXPECT_EQ(v.stride[0], 12);
  EXPECT_EQ(v.stride[1], 4);
  EXPECT_EQ(v.stride[2], 1);
  EXPECT_TRUE(v.contiguous());
}

TEST(View, TwoDimensionalUse) {
  const View v = contiguous_view(nullptr, DType::f32, {7, 5});
  EXPECT_EQ(v.rows(), 7);
  EXPECT_EQ(v.cols(), 5);
  EXPECT_EQ(v.ld(), 5);
  const View column = contiguous_view(nullptr, DType::f32, {7});
  EXPECT_EQ(column.rows(), 7);
  EXPECT_EQ(column.cols(), 1);
  const View scalar = contiguous_view(nullptr, DType::f32, {});
  EXPECT_EQ(scalar.rows(), 1);
  EXPECT_EQ(scalar.cols(), 1);
  EXPECT_EQ(scalar.count(), 1);
  EXPECT_TRUE(scalar.contiguous());
}

TEST(View, KnowsWhatIsNotContiguous) {
  View v = contiguous_view(nullptr, DType::f32, {4, 3});
  v.stride[0] = 5;  // padded rows
  EXPECT_FALSE(v.contiguous());
  v.shape = {1, 3};  // with one row the stride does not matter
  EXPECT_TRUE(v.contiguous());
  View t = contiguous_view(nullptr, DType::f32, {4, 3});
  t.stride[0] = 1;
  t.stride[1] = 4;  // transposed
  EXPECT_FALSE(t.contiguous());
  t.shape = {4, 1};
  EXPECT_TRUE(t.contiguous());
}

TEST(View, IsTriviallyCopyable) { EXPECT_TRUE(std::is_trivially_copyable_v<View>); }

}  // namespace
}  // namespace libnf
