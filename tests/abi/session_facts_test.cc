// Facts that nf.h states about sessions, models and options: memory and bits for any number of threads, forked children,
// traces, copies of models, options that read back, scopes, and the simple calls.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nf/nf.hpp>
#include <nlohmann/json.hpp>

#include "tests/abi/abi_support.h"

namespace abi_test {
namespace {

using nlohmann::json;

constexpr int64_t kRows = 3000;

Tensor scores(nf_session* s, Tensor& x, Tensor* ctx = nullptr) {
  Tensor out({static_cast<int64_t>(x.v.size() / 2)});
  Err e;
  EXPECT_TRUE(
      ok(nf_log_prob(s, x.view(), ctx ? static_cast<const nf_view*>(ctx->view()) : nullptr, out.view(), &e), e));
  return out;
}

TEST(SessionFacts, MemoryIsProportionalToThreadsAndBitsAreNot) {
  const Runtime rt = runtime(nullptr, options({{"runtime.threads", "4"}}).get());
  const Model m = model(rt.get());
  Tensor x = banana(kRows);
  const Session one = session(m.get(), options({{"session.threads", "1"}}).get());
  const size_t bytes = nf_session_bytes(one.get());
  const std::vector<float> want = scores(one.get(), x).v;
  EXPECT_GT(bytes, 0u);
  for (const auto& [threads, share] : {std::pair{"2", 2u}, {"3", 3u}, {"4", 4u}, {"64", 4u}, {"0", 4u}}) {
    const Session s = session(m.get(), options({{"session.threads", threads}}).get());
    EXPECT_EQ(nf_session_bytes(s.get()), share * bytes) << threads;
    EXPECT_TRUE(same_bits(scores(s.get(), x).v, want)) << threads;
  }
  EXPECT_EQ(nf_session_bytes(session(m.get()).get()), 4 * bytes);
}

// Whatever the rows that a session processes at once, results have the same bits, and fewer take less memory.
TEST(SessionFacts, BlocksChangeMemoryAndNoBits) {
  const nf::Runtime rt(nf::Options{{"runtime.threads", 2}});
  for (
      const char* spec :
      {R"({"event": [4, 4, 1], "context": 2, "layers": [{"type": "dequantize"}, {"type": "logit", "alpha": 0.05},
           {"type": "affine_coupling", "net": {"type": "conv", "hidden": [8, 8]}, "mask": "checkerboard"},
           {"type": "spline_coupling", "net": {"type": "mlp", "hidden": [8]}}]})",
       R"({"kind": "vae", "event": [4, 4, 1], "context": 2, "latent": 3, "encoder": "conv_encoder", "decoder": "conv_decoder",
           "posterior": {"layers": [{"type": "planar"}]}})"}) {
    const nf::Model m(rt, spec, 3);
    constexpr int64_t kImages = 41;
    std::vector<double> x(kImages * 16), context(kImages * 2);
    for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<double>(i * 7 % 11 % 2);
    for (size_t i = 0; i < context.size(); ++i) context[i] = static_cast<double>(i % 5) - 2;
    const nf::View rows(x.data(), kImages, 16), given(context.data(), kImages, 2);
    struct Results {
      std::vector<double> log_prob, samples;
    };
    const auto run = [&](nf::Session& s) {
      return Results{s.log_prob<double>(rows, given), s.sample<double>(kImages, {5}, given)};
    };
    nf::Session whole(m, {{"session.score_samples", 3}});
    const Results want = run(whole);
    for (const int block : {16, 3, 1}) {
      nf::Session s(m, {{"session.score_samples", 3}, {"session.block_rows", block}});
      const Results got = run(s);
      EXPECT_EQ(got.log_prob, want.log_prob) << block;
      EXPECT_EQ(got.samples, want.samples) << block;
      EXPECT_LT(nf_session_bytes(s.get()), nf_session_bytes(whole.get())) << block;
    }
    nf::Session most(m, {{"session.score_samples", 3}, {"session.block_rows", 256}});
    EXPECT_EQ(run(most).log_prob, want.log_prob);
  }
}

