// Memory: calls in steady state allocate nothing, reported byte counts are exact, and running out of memory at any
// allocation, of nf_allocator or of operator new, gives NF_ERR_NOMEM without a leak (in the manner of SQLite's malloc
// tests).
#include "tests/abi/alloc_hooks.h"

namespace abi_test {
namespace {

using Memory = Counted;

// Checks that libnf.so uses this hook; without that, the zeros below would prove nothing. Valgrind puts its own
// operator new first.
bool hook_is_live(nf_runtime* rt) {
  const int64_t before = news;
  const Model m = model(rt);
  return news > before;
}

TEST_F(Memory, CallsInSteadyStateAllocateNothing) {
  if (!hook_is_live(rt.get())) GTEST_SKIP() << "something else has replaced operator new";
  const Model m = model(rt.get(), kContextSpec), trained = model(rt.get(), kContextSpec);
  const Session s = session(m.get(), options({{"session.gradients", "true"}}).get());
  const Trainer t = trainer(trained.get());
  for (int64_t n : {1, 64, 100, 1000}) {
    Tensor x = banana(n), ctx({n, 1}, 0.5f), row({n}), z({n, 2}), weight({n}, 1.0f), dx({n, 2}), dctx({n, 1}), dl({n}),
           states({info(m.get()).layer_count + 1, n, 2});
    nf_step_info step = NF_STEP_INFO_INIT;
    Err e;
    const std::pair<const char*, std::function<nf_status()>> calls[] = {
        {"nf_log_prob", [&] { return nf_log_prob(s.get(), x.view(), ctx.view(), row.view(), &e); }},
        {"nf_forward", [&] { return nf_forward(s.get(), x.view(), ctx.view(), z.view(), row.view(), &e); }},
        {"nf_inverse", [&] { return nf_inverse(s.get(), x.view(), ctx.view(), z.view(), row.view(), &e); }},
        {"nf_trace", [&] { return nf_trace(s.get(), 0, x.view(), ctx.view(), states.view(), nullptr, &e); }},
        {"nf_sample", [&] { return nf_sample(s.get(), Sampling(1, 0), ctx.view(), z.view(), row.view(), &e); }},
        {"nf_log_prob_grad",
         [&] { return nf_log_prob_grad(s.get(), x.view(), ctx.view(), row.view(), dx.view(), dctx.view(), &e); }},
        {"nf_vjp",
         [&] {
           return nf_vjp(s.get(), 1, x.view(), ctx.view(), x.view(), weight.view(), z.view(), row.view(), dx.view(),
                         dctx.view(), &e);
         }},
        {"nf_jvp",
         [&] {
           return nf_jvp(s.get(), 0, x.view(), ctx.view(), x.view(), ctx.view(), z.view(), row.view(), dx.view(),
                         dl.view(), &e);
         }},
        {"nf_train_step",
         [&] { return nf_train_step(t.get(), Batch(x.view(), ctx.view(), weight.view()), &step, &e); }},
    };
    for (const auto& [name, call] : calls) {
      // A trainer may grow with the batch; a session takes all its memory at once.
      ASSERT_TRUE(name != std::string("nf_train_step") || ok(call(), e)) << name;
      const int64_t before = news, hooked = allocator.calls;
      for (int i = 0; i < 3; ++i) ASSERT_TRUE(ok(call(), e)) << name;
      EXPECT_EQ(news - before, 0) << "operator new calls of " << name << " on " << n << " rows";
      EXPECT_EQ(allocator.calls - hooked, 0) << "allocator calls of " << name << " on " << n << " rows";
    }
  }
}

TEST_F(Memory, AutoencodersInSteadyStateAllocateNothing) {
  if (!hook_is_live(rt.get())) GTEST_SKIP() << "something else has replaced operator new";
  constexpr char kLayers[] =
      R"({"kind": "vae", "event": [3, 3, 1], "context": 1, "latent": 2, "encoder": "conv_encoder",
      "decoder": "conv_decoder", "posterior": {"features": 2, "layers": [{"type": "planar", "parameters": "context"}]}})";
  constexpr char kNormal[] = R"({"kind": "vae", "event": [3, 3, 1], "context": 1, "latent": 2,
      "prior": {"base": "gaussian_mixture"}})";
  const Model m = model(rt.get(), kLayers);
  const Session s = session(m.get(), options({{"session.score_samples", "3"}}).get());
  const std::pair<const char*, Options> trainings[] = {
      {kLayers, options({{"trainer.objective", "elbo"}, {"trainer.beta_warmup_steps", "3"}, {"trainer.draws", "2"}})},
      {kNormal, options({{"trainer.objective", "iwae"}, {"trainer.draws", "3"}})},
      {kNormal, options({{"trainer.objective", "iwae"}, {"trainer.doubly_reparameterized", "true"}})},
  };
  std::vector<Model> trained;
  std::vector<Trainer> trainers;
  for (const auto& [spec, how] : trainings) {
    trained.push_back(model(rt.get(), spec));
    trainers.push_back(trainer(trained.back().get(), how.get()));
  }
  for (int64_t n : {1, 64, 300}) {
    Tensor x({n, 9}, 1.0f), ctx({n, 1}, 0.5f), row({n}), z({n, 2}), more({n, 2}), states({2, n, 2}), dets({1, n});
    Err e;
    std::vector<std::pair<std::string, std::function<nf_status()>>> calls = {
        {"nf_log_prob", [&] { return nf_log_prob(s.get(), x.view(), ctx.view(), row.view(), &e); }},
        {"nf_encode",
         [&] { return nf_encode(s.get(), x.view(), ctx.view(), z.view(), more.view(), nullptr, row.view(), &e); }},
        {"nf_posterior_trace",
         [&] { return nf_posterior_trace(s.get(), x.view(), ctx.view(), states.view(), dets.view(), &e); }},
        {"nf_decode", [&] { return nf_decode(s.get(), z.view(), ctx.view(), x.view(), &e); }},
        {"nf_base_sample", [&] { return nf_base_sample(s.get(), Sampling(1, 0), ctx.view(), z.view(), &e); }},
        {"nf_sample", [&] { return nf_sample(s.get(), Sampling(1, 0), ctx.view(), x.view(), row.view(), &e); }},
    };
    for (size_t k = 0; k < trainers.size(); ++k)
      calls.emplace_back("nf_train_step " + std::to_string(k),
                         [&, k] { return nf_train_step(trainers[k].get(), Batch(x.view(), ctx.view()), nullptr, &e); });
    for (const auto& [name, call] : calls) {
      ASSERT_TRUE(name.find("step") == std::string::npos || ok(call(), e)) << name;
      const int64_t before = news, hooked = allocator.calls;
      for (int i = 0; i < 3; ++i) ASSERT_TRUE(ok(call(), e)) << name;
      EXPECT_EQ(news - before, 0) << "operator new calls of " << name << " on " << n << " rows";
      EXPECT_EQ(allocator.calls - hooked, 0) << "allocator calls of " << name << " on " << n << " rows";
    }
  }
}

