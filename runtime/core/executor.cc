#include "runtime/core/executor.h"

#include <unistd.h>

#include <atomic>
#include <exception>
#include <thread>
#include <vector>

#include "runtime/core/mutex.h"
#include "runtime/core/status.h"

namespace libnf {
namespace {

// Spinning briefly before sleeping hides the wake-up latency between the phases of one training step.
constexpr int kSpins = 4000;

void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#endif
}

// Keeps the first exception of a group of tasks.
class FirstError {
 public:
  void capture() noexcept {
    const MutexLock lock(mutex_);
    if (!error_) error_ = std::current_exception();
  }
  void rethrow() {
    const MutexLock lock(mutex_);
    if (error_) std::rethrow_exception(error_);
  }

 private:
  Mutex mutex_;
  std::exception_ptr error_ NF_GUARDED_BY(mutex_);
};

struct Job {
  TaskFn body;
  void* context;
  uint32_t n;
  FirstError error;

  Job(TaskFn b, void* c, uint32_t count) : body(b), context(c), n(count) {}
  void one(uint32_t i) noexcept {
    try {
      body(context, i);
    } catch (...) {
      error.capture();
    }
  }
};

}  // namespace

// A thread takes a task by lowering `open` from k to k - 1; the task is number n - k. Nothing else is needed: `job`
// stays valid until that task is finished. A thread that wakes up late finds `open` at zero and never touches a job,
// and the caller waits for the tasks that were taken, not for the threads that were woken.
struct Executor::Pool {
  const pid_t process = getpid();
  std::atomic<bool> in_use{false};  // one parallel_for at a time uses the workers
  std::atomic<uint32_t> open{0}, unfinished{0};
  std::atomic<bool> quit{false};
  Job* job = nullptr;  // written while no task is open or unfinished
  Mutex mutex;         // orders changes of `open` and `quit` with the decision to sleep
  Condition wake;
  std::vector<std::thread> workers;

  bool idle() const { return open.load(std::memory_order_relaxed) == 0 && !quit.load(std::memory_order_relaxed); }

  void work() noexcept {
    uint32_t k = open.load(std::memory_order_relaxed);
    while (k != 0) {
      if (!open.compare_exchange_weak(k, k - 1, std::memory_order_acquire, std::memory_order_relaxed)) continue;
      job->one(job->n - k);
      unfinished.fetch_sub(1, std::memory_order_release);
      k = open.load(std::memory_order_relaxed);
    }
  }

  void loop() {
    for (;;) {
      for (int i = 0; i < kSpins && idle(); ++i) pause();
      if (idle()) {
        const MutexLock lock(mutex);
        while (idle()) wake.wait(mutex);
      }
      if (quit.load(std::memory_order_relaxed)) return;
      work();
    }
  }

  void run(Job& j) {
    job = &j;
    unfinished.store(j.n, std::memory_order_relaxed);
    {
      const MutexLock lock(mutex);
      open.store(j.n, std::memory_order_release);
    }
    if (j.n > workers.size())
      wake.notify_all();
    else
      for (uint32_t i = 1; i < j.n; ++i) wake.notify_one();
    work();
    for (int i = 0; unfinished.load(std::memory_order_acquire) != 0; ++i) {
      if (i < kSpins)
        pause();
      else
        std::this_thread::yield();
    }
  }

  void stop() {
    {
      const MutexLock lock(mutex);
      quit.store(true);
    }
    wake.notify_all();
    for (auto& t : workers) t.join();
  }
};

Executor::Executor(uint32_t threads) : concurrency_(threads) {
  if (threads == 0) fail(Code::argument, "threads must be at least 1");
  if (threads == 1) return;
  pool_ = std::make_unique<Pool>();
  try {
    for (uint32_t i = 1; i < threads; ++i) pool_->workers.emplace_back([p = pool_.get()] { p->loop(); });
  } catch (...) {
    pool_->stop();
    fail(Code::nomem, "the system refused to start %u threads; set fewer with option \"threads\"", threads);
  }
}

Executor::Executor(const HostExecutor& host) : concurrency_(host.concurrency ? host.concurrency : 1), host_(host) {}

Executor::~Executor() {
  if (!pool_) return;
  if (pool_->process == getpid())
    pool_->stop();
  else  // A forked child has no workers to join, and destroying a condition variable that they sleep on would block.
    static_cast<void>(pool_.release());
}

void Executor::run(uint32_t n, TaskFn body, void* context) {
  if (n == 0) return;
  Job job(body, context, n);
  if (host_.parallel_for && n > 1) {
    host_.parallel_for(
        host_.user, n, [](void* j, uint32_t i) { static_cast<Job*>(j)->one(i); }, &job);
  } else if (pool_ && n > 1 && pool_->process == getpid() && !pool_->in_use.exchange(true, std::memory_order_acquire)) {
    pool_->run(job);
    pool_->in_use.store(false, std::memory_order_release);
  } else {
    for (uint32_t i = 0; i < n; ++i) job.one(i);
  }
  job.error.rethrow();
}

}  // namespace libnf