// In the child, the runtime's threads do not exist; calls run on the thread that forked.
TEST(SessionFacts, AForkedChildWorks) {
  if (kSanitized) GTEST_SKIP() << "sanitizers do not support this";
  const Runtime rt = runtime(nullptr, options({{"runtime.threads", "4"}}).get());
  const Model m = model(rt.get()), trained = model(rt.get());
  const Session s = session(m.get());
  const Trainer t = trainer(trained.get());
  Tensor x = banana(kRows);
  Err e;
  const std::vector<float> want = scores(s.get(), x).v;
  ASSERT_TRUE(ok(nf_train_step(t.get(), Batch(x.view()), nullptr, &e), e));
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    alarm(20);  // ends a child that hangs
    Tensor out({kRows});
    bool fine = nf_log_prob(s.get(), x.view(), nullptr, out.view(), nullptr) == NF_OK && same_bits(out.v, want);
    fine = fine && nf_train_step(t.get(), Batch(x.view()), nullptr, nullptr) == NF_OK;
    nf_session* own = nullptr;
    fine = fine && nf_session_create(m.get(), nullptr, &own, nullptr) == NF_OK &&
           nf_log_prob(own, x.view(), nullptr, out.view(), nullptr) == NF_OK && same_bits(out.v, want);
    nf_session_free(own);
    // Not by exit, before which a leak checker would ask for the parent's threads.
    const char* const end = fine ? "true" : "false";
    execlp(end, end, nullptr);
    _exit(2);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_TRUE(same_bits(scores(s.get(), x).v, want)) << "the parent's threads still work";
}

TEST_F(Counted, TracesAddUp) {
  for (
      const char* spec :
      {R"({"event": [4, 4, 2], "layers": [{"type": "actnorm"}, {"type": "squeeze"}, {"type": "affine_coupling", "hidden": [8]},
            {"type": "split", "layers": [{"type": "reverse"}, {"type": "elementwise_affine"}]}]})",
       R"({"event": [2], "layers": [{"repeat": 3, "layers": [{"type": "spline_coupling", "hidden": [8]}, {"type": "reverse"}]}]})"}) {
    const Model m = model(rt.get(), spec);
    const Session s = session(m.get());
    const nf_model_info i = info(m.get());
    const int64_t n = 7, layers = i.layer_count, d = i.event_size;
    Err e;
    std::vector<int64_t> planes = {layers + 1, n};
    planes.insert(planes.end(), i.event, i.event + i.event_ndim);  // rank 5 for images
    Tensor x({n, d}), z({n, d}), log_det({n}), states(planes), flat({layers + 1, n, d}), dets({layers, n});
    for (size_t k = 0; k < x.v.size(); ++k) x.v[k] = static_cast<float>(std::sin(1.0 + 3.7 * static_cast<double>(k)));
    for (const nf_direction direction : {NF_FORWARD, NF_INVERSE}) {
      SCOPED_TRACE(std::string(spec) + (direction ? " inverse" : " forward"));
      ASSERT_TRUE(
          ok((direction ? nf_inverse : nf_forward)(s.get(), x.view(), nullptr, z.view(), log_det.view(), &e), e));
      ASSERT_TRUE(ok(nf_trace(s.get(), direction, x.view(), nullptr, states.view(), dets.view(), &e), e));
      ASSERT_TRUE(ok(nf_trace(s.get(), direction, x.view(), nullptr, flat.view(), nullptr, &e), e));
      EXPECT_TRUE(same_bits(states.v, flat.v));
      const size_t plane = static_cast<size_t>(n * d);
      EXPECT_TRUE(same_bits({states.v.begin(), states.v.begin() + static_cast<long>(plane)}, x.v));
      EXPECT_TRUE(same_bits({states.v.end() - static_cast<long>(plane), states.v.end()}, z.v));
      for (size_t r = 0; r < static_cast<size_t>(n); ++r) {
        double sum = 0;
        for (size_t k = 0; k < static_cast<size_t>(layers); ++k)
          sum += static_cast<double>(dets.v[k * static_cast<size_t>(n) + r]);
        EXPECT_NEAR(sum, log_det.v[r], 2e-5 * std::max(1.0, std::abs(sum))) << r;
      }
      x.v = z.v;
    }
  }
}

