// Data-parallel training over processes: the host supplies the sums over ranks.
#pragma once
#include <cstddef>
#include <cstdint>

#include "runtime/core/status.h"
#include "runtime/core/view.h"

namespace libnf {

// With a nullptr function there is one process.
struct Collective {
  int world = 1;
  void* user = nullptr;
  int32_t (*allreduce_sum)(void* user, void* buf, size_t n, int32_t dtype) = nullptr;
  int rank = 0;

  // Sums in place; throws Error{callback} naming `what`. Every rank must call it in the same order.
  void sum(void* buf, int64_t n, DType dtype, const char* what) const {
    if (world > 1 && allreduce_sum(user, buf, static_cast<size_t>(n), static_cast<int32_t>(dtype)) != 0)
      fail(Code::callback, "allreduce_sum failed on the %s", what);
  }
};

}  // namespace libnf