constexpr char kCoupledSpec[] = R"({"event": [2], "layers": [{"type": "standardize"},
  {"repeat": 2, "layers": [{"type": "affine_coupling", "hidden": [8]}, {"type": "batch_norm"}, {"type": "actnorm"}]}]})";

// Layers that couple rows keep the graph of a whole batch, so memory grows with the largest batch so far and no more.
TEST_F(Memory, CoupledRowsAllocateForTheLargestBatchOnly) {
  if (!hook_is_live(rt.get())) GTEST_SKIP() << "something else has replaced operator new";
  for (const char* memory : {"full", "recompute"}) {
    const Model m = model(rt.get(), kCoupledSpec);
    const int64_t without = allocator.live;
    const Trainer t = trainer(m.get(), options({{"trainer.memory", memory}}).get());
    const auto step = [&](int64_t n) {
      Tensor x = banana(n);
      nf_step_info info = NF_STEP_INFO_INIT;
      Err e;
      const int64_t before = news, hooked = allocator.calls;
      EXPECT_TRUE(ok(nf_train_step(t.get(), Batch(x.view()), &info, &e), e));
      EXPECT_EQ(static_cast<int64_t>(nf_trainer_bytes(t.get())), allocator.live - without) << n << " rows";
      return news - before + allocator.calls - hooked;
    };
    step(100);
    EXPECT_EQ(step(100), 0) << memory;
    EXPECT_GT(step(1000), 0) << memory;
    for (int64_t n : {1000, 2, 383, 513, 1000}) EXPECT_EQ(step(n), 0) << memory << ", " << n << " rows";
  }
}

