// The process-global fault plan, see fault.h. Lock-free, since any thread may hit a fault point.
#include "runtime/core/fault.h"

#ifdef NF_FAULTS
#include <atomic>
#include <cstring>

namespace libnf {
namespace {

struct Plan {
  std::atomic<const char*> prefix{nullptr};  // written last when a plan starts, first when it ends
  std::atomic<int64_t> nth{0};
  std::atomic<int64_t> hits{0};
  std::atomic<int> effect{0};
  std::atomic<bool> persistent{false};
};
Plan plan;

}  // namespace

int fault_hit(const char* point) noexcept {
  const char* prefix = plan.prefix.load(std::memory_order_acquire);
  if (!prefix || std::strncmp(point, prefix, std::strlen(prefix)) != 0) return 0;
  const int64_t hit = plan.hits.fetch_add(1) + 1;
  const int64_t nth = plan.nth.load();
  if (nth == 0 || hit < nth || (hit > nth && !plan.persistent.load())) return 0;
  return plan.effect.load();
}

FaultScope::FaultScope(const char* prefix, int64_t nth, int effect, bool persistent) noexcept {
  plan.nth = nth;
  plan.hits = 0;
  plan.effect = effect;
  plan.persistent = persistent;
  plan.prefix.store(prefix, std::memory_order_release);
}

FaultScope::~FaultScope() { plan.prefix.store(nullptr, std::memory_order_release); }

int64_t FaultScope::hits() const noexcept { return plan.hits.load(); }

}  // namespace libnf
#endif
