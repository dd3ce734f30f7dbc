// Fault points: named places ("io.write") where a test can make the system fail, to test recovery.
//
// `int e = NF_FAULT("io.write")` is 0 (proceed), an errno to report instead of making the call, or kFaultShort (do only
// part of the work). Compiled in with -DNF_FAULTS (Meson option `faults`); otherwise it is the constant 0.
// The plan is process-global, which is the one exception to "no static mutable state"; it exists only in test builds.
#pragma once
#include <cstdint>

namespace libnf {

inline constexpr int kFaultShort = -1;

#ifdef NF_FAULTS
int fault_hit(const char* point) noexcept;

// During its lifetime, the nth (1-based) hit of a point whose name starts with `prefix` has `effect`, and with
// `persistent` all later hits do too. nth = 0 only counts. One scope at a time; `prefix` must outlive it (use a
// literal).
class FaultScope {
 public:
  FaultScope(const char* prefix, int64_t nth, int effect, bool persistent = false) noexcept;
  ~FaultScope();
  FaultScope(const FaultScope&) = delete;
  FaultScope& operator=(const FaultScope&) = delete;
  int64_t hits() const noexcept;  // matching points hit so far
};

#define NF_FAULT(point) ::libnf::fault_hit(point)
#else
#define NF_FAULT(point) (static_cast<void>(point), 0)
#endif

}  // namespace libnf