// Every tensor of the model, one after the other.
std::vector<float> tensors_of(const nf_model* m) {
  std::vector<float> all;
  Err e;
  for (int64_t i = 0; i < info(m).tensor_count; ++i) {
    nf_tensor_info t = NF_TENSOR_INFO_INIT;
    EXPECT_TRUE(ok(nf_model_tensor(m, i, &t, &e), e));
    Tensor v(std::vector<int64_t>(t.shape, t.shape + t.ndim));
    EXPECT_TRUE(ok(nf_model_get_tensor(m, t.name, v.view(), &e), e));
    all.insert(all.end(), v.v.begin(), v.v.end());
  }
  return all;
}

TEST_F(Counted, ClonesAreEqualAndIndependent) {
  const Model m = model(rt.get());
  Err e;
  ASSERT_TRUE(ok(nf_model_set_note(m.get(), "who", "me", &e), e));
  const Session s = session(m.get());
  const Trainer t = trainer(m.get());
  Tensor x = banana(kRows);
  ASSERT_TRUE(ok(nf_train_step(t.get(), Batch(x.view()), nullptr, &e), e));
  nf_model* raw = nullptr;
  ASSERT_TRUE(ok(nf_model_clone(m.get(), nullptr, &raw, &e), e));
  const Model copy(raw);
  EXPECT_EQ(nf_model_hash(copy.get()), nf_model_hash(m.get()));
  EXPECT_TRUE(same_bits(tensors_of(copy.get()), tensors_of(m.get())));
  EXPECT_EQ(bytes_of(copy.get()), bytes_of(m.get()));
  EXPECT_STREQ(nf_model_spec(copy.get()), nf_model_spec(m.get()));
  EXPECT_STREQ(nf_model_note(copy.get(), "who"), "me");
  const Session of_copy = session(copy.get());
  const std::vector<float> before = scores(of_copy.get(), x).v;
  EXPECT_TRUE(same_bits(before, scores(s.get(), x).v));
  // The model trains on, and the copy stays; it may have a trainer of its own.
  ASSERT_TRUE(ok(nf_train_step(t.get(), Batch(x.view()), nullptr, &e), e));
  ASSERT_TRUE(ok(nf_model_set_note(m.get(), "who", nullptr, &e), e));
  EXPECT_TRUE(same_bits(before, scores(of_copy.get(), x).v));
  EXPECT_STREQ(nf_model_note(copy.get(), "who"), "me");
  EXPECT_NE(nf_model_hash(copy.get()), nf_model_hash(m.get()));
  const Trainer another = trainer(copy.get());
  const uint64_t hash = nf_model_hash(m.get());
  ASSERT_TRUE(ok(nf_train_step(another.get(), Batch(x.view()), nullptr, &e), e));
  EXPECT_EQ(nf_model_hash(m.get()), hash);
  // On another runtime, which the clone keeps alive.
  Runtime other = runtime();
  ASSERT_TRUE(ok(nf_model_clone(m.get(), other.get(), &raw, &e), e));
  const Model elsewhere(raw);
  other.reset();
  EXPECT_TRUE(same_bits(scores(session(elsewhere.get()).get(), x).v, scores(s.get(), x).v));
}

TEST_F(Counted, CopiesReachSessionsAndTrainers) {
  const Model from = model(rt.get(), kSpec, 1), to = model(rt.get(), kSpec, 2), alone = model(rt.get(), kSpec, 1);
  Err e;
  Tensor x = banana(512);
  const Session s = session(to.get()), want = session(from.get());
  // Plain steps, so that a step is a function of the parameters and the batch only.
  const Options plain = options({{"trainer.optimizer", "sgd"}});
  const Trainer t = trainer(to.get(), plain.get()), reference = trainer(alone.get(), plain.get());
  ASSERT_TRUE(ok(nf_train_step(t.get(), Batch(x.view()), nullptr, &e), e));
  Tensor other = banana(512, 9);
  ASSERT_TRUE(ok(nf_model_set_note(from.get(), "units", "mm", &e), e));
  ASSERT_TRUE(ok(nf_model_set_note(to.get(), "who", "me", &e), e));
  EXPECT_FALSE(same_bits(scores(s.get(), x).v, scores(want.get(), x).v));
  ASSERT_TRUE(ok(nf_model_copy(to.get(), from.get(), &e), e));
  EXPECT_EQ(nf_model_hash(to.get()), nf_model_hash(from.get()));
  EXPECT_TRUE(same_bits(scores(s.get(), x).v, scores(want.get(), x).v));
  EXPECT_EQ(bytes_of(to.get()), bytes_of(from.get()));
  EXPECT_STREQ(nf_model_note(to.get(), "units"), "mm");
  EXPECT_EQ(nf_model_note(to.get(), "who"), nullptr);
  // A trainer of `to` goes on from the copied parameters, transposed matrices included.
  ASSERT_TRUE(ok(nf_train_step(t.get(), Batch(other.view()), nullptr, &e), e));
  ASSERT_TRUE(ok(nf_train_step(reference.get(), Batch(other.view()), nullptr, &e), e));
  EXPECT_TRUE(same_bits(tensors_of(to.get()), tensors_of(alone.get())));
  EXPECT_TRUE(same_bits(tensors_of(from.get()), tensors_of(model(rt.get(), kSpec, 1).get()))) << "from changed";
  // To itself: nothing. To another spec: refused.
  const uint64_t hash = nf_model_hash(to.get());
  ASSERT_TRUE(ok(nf_model_copy(to.get(), to.get(), &e), e));
  const Model context = model(rt.get(), kContextSpec);
  EXPECT_TRUE(failed(NF_ERR_SPEC, nf_model_copy(to.get(), context.get(), &e), e, "different specs"));
  EXPECT_EQ(nf_model_hash(to.get()), hash);
}

