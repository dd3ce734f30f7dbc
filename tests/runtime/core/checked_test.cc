// Checked arithmetic: exact within the range of int64, otherwise Error{nomem} with both operands.
#include "runtime/core/checked.h"

#include <gtest/gtest.h>

#include "tests/support/expect_error.h"

namespace libnf {
namespace {

constexpr int64_t kMax = INT64_MAX, kMin = INT64_MIN;

// Results in 128 bits are the reference.
TEST(Checked, AgreesWithWiderArithmetic) {
  const int64_t values[] = {0,
                            1,
                            -1,
                            2,
                            3,
                            63,
                            64,
                            1000003,
                            3037000499,
                            3037000500,
                            int64_t{1} << 31,
                            int64_t{1} << 32,
                            kMax / 2,
                            kMax / 3,
                            kMax - 1,
                            kMax,
                            kMin,
                            kMin + 1,
                            kMin / 2,
                            -3037000500};
  int errors = 0;
  for (int64_t a : values) {
    for (int64_t b : values) {
      const __int128 sum = static_cast<__int128>(a) + b, product = static_cast<__int128>(a) * b;
      if (sum >= kMin && sum <= kMax) {
        EXPECT_EQ(checked_add(a, b), static_cast<int64_t>(sum));
      } else {
        EXPECT_ERROR(checked_add(a, b), Code::nomem, "overflow");
        ++errors;
      }
      if (product >= kMin && product <= kMax) {
        EXPECT_EQ(checked_mul(a, b), static_cast<int64_t>(product));
      } else {
        EXPECT_ERROR(checked_mul(a, b), Code::nomem, "overflow");
        ++errors;
      }
    }
  }
  EXPECT_GT(errors, 50);  // makes sure that the values exceed the range often enough
}

TEST(Checked, MessageNamesTheOperands) {
  EXPECT_ERROR(checked_add(kMax, 5), Code::nomem, "9223372036854775807 + 5");
  EXPECT_ERROR(checked_mul(kMax, -7), Code::nomem, "9223372036854775807 * -7");
}

TEST(Checked, AlignUp) {
  EXPECT_EQ(align_up(0), 0u);
  EXPECT_EQ(align_up(1), 64u);
  EXPECT_EQ(align_up(63), 64u);
  EXPECT_EQ(align_up(64), 64u);
  EXPECT_EQ(align_up(65), 128u);
  EXPECT_EQ(align_up(size_t{kMax} - 63), size_t{kMax} - 63);
  for (size_t n : {size_t{kMax} - 62, size_t{kMax}, size_t{kMax} + 1, SIZE_MAX - 63, SIZE_MAX})
    EXPECT_ERROR(align_up(n), Code::nomem, "overflow");
}

}  // namespace
}  // namespace libnf