int32_t flat(void*, const nf_view* x, const nf_view*, const nf_out* log_density, const nf_out* gradient) {
  std::fill_n(static_cast<float*>(log_density->data), x->shape[0], -1.0f);
  if (gradient) std::fill_n(static_cast<float*>(gradient->data), 2 * x->shape[0], 0.0f);
  return 0;
}

TEST_F(Memory, StepsWithATargetAllocateNothing) {
  if (!hook_is_live(rt.get())) GTEST_SKIP() << "something else has replaced operator new";
  Err e;
  nf_target* mine = nullptr;
  ASSERT_TRUE(ok(nf_target_create_callback(rt.get(), 2, flat, nullptr, &mine, &e), e));
  const Target host(mine), builtin = target(rt.get(), "u1");
  Tensor x = banana(300);
  for (const char* objective : {"reverse_kl", "symmetric", "alpha", "fisher"})
    for (const char* path : {"false", "true"})
      for (const nf_target* target : {host.get(), builtin.get()}) {
        const std::string name = objective;
        if ((name == "alpha" || name == "fisher") && *path == 't') continue;
        const Model m = model(rt.get());
        const int64_t without = allocator.live;
        const Options drawing = options({{"trainer.objective", objective},
                                         {"trainer.samples", "300"},
                                         {"trainer.path_gradient", path}}),
                      scoring = options({{"trainer.objective", objective}});
        const Trainer t = trainer(m.get(), name == "fisher" ? scoring.get() : drawing.get());
        ASSERT_TRUE(ok(nf_trainer_set_target(t.get(), target, &e), e));
        const auto step = [&] {
          return nf_train_step(t.get(), Batch(name == "symmetric" || name == "fisher" ? &x.view() : nullptr), nullptr,
                               &e);
        };
        ASSERT_TRUE(ok(step(), e));
        EXPECT_EQ(static_cast<int64_t>(nf_trainer_bytes(t.get())), allocator.live - without);
        const int64_t before = news, hooked = allocator.calls;
        for (int i = 0; i < 3; ++i) ASSERT_TRUE(ok(step(), e));
        EXPECT_EQ(news - before, 0) << objective << ", path " << path << ", host " << (target == mine);
        EXPECT_EQ(allocator.calls - hooked, 0) << objective << ", path " << path << ", host " << (target == mine);
      }
}

TEST_F(Memory, ErrorsAllocateNothingFromTheHook) {
  const Model m = model(rt.get());
  const Session s = session(m.get());
  Tensor x({4, 3}), row({4});
  const int64_t before = allocator.calls;
  EXPECT_EQ(nf_log_prob(s.get(), x.view(), nullptr, row.view(), nullptr), NF_ERR_SHAPE);
  EXPECT_EQ(allocator.calls, before);
}

TEST_F(Memory, ByteCountsArePromises) {
  const Model m = model(rt.get());
  const int64_t before = allocator.live;
  const Session s = session(m.get());
  EXPECT_GT(nf_session_bytes(s.get()), 0u);
  EXPECT_EQ(static_cast<int64_t>(nf_session_bytes(s.get())), allocator.live - before);
  Tensor x = banana(5000), row({5000});
  Err e;
  ASSERT_TRUE(ok(nf_log_prob(s.get(), x.view(), nullptr, row.view(), &e), e));
  EXPECT_EQ(static_cast<int64_t>(nf_session_bytes(s.get())), allocator.live - before) << "a session grew";

  const int64_t without = allocator.live;
  const Trainer t = trainer(m.get());
  EXPECT_EQ(static_cast<int64_t>(nf_trainer_bytes(t.get())), allocator.live - without);
  size_t last = 0;
  for (int64_t n : {10, 100, 5000, 300}) {
    Tensor batch = banana(n);
    ASSERT_TRUE(ok(nf_train_step(t.get(), Batch(batch.view()), nullptr, &e), e));
    EXPECT_EQ(static_cast<int64_t>(nf_trainer_bytes(t.get())), allocator.live - without) << n << " rows";
    EXPECT_TRUE(n != 300 || nf_trainer_bytes(t.get()) == last) << "grew though the batch did not";
    last = nf_trainer_bytes(t.get());
  }
}

