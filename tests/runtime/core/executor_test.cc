// The thread pool: each body runs once, exceptions, nested and concurrent calls, delayed workers, forked children.
#include "runtime/core/executor.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/expect_error.h"

namespace libnf {
namespace {

using std::chrono::milliseconds;

// Returns how often each index was run.
std::vector<int> counts(Executor& e, uint32_t n) {
  std::vector<std::atomic<int>> seen(n);
  e.parallel_for(n, [&](uint32_t i) { ++seen[i]; });
  return {seen.begin(), seen.end()};
}

TEST(Executor, RunsEachBodyOnce) {
  for (uint32_t threads : {1u, 2u, 3u, 8u}) {
    Executor e(threads);
    EXPECT_EQ(e.concurrency(), threads);
    for (int round = 0; round < 200; ++round)
      for (uint32_t n : {0u, 1u, 2u, 7u, 100u}) ASSERT_EQ(counts(e, n), std::vector<int>(n, 1));
  }
}

TEST(Executor, UsesItsThreads) {
  Executor e(3);
  // Three bodies that wait for each other need three threads.
  std::atomic<int> here{0};
  e.parallel_for(3, [&](uint32_t) {
    ++here;
    while (here < 3) std::this_thread::yield();
  });
  EXPECT_EQ(here, 3);
}

TEST(Executor, RethrowsOneExceptionAfterAllBodies) {
  for (uint32_t threads : {1u, 4u}) {
    Executor e(threads);
    std::atomic<int> ran{0};
    EXPECT_THROW(e.parallel_for(50,
                                [&](uint32_t i) {
                                  ++ran;
                                  if (i % 7 == 3) throw std::runtime_error("body");
                                }),
                 std::runtime_error);
    EXPECT_EQ(ran, 50);
    EXPECT_EQ(counts(e, 20), std::vector<int>(20, 1));  // the executor still works
  }
}

TEST(Executor, RefusesZeroThreads) { EXPECT_ERROR(Executor(0), Code::argument, "threads must be at least 1"); }

// A call from inside a body runs on the calling thread.
TEST(Executor, NestedCallsRunInline) {
  Executor e(4);
  std::atomic<int> inner{0}, strangers{0};
  e.parallel_for(8, [&](uint32_t) {
    const auto self = std::this_thread::get_id();
    e.parallel_for(5, [&](uint32_t) {
      ++inner;
      if (std::this_thread::get_id() != self) ++strangers;
    });
  });
  EXPECT_EQ(inner, 40);
  EXPECT_EQ(strangers, 0);
}

TEST(Executor, ConcurrentCallsAllFinish) {
  Executor e(3);
  std::vector<std::thread> callers;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t)
    callers.emplace_back([&] {
      for (int round = 0; round < 200; ++round)
        if (counts(e, 16) != std::vector<int>(16, 1)) ++wrong;
    });
  for (auto& t : callers) t.join();
  EXPECT_EQ(wrong, 0);
}

// A worker that gets no CPU time (here it is held inside a signal handler) does not delay work that others can do.
namespace late {
std::atomic<bool> held{false}, release{false};
void handler(int) {
  held = true;
  while (!release) {
  }
}
}  // namespace late

TEST(Executor, DoesNotWaitForWorkersWithoutATask) {
  Executor e(2);
  const auto self = std::this_thread::get_id();
  std::atomic<pthread_t> worker{};
  std::atomic<int> here{0};
  e.parallel_for(2, [&](uint32_t) {
    if (std::this_thread::get_id() != self) worker = pthread_self();
    ++here;
    while (here < 2) std::this_thread::yield();
  });
  struct sigaction action = {}, before;
  action.sa_handler = late::handler;
  ASSERT_EQ(sigaction(SIGUSR1, &action, &before), 0);
  ASSERT_EQ(pthread_kill(worker, SIGUSR1), 0);
  while (!late::held) std::this_thread::yield();
  std::atomic<bool> finished{false};
  std::thread rescue([&] {  // turns a hang into a failure
    for (int i = 0; i < 500 && !finished; ++i) std::this_thread::sleep_for(milliseconds(10));
    late::release = true;
  });
  EXPECT_EQ(counts(e, 100), std::vector<int>(100, 1));
  EXPECT_FALSE(late::release) << "waited for a worker that had taken no task";
  finished = true;
  rescue.join();
  sigaction(SIGUSR1, &before, nullptr);
}

// Runs body in a forked child. Returns 0 if it returned true, 1 if false, or -1 if it did not end in time. The child ends
// by running another program, because Valgrind would call leaked what it cannot free: the parent's threads.
template <class F>
int in_child(F&& body) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);  // ends a child that hangs
    const char* const end = body() ? "true" : "false";
    execlp(end, end, nullptr);
    _exit(2);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status)) return -1;
  return WEXITSTATUS(status);
}

// Thread sanitizer kills a forked child that starts a thread.
#if defined(__SANITIZE_THREAD__)
constexpr bool kChildMayStartThreads = false;
#elif defined(__has_feature)
constexpr bool kChildMayStartThreads = !__has_feature(thread_sanitizer);
#else
constexpr bool kChildMayStartThreads = true;
#endif

TEST(Executor, AForkedChildWorksInline) {
  auto e = std::make_unique<Executor>(3);
  EXPECT_EQ(counts(*e, 10), std::vector<int>(10, 1));
  EXPECT_EQ(in_child([&] {
              const bool right = counts(*e, 10) == std::vector<int>(10, 1);
              e.reset();                                      // must not wait for threads that the child lacks
              Executor fresh(kChildMayStartThreads ? 2 : 1);  // a new executor has its own workers
              return right && counts(fresh, 10) == std::vector<int>(10, 1);
            }),
            0);
  EXPECT_EQ(counts(*e, 10), std::vector<int>(10, 1));  // the parent still works
}

// The fork may happen while another thread is inside parallel_for.
TEST(Executor, AForkDuringACallDoesNotHangTheChild) {
  Executor e(3);
  std::atomic<bool> inside{false}, leave{false};
  std::thread caller([&] {
    e.parallel_for(3, [&](uint32_t) {
      inside = true;
      while (!leave) std::this_thread::yield();
    });
  });
  while (!inside) std::this_thread::yield();
  EXPECT_EQ(in_child([&] { return counts(e, 10) == std::vector<int>(10, 1); }), 0);
  leave = true;
  caller.join();
}

}  // namespace
}  // namespace libnf
