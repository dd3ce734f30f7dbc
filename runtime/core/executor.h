// Runs independent tasks: on libnf's own small pool, on the host's threads, or inline.
#pragma once
#include <cstdint>
#include <memory>
#include <type_traits>

namespace libnf {

using TaskFn = void (*)(void* context, uint32_t index);

// Supplied by the host (nf_executor of nf.h). parallel_for must not return before all n bodies have run.
struct HostExecutor {
  uint32_t concurrency = 1;
  void* user = nullptr;
  void (*parallel_for)(void* user, uint32_t n, TaskFn body, void* context) = nullptr;
};

class Executor {
 public:
  explicit Executor(uint32_t threads);  // threads >= 1; the calling thread is one of them
  explicit Executor(const HostExecutor& host);
  ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  uint32_t concurrency() const { return concurrency_; }

  // Calls body(i) once for each i in [0, n), in any order, on any of the threads, and returns when all are done.
  // The first exception thrown by a body is rethrown here, after the others have finished. Never allocates.
  // Concurrent calls, and calls from inside a body, are allowed: one call at a time uses the pool, the others run all
  // their bodies on the calling thread. A process forked from the one that created the executor has no workers, so
  // every call runs on the calling thread there; fork() from inside a body is not supported.
  // A host's executor is used for every call with n > 1; nested calls and calls after a fork are up to the host.
  template <class F>
  void parallel_for(uint32_t n, F&& body) {
    using Body = std::remove_reference_t<F>;
    run(
        n, [](void* c, uint32_t i) { (*static_cast<Body*>(c))(i); },
        const_cast<void*>(static_cast<const void*>(&body)));
  }

 private:
  struct Pool;
  void run(uint32_t n, TaskFn body, void* context);
  uint32_t concurrency_ = 1;
  HostExecutor host_;
  std::unique_ptr<Pool> pool_;
};

}  // namespace libnf