template <class T>
nf_status made(nf_status status, T*& p, void (*free)(T*)) {
  if (status == NF_OK) free(p);
  return status;
}

TEST_F(Memory, AnyAllocationMayFail) {
  const Model m = model(rt.get());
  const std::vector<unsigned char> file = bytes_of(m.get());
  const TempDir dir;
  const std::string path = dir / "m.safetensors", csv = dir / "t.csv", checkpoint = dir / "c.safetensors";
  Err e;
  Tensor x = banana(50), row({50});
  ASSERT_TRUE(ok(nf_model_save(m.get(), path.c_str(), &e), e));
  ASSERT_TRUE(ok(nf_table_save(x.view(), csv.c_str(), nullptr, &e), e));
  const Options bag = options({{"runtime.threads", "2"}});
  const Options fitting =
      options({{"trainer.objective", "reverse_kl"}, {"trainer.samples", "70"}, {"trainer.path_gradient", "true"}});
  const nf_allocator hook = allocator.hook();

  out_of_memory("nf_options_create and set", allocator, [](nf_error* err) {
    nf_options* o = nullptr;
    nf_status status = nf_options_create(&o, err);
    if (status == NF_OK) status = nf_options_set(o, "trainer.optimizer", "adamw", err);
    if (status == NF_OK)
      status = nf_options_set_str(o, "table.columns", "a_long_name_that_no_small_string_buffer_holds,b", err);
    nf_options_free(o);
    return status;
  });
  out_of_memory("nf_runtime_create", allocator, [&](nf_error* err) {
    nf_runtime* p = nullptr;
    return made(nf_runtime_create(bag.get(), &hook, nullptr, nullptr, nullptr, &p, err), p, nf_runtime_free);
  });
  out_of_memory("nf_model_create", allocator, [&](nf_error* err) {
    nf_model* p = nullptr;
    return made(nf_model_create(rt.get(), kSpec, sizeof(kSpec) - 1, 1, &p, err), p, nf_model_free);
  });
  out_of_memory("nf_model_create, every kind of value", allocator, [&](nf_error* err) {
    constexpr char kAll[] = R"({"event": [3], "context": 1, "dtype": "float64", "base": {"type": "diagonal_normal"},
      "layers": [{"type": "permutation", "order": [2, 0, 1], "invert": true},
                 {"repeat": 2, "layers": [{"type": "affine_coupling", "hidden": [3, 4], "cap": 2.5}]}]})";
    nf_model* p = nullptr;
    return made(nf_model_create(rt.get(), kAll, sizeof(kAll) - 1, 1, &p, err), p, nf_model_free);
  });
  out_of_memory("nf_model_load", allocator, [&](nf_error* err) {
    nf_model* p = nullptr;
    return made(nf_model_load(rt.get(), path.c_str(), nullptr, &p, err), p, nf_model_free);
  });
  out_of_memory("nf_model_load_memory", allocator, [&](nf_error* err) {
    nf_model* p = nullptr;
    return made(nf_model_load_memory(rt.get(), file.data(), file.size(), nullptr, &p, err), p, nf_model_free);
  });
  out_of_memory("nf_model_save", allocator, [&](nf_error* err) { return nf_model_save(m.get(), path.c_str(), err); });
  out_of_memory("nf_session_create", allocator, [&](nf_error* err) {
    nf_session* p = nullptr;
    return made(nf_session_create(m.get(), nullptr, &p, err), p, nf_session_free);
  });
  out_of_memory("nf_trainer_create and step", allocator, [&](nf_error* err) {
    nf_trainer* p = nullptr;
    nf_status status = nf_trainer_create(m.get(), nullptr, nullptr, &p, err);
    if (status == NF_OK) status = nf_train_step(p, Batch(x.view()), nullptr, err);
    nf_trainer_free(p);
    return status;
  });
  out_of_memory("nf_model_create and fit_data", allocator, [&](nf_error* err) {
    nf_model* p = nullptr;
    nf_status status = nf_model_create(rt.get(), kCoupledSpec, sizeof(kCoupledSpec) - 1, 1, &p, err);
    if (status == NF_OK) status = nf_model_init_from_data(p, x.view(), nullptr, err);
    nf_model_free(p);
    return status;
  });
  const Model coupled = model(rt.get(), kCoupledSpec);
  out_of_memory("nf_trainer_create and step, rows coupled", allocator, [&](nf_error* err) {
    nf_trainer* p = nullptr;
    nf_status status = nf_trainer_create(coupled.get(), nullptr, nullptr, &p, err);
    if (status == NF_OK) status = nf_train_step(p, Batch(x.view()), nullptr, err);
    nf_trainer_free(p);
    return status;
  });
  Tensor chain({2, 3, 2});
  out_of_memory("nf_target_create, a step and weighing", allocator, [&](nf_error* err) {
    nf_target* target = nullptr;
    nf_trainer* p = nullptr;
    nf_session* session = nullptr;
    nf_importance_info info = NF_IMPORTANCE_INFO_INIT;
    const char spec[] = R"({"type": "u1", "radius": 3})";
    nf_status status = nf_target_create(rt.get(), spec, sizeof(spec) - 1, 2, &target, err);
    if (status == NF_OK) status = nf_trainer_create(coupled.get(), fitting.get(), nullptr, &p, err);
    if (status == NF_OK) status = nf_trainer_set_target(p, target, err);
    if (status == NF_OK) status = nf_train_step(p, nullptr, nullptr, err);
    if (status == NF_OK) status = nf_session_create(coupled.get(), nullptr, &session, err);
    if (status == NF_OK) status = nf_importance(session, target, 1, 0, 50, nullptr, nullptr, nullptr, &info, err);
    if (status == NF_OK)
      status = nf_metropolis(rt.get(), target, nullptr, nullptr, nullptr, nullptr, chain.view(), nullptr, err);
    nf_trainer_free(p);
    nf_session_free(session);
    nf_target_free(target);
    return status;
  });
  out_of_memory("nf_trainer_create, step, save and restore", allocator, [&](nf_error* err) {
    nf_trainer* p = nullptr;
    nf_status status = nf_trainer_create(m.get(), nullptr, nullptr, &p, err);
    if (status == NF_OK) status = nf_train_step(p, Batch(x.view()), nullptr, err);
    if (status == NF_OK) status = nf_trainer_save(p, checkpoint.c_str(), err);
    if (status == NF_OK) status = nf_trainer_restore(p, checkpoint.c_str(), err);
    nf_trainer_free(p);
    return status;
  });
  out_of_memory("nf_table_open", allocator, [&](nf_error* err) {
    nf_table* p = nullptr;
    return made(nf_table_open(rt.get(), csv.c_str(), nullptr, &p, err), p, nf_table_free);
  });
  out_of_memory("nf_batches_create and get", allocator, [&](nf_error* err) {
    nf_batches* p = nullptr;
    nf_status status = nf_batches_create(rt.get(), Batch(x.view()), nullptr, &p, err);
    nf_batch batch = NF_BATCH_INIT;
    if (status == NF_OK) status = nf_batches_get(p, 1, &batch, err);
    nf_batches_free(p);
    return status;
  });
}

