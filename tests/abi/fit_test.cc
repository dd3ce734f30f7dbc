// nf_fit: the defaults of one call, options, callbacks and the model during them, cancellation, checkpoints, mapped tables,
// weights, context and scores, memory limits.
#include "tests/abi/abi_support.h"

namespace abi_test {
namespace {

namespace fs = std::filesystem;

struct Seen {
  std::vector<nf_fit_info> events;
  int64_t stop_at = -1;  // event
  nf_model* model = nullptr;
  uint64_t validated_hash = 0;
};

int32_t on_progress(void* user, const nf_fit_info* info) {
  auto& seen = *static_cast<Seen*>(user);
  seen.events.push_back(*info);
  if (info->validated && seen.model) {
    seen.validated_hash = nf_model_hash(seen.model);
    EXPECT_EQ(nf_model_set_note(seen.model, "step", std::to_string(info->step).c_str(), nullptr), NF_OK);
  }
  return static_cast<int64_t>(seen.events.size()) == seen.stop_at;
}

nf_status fit(nf_model* m, const nf_batch* data, const nf_batch* valid,
              std::initializer_list<std::pair<const char*, const char*>> o, nf_fit_info* info, Err* e,
              Seen* seen = nullptr) {
  return nf_fit(m, data, valid, options(o).get(), seen ? on_progress : nullptr, seen, info, e);
}

double mean_log_prob(nf_model* m, Tensor& x) {
  Tensor lp({static_cast<int64_t>(x.v.size()) / 2});
  Err e;
  EXPECT_TRUE(ok(nf_score(m, x.view(), nullptr, lp.view(), &e), e));
  double sum = 0;
  for (const float v : lp.v) sum += v;
  return sum / static_cast<double>(lp.v.size());
}

TEST(Fit, LearnsWithDefaultsInOneCall) {
  const Model m = model(nullptr);
  Tensor x = banana(2000), fresh = banana(2000, 9);
  const double before = mean_log_prob(m.get(), fresh);
  nf_fit_info info = NF_FIT_INFO_INIT;
  Err e;
  ASSERT_TRUE(ok(fit(m.get(), Batch(x.view()), nullptr, {{"fit.steps", "600"}, {"trainer.lr", "0.01"}}, &info, &e), e));
  EXPECT_GT(mean_log_prob(m.get(), fresh), before + 0.3);
  EXPECT_EQ(info.stop, NF_STOP_FINISHED);
  EXPECT_EQ(info.step, 600u);
  EXPECT_EQ(info.planned, 600u);
  EXPECT_EQ(info.train_rows, 1800);
  EXPECT_EQ(info.valid_rows, 200);
  EXPECT_EQ(info.steps_per_epoch, 8u);
  EXPECT_GT(info.best_step, 0u);
  EXPECT_GE(info.best, info.valid);
  EXPECT_GT(info.valid_error, 0);
  EXPECT_GT(info.seconds, 0);
}

TEST(Fit, CallbacksAndTheModelDuringThem) {
  const TempDir dir;
  const Model m = model(nullptr);
  Tensor x = banana(300);
  Seen seen;
  seen.model = m.get();
  nf_fit_info info = NF_FIT_INFO_INIT;
  Err e;
  const std::string path = dir / "run.checkpoint";
  ASSERT_TRUE(ok(fit(m.get(), Batch(x.view()), nullptr,
                     {{"fit.steps", "20"},
                      {"fit.valid_every", "5"},
                      {"trainer.ema_decay", "0.9"},
                      {"fit.restore_best", "false"},
                      {"fit.checkpoint", path.c_str()}},
                     &info, &e, &seen),
                 e));
  ASSERT_EQ(seen.events.size(), 24u);
  for (size_t i = 0; i < 24; ++i) {
    EXPECT_EQ(seen.events[i].validated, i % 6 == 5) << i;
    EXPECT_EQ(seen.events[i].step, i / 6 * 5 + std::min<size_t>(i % 6 + 1, 5)) << i;
    EXPECT_EQ(seen.events[i].stop, i == 23 ? NF_STOP_FINISHED : 0);
    EXPECT_EQ(seen.events[i].struct_size, sizeof(nf_fit_info));
  }
  EXPECT_TRUE(std::isnan(seen.events[0].valid));
  EXPECT_EQ(nf_model_hash(m.get()), seen.validated_hash) << "the averaged weights, which were validated";
  // The note that the last callback set is in the checkpoint that followed.
  nf_model* p = nullptr;
  ASSERT_TRUE(ok(nf_model_load(nullptr, path.c_str(), nullptr, &p, &e), e));
  const Model saved(p);
  EXPECT_STREQ(nf_model_note(saved.get(), "step"), "20");
}

TEST(Fit, StopsWhenAskedAndResumesToTheSameBits) {
  const TempDir dir;
  const std::string path = dir / "run.checkpoint";
  Tensor x = banana(300), ctx({300, 1}), weight({300}, 1.0f);
  for (size_t r = 0; r < 300; ++r) ctx.v[r] = x.v[2 * r], weight.v[r] = static_cast<float>(r % 4);
  const Batch rows(x.view(), ctx.view(), weight.view());
  const auto run = [&](nf_model* m, int64_t stop_at, bool checkpoint, size_t* events) {
    Seen seen;
    seen.stop_at = stop_at;
    nf_fit_info info = NF_FIT_INFO_INIT;
    Err e;
    const Options o =
        options({{"fit.steps", "40"}, {"fit.valid_every", "10"}, {"batches.batch", "64"}, {"trainer.lr", "0.02"}});
    if (checkpoint) {
      EXPECT_TRUE(ok(nf_options_set(o.get(), "fit.checkpoint", path.c_str(), &e), e));
      EXPECT_TRUE(ok(nf_options_set(o.get(), "fit.resume", "true", &e), e));
    }
    EXPECT_TRUE(ok(nf_fit(m, rows, nullptr, o.get(), on_progress, &seen, &info, &e), e));
    if (events) *events = seen.events.size();
    return info;
  };
  const Model whole = model(nullptr, kContextSpec);
  size_t events = 0;
  run(whole.get(), -1, false, &events);
  ASSERT_EQ(events, 44u);
  for (const int64_t stop : {1, 9, 10, 11, 12, 25, 43}) {
    SCOPED_TRACE(stop);
    fs::remove(path);
    const Model first = model(nullptr, kContextSpec), second = model(nullptr, kContextSpec);
    EXPECT_EQ(run(first.get(), stop, true, nullptr).stop, NF_STOP_REQUESTED);
    EXPECT_EQ(run(second.get(), -1, true, nullptr).stop, NF_STOP_FINISHED);
    EXPECT_EQ(nf_model_hash(second.get()), nf_model_hash(whole.get()));
  }
}

TEST(Fit, ErrorsAreThoseOfTheData) {
  const Model m = model(nullptr);
  Tensor x = banana(100), one = banana(1), two = banana(2);
  Err e;
  nf_fit_info info = NF_FIT_INFO_INIT;
  info.step = 77;
  EXPECT_TRUE(failed(NF_ERR_ARGUMENT, fit(nullptr, Batch(x.view()), nullptr, {}, nullptr, &e), e, "model is NULL"));
  EXPECT_TRUE(failed(NF_ERR_ARGUMENT, fit(m.get(), nullptr, nullptr, {}, nullptr, &e), e, "data is NULL"));
  EXPECT_TRUE(failed(NF_ERR_SHAPE, fit(m.get(), Batch(one.view()), nullptr, {}, nullptr, &e), e, "fit.holdout"));
  EXPECT_TRUE(ok(fit(m.get(), Batch(one.view()), nullptr, {{"fit.holdout", "0"}, {"fit.steps", "2"}}, nullptr, &e), e));
  EXPECT_TRUE(ok(fit(m.get(), Batch(two.view()), nullptr, {{"fit.steps", "2"}}, nullptr, &e), e));
  EXPECT_TRUE(
      failed(NF_ERR_SPEC, fit(m.get(), Batch(x.view()), nullptr, {{"table.map", "on"}}, nullptr, &e), e, "table.map"));
  EXPECT_TRUE(failed(NF_ERR_SPEC,
                     fit(m.get(), Batch(x.view()), nullptr, {{"fit.steps", "3"}, {"fit.epochs", "3"}}, nullptr, &e), e,
                     "one of them"));
  EXPECT_TRUE(failed(NF_ERR_SPEC,
                     fit(m.get(), Batch(x.view()), nullptr, {{"fit.holdout", "0"}, {"fit.patience", "3"}}, nullptr, &e),
                     e, "fit.patience"));
  EXPECT_TRUE(failed(NF_ERR_UNSUPPORTED,
                     fit(m.get(), Batch(x.view()), nullptr, {{"trainer.objective", "reverse_kl"}}, nullptr, &e), e,
                     "reverse_kl"));
  const uint64_t before = nf_model_hash(m.get());
  {
    const Trainer t = trainer(m.get());
    EXPECT_TRUE(
        failed(NF_ERR_STATE, fit(m.get(), Batch(x.view()), nullptr, {}, nullptr, &e), e, "already has a trainer"));
  }
  x.v[2 * 61 + 1] = NAN;
  EXPECT_TRUE(
      failed(NF_ERR_NUMERIC, fit(m.get(), Batch(x.view()), nullptr, {{"fit.steps", "3"}}, &info, &e), e, "row 61"));
  EXPECT_EQ(e.row, 61);
  EXPECT_EQ(info.step, 77u) << "untouched on error";
  EXPECT_EQ(nf_model_hash(m.get()), before);
  Tensor valid = banana(30);
  x.v[2 * 61 + 1] = 0;
  valid.v[2 * 7] = INFINITY;
  EXPECT_TRUE(failed(NF_ERR_NUMERIC,
                     fit(m.get(), Batch(x.view()), Batch(valid.view()), {{"fit.steps", "3"}}, nullptr, &e), e,
                     "row 7 of the validation rows"));
  EXPECT_EQ(e.row, 7);
  const Trainer after = trainer(m.get());
  EXPECT_TRUE(after) << "nf_fit leaves no trainer behind";
}

TEST(Fit, ScoresForFisher) {
  const Model m = model(nullptr);
  Tensor x = banana(400), scores({400, 2});
  for (size_t r = 0; r < 400; ++r) {
    const float a = x.v[2 * r], d = (x.v[2 * r + 1] - a * a / 2) / 0.09f;
    scores.v[2 * r] = -a + d * a;
    scores.v[2 * r + 1] = -d;
  }
  nf_fit_info info = NF_FIT_INFO_INIT;
  Seen seen;
  Err e;
  ASSERT_TRUE(ok(
      fit(m.get(), Batch(x.view(), nullptr, nullptr, scores.view()), nullptr,
          {{"fit.steps", "100"}, {"trainer.objective", "fisher"}, {"trainer.lr", "0.01"}, {"trainer.clip_norm", "5"}},
          &info, &e, &seen),
      e));
  EXPECT_LT(seen.events.back().loss, seen.events.front().loss);
}

// Rows of a mapped table are used in place: by blocks, without a copy, the same with every number of threads.
TEST(Fit, MappedTables) {
  const TempDir dir;
  const std::string path = dir / "rows.npy";
  Tensor x = banana(20'000);
  Err e;
  ASSERT_TRUE(ok(nf_table_save(x.view(), path.c_str(), nullptr, &e), e));
  uint64_t want = 0;
  for (const char* threads : {"1", "3"}) {
    CountingAllocator allocator;
    const nf_allocator hook = allocator.hook();
    const Runtime rt = runtime(&hook, options({{"runtime.threads", threads}}).get());
    nf_table* p = nullptr;
    ASSERT_TRUE(ok(nf_table_open(rt.get(), path.c_str(), options({{"table.map", "on"}}).get(), &p, &e), e));
    const Table table(p);
    ASSERT_EQ(nf_table_is_mapped(table.get()), 1);
    nf_view rows = NF_VIEW_INIT;
    ASSERT_TRUE(ok(nf_table_view(table.get(), &rows, &e), e));
    const Model m = model(
        rt.get(), R"({"event": [2], "layers": [{"type": "standardize"}, {"type": "affine_coupling", "hidden": [8]}]})");
    nf_fit_info info = NF_FIT_INFO_INIT;
    ASSERT_TRUE(ok(fit(m.get(), Batch(&rows), nullptr, {{"fit.steps", "50"}}, &info, &e), e));
    EXPECT_EQ(info.train_rows + info.valid_rows, 20'000);
    EXPECT_EQ(info.valid_rows, 2000);
    EXPECT_LT(allocator.peak, static_cast<int64_t>(x.v.size() * sizeof(float) / 2 + (int64_t{4} << 20)))
        << "no copy of the rows";
    if (want == 0) want = nf_model_hash(m.get());
    EXPECT_EQ(nf_model_hash(m.get()), want);
    // Only a part, by the options of batches.
    ASSERT_TRUE(ok(fit(m.get(), Batch(&rows), nullptr,
                       {{"fit.steps", "2"}, {"batches.part_end", "0.5"}, {"fit.holdout", "0.25"}}, &info, &e),
                   e));
    EXPECT_EQ(info.train_rows, 5000);
    EXPECT_EQ(info.valid_rows, 5000);
  }
}

TEST(Fit, KeepsToTheMemoryLimit) {
  const Runtime rt = runtime(nullptr, options({{"runtime.max_bytes", "3000000"}, {"runtime.threads", "1"}}).get());
  const Model m = model(rt.get());
  const uint64_t before = nf_model_hash(m.get());
  Tensor x = banana(1000);
  Err e;
  const nf_status status =
      fit(m.get(), Batch(x.view()), nullptr, {{"fit.steps", "3"}, {"batches.batch", "1000000"}}, nullptr, &e);
  if (status != NF_OK) {
    EXPECT_TRUE(failed(NF_ERR_NOMEM, status, e, "limit"));
    EXPECT_EQ(nf_model_hash(m.get()), before);
  }
  const Runtime tight = runtime(nullptr, options({{"runtime.max_bytes", "100000"}, {"runtime.threads", "1"}}).get());
  nf_model* p = nullptr;
  if (nf_model_create(tight.get(), kSpec, NF_TEXT, 1, &p, &e) != NF_OK) return;
  const Model small(p);
  EXPECT_TRUE(failed(NF_ERR_NOMEM, fit(small.get(), Batch(x.view()), nullptr, {}, nullptr, &e), e));
}

TEST(Fit, PartsOfTheHost) {
  const Model m = model(nullptr);
  Tensor x = banana(100), part({100}), wrong({99});
  for (size_t r = 0; r < 100; ++r) part.v[r] = r < 70 ? 0.0f : r < 90 ? 1.0f : 2.0f;
  nf_batch rows = NF_BATCH_INIT;
  rows.x = x.view(), rows.part = part.view();
  nf_fit_info info = NF_FIT_INFO_INIT;
  Seen seen;
  Err e;
  ASSERT_TRUE(ok(fit(m.get(), &rows, nullptr, {{"fit.steps", "4"}, {"fit.announce", "true"}}, &info, &e, &seen), e));
  EXPECT_EQ(info.train_rows, 70);
  EXPECT_EQ(info.valid_rows, 20);
  EXPECT_EQ(info.batch_rows, 70);
  EXPECT_EQ(info.valid_every, 1u);
  EXPECT_EQ(info.bad_row, -1);
  EXPECT_EQ(seen.events.front().step, 0u);
  EXPECT_EQ(seen.events.front().planned, 4u);
  EXPECT_EQ(seen.events[2].point, 1);
  // Other calls, and rows that are all of one part, have no use for it.
  EXPECT_TRUE(failed(NF_ERR_ARGUMENT, fit(m.get(), &rows, &rows, {}, nullptr, &e), e, "valid.part is given"));
  rows.part = wrong.view();
  EXPECT_TRUE(failed(NF_ERR_SHAPE, fit(m.get(), &rows, nullptr, {}, nullptr, &e), e, "part"));
  rows.part = part.view();
  {
    const Trainer t = trainer(m.get());
    EXPECT_TRUE(failed(NF_ERR_ARGUMENT, nf_train_step(t.get(), &rows, nullptr, &e), e, "only nf_fit reads"));
    double loss = 0;
    EXPECT_TRUE(failed(NF_ERR_ARGUMENT, nf_trainer_evaluate(t.get(), &rows, &loss, nullptr, &e), e, "only nf_fit"));
  }
  nf_batches* batches = nullptr;
  EXPECT_TRUE(
      failed(NF_ERR_ARGUMENT, nf_batches_create(nullptr, &rows, nullptr, &batches, &e), e, "only nf_fit reads"));
  std::fill(part.v.begin(), part.v.end(), 1.0f);
  EXPECT_TRUE(failed(NF_ERR_SHAPE, fit(m.get(), &rows, nullptr, {}, nullptr, &e), e, "no row"));
}

TEST(Fit, TheGuardIsSeenInSteps) {
  const Model m = model(nullptr);
  Tensor x = banana(100);
  const Trainer t = trainer(m.get(), options({{"trainer.guard", "back"}, {"trainer.guard_steps", "5"}}).get());
  nf_step_info info = NF_STEP_INFO_INIT;
  Err e;
  for (int k = 0; k < 60; ++k) ASSERT_TRUE(ok(nf_train_step(t.get(), Batch(x.view()), &info, &e), e));
  EXPECT_EQ(info.diverged, 0);
  nf_tensor_info tensor = NF_TENSOR_INFO_INIT;
  for (int64_t i = 0; nf_model_tensor(m.get(), i, &tensor, nullptr) == NF_OK; ++i) {
    std::vector<int64_t> shape(tensor.shape, tensor.shape + tensor.ndim);
    Tensor far(shape);
    std::fill(far.v.begin(), far.v.end(), 30.0f);
    if (!tensor.trainable) continue;
    ASSERT_TRUE(ok(nf_model_set_tensor(m.get(), tensor.name, far.view(), &e), e));
  }
  int diverged = 0;
  for (int k = 0; k < 20 && !info.went_back; ++k) {
    ASSERT_TRUE(ok(nf_train_step(t.get(), Batch(x.view()), &info, &e), e));
    diverged += info.diverged;
  }
  EXPECT_EQ(info.went_back, 1);
  EXPECT_EQ(diverged, 1);
  ASSERT_TRUE(ok(nf_train_step(t.get(), Batch(x.view()), &info, &e), e));
  EXPECT_LT(info.loss, 100) << "back where it was";
}

}  // namespace
}  // namespace abi_test
