// Running independent tasks: on libnf's own small pool, on the host's threads, or inline.
#pragma once
#include <cstdint>
#include <memory>
#include <type_traits>

namespace nf {

using TaskFn = void (*)(void* context, uint32_t index);

// Supplied by the host (nf_executor of nf.h). parallel_for must return only when all n bodies have run.
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

  // Calls body(i) for i in [0, n), each once, in any order, on any of the threads; returns when all are done.
  // The first exception thrown by a body is rethrown here, after the others have finished. Never allocates.
  // Concurrent calls, and calls from inside a body, are allowed: one call at a time has the pool, the others run all of
  // their bodies on the calling thread. In a process forked from the one that made the executor there are no workers, so
  // every call runs on the calling thread there; fork() from inside a body is not supported.
  // An executor of the host is called for every call with n > 1 as it is: what it does with nested calls and after a
  // fork is the host's affair.
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

}  // namespace nf