TEST_F(Counted, GenerationsCountChanges) {
  EXPECT_EQ(nf_model_generation(nullptr), 0u);
  EXPECT_EQ(nf_model_hash(nullptr), 0u);
  const Model m = model(rt.get()), from = model(rt.get(), kSpec, 5);
  const TempDir dir;
  Err e;
  Tensor x = banana(128);
  const Options averaged = options({{"trainer.ema_decay", "0.9"}});
  const Trainer t = trainer(m.get(), averaged.get());
  uint64_t last = nf_model_generation(m.get());
  const auto moved = [&] {
    const uint64_t now = nf_model_generation(m.get());
    return std::exchange(last, now) != now;
  };
  const std::string path = dir / "c.safetensors";
  ASSERT_TRUE(ok(nf_train_step(t.get(), Batch(x.view()), nullptr, &e), e));
  EXPECT_TRUE(moved()) << "a step";
  ASSERT_TRUE(ok(nf_trainer_save(t.get(), path.c_str(), &e), e));
  scores(session(m.get()).get(), x);
  EXPECT_FALSE(moved()) << "saving and scoring";
  ASSERT_TRUE(ok(nf_trainer_restore(t.get(), path.c_str(), &e), e));
  EXPECT_TRUE(moved()) << "a restored checkpoint";
  ASSERT_TRUE(ok(nf_model_copy(m.get(), from.get(), &e), e));
  EXPECT_TRUE(moved()) << "a copy";
  nf_tensor_info info = NF_TENSOR_INFO_INIT;
  ASSERT_TRUE(ok(nf_model_tensor(m.get(), 0, &info, &e), e));
  Tensor v(std::vector<int64_t>(info.shape, info.shape + info.ndim));
  ASSERT_TRUE(ok(nf_model_get_tensor(m.get(), info.name, v.view(), &e), e));
  EXPECT_FALSE(moved()) << "reading a tensor";
  ASSERT_TRUE(ok(nf_model_set_tensor(m.get(), info.name, v.view(), &e), e));
  EXPECT_TRUE(moved()) << "a set tensor";
  ASSERT_TRUE(ok(nf_trainer_use_average(t.get(), 1, &e), e));
  EXPECT_TRUE(moved()) << "the average";
  ASSERT_TRUE(ok(nf_trainer_use_average(t.get(), 0, &e), e));
  EXPECT_TRUE(moved()) << "the parameters of the last step";
}

std::string json_of(const nf_options* o) {
  std::string text;
  Err e;
  const nf_write_fn append = [](void* user, const void* bytes, size_t n) -> int32_t {
    static_cast<std::string*>(user)->append(static_cast<const char*>(bytes), n);
    return 0;
  };
  EXPECT_TRUE(ok(nf_options_json(o, append, &text, &e), e));
  return text;
}

