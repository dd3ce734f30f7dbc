// Tests against references in long double need more than the 53 bits of a double. Valgrind computes with 53.
#pragma once
#include <gtest/gtest.h>

namespace libnf::test {

inline bool long_double_is_wider() {
  const volatile long double one = 1, little = 1e-18L;
  return one + little != one;
}
#define NEED_LONG_DOUBLE() \
  if (!test::long_double_is_wider()) GTEST_SKIP() << "long double is no wider than double here"

}  // namespace libnf::test