// Descriptions are made at the first call: one that runs out of memory is NULL, and the next may succeed.
TEST_F(Memory, DescriptionsThatRunOut) {
  for (const auto& describe : {nf_parts_describe, nf_options_describe, nf_targets_describe}) {
    const char* text = nullptr;
    for (int64_t k = 0; !text; ++k) {
      ASSERT_LT(k, 100000);
      armed_news = 0;
      fail_new_at = k;
      text = describe();
      fail_new_at = -1;
    }
    EXPECT_EQ(text, describe());
  }
}

// A bad spec is reported as such, unless there is no memory to report it.
TEST_F(Memory, ErrorsThatRunOutOfMemory) {
  for (const std::string spec : {
           R"({"event": [2], "layers": [{"layers": [{"type": "affine_coupling", "hidden": [3], "hidden": [4]}]}]})",
           R"({"event": [2], "layers": [{"type": "affine_coupling", "hiden": [3]}]})",
           R"({"event": [2], "layers": [{"type": "affine_cuopling"}]})",
           R"({"event": [2], "layers": [{"type": "permutation", "order": [0, 0]}]})",
           R"({"event": [2], "base": {"a long name of something": [[[["a text that is longer than any buffer"]]]]}})",
           R"({"event": [2], "layers": [{"a long name of something": "a text that is longer than any buffer)",
       }) {
    SCOPED_TRACE(spec);
    Err e;
    for (int64_t k = 0; e.code != NF_ERR_SPEC; ++k) {
      ASSERT_LT(k, 100000);
      nf_model* p = nullptr;
      const int64_t live_new = live_news;
      armed_news = 0;
      fail_new_at = k;
      const nf_status status = nf_model_create(rt.get(), spec.data(), spec.size(), 1, &p, &e);
      fail_new_at = -1;
      ASSERT_TRUE(status == NF_ERR_SPEC || status == NF_ERR_NOMEM) << nf_status_name(status);
      ASSERT_EQ(live_news - live_new, 0) << "operator new call " << k;
    }
  }
}