TEST(Options, ReadBackFromJson) {
  const Options o = options(), back = options();
  Err e;
  EXPECT_EQ(json::parse(json_of(o.get())), json::object());
  const json all = json::parse(nf_options_describe());
  std::vector<std::string> set;
  for (const json& option : all) {
    const std::string key = option["name"];
    const json& value = option["default"];
    const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
    if (nf_options_set(o.get(), key.c_str(), text.c_str(), &e) == NF_OK) set.push_back(key);
  }
  EXPECT_GT(set.size(), 30u);
  // Numbers that a double would not hold.
  ASSERT_TRUE(ok(nf_options_set_i64(o.get(), "session.score_seed", INT64_MAX, &e), e));
  ASSERT_TRUE(ok(nf_options_set_f64(o.get(), "trainer.lr", 0.1 + 0.2, &e), e));
  const json written = json::parse(json_of(o.get()));
  EXPECT_EQ(written.size(), set.size());
  for (const auto& [key, value] : written.items()) {
    const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
    EXPECT_TRUE(ok(nf_options_set(back.get(), key.c_str(), text.c_str(), &e), e)) << key;
  }
  EXPECT_EQ(json_of(back.get()), json_of(o.get()));
  EXPECT_EQ(written["session.score_seed"].get<int64_t>(), INT64_MAX);
  EXPECT_EQ(written["trainer.lr"].get<double>(), 0.1 + 0.2);
  const nf_write_fn refuse = [](void*, const void*, size_t) -> int32_t { return 1; };
  EXPECT_TRUE(failed(NF_ERR_CALLBACK, nf_options_json(o.get(), refuse, nullptr, &e), e));
}

// A key of a scope that a call does not read would have no effect, so it is refused.
TEST(Options, ForeignScopesAreRefused) {
  const Runtime rt = runtime();
  const Model m = model(rt.get());
  const TempDir dir;
  const std::string path = dir / "m.safetensors";
  const std::vector<unsigned char> file = bytes_of(m.get());
  Err e;
  ASSERT_TRUE(ok(nf_model_save(m.get(), path.c_str(), &e), e));
  Tensor x = banana(16), out({2, 2, 2});
  const Target goal = target(rt.get());
  const std::pair<const char*, const char*> keys[] = {{"runtime.threads", "1"},   {"load.max_file_bytes", "100000"},
                                                      {"session.threads", "1"},   {"trainer.lr", "0.001"},
                                                      {"table.dtype", "float32"}, {"batches.batch", "4"},
                                                      {"metropolis.thin", "1"}};
  for (const auto& pair : keys) {
    const char *key = pair.first, *value = pair.second;  // clang 14 captures no structured binding
    const Options o = options({{key, value}});
    const std::string scope = std::string(key).substr(0, std::string(key).find('.'));
    const auto expect = [&](const char* reads, nf_status status) {
      if (scope == reads)
        EXPECT_TRUE(ok(status, e)) << key;
      else
        EXPECT_TRUE(failed(NF_ERR_SPEC, status, e, key)) << reads;
    };
    nf_runtime* made = nullptr;
    expect("runtime", nf_runtime_create(o.get(), nullptr, nullptr, nullptr, nullptr, &made, &e));
    nf_runtime_free(made);
    nf_model* loaded = nullptr;
    expect("load", nf_model_load_memory(rt.get(), file.data(), file.size(), o.get(), &loaded, &e));
    nf_model_free(std::exchange(loaded, nullptr));
    expect("load", nf_model_load(rt.get(), path.c_str(), o.get(), &loaded, &e));
    nf_model_free(loaded);
    nf_session* s = nullptr;
    expect("session", nf_session_create(m.get(), o.get(), &s, &e));
    nf_session_free(s);
    nf_trainer* t = nullptr;
    expect("trainer", nf_trainer_create(m.get(), o.get(), nullptr, &t, &e));
    nf_trainer_free(t);
    nf_batches* b = nullptr;
    expect("batches", nf_batches_create(rt.get(), Batch(x.view()), o.get(), &b, &e));
    nf_batches_free(b);
    expect("metropolis",
           nf_metropolis(rt.get(), goal.get(), nullptr, o.get(), nullptr, nullptr, out.view(), nullptr, &e));
  }
}

