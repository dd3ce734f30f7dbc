// Targets through the ABI: callbacks that fail, cancel or return NaN; which thread calls them, and with what;
// lifetimes; fits, importance sampling and Markov chains end to end.
#include <limits>
#include <thread>

#include "tests/abi/abi_support.h"

namespace abi_test {
namespace {

// A standard normal around `center` that can be told to fail.
struct Host {
  double center = 0;
  int32_t answer = 0;
  int64_t bad_row = -1;
  double bad = std::numeric_limits<double>::quiet_NaN();
  int calls = 0, contexts = 0, without_gradient = 0;
  int64_t rows = 0;
  int32_t dtype = 0;
  std::thread::id thread;

  template <class T>
  void fill(const nf_view* x, const nf_out* log_density, const nf_out* gradient) const {
    const T* in = static_cast<const T*>(x->data);
    for (int64_t r = 0; r < x->shape[0]; ++r) {
      double squares = 0;
      for (int64_t j = 0; j < x->shape[1]; ++j) {
        const int64_t k = r * x->shape[1] + j;
        const double off = static_cast<double>(in[k]) - center;
        squares += off * off;
        if (gradient) static_cast<T*>(gradient->data)[k] = static_cast<T>(-off);
      }
      static_cast<T*>(log_density->data)[r] = static_cast<T>(r == bad_row ? bad : -0.5 * squares);
    }
  }
  static int32_t ask(void* user, const nf_view* x, const nf_view* ctx, const nf_out* log_density,
                     const nf_out* gradient) {
    auto* h = static_cast<Host*>(user);
    ++h->calls;
    h->contexts += ctx != nullptr;
    h->without_gradient += gradient == nullptr;
    h->rows = x->shape[0];
    h->dtype = x->dtype;
    h->thread = std::this_thread::get_id();
    EXPECT_EQ(log_density->shape[0], x->shape[0]);
    EXPECT_EQ(x->flags | log_density->flags, 0);
    if (x->dtype == NF_F64)
      h->fill<double>(x, log_density, gradient);
    else
      h->fill<float>(x, log_density, gradient);
    return h->answer;
  }
};

Target host_target(nf_runtime* rt, Host& host, int64_t columns = 2) {
  nf_target* t = nullptr;
  Err e;
  EXPECT_TRUE(ok(nf_target_create_callback(rt, columns, Host::ask, &host, &t, &e), e));
  return Target(t);
}

constexpr char kShift[] = R"({"event": 2, "layers": [{"type": "elementwise_affine"}]})";
constexpr char kShiftContext[] =
    R"({"event": 2, "context": 1, "dtype": "float64", "layers": [{"type": "affine_coupling", "hidden": [4]}]})";

Options sampling(const char* objective = "reverse_kl", const char* samples = "64") {
  return options({{"trainer.objective", objective}, {"trainer.samples", samples}, {"trainer.lr", "0.05"}});
}

class TargetAbi : public Counted {};

TEST_F(TargetAbi, ACallbackGetsAllRowsAtOnceOnTheThreadThatEntered) {
  const nf_allocator a = allocator.hook();
  const Runtime rt = runtime(&a, options({{"runtime.threads", "4"}}).get());
  for (const bool wide : {false, true}) {
    const Model m = model(rt.get(), wide ? kShiftContext : kShift);
    const Trainer t = trainer(m.get(), sampling("reverse_kl", "700").get());
    Host host;
    const Target target = host_target(rt.get(), host);
    Err e;
    ASSERT_TRUE(ok(nf_trainer_set_target(t.get(), target.get(), &e), e));
    Tensor ctx({1, 1}, 0.5f);
    nf_step_info info = NF_STEP_INFO_INIT;
    ASSERT_TRUE(ok(nf_train_step(t.get(), Batch(nullptr, wide ? &ctx.view() : nullptr), &info, &e), e));
    EXPECT_EQ(host.calls, 1);
    EXPECT_EQ(host.rows, 700);
    EXPECT_EQ(host.contexts, wide);
    EXPECT_EQ(host.dtype, wide ? NF_F64 : NF_F32);
    EXPECT_EQ(host.without_gradient, 0);
    EXPECT_EQ(host.thread, std::this_thread::get_id());
    EXPECT_EQ(info.step, 1u);
    EXPECT_GT(info.seconds, 0);
  }
}

// Rows of data with scores from the target, which is the library's or the host's; the latter is called once for all
// rows.
TEST_F(TargetAbi, FisherTrainsOnRowsAndTheirScores) {
  const nf_allocator a = allocator.hook();
  const Runtime rt = runtime(&a, options({{"runtime.threads", "2"}}).get());
  const Model m = model(rt.get(), kShift);
  const Trainer t = trainer(m.get(), options({{"trainer.objective", "fisher"}, {"trainer.lr", "0.05"}}).get());
  Tensor x = banana(300);
  Err e;
  EXPECT_TRUE(failed(NF_ERR_STATE, nf_train_step(t.get(), Batch(x.view()), nullptr, &e), e, "target"));
  Host host;
  const Target mine = host_target(rt.get(), host), theirs = target(rt.get(), R"({"type": "banana", "bend": 0})");
  ASSERT_TRUE(ok(nf_trainer_set_target(t.get(), mine.get(), &e), e));
  ASSERT_TRUE(ok(nf_train_step(t.get(), Batch(x.view()), nullptr, &e), e));
  EXPECT_EQ(host.calls, 1);
  EXPECT_EQ(host.rows, 300);
  EXPECT_EQ(host.without_gradient, 0);
  ASSERT_TRUE(ok(nf_trainer_set_target(t.get(), theirs.get(), &e), e));
  nf_step_info first = NF_STEP_INFO_INIT, last = NF_STEP_INFO_INIT;
  ASSERT_TRUE(ok(nf_train_step(t.get(), Batch(x.view()), &first, &e), e));
  for (int k = 0; k < 200; ++k) ASSERT_TRUE(ok(nf_train_step(t.get(), Batch(x.view()), &last, &e), e));
  EXPECT_LT(last.loss, first.loss / 10);
  EXPECT_EQ(last.loss_error, 0);
}

TEST_F(TargetAbi, FailuresLeaveTheTrainerUsable) {
  const nf_allocator a = allocator.hook();
  const Runtime rt = runtime(&a);
  for (const char* objective : {"reverse_kl", "alpha"}) {
    const Model m = model(rt.get(), kShift);
    const Trainer t = trainer(m.get(), sampling(objective).get());
    Host host;
    const Target target = host_target(rt.get(), host);
    Err e;
    ASSERT_TRUE(ok(nf_trainer_set_target(t.get(), target.get(), &e), e));
    const auto step = [&] { return nf_train_step(t.get(), nullptr, nullptr, &e); };
    ASSERT_TRUE(ok(step(), e));
    const uint64_t before = nf_model_hash(m.get());
    host.answer = -3;
    EXPECT_TRUE(failed(NF_ERR_CALLBACK, step(), e, "returned -3"));
    host.answer = 1;
    EXPECT_TRUE(failed(NF_ERR_CANCELLED, step(), e, "the target's callback returned"));
    host.answer = 0;
    host.bad_row = 17;
    EXPECT_TRUE(failed(NF_ERR_NUMERIC, step(), e, "sample 17 is nan"));
    host.bad = std::numeric_limits<double>::infinity();
    EXPECT_TRUE(failed(NF_ERR_NUMERIC, step(), e, "sample 17 is inf"));
    EXPECT_EQ(nf_model_hash(m.get()), before);
    EXPECT_EQ(nf_trainer_step_count(t.get()), 1u);
    host.bad_row = -1;
    EXPECT_TRUE(ok(step(), e));
    EXPECT_NE(nf_model_hash(m.get()), before);
  }
}

TEST_F(TargetAbi, TheTrainerKeepsItsTarget) {
  const nf_allocator a = allocator.hook();
  Trainer t;
  {
    const Runtime rt = runtime(&a);
    const Model m = model(rt.get(), kShift);
    t = trainer(m.get(), sampling().get());
    const Target target = abi_test::target(rt.get(), "cross");
    Err e;
    ASSERT_TRUE(ok(nf_trainer_set_target(t.get(), target.get(), &e), e));
  }
  Err e;
  EXPECT_TRUE(ok(nf_train_step(t.get(), nullptr, nullptr, &e), e));
}

TEST_F(TargetAbi, StepsThatDoNotFitTheObjective) {
  const nf_allocator a = allocator.hook();
  const Runtime rt = runtime(&a);
  const Model m = model(rt.get(), kShift), wide = model(rt.get(), R"({"event": 3, "layers": []})"),
              with_context = model(rt.get(), kShiftContext), by_data = model(rt.get(), kShift),
              both = model(rt.get(), kShiftContext);
  const Target target = abi_test::target(rt.get());
  Tensor x({4, 2}, 0.5f), w({4}, 1), ctx({3, 1}, 0.5f), four({4, 1}, 0.5f);
  Err e;
  const Trainer t = trainer(m.get(), sampling().get());
  EXPECT_TRUE(failed(NF_ERR_STATE, nf_train_step(t.get(), nullptr, nullptr, &e), e, "set_target"));
  ASSERT_TRUE(ok(nf_trainer_set_target(t.get(), target.get(), &e), e));
  EXPECT_TRUE(failed(NF_ERR_ARGUMENT, nf_train_step(t.get(), Batch(x.view()), nullptr, &e), e, "x is given"));
  EXPECT_TRUE(
      failed(NF_ERR_ARGUMENT, nf_train_step(t.get(), Batch(nullptr, nullptr, w.view()), nullptr, &e), e, "weight"));
  EXPECT_TRUE(failed(NF_ERR_SHAPE, nf_train_step(t.get(), Batch(nullptr, ctx.view()), nullptr, &e), e, "ctx"));
  EXPECT_TRUE(failed(NF_ERR_ARGUMENT, nf_train_run(t.get(), nullptr, 0, nullptr, nullptr, &e), e, "max_steps"));
  const Trainer other = trainer(wide.get(), sampling().get());
  EXPECT_TRUE(failed(NF_ERR_SHAPE, nf_trainer_set_target(other.get(), target.get(), &e), e, "2 columns, the model 3"));
  const Trainer contextual = trainer(with_context.get(), sampling().get());
  ASSERT_TRUE(ok(nf_trainer_set_target(contextual.get(), target.get(), &e), e));
  EXPECT_TRUE(failed(NF_ERR_SHAPE, nf_train_step(contextual.get(), Batch(nullptr, ctx.view()), nullptr, &e), e, "64"));
  EXPECT_TRUE(failed(NF_ERR_ARGUMENT, nf_train_step(contextual.get(), nullptr, nullptr, &e), e, "ctx"));
  const Trainer nll = trainer(by_data.get());
  EXPECT_TRUE(failed(NF_ERR_STATE, nf_trainer_set_target(nll.get(), target.get(), &e), e, "objective"));
  EXPECT_TRUE(failed(NF_ERR_ARGUMENT, nf_train_step(nll.get(), nullptr, nullptr, &e), e, "x"));
  EXPECT_TRUE(failed(NF_ERR_ARGUMENT, nf_train_run(nll.get(), nullptr, 3, nullptr, nullptr, &e), e, "source"));
  // Both kinds of rows need a context.
  const Trainer symmetric = trainer(both.get(), sampling("symmetric").get());
  ASSERT_TRUE(ok(nf_trainer_set_target(symmetric.get(), target.get(), &e), e));
  EXPECT_TRUE(failed(NF_ERR_ARGUMENT, nf_train_step(symmetric.get(), nullptr, nullptr, &e), e, "x"));
  EXPECT_TRUE(
      failed(NF_ERR_SHAPE, nf_train_step(symmetric.get(), Batch(x.view(), four.view()), nullptr, &e), e, "ctx"));
  nf_trainer* refused = nullptr;
  const Options ignored = options({{"trainer.path_gradient", "true"}});
  const Model fresh = model(rt.get(), kShift);
  EXPECT_TRUE(
      failed(NF_ERR_SPEC, nf_trainer_create(fresh.get(), ignored.get(), nullptr, &refused, &e), e, "path_gradient"));
}

// A fit by nothing but a callback, and what importance sampling and chains say about it.
TEST_F(TargetAbi, FitsWeighsAndWalks) {
  const nf_allocator a = allocator.hook();
  const Runtime rt = runtime(&a);
  const Model m = model(rt.get(), kShift);
  Host host;
  host.center = 1.5;
  const Target target = host_target(rt.get(), host);
  Err e;
  {
    const Trainer t = trainer(m.get(), options({{"trainer.objective", "reverse_kl"},
                                                {"trainer.path_gradient", "true"},
                                                {"trainer.samples", "64"},
                                                {"trainer.lr", "0.02"},
                                                {"trainer.schedule", "cosine"},
                                                {"trainer.max_steps", "400"}})
                                           .get());
    ASSERT_TRUE(ok(nf_trainer_set_target(t.get(), target.get(), &e), e));
    int shown = 0;
    const nf_progress_fn count = [](void* user, const nf_step_info* info) -> int32_t {
      EXPECT_EQ(info->struct_size, sizeof(nf_step_info));
      ++*static_cast<int*>(user);
      return 0;
    };
    ASSERT_TRUE(ok(nf_train_run(t.get(), nullptr, 400, count, &shown, &e), e));
    EXPECT_EQ(shown, 400);
  }
  const Session s = session(m.get());
  nf_importance_info found = NF_IMPORTANCE_INFO_INIT;
  Tensor x({5000, 2}), w({5000}), again({5000, 2}), log_q({5000});
  ASSERT_TRUE(ok(nf_importance(s.get(), target.get(), 3, 10, 5000, nullptr, x.view(), w.view(), &found, &e), e));
  EXPECT_EQ(found.samples, 5000);
  EXPECT_NEAR(found.log_z, 1.8378770664093454836, 0.01);
  EXPECT_GT(found.ess_fraction, 0.95);
  EXPECT_LE(found.ess_fraction, 1 + 1e-12);
  EXPECT_NEAR(found.reverse_kl, -found.log_z, 0.05);
  EXPECT_GT(host.without_gradient, 0);
  ASSERT_TRUE(ok(nf_sample(s.get(), Sampling(3, 10), nullptr, again.view(), log_q.view(), &e), e));
  EXPECT_TRUE(same_bits(x.v, again.v));
  double means[2], errors[2];
  const nf_out mean = nf_out_vec_f64(means, 2), error = nf_out_vec_f64(errors, 2);
  ASSERT_TRUE(ok(nf_importance_mean(w.view(), x.view(), &mean, &error, &e), e));
  for (int j = 0; j < 2; ++j) EXPECT_LT(std::abs(means[j] - 1.5), 5 * errors[j]);

  const Options walk = options({{"metropolis.burn_in", "200"},
                                {"metropolis.thin", "2"},
                                {"metropolis.step_size", "1.5"},
                                {"metropolis.seed", "5"}});
  for (nf_session* proposal : {static_cast<nf_session*>(nullptr), s.get()}) {
    Tensor chain({500, 8, 2});
    nf_metropolis_info info = NF_METROPOLIS_INFO_INIT;
    ASSERT_TRUE(
        ok(nf_metropolis(rt.get(), target.get(), proposal, walk.get(), nullptr, nullptr, chain.view(), &info, &e), e));
    double sum = 0;
    for (const float v : chain.v) sum += v;
    EXPECT_NEAR(sum / static_cast<double>(chain.v.size()), 1.5, 0.1);
    EXPECT_EQ(info.steps, 1200u);
    EXPECT_GT(info.acceptance, proposal ? 0.95 : 0.3);
  }
  host.answer = 2;
  EXPECT_TRUE(failed(NF_ERR_CANCELLED,
                     nf_importance(s.get(), target.get(), 3, 0, 10, nullptr, nullptr, nullptr, &found, &e), e));
  EXPECT_TRUE(failed(NF_ERR_ARGUMENT,
                     nf_importance(s.get(), target.get(), 3, 0, 0, nullptr, nullptr, nullptr, &found, &e), e,
                     "n is 0"));
}

// The log density of a callback with a large constant: in float32 it is refused, in float64 it is exact.
TEST_F(TargetAbi, LargeConstantsOfALogDensity) {
  struct Shifted {
    double by;
    int32_t dtype;
    static int32_t ask(void* user, const nf_view* x, const nf_view*, const nf_out* log_density,
                       const nf_out* gradient) {
      auto* self = static_cast<Shifted*>(user);
      self->dtype = x->dtype;
      const auto fill = [&](auto* in, auto* out, auto* slope) {
        for (int64_t r = 0; r < x->shape[0]; ++r) {
          const double a = in[2 * r], b = in[2 * r + 1];
          out[r] = static_cast<std::remove_pointer_t<decltype(out)>>(self->by - 0.6 * (a * a + b * b));
          for (int64_t k = 2 * r; slope && k < 2 * r + 2; ++k)
            slope[k] = static_cast<std::remove_pointer_t<decltype(slope)>>(-1.2 * in[k]);
        }
      };
      void* const slope = gradient ? gradient->data : nullptr;
      if (x->dtype == NF_F64)
        fill(static_cast<const double*>(x->data), static_cast<double*>(log_density->data), static_cast<double*>(slope));
      else
        fill(static_cast<const float*>(x->data), static_cast<float*>(log_density->data), static_cast<float*>(slope));
      return 0;
    }
  };
  const nf_allocator a = allocator.hook();
  const Runtime rt = runtime(&a);
  const double log_z = std::log(3.14159265358979 / 0.6);
  for (const char* dtype : {"float32", "float64"}) {
    const Model m = model(rt.get(), R"({"event": 2, "dtype": ")" + std::string(dtype) + R"(", "layers": []})");
    const Session s = session(m.get());
    for (const bool wide : {false, true})
      for (const double by : {0.0, 1e6, -1e8}) {
        Shifted host{by, -1};
        nf_target* made = nullptr;
        Err e;
        ASSERT_TRUE(ok((wide ? nf_target_create_callback_f64 : nf_target_create_callback)(rt.get(), 2, Shifted::ask,
                                                                                          &host, &made, &e),
                       e));
        const Target t(made);
        nf_importance_info found = NF_IMPORTANCE_INFO_INIT;
        const nf_status status = nf_importance(s.get(), t.get(), 3, 0, 4000, nullptr, nullptr, nullptr, &found, &e);
        const bool narrow = !wide && std::string(dtype) == "float32";
        EXPECT_EQ(host.dtype, narrow ? NF_F32 : NF_F64);
        if (narrow && by < 0) {
          EXPECT_TRUE(failed(NF_ERR_NUMERIC, status, e, "nf_target_create_callback_f64"));
          continue;
        }
        ASSERT_TRUE(ok(status, e));
        EXPECT_NEAR(found.log_z, by + log_z, 4 * found.log_z_error + (narrow ? 0.01 : 1e-6)) << by;
        // Chains compute in float64 with any callback.
        Tensor chain({200, 8, 2});
        nf_metropolis_info walked = NF_METROPOLIS_INFO_INIT;
        ASSERT_TRUE(
            ok(nf_metropolis(rt.get(), t.get(), nullptr, nullptr, nullptr, nullptr, chain.view(), &walked, &e), e));
        EXPECT_GT(walked.acceptance, 0.5) << by;
        double squares = 0;
        for (const float v : chain.v) squares += double{v} * v / static_cast<double>(chain.v.size());
        EXPECT_NEAR(squares, 1 / 1.2, 0.15) << by;
      }
    // A step of reverse_kl, which reports the loss and allocates nothing once it is warm.
    const Trainer t = trainer(m.get(), sampling("reverse_kl", "300").get());
    Shifted host{-1e8, -1};
    nf_target* made = nullptr;
    Err e;
    ASSERT_TRUE(ok(nf_target_create_callback_f64(rt.get(), 2, Shifted::ask, &host, &made, &e), e));
    const Target target(made);
    ASSERT_TRUE(ok(nf_trainer_set_target(t.get(), target.get(), &e), e));
    nf_step_info info = NF_STEP_INFO_INIT;
    ASSERT_TRUE(ok(nf_train_step(t.get(), nullptr, &info, &e), e));
    EXPECT_EQ(host.dtype, NF_F64);
    EXPECT_NEAR(info.loss - 1e8, -log_z, 6 * info.loss_error + 0.1);
    EXPECT_LT(info.loss_error, 0.1);
    const int64_t before = allocator.calls;
    ASSERT_TRUE(ok(nf_train_step(t.get(), nullptr, &info, &e), e));
    EXPECT_EQ(allocator.calls, before);
  }
}

TEST_F(TargetAbi, LogDensityOfRows) {
  const nf_allocator a = allocator.hook();
  const Runtime rt = runtime(&a);
  const Target funnel = abi_test::target(rt.get(), R"({"type": "funnel", "scale": 2})", 3);
  nf_target_info info = NF_TARGET_INFO_INIT;
  Err e;
  ASSERT_TRUE(ok(nf_target_get_info(funnel.get(), &info, &e), e));
  EXPECT_EQ(info.builtin, 1);
  EXPECT_EQ(info.event_size, 3);
  EXPECT_EQ(info.log_z, 0);
  Tensor x({5, 3}, 0.5f), log_p({5}), gradient({5, 3}), none({0, 3}), empty({0});
  ASSERT_TRUE(ok(nf_target_log_density(funnel.get(), x.view(), nullptr, log_p.view(), gradient.view(), &e), e));
  const double want = -0.5 * 0.25 / 4 - std::log(2.0) - 0.25 * std::exp(-0.5) - 0.5 - 1.5 * 1.8378770664093454836;
  EXPECT_NEAR(log_p.v[4], want, 1e-6);
  EXPECT_NEAR(gradient.v[13], -0.5 * std::exp(-0.5), 1e-6);
  EXPECT_TRUE(ok(nf_target_log_density(funnel.get(), none.view(), nullptr, empty.view(), nullptr, &e), e));
  Tensor pairs({5, 2});
  EXPECT_TRUE(failed(NF_ERR_SHAPE,
                     nf_target_log_density(funnel.get(), pairs.view(), nullptr, log_p.view(), nullptr, &e), e,
                     "x has shape"));
  Host host;
  const Target mine = host_target(rt.get(), host, 3);
  ASSERT_TRUE(ok(nf_target_get_info(mine.get(), &info, &e), e));
  EXPECT_EQ(info.builtin, 0);
  EXPECT_TRUE(std::isnan(info.log_z));
  ASSERT_TRUE(ok(nf_target_log_density(mine.get(), x.view(), nullptr, log_p.view(), nullptr, &e), e));
  EXPECT_FLOAT_EQ(log_p.v[0], -0.375f);
  EXPECT_NE(std::string(nf_targets_describe()).find("\"two_moons\""), std::string::npos);
}

}  // namespace
}  // namespace abi_test