// A step that runs out of memory is not applied, and the next one succeeds.
void survives_running_out(nf_runtime* rt, CountingAllocator& allocator, const char* spec) {
  SCOPED_TRACE(spec);
  const Model m = model(rt, spec), twin = model(rt, spec);
  const Trainer t = trainer(m.get()), u = trainer(twin.get());
  Tensor x = banana(3000), few = banana(40);
  Err e;
  for (nf_trainer* p : {t.get(), u.get()}) ASSERT_TRUE(ok(nf_train_step(p, Batch(few.view()), nullptr, &e), e));
  const uint64_t before = nf_model_hash(m.get());
  for (int64_t k = 0;; ++k) {
    ASSERT_LT(k, 10000);
    allocator.fail_at = allocator.calls + k;
    const nf_status status = nf_train_step(t.get(), Batch(x.view()), nullptr, &e);
    allocator.fail_at = -1;
    if (status == NF_OK) break;
    ASSERT_TRUE(failed(NF_ERR_NOMEM, status, e));
    ASSERT_EQ(nf_model_hash(m.get()), before);
  }
  ASSERT_TRUE(ok(nf_train_step(u.get(), Batch(x.view()), nullptr, &e), e));
  EXPECT_EQ(nf_model_hash(m.get()), nf_model_hash(twin.get()));
}

TEST_F(Memory, ATrainerSurvivesRunningOutOfMemory) {
  survives_running_out(rt.get(), allocator, kSpec);
  survives_running_out(rt.get(), allocator, kCoupledSpec);
}

// A cotangent of log_prob, and one of all results.
struct HostCall {
  HostCall(int64_t n, nf_direction direction) : x(banana(n)), out({n, 2}, 0.01f), row({n}, -0.01f) {
    c.direction = direction;
    c.out = out.view();
    c.log_det = c.log_prob = row.view();
  }
  nf_status add(nf_trainer* t, nf_error* err) { return nf_trainer_accumulate(t, Batch(x.view()), &c, err); }
  Tensor x, out, row;
  nf_cotangents c = NF_COTANGENTS_INIT;
};

