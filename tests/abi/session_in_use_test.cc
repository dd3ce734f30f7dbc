// A session or trainer that is in use by another thread: every entry point fails with NF_ERR_STATE and changes nothing,
// the call that was first is not disturbed, and the handle is free again afterwards, also after a call that failed.
#include <condition_variable>
#include <mutex>
#include <thread>

#include "tests/abi/abi_support.h"

namespace abi_test {
namespace {

constexpr int64_t kRows = 3000;  // several blocks, so that calls reach the host's executor

// An executor of the host that holds up a parallel_for, while armed, until it is released.
class Gate {
 public:
  nf_executor hook() { return {sizeof(nf_executor), 2, this, run}; }
  void arm() { set(State::armed); }
  void wait_until_held() { wait(State::held); }
  void release() { set(State::open); }

 private:
  enum class State { open, armed, held };
  static void run(void* user, uint32_t n, void (*body)(void*, uint32_t), void* context) {
    auto* gate = static_cast<Gate*>(user);
    if (gate->take()) gate->wait(State::open);
    for (uint32_t i = 0; i < n; ++i) body(context, i);
  }
  bool take() {
    const std::lock_guard lock(mutex_);
    if (state_ != State::armed) return false;
    state_ = State::held;
    changed_.notify_all();
    return true;
  }
  void set(State s) {
    const std::lock_guard lock(mutex_);
    state_ = s;
    changed_.notify_all();
  }
  void wait(State s) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return state_ == s; });
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  State state_ = State::open;
};

class SessionInUse : public testing::Test {
 protected:
  void SetUp() override {
    const nf_executor host = gate.hook();
    nf_runtime* made = nullptr;
    ASSERT_TRUE(ok(nf_runtime_create(nullptr, nullptr, &host, nullptr, nullptr, &made, &e), e));
    rt.reset(made);
    m = model(rt.get());
    s = session(m.get(), options({{"session.nonfinite", "error"}}).get());
  }
  nf_status log_prob(Tensor& x, Tensor& out, nf_error* err) {
    return nf_log_prob(s.get(), x.view(), nullptr, out.view(), err);
  }
  Gate gate;
  Runtime rt;
  Model m;
  Session s;
  Err e;
};

TEST_F(SessionInUse, EveryEntryPointSaysSo) {
  Tensor x = banana(kRows), first({kRows}), want({kRows});
  ASSERT_TRUE(ok(log_prob(x, want, &e), e));
  gate.arm();
  nf_status first_status = NF_ERR_INTERNAL;
  std::thread other([&] { first_status = log_prob(x, first, nullptr); });
  gate.wait_until_held();
  constexpr char kSays[] = "session in use by another thread; create one per thread";
  Tensor y = banana(10, 2), to({10, 2}, 7), lp({10}, 7), states({5, 10, 2}, 7);
  EXPECT_TRUE(failed(NF_ERR_STATE, log_prob(y, lp, &e), e, kSays));
  EXPECT_TRUE(failed(NF_ERR_STATE, nf_forward(s.get(), y.view(), nullptr, to.view(), nullptr, &e), e, kSays));
  EXPECT_TRUE(failed(NF_ERR_STATE, nf_inverse(s.get(), y.view(), nullptr, to.view(), nullptr, &e), e, kSays));
  EXPECT_TRUE(failed(NF_ERR_STATE, nf_trace(s.get(), 0, y.view(), nullptr, states.view(), nullptr, &e), e, kSays));
  EXPECT_TRUE(failed(NF_ERR_STATE, nf_sample(s.get(), Sampling(1, 0), nullptr, to.view(), lp.view(), &e), e, kSays));
  const Target t = target(rt.get());
  nf_importance_info info = NF_IMPORTANCE_INFO_INIT;
  EXPECT_TRUE(failed(NF_ERR_STATE, nf_importance(s.get(), t.get(), 1, 0, 10, nullptr, to.view(), lp.view(), &info, &e),
                     e, kSays));
  Tensor chains({4, 3, 2}, 7);
  EXPECT_TRUE(failed(NF_ERR_STATE,
                     nf_metropolis(rt.get(), t.get(), s.get(), nullptr, nullptr, nullptr, chains.view(), nullptr, &e),
                     e, kSays));
  EXPECT_GT(nf_session_bytes(s.get()), 0u);
  for (const Tensor* unchanged : {&to, &lp, &states, &chains})
    EXPECT_EQ(std::count(unchanged->v.begin(), unchanged->v.end(), 7.0f),
              static_cast<std::ptrdiff_t>(unchanged->v.size()));
  // Another session of the model is free.
  const Session own = session(m.get());
  EXPECT_TRUE(ok(nf_log_prob(own.get(), y.view(), nullptr, lp.view(), &e), e));
  gate.release();
  other.join();
  EXPECT_EQ(first_status, NF_OK);
  EXPECT_TRUE(same_bits(first.v, want.v));
  Tensor again({kRows});
  EXPECT_TRUE(ok(log_prob(x, again, &e), e));
  EXPECT_TRUE(same_bits(again.v, want.v));
}

