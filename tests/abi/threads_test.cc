// The thread contract: eight sessions on one model on eight threads, and at the same time a trainer on another model,
// compute the same bits as each of them alone. `./dev sanitize tsan` runs this under thread sanitizer.
#include <thread>

#include "tests/abi/abi_support.h"

namespace abi_test {
namespace {

constexpr int kThreads = 8, kRows = 257, kRounds = 3, kSteps = 20;

struct Results {
  std::vector<float> log_prob, z, x, sample;
  bool operator==(const Results& o) const {
    return same_bits(log_prob, o.log_prob) && same_bits(z, o.z) && same_bits(x, o.x) && same_bits(sample, o.sample);
  }
};

// Creates its own session and uses all of it. Failures are recorded by hand, because gtest's macros take locks.
Results infer(nf_model* m, int* failures) {
  Tensor x = banana(kRows), log_prob({kRows}), z({kRows, 2}), back({kRows, 2}), sample({kRows, 2});
  nf_session* s = nullptr;
  if (nf_session_create(m, nullptr, &s, nullptr) != NF_OK) {
    ++*failures;
    return {};
  }
  for (int round = 0; round < kRounds; ++round) {
    *failures += nf_log_prob(s, x.view(), nullptr, log_prob.view(), nullptr) != NF_OK;
    *failures += nf_forward(s, x.view(), nullptr, z.view(), nullptr, nullptr) != NF_OK;
    *failures += nf_inverse(s, z.view(), nullptr, back.view(), nullptr, nullptr) != NF_OK;
    *failures += nf_sample(s, Sampling(7, 1000), nullptr, sample.view(), nullptr, nullptr) != NF_OK;
  }
  nf_session_free(s);
  return {log_prob.v, z.v, back.v, sample.v};
}

uint64_t train(nf_runtime* rt) {
  const Model m = model(rt, kSpec, 3);
  const Trainer t = trainer(m.get());
  Tensor x = banana(512, 5);
  Err e;
  for (int i = 0; i < kSteps; ++i) EXPECT_TRUE(ok(nf_train_step(t.get(), Batch(x.view()), nullptr, &e), e));
  return nf_model_hash(m.get());
}

void many_sessions_and_a_trainer(nf_runtime* rt) {
  const Model m = model(rt);
  int serial_failures = 0;
  const Results alone = infer(m.get(), &serial_failures);
  ASSERT_EQ(serial_failures, 0);
  const uint64_t trained_alone = train(rt);

  std::vector<Results> got(kThreads);
  std::vector<int> failures(kThreads, 0);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < kThreads; ++i) threads.emplace_back([&, i] { got[i] = infer(m.get(), &failures[i]); });
  const uint64_t trained = train(rt);
  // Calls marked [shared], on the model that the sessions use.
  for (int i = 0; i < 10; ++i) {
    EXPECT_NE(nf_model_spec(m.get()), nullptr);
    EXPECT_EQ(info(m.get()).event_size, 2);
    EXPECT_FALSE(bytes_of(m.get()).empty());
  }
  for (std::thread& t : threads) t.join();
  for (size_t i = 0; i < kThreads; ++i) {
    EXPECT_EQ(failures[i], 0) << "thread " << i;
    EXPECT_TRUE(got[i] == alone) << "thread " << i << " computed different bits";
  }
  EXPECT_EQ(trained, trained_alone);
}

TEST(Threads, SessionsAndATrainerOnOneThreadEach) {
  const Runtime rt = runtime(nullptr, options({{"runtime.threads", "1"}}).get());
  many_sessions_and_a_trainer(rt.get());
}

TEST(Threads, SessionsAndATrainerOnASharedPool) {
  const Runtime rt = runtime(nullptr, options({{"runtime.threads", "3"}}).get());
  many_sessions_and_a_trainer(rt.get());
}

TEST(Threads, SameBitsForAnyNumberOfThreads) {
  uint64_t hash = 0;
  Results first;
  for (const char* n : {"1", "2", "3", "8"}) {
    const Runtime rt = runtime(nullptr, options({{"runtime.threads", n}}).get());
    const uint64_t h = train(rt.get());
    const Model m = model(rt.get());
    int failures = 0;
    const Results r = infer(m.get(), &failures);
    EXPECT_EQ(failures, 0);
    if (!hash) hash = h, first = r;
    EXPECT_EQ(h, hash) << n << " threads train to different bits";
    EXPECT_TRUE(r == first) << n << " threads compute different bits";
  }
}

// A host's executor that runs bodies in reverse order on many threads gives the same bits as the built-in pool.
TEST(Threads, TheHostsExecutor) {
  const nf_executor host = {sizeof(nf_executor), 4, nullptr,
                            [](void*, uint32_t n, void (*body)(void*, uint32_t), void* context) {
                              std::vector<std::thread> pool;
                              for (uint32_t i = n; i-- > 0;) pool.emplace_back(body, context, i);
                              for (std::thread& t : pool) t.join();
                            }};
  const Runtime own = runtime();
  nf_runtime* made = nullptr;
  Err e;
  ASSERT_TRUE(ok(nf_runtime_create(nullptr, nullptr, &host, nullptr, nullptr, &made, &e), e));
  const Runtime theirs(made);
  EXPECT_EQ(train(own.get()), train(theirs.get()));
  const Model a = model(own.get()), b = model(theirs.get());
  int failures = 0;
  EXPECT_TRUE(infer(a.get(), &failures) == infer(b.get(), &failures));
  EXPECT_EQ(failures, 0);
}

// Handles created on one thread are freed on another, in any order.
TEST(Threads, FreedElsewhere) {
  for (int round = 0; round < 20; ++round) {
    Runtime rt = runtime();
    Model m = model(rt.get());
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([s = session(m.get())]() mutable { s.reset(); });
    }
    m.reset();
    rt.reset();
    for (std::thread& t : threads) t.join();
  }
}

}  // namespace
}  // namespace abi_test
