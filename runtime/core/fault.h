// Fault points: named places ("io.write") where a test can make the system fail, to prove that recovery works.
//
// `int e = NF_FAULT("io.write")` is 0 (go on), an errno to report instead of doing the call, or kFaultShort
// (do only a part of it). Compiled in by -DNF_FAULTS (Meson option `faults`); otherwise it is the constant 0.
// The plan is process-global, the one exception to "no static mutable state": it exists only in test builds.
#pragma once
#include <cstdint>

namespace nf {

inline constexpr int kFaultShort = -1;

#ifdef NF_FAULTS
int fault_hit(const char* point) noexcept;

// While it lives, the nth (1-based) hit of a point whose name starts with `prefix` has `effect`; with `persistent`
// all later hits too. nth = 0 only counts. One scope at a time; `prefix` must outlive it (a literal).
class FaultScope {
 public:
  FaultScope(const char* prefix, int64_t nth, int effect, bool persistent = false) noexcept;
  ~FaultScope();
  FaultScope(const FaultScope&) = delete;
  FaultScope& operator=(const FaultScope&) = delete;
  int64_t hits() const noexcept;  // of matching points so far
};

#define NF_FAULT(point) ::nf::fault_hit(point)
#else
#define NF_FAULT(point) (static_cast<void>(point), 0)
#endif

}  // namespace nf