TEST_F(SessionInUse, IsFreeAfterACallThatFailed) {
  Tensor x = banana(kRows), out({kRows});
  x.v[2 * 1234] = NAN;
  EXPECT_TRUE(failed(NF_ERR_NUMERIC, log_prob(x, out, &e), e, "row 1234 of x holds NaN or infinity"));
  x.v[2 * 1234] = 0;
  EXPECT_TRUE(ok(log_prob(x, out, &e), e));
}

// Threads that take turns are no conflict, and neither is a target of the host that uses the session it weighs.
TEST_F(SessionInUse, TurnsAreNoConflict) {
  std::mutex turn;
  std::vector<int> failures(4, 0);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < failures.size(); ++i)
    threads.emplace_back([&, i] {
      Tensor x = banana(20, i), out({20});
      for (int k = 0; k < 500; ++k) {
        const std::lock_guard lock(turn);
        failures[i] += log_prob(x, out, nullptr) != NF_OK;
      }
    });
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(failures, std::vector<int>(4, 0));

  const nf_target_fn fn = [](void* user, const nf_view* x, const nf_view*, const nf_out* log_density, const nf_out*) {
    return nf_log_prob(static_cast<nf_session*>(user), x, nullptr, log_density, nullptr) == NF_OK ? 0 : -1;
  };
  nf_target* made = nullptr;
  ASSERT_TRUE(ok(nf_target_create_callback(rt.get(), 2, fn, s.get(), &made, &e), e));
  const Target own(made);
  nf_importance_info info = NF_IMPORTANCE_INFO_INIT;
  EXPECT_TRUE(ok(nf_importance(s.get(), own.get(), 1, 0, 50, nullptr, nullptr, nullptr, &info, &e), e));
  EXPECT_NEAR(info.log_z, 0, 1e-5);
}

TEST_F(SessionInUse, SoDoesATrainer) {
  Tensor x = banana(kRows), few = banana(10, 2), cot({10});
  const Batch batch(x.view()), small(few.view());
  const Trainer t = trainer(m.get());
  ASSERT_TRUE(ok(nf_train_step(t.get(), batch, nullptr, &e), e));
  gate.arm();
  nf_status first_status = NF_ERR_INTERNAL;
  std::thread other([&] { first_status = nf_train_step(t.get(), batch, nullptr, nullptr); });
  gate.wait_until_held();
  constexpr char kSays[] = "trainer in use by another thread; only one call at a time may use it";
  const nf_write_fn write = [](void*, const void*, size_t) { return 0; };
  double loss = 7;
  nf_cotangents c = NF_COTANGENTS_INIT;
  c.log_prob = cot.view();
  EXPECT_TRUE(failed(NF_ERR_STATE, nf_train_step(t.get(), small, nullptr, &e), e, kSays));
  EXPECT_TRUE(failed(NF_ERR_STATE, nf_trainer_evaluate(t.get(), small, &loss, nullptr, &e), e, kSays));
  EXPECT_TRUE(failed(NF_ERR_STATE, nf_trainer_observe(t.get(), 1, &e), e, kSays));
  EXPECT_TRUE(failed(NF_ERR_STATE, nf_trainer_save_stream(t.get(), write, nullptr, &e), e, kSays));
  EXPECT_TRUE(failed(NF_ERR_STATE, nf_trainer_restore_memory(t.get(), "x", 1, &e), e, kSays));
  EXPECT_TRUE(failed(NF_ERR_STATE, nf_trainer_set_lr(t.get(), "", 1e-4, &e), e, kSays));
  EXPECT_TRUE(failed(NF_ERR_STATE, nf_trainer_restart(t.get(), 0, &e), e, kSays));
  EXPECT_TRUE(failed(NF_ERR_STATE, nf_trainer_accumulate(t.get(), small, &c, &e), e, kSays));
  EXPECT_TRUE(failed(NF_ERR_STATE, nf_trainer_apply(t.get(), 1, nullptr, &e), e, kSays));
  EXPECT_TRUE(failed(NF_ERR_STATE, nf_trainer_discard(t.get(), &e), e, kSays));
  EXPECT_TRUE(failed(NF_ERR_STATE, nf_trainer_use_average(t.get(), 1, &e), e, kSays));
  EXPECT_EQ(loss, 7);
  gate.release();
  other.join();
  EXPECT_EQ(first_status, NF_OK);
  EXPECT_EQ(nf_trainer_step_count(t.get()), 2u);
  // The calls that were refused left no trace.
  const Model twin = model(rt.get());
  const Trainer alone = trainer(twin.get());
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(ok(nf_train_step(alone.get(), batch, nullptr, &e), e));
  EXPECT_EQ(nf_model_hash(m.get()), nf_model_hash(twin.get()));
}

}  // namespace
}  // namespace abi_test
