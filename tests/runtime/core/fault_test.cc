// Fault points: prefixes, the nth hit, persistence, counting, and no effect without a scope.
#include "runtime/core/fault.h"

#include <gtest/gtest.h>

#include <cerrno>

#ifdef NF_FAULTS
namespace libnf {
namespace {

TEST(Fault, NthHitOfThePrefixOnly) {
  const FaultScope plan("io.w", 2, EIO);
  EXPECT_EQ(NF_FAULT("io.write"), 0);
  EXPECT_EQ(NF_FAULT("io.read"), 0);
  EXPECT_EQ(NF_FAULT("io.write"), EIO);
  EXPECT_EQ(NF_FAULT("io.write"), 0);
  EXPECT_EQ(plan.hits(), 3);
}

TEST(Fault, PersistentFailsFromThenOn) {
  const FaultScope plan("io.", 2, kFaultShort, true);
  EXPECT_EQ(NF_FAULT("io.read"), 0);
  EXPECT_EQ(NF_FAULT("io.read"), kFaultShort);
  EXPECT_EQ(NF_FAULT("io.write"), kFaultShort);
}

TEST(Fault, CountsOnlyAndEndsWithTheScope) {
  {
    const FaultScope plan("", 0, EIO);
    EXPECT_EQ(NF_FAULT("anything"), 0);
    EXPECT_EQ(plan.hits(), 1);
  }
  EXPECT_EQ(NF_FAULT("anything"), 0);
}

}  // namespace
}  // namespace libnf
#endif
