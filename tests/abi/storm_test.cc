// A service under load, on one runtime: a model is trained and copied while threads score with the last copy; handles of all
// kinds are created and freed on many threads at once; runs are cancelled in the middle. Every result has the bits that it
// has alone, and nothing leaks. `./dev sanitize tsan` runs this under thread sanitizer.
#include <functional>
#include <mutex>
#include <thread>

#include "tests/abi/abi_support.h"

namespace abi_test {
namespace {

constexpr int kThreads = 8;

class Storm : public testing::Test {
 protected:
  void SetUp() override {
    const nf_allocator a = allocator.hook();
    rt = runtime(&a, options({{"runtime.threads", "3"}}).get());
  }
  void TearDown() override {
    rt.reset();
    EXPECT_EQ(allocator.live, 0) << "bytes leaked";
    EXPECT_EQ(allocator.mismatches, 0);
  }
  CountingAllocator allocator;
  Runtime rt;
};

struct Served {
  Model model;
  std::vector<float> scores;  // of the rows below, computed before it went into service
};

std::vector<float> scores_of(nf_model* m, Tensor x) {
  Tensor lp({static_cast<int64_t>(x.v.size() / 2)});
  nf_session* s = nullptr;
  if (nf_session_create(m, nullptr, &s, nullptr) != NF_OK) return {};
  const nf_status status = nf_log_prob(s, x.view(), nullptr, lp.view(), nullptr);
  nf_session_free(s);
  return status == NF_OK ? lp.v : std::vector<float>();
}

TEST_F(Storm, CopiesReplaceEachOtherWhileThreadsScore) {
  constexpr int kSwaps = kSanitized ? 8 : 30;
  const Tensor x = banana(100);
  std::mutex lock;
  std::shared_ptr<const Served> current;
  const auto take = [&] {
    const std::lock_guard guard(lock);
    return current;
  };
  const auto put = [&](const nf_model* m) {
    nf_model* copy = nullptr;
    Err e;
    ASSERT_TRUE(ok(nf_model_clone(m, nullptr, &copy, &e), e));
    auto next = std::make_shared<Served>();
    next->model.reset(copy);
    next->scores = scores_of(copy, x);
    const std::lock_guard guard(lock);
    current = std::move(next);
  };
  const Model m = model(rt.get());
  const Trainer t = trainer(m.get(), options({{"trainer.lr", "0.01"}}).get());
  put(m.get());
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0}, scored{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i)
    threads.emplace_back([&] {
      while (!stop) {
        const std::shared_ptr<const Served> mine = take();  // the last thread to let go frees the model
        const std::vector<float> got = scores_of(mine->model.get(), x);
        wrong += got.empty() || !same_bits(got, mine->scores);
        ++scored;
      }
    });
  Tensor data = banana(300, 7);
  Err e;
  for (int k = 0; k < kSwaps; ++k) {
    EXPECT_TRUE(ok(nf_train_step(t.get(), Batch(data.view()), nullptr, &e), e));
    put(m.get());
  }
  while (scored < kThreads) std::this_thread::yield();
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0) << "of " << scored;
}

// Creates one of everything, uses it, and frees it in an order that depends on `turn`. Returns whether all went well.
bool live_and_die(nf_runtime* rt, const std::string& csv, int turn) {
  nf_options* o = nullptr;
  nf_model *m = nullptr, *copy = nullptr;
  nf_session* s = nullptr;
  nf_trainer* t = nullptr;
  nf_table* table = nullptr;
  nf_batches* batches = nullptr;
  nf_view rows = NF_VIEW_INIT;
  nf_batch batch = NF_BATCH_INIT;
  Tensor sample({5, 2});
  bool fine = nf_options_create(&o, nullptr) == NF_OK && nf_options_set_f64(o, "trainer.lr", 0.01, nullptr) == NF_OK &&
              nf_model_create(rt, kSpec, NF_TEXT, 1, &m, nullptr) == NF_OK &&
              nf_table_open(rt, csv.c_str(), nullptr, &table, nullptr) == NF_OK &&
              nf_table_view(table, &rows, nullptr) == NF_OK && nf_trainer_create(m, o, nullptr, &t, nullptr) == NF_OK;
  batch.x = &rows;
  fine = fine && nf_batches_create(rt, &batch, nullptr, &batches, nullptr) == NF_OK &&
         nf_train_step(t, &batch, nullptr, nullptr) == NF_OK && nf_model_clone(m, nullptr, &copy, nullptr) == NF_OK &&
         nf_session_create(copy, nullptr, &s, nullptr) == NF_OK &&
         nf_sample(s, nullptr, nullptr, sample.view(), nullptr, nullptr) == NF_OK;
  const std::function<void()> frees[] = {[&] { nf_model_free(m); },         [&] { nf_trainer_free(t); },
                                         [&] { nf_model_free(copy); },      [&] { nf_session_free(s); },
                                         [&] { nf_batches_free(batches); }, [&] { nf_options_free(o); }};
  for (int i = 0; i < 6; ++i) frees[(i * (turn % 2 ? 1 : 5) + turn) % 6]();
  nf_table_free(table);  // last, since batches borrow its rows
  return fine;
}

TEST_F(Storm, HandlesComeAndGoOnManyThreads) {
  constexpr int kRounds = kSanitized ? 5 : 20;
  const TempDir dir;
  const std::string csv = dir / "t.csv";
  Err e;
  Tensor x = banana(40);
  ASSERT_TRUE(ok(nf_table_save(x.view(), csv.c_str(), nullptr, &e), e));
  std::atomic<int> failures{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i)
    threads.emplace_back([&, i] {
      for (int round = 0; round < kRounds; ++round) failures += !live_and_die(rt.get(), csv, i + round);
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);
}

// A run that its callback stops after some steps has the bits of a run of so many steps, while others go on.
TEST_F(Storm, RunsAreCancelled) {
  const auto trained = [&](int steps, bool cancelled, std::vector<unsigned char>* out) {
    const Model m = model(rt.get());
    const Trainer t = trainer(m.get());
    Tensor data = banana(64);
    struct Run {
      Tensor* data;
      Batch batch;
      int left;
    } run{&data, Batch(data.view()), steps};
    nf_source source = NF_SOURCE_INIT;
    source.user = &run;
    source.next = [](void* user, uint64_t, nf_batch* to) -> int32_t {
      *to = *static_cast<const nf_batch*>(static_cast<Run*>(user)->batch);
      return 1;
    };
    const nf_progress_fn on_step = [](void* user, const nf_step_info*) -> int32_t {
      return --static_cast<Run*>(user)->left == 0;
    };
    const nf_status status = cancelled
                                 ? nf_train_run(t.get(), &source, 0, on_step, &run, nullptr)
                                 : nf_train_run(t.get(), &source, static_cast<uint64_t>(steps), nullptr, &run, nullptr);
    *out = bytes_of(m.get());
    return status;
  };
  std::vector<std::vector<unsigned char>> got(kThreads), want(kThreads);
  std::vector<nf_status> status(kThreads);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < kThreads; ++i)
    threads.emplace_back([&, i] { status[i] = trained(static_cast<int>(i) + 1, true, &got[i]); });
  for (std::thread& thread : threads) thread.join();
  for (size_t i = 0; i < kThreads; ++i) {
    EXPECT_EQ(status[i], NF_ERR_CANCELLED);
    EXPECT_EQ(trained(static_cast<int>(i) + 1, false, &want[i]), NF_OK);
    EXPECT_EQ(got[i], want[i]) << i + 1 << " steps";
  }
}

}  // namespace
}  // namespace abi_test
