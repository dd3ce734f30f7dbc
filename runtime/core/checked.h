// Arithmetic on sizes that come from users or files: overflow is an error instead of a wrap-around.
#pragma once
#include <cstddef>
#include <cstdint>

#include "runtime/core/status.h"

namespace libnf {

inline int64_t checked_add(int64_t a, int64_t b) {
  int64_t r;
  if (__builtin_add_overflow(a, b, &r)) fail(Code::nomem, "size overflow: %lld + %lld", (long long)a, (long long)b);
  return r;
}

inline int64_t checked_mul(int64_t a, int64_t b) {
  int64_t r;
  if (__builtin_mul_overflow(a, b, &r)) fail(Code::nomem, "size overflow: %lld * %lld", (long long)a, (long long)b);
  return r;
}

inline constexpr size_t kAlign = 64;  // a cache line, which is also the widest vector

inline size_t align_up(size_t n) {
  if (n > static_cast<size_t>(INT64_MAX) - (kAlign - 1)) fail(Code::nomem, "size overflow: %zu bytes", n);
  return (n + kAlign - 1) & ~(kAlign - 1);
}

}  // namespace libnf
