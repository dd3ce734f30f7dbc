// A mutex that Clang's thread-safety analysis understands (-Wthread-safety): data marked NF_GUARDED_BY(m) may only be
// accessed while m is held. With other compilers the annotations are empty.
// See https://releases.llvm.org/14.0.0/tools/clang/docs/ThreadSafetyAnalysis.html
#pragma once
#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define NF_THREAD_SAFETY(x) __attribute__((x))
#else
#define NF_THREAD_SAFETY(x)
#endif
#define NF_GUARDED_BY(mutex) NF_THREAD_SAFETY(guarded_by(mutex))
#define NF_REQUIRES(...) NF_THREAD_SAFETY(requires_capability(__VA_ARGS__))
#define NF_EXCLUDES(...) NF_THREAD_SAFETY(locks_excluded(__VA_ARGS__))

namespace libnf {

class NF_THREAD_SAFETY(capability("mutex")) Mutex {
 public:
  void lock() NF_THREAD_SAFETY(acquire_capability()) { mutex_.lock(); }
  void unlock() NF_THREAD_SAFETY(release_capability()) { mutex_.unlock(); }

 private:
  friend class Condition;
  std::mutex mutex_;
};

// Holds a mutex for the length of a scope.
class NF_THREAD_SAFETY(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) NF_THREAD_SAFETY(acquire_capability(mutex)) : mutex_(mutex) { mutex_.lock(); }
  ~MutexLock() NF_THREAD_SAFETY(release_capability()) { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

class Condition {
 public:
  // Releases `mutex`, sleeps, and locks it again. May wake up spuriously: call it in a loop that checks the condition.
  void wait(Mutex& mutex) NF_REQUIRES(mutex) {
    std::unique_lock<std::mutex> held(mutex.mutex_, std::adopt_lock);
    condition_.wait(held);
    held.release();
  }
  void notify_one() { condition_.notify_one(); }
  void notify_all() { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

}  // namespace libnf
