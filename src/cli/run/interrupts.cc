// See interrupts.h.
#include "src/cli/run/interrupts.h"

#include <atomic>

namespace cli {
namespace {
std::atomic<bool> g_requested{false};
static_assert(std::atomic<bool>::is_always_lock_free, "set from a signal handler");
}  // namespace

Interrupts::Interrupts() {
  struct sigaction action = {};
  action.sa_handler = [](int) { g_requested = true; };
  action.sa_flags = SA_RESETHAND;
  sigaction(SIGINT, &action, &old_[0]);
  sigaction(SIGTERM, &action, &old_[1]);
}

Interrupts::~Interrupts() {
  sigaction(SIGINT, &old_[0], nullptr);
  sigaction(SIGTERM, &old_[1], nullptr);
}

bool Interrupts::requested() { return g_requested; }

}  // namespace cli
