// Runs a test body once on every SIMD target that was compiled in and that this machine supports.
#pragma once
#include <gtest/gtest.h>

#include "runtime/kernel/targets.h"
// After the project's choice of targets
#include "hwy/highway.h"

namespace libnf::test {

template <class Body>
void on_every_target(const Body& body) {
  for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
    SCOPED_TRACE(hwy::TargetName(target));
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(target);
    body(target);
    hwy::SetSupportedTargetsForTest(0);
    hwy::GetChosenTarget().DeInit();
  }
}

}  // namespace libnf::test
