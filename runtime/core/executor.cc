#include "runtime/core/executor.h"

#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "runtime/core/status.h"

namespace nf {
namespace {

// Waiting briefly before sleeping hides the wake-up latency between the phases of one training step.
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
    const std::lock_guard lock(mutex_);
    if (!error_) error_ = std::current_exception();
  }
  void rethrow() {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  std::mutex mutex_;
  std::exception_ptr error_;
};

struct Job {
  TaskFn body;
  void* context;
  uint32_t n;
  std::atomic<uint32_t> next{0};
  FirstError error;

  Job(TaskFn b, void* c, uint32_t count) : body(b), context(c), n(count) {}
  void one(uint32_t i) noexcept {
    try {
      body(context, i);
    } catch (...) {
      error.capture();
    }
  }
  void work() noexcept {
    for (uint32_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < n;) one(i);
  }
};

}  // namespace

struct Executor::Pool {
  std::mutex entry;  // one parallel_for at a time uses the workers
  std::mutex mutex;
  std::condition_variable wake;
  std::atomic<uint64_t> generation{0};
  std::atomic<uint32_t> busy{0};
  std::atomic<bool> quit{false};
  Job* job = nullptr;
  std::vector<std::thread> workers;

  void loop() {
    uint64_t seen = 0;
    for (;;) {
      for (int i = 0; i < kSpins && generation.load(std::memory_order_acquire) == seen && !quit.load(); ++i) pause();
      if (generation.load(std::memory_order_acquire) == seen && !quit.load()) {
        std::unique_lock lock(mutex);
        wake.wait(lock, [&] { return generation.load() != seen || quit.load(); });
      }
      if (quit.load()) return;
      seen = generation.load(std::memory_order_acquire);
      job->work();
      busy.fetch_sub(1, std::memory_order_release);
    }
  }

  void run(Job& j) {
    {
      const std::lock_guard lock(mutex);
      job = &j;
      busy.store(static_cast<uint32_t>(workers.size()), std::memory_order_relaxed);
      generation.fetch_add(1, std::memory_order_release);
    }
    wake.notify_all();
    j.work();
    for (int i = 0; busy.load(std::memory_order_acquire) != 0; ++i) {
      if (i < kSpins)
        pause();
      else
        std::this_thread::yield();
    }
  }

  void stop() {
    {
      const std::lock_guard lock(mutex);
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
  if (pool_) pool_->stop();
}

void Executor::run(uint32_t n, TaskFn body, void* context) {
  if (n == 0) return;
  Job job(body, context, n);
  if (host_.parallel_for && n > 1) {
    host_.parallel_for(
        host_.user, n, [](void* j, uint32_t i) { static_cast<Job*>(j)->one(i); }, &job);
  } else if (std::unique_lock<std::mutex> lock;
             pool_ && n > 1 && (lock = std::unique_lock(pool_->entry, std::try_to_lock)).owns_lock()) {
    pool_->run(job);
  } else {
    job.work();
  }
  job.error.rethrow();
}

}  // namespace nf