TEST_F(Counted, ScoreAndDrawAreTheCallsOfASession) {
  const Model m = model(rt.get(), kContextSpec);
  const Session s = session(m.get());
  Err e;
  Tensor x = banana(kRows), ctx({1, 1}, 0.5f), lp({kRows}), again({kRows}), drawn({kRows, 2}), sampled({kRows, 2});
  ASSERT_TRUE(ok(nf_log_prob(s.get(), x.view(), ctx.view(), lp.view(), &e), e));
  ASSERT_TRUE(ok(nf_score(m.get(), x.view(), ctx.view(), again.view(), &e), e));
  EXPECT_TRUE(same_bits(lp.v, again.v));
  ASSERT_TRUE(ok(nf_sample(s.get(), Sampling(7, 0), ctx.view(), sampled.view(), nullptr, &e), e));
  ASSERT_TRUE(ok(nf_draw(m.get(), 7, ctx.view(), drawn.view(), &e), e));
  EXPECT_TRUE(same_bits(sampled.v, drawn.v));
  double row[2], one, c = 0.5;
  row[0] = static_cast<double>(x.v[0]), row[1] = static_cast<double>(x.v[1]);
  ASSERT_TRUE(ok(nf_log_prob_row(s.get(), row, &c, &one, &e), e));
  EXPECT_EQ(static_cast<float>(one), lp.v[0]);
  const int64_t live = allocator.live;
  EXPECT_TRUE(failed(NF_ERR_SHAPE, nf_score(m.get(), x.view(), nullptr, again.view(), &e), e, "") ||
              e.code == NF_ERR_ARGUMENT);
  EXPECT_EQ(allocator.live, live);
}

// Rows of density 0 are counted, not left out in silence.
TEST(ScoreMean, CountsRowsOfDensityZero) {
  const double inf = std::numeric_limits<double>::infinity();
  const double scores[] = {-1, -inf, -3, -2, -inf}, weights[] = {1, 1, 1, 2, 0};
  const nf_view log_prob = nf_vec_f64(scores, 5), weight = nf_vec_f64(weights, 5);
  nf_score_info info = NF_SCORE_INFO_INIT;
  Err e;
  ASSERT_TRUE(ok(nf_score_mean(&log_prob, &weight, &info, &e), e));
  EXPECT_EQ(info.rows, 4);
  EXPECT_EQ(info.outside, 1);
  EXPECT_EQ(info.first_outside, 1);
  EXPECT_EQ(info.mean, -inf);
  EXPECT_EQ(info.error, 0);
  EXPECT_NEAR(info.inside_mean, -2, 1e-15);
  EXPECT_GT(info.inside_error, 0.1);
  ASSERT_TRUE(ok(nf_score_mean(&log_prob, nullptr, &info, &e), e));
  EXPECT_EQ(info.outside, 2);
  const nf_view inside = nf_vec_f64(scores + 2, 2), none = nf_vec_f64(scores + 1, 1);
  ASSERT_TRUE(ok(nf_score_mean(&inside, nullptr, &info, &e), e));
  EXPECT_EQ(info.mean, -2.5);
  EXPECT_EQ(info.inside_mean, -2.5);
  EXPECT_NEAR(info.error, 0.5, 1e-15);
  EXPECT_EQ(info.first_outside, -1);
  ASSERT_TRUE(ok(nf_score_mean(&none, nullptr, &info, &e), e));
  EXPECT_EQ(info.mean, -inf);
  EXPECT_TRUE(std::isnan(info.inside_mean));
  for (const double bad : {double{NAN}, inf}) {
    const double wrong[] = {-1, bad};
    const nf_view v = nf_vec_f64(wrong, 2);
    EXPECT_TRUE(failed(NF_ERR_NUMERIC, nf_score_mean(&v, nullptr, &info, &e), e, "log_prob[1]"));
    EXPECT_EQ(e.row, 1);
  }
  const double negative[] = {1, -1, 0, 0, 0}, zero[] = {0, 0, 0, 0, 0};
  const nf_view w1 = nf_vec_f64(negative, 5), w0 = nf_vec_f64(zero, 5), empty = nf_vec_f64(nullptr, 0);
  EXPECT_TRUE(failed(NF_ERR_ARGUMENT, nf_score_mean(&log_prob, &w1, &info, &e), e, "weight[1] = -1"));
  EXPECT_TRUE(failed(NF_ERR_ARGUMENT, nf_score_mean(&log_prob, &w0, &info, &e), e, "all 5 weights are zero"));
  EXPECT_TRUE(failed(NF_ERR_ARGUMENT, nf_score_mean(&empty, nullptr, &info, &e), e, "0 rows"));
}

}  // namespace
}  // namespace abi_test
