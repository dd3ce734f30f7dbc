// One SIMD target at a time.
#pragma once
#include "runtime/kernel/targets.h"
// After the project's choice of targets
#include "hwy/highway.h"

namespace libnf::test {

// Makes kernels run on one SIMD target during its lifetime.
class OnTarget {
 public:
  explicit OnTarget(int64_t target) {
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(target);
  }
  ~OnTarget() {
    hwy::SetSupportedTargetsForTest(0);
    hwy::GetChosenTarget().DeInit();
  }
  OnTarget(const OnTarget&) = delete;
  OnTarget& operator=(const OnTarget&) = delete;
};

}  // namespace libnf::test