TEST_F(Memory, TrainerCallsInSteadyStateAllocateNothing) {
  if (!hook_is_live(rt.get())) GTEST_SKIP() << "something else has replaced operator new";
  for (const char* spec : {kSpec, kCoupledSpec}) {
    const Model m = model(rt.get(), spec);
    const Trainer t = trainer(m.get());
    for (const int64_t n : {1000, 2, 100, 1000}) {
      HostCall forward(n, NF_FORWARD), inverse(n, NF_INVERSE);
      Err e;
      double loss = 0, error = 0;
      const auto all = [&] {
        ASSERT_TRUE(ok(forward.add(t.get(), &e), e));
        ASSERT_TRUE(ok(inverse.add(t.get(), &e), e));
        ASSERT_TRUE(ok(nf_trainer_apply(t.get(), 1, nullptr, &e), e));
        ASSERT_TRUE(ok(nf_trainer_evaluate(t.get(), Batch(forward.x.view()), &loss, &error, &e), e));
        ASSERT_TRUE(ok(nf_trainer_restart(t.get(), 1, &e), e));
      };
      if (n == 1000) all();
      const int64_t before = news, hooked = allocator.calls;
      all();
      EXPECT_EQ(news - before, 0) << n << " rows";
      EXPECT_EQ(allocator.calls - hooked, 0) << n << " rows";
    }
  }
}

TEST_F(Memory, RunningOutInFitsAndHostLosses) {
  const TempDir dir;
  const std::string checkpoint = dir / "c.safetensors";
  const Model coupled = model(rt.get(), kCoupledSpec);
  const Options grouped = options({{"trainer.groups", R"([{"match": "layers.1.*", "lr": 0.1}])"}});
  Tensor x = banana(50);
  HostCall forward(50, NF_FORWARD), inverse(50, NF_INVERSE);
  std::vector<unsigned char> file;
  file.reserve(1 << 20);
  out_of_memory("host losses, evaluate, rates, checkpoints in memory", allocator, [&](nf_error* err) {
    nf_trainer* p = nullptr;
    double loss = 0;
    file.clear();
    const nf_write_fn append = [](void* user, const void* bytes, size_t n) -> int32_t {
      auto& to = *static_cast<std::vector<unsigned char>*>(user);
      if (to.size() + n > to.capacity()) return 1;
      to.insert(to.end(), static_cast<const unsigned char*>(bytes), static_cast<const unsigned char*>(bytes) + n);
      return 0;
    };
    nf_status status = nf_trainer_create(coupled.get(), grouped.get(), nullptr, &p, err);
    if (status == NF_OK) status = forward.add(p, err);
    if (status == NF_OK) status = inverse.add(p, err);
    if (status == NF_OK) status = nf_trainer_apply(p, 0, nullptr, err);
    if (status == NF_OK) status = nf_trainer_evaluate(p, Batch(x.view()), &loss, nullptr, err);
    if (status == NF_OK) status = nf_trainer_set_lr(p, "layers.1.*", 0.01, err);
    if (status == NF_OK) status = nf_trainer_save_stream(p, append, &file, err);
    if (status == NF_OK) status = nf_trainer_restore_memory(p, file.data(), file.size(), err);
    nf_trainer_free(p);
    return status;
  });
  out_of_memory("nf_fit", allocator, [&](nf_error* err) {
    nf_options* o = nullptr;
    nf_model* p = nullptr;
    nf_status status = nf_options_create(&o, err);
    for (const auto& [key, value] : {std::pair{"fit.steps", "4"},
                                     {"fit.valid_every", "2"},
                                     {"trainer.ema_decay", "0.9"},
                                     {"fit.resume", "true"},
                                     {"fit.checkpoint", checkpoint.c_str()}})
      if (status == NF_OK) status = nf_options_set(o, key, value, err);
    if (status == NF_OK) status = nf_model_create(rt.get(), kCoupledSpec, NF_TEXT, 1, &p, err);
    if (status == NF_OK) status = nf_model_set_self_test(p, 3, err);
    if (status == NF_OK) status = nf_fit(p, Batch(x.view()), nullptr, o, nullptr, nullptr, nullptr, err);
    nf_model_free(p);
    nf_options_free(o);
    return status;
  });
  out_of_memory("nf_model_load with a self-test", allocator, [&](nf_error* err) {
    nf_options* o = nullptr;
    nf_model* p = nullptr;
    nf_status status = nf_options_create(&o, err);
    if (status == NF_OK) status = nf_options_set(o, "load.verify", "true", err);
    if (status == NF_OK) status = nf_model_load(rt.get(), checkpoint.c_str(), o, &p, err);
    nf_model_free(p);
    nf_options_free(o);
    return status;
  });
}

}  // namespace
}  // namespace abi_test
