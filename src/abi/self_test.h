// The self-test of a model's files.
#pragma once
#include "src/abi/handles.h"
#include "src/model/self_test.h"

namespace libnf {

// What files of the model hold beside it.
inline Extra self_test_of(const ModelState& m) {
  Extra extra;
  if (m.self_test_rows > 0)
    extra.metadata[kSelfTestKey] =
        make_self_test(m.runtime->allocator(), *m.runtime->executor, *m.model, m.self_test_rows);
  return extra;
}

}  // namespace libnf
