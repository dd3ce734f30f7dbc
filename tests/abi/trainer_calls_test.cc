// Calls that change or ask a trainer between steps: evaluate, learning rates, restart, checkpoints in memory.
#include <limits>

#include <nlohmann/json.hpp>

#include "tests/abi/abi_support.h"

namespace abi_test {
namespace {

using Bytes = std::vector<unsigned char>;

int32_t append(void* user, const void* bytes, size_t n) {
  const auto* p = static_cast<const unsigned char*>(bytes);
  static_cast<Bytes*>(user)->insert(static_cast<Bytes*>(user)->end(), p, p + n);
  return 0;
}

Bytes checkpoint(const nf_trainer* t) {
  Bytes out;
  Err e;
  EXPECT_TRUE(ok(nf_trainer_save_stream(t, append, &out, &e), e));
  return out;
}

std::string settings(const nf_trainer* t) {
  Bytes out;
  Err e;
  EXPECT_TRUE(ok(nf_trainer_options(t, append, &out, &e), e));
  return std::string(out.begin(), out.end());
}

nf_step_info step(nf_trainer* t, int64_t rows = 50) {
  Tensor x = banana(rows);
  nf_step_info info = NF_STEP_INFO_INIT;
  Err e;
  EXPECT_TRUE(ok(nf_train_step(t, Batch(x.view()), &info, &e), e));
  return info;
}

constexpr char kStarting[] = R"({"event": [2], "layers": [{"type": "actnorm"},
  {"type": "affine_coupling", "hidden": [8], "dropout": 0.5}, {"type": "batch_norm"}]})";

// What a trainer says of its settings makes the same trainer again.
TEST(TrainerCalls, SettingsReadBack) {
  std::vector<std::pair<const char*, const char*>> each = {
      {"trainer.optimizer", "sgd"}, {"trainer.optimizer", "rmsprop"}, {"trainer.memory", "invert"}};
  for (const char* schedule : {"constant", "cosine", "step", "exponential", "polynomial", "plateau"})
    each.emplace_back("trainer.schedule", schedule);
  for (const auto& [key, value] : each) {
    const Model first = model(nullptr), second = model(nullptr);
    const Trainer t = trainer(first.get(), options({{key, value}, {"trainer.max_steps", "7"}}).get());
    const std::string said = settings(t.get());
    const Options back = options();
    Err e;
    const auto all = nlohmann::json::parse(said);
    for (const auto& [name, v] : all.items()) {
      const std::string text = v.is_string() ? v.get<std::string>() : v.dump();
      ASSERT_TRUE(ok(nf_options_set(back.get(), name.c_str(), text.c_str(), &e), e)) << name << " = " << text;
    }
    const Trainer again = trainer(second.get(), back.get());
    if (again) {
      EXPECT_EQ(settings(again.get()), said) << key << " = " << value;
    }
  }
}

TEST(TrainerEvaluate, IsTheMeanLossOfScoring) {
  const Model m = model(nullptr, kStarting);
  const Trainer t = trainer(m.get(), options({{"trainer.lr", "0.05"}}).get());
  const Session s = session(m.get());
  Tensor x = banana(70'000), lp({70'000}), weight({70'000}, 1.0f);
  Err e;
  double loss = -1, error = -1;
  EXPECT_TRUE(failed(NF_ERR_STATE, nf_trainer_evaluate(t.get(), Batch(x.view()), &loss, &error, &e), e,
                     "nf_model_init_from_data"));
  EXPECT_EQ(loss, -1);
  for (int k = 0; k < 50; ++k) step(t.get());  // until dropout matters
  const uint64_t before = nf_model_hash(m.get());
  ASSERT_TRUE(ok(nf_log_prob(s.get(), x.view(), nullptr, lp.view(), &e), e));
  for (const bool weighted : {false, true}) {
    if (weighted)
      for (size_t r = 0; r < weight.v.size(); ++r) weight.v[r] = static_cast<float>(r % 3);
    const nf_view* const weights = weighted ? static_cast<const nf_view*>(weight.view()) : nullptr;
    double w = 0, w2 = 0, sum = 0, squares = 0;
    for (size_t r = 0; r < lp.v.size(); ++r)
      w += weight.v[r], w2 += weight.v[r] > 0, sum -= static_cast<double>(weight.v[r]) * lp.v[r];
    for (size_t r = 0; r < lp.v.size(); ++r) squares += std::pow(weight.v[r] * (-lp.v[r] - sum / w), 2);
    if (weighted) x.v[0] = NAN;  // has no weight
    ASSERT_TRUE(ok(nf_trainer_evaluate(t.get(), Batch(x.view(), nullptr, weights), &loss, &error, &e), e));
    EXPECT_NEAR(loss, sum / w, 1e-5);
    EXPECT_NEAR(error, std::sqrt(squares * w2 / (w2 - 1)) / w, 1e-5);
    double again = 0;
    ASSERT_TRUE(ok(nf_trainer_evaluate(t.get(), Batch(x.view(), nullptr, weights), &again, nullptr, &e), e));
    EXPECT_EQ(again, loss);
  }
  EXPECT_EQ(nf_model_hash(m.get()), before) << "running statistics included";
  EXPECT_EQ(nf_trainer_step_count(t.get()), 50u);
  x.v[2 * 40'000 + 1] = NAN;
  EXPECT_TRUE(failed(NF_ERR_NUMERIC,
                     nf_trainer_evaluate(t.get(), Batch(x.view(), nullptr, weight.view()), &loss, nullptr, &e), e,
                     "row 40000"));
  EXPECT_EQ(e.row, 40'000);
  std::fill(weight.v.begin(), weight.v.end(), 0.0f);
  EXPECT_TRUE(failed(NF_ERR_ARGUMENT,
                     nf_trainer_evaluate(t.get(), Batch(x.view(), nullptr, weight.view()), &loss, nullptr, &e), e,
                     "weights are zero"));
  weight.v[5] = -1;
  EXPECT_TRUE(failed(NF_ERR_ARGUMENT,
                     nf_trainer_evaluate(t.get(), Batch(x.view(), nullptr, weight.view()), &loss, nullptr, &e), e,
                     "weight[5]"));
  Tensor one = banana(1);
  ASSERT_TRUE(ok(nf_trainer_evaluate(t.get(), Batch(one.view()), &loss, &error, &e), e));
  EXPECT_EQ(error, 0);
}

TEST(TrainerEvaluate, OtherObjectives) {
  const Model m = model(nullptr);
  Err e;
  double loss = 0, error = 0;
  {
    const Trainer t =
        trainer(m.get(), options({{"trainer.objective", "reverse_kl"}, {"trainer.samples", "500"}}).get());
    const Target u = target(nullptr);
    EXPECT_TRUE(failed(NF_ERR_STATE, nf_trainer_evaluate(t.get(), nullptr, &loss, &error, &e), e, "target"));
    ASSERT_TRUE(ok(nf_trainer_set_target(t.get(), u.get(), &e), e));
    ASSERT_TRUE(ok(nf_trainer_evaluate(t.get(), nullptr, &loss, &error, &e), e));
    nf_step_info info = NF_STEP_INFO_INIT;
    ASSERT_TRUE(ok(nf_train_step(t.get(), nullptr, &info, &e), e));
    EXPECT_EQ(loss, info.loss) << "the samples of the next step";
    EXPECT_EQ(error, info.loss_error);
    EXPECT_GT(error, 0);
  }
  const Trainer t = trainer(m.get(), options({{"trainer.objective", "fisher"}}).get());
  Tensor x = banana(300), scores({300, 2});
  for (size_t k = 0; k < scores.v.size(); ++k) scores.v[k] = -x.v[k];
  const Batch rows(x.view(), nullptr, nullptr, scores.view());
  ASSERT_TRUE(ok(nf_trainer_evaluate(t.get(), rows, &loss, &error, &e), e));
  nf_step_info info = NF_STEP_INFO_INIT;
  ASSERT_TRUE(ok(nf_train_step(t.get(), rows, &info, &e), e));
  EXPECT_NEAR(loss, info.loss, 1e-9 * std::abs(loss));
}

// With the average in the model, the average is evaluated, and training goes on from its own parameters.
TEST(TrainerEvaluate, OfTheAverage) {
  const Options o = options({{"trainer.lr", "0.05"}, {"trainer.ema_decay", "0.9"}});
  const Model m = model(nullptr), twin = model(nullptr);
  const Trainer t = trainer(m.get(), o.get()), u = trainer(twin.get(), o.get());
  Tensor x = banana(200);
  Err e;
  double last = 0, average = 0;
  for (int k = 0; k < 20; ++k) step(t.get()), step(u.get());
  ASSERT_TRUE(ok(nf_trainer_evaluate(t.get(), Batch(x.view()), &last, nullptr, &e), e));
  ASSERT_TRUE(ok(nf_trainer_use_average(t.get(), 1, &e), e));
  ASSERT_TRUE(ok(nf_trainer_evaluate(t.get(), Batch(x.view()), &average, nullptr, &e), e));
  EXPECT_NE(last, average);
  step(t.get());
  step(u.get());
  EXPECT_EQ(nf_model_hash(m.get()), nf_model_hash(twin.get()));
}

TEST(TrainerRates, ChangeWhileRunningAndAreSaved) {
  const Options o =
      options({{"trainer.lr", "0.01"}, {"trainer.schedule", "cosine"}, {"trainer.schedule_steps", "100"}});
  const Model m = model(nullptr), other = model(nullptr);
  const Trainer t = trainer(m.get(), o.get());
  Err e;
  EXPECT_EQ(step(t.get()).lr, 0.01);
  const Bytes old = checkpoint(t.get());
  ASSERT_TRUE(ok(nf_trainer_set_lr(t.get(), nullptr, 0.5, &e), e));
  const double half = 0.5 * (1 + std::cos(3.14159265358979323846 / 100)) / 2;
  EXPECT_NEAR(step(t.get()).lr, half, 1e-12) << "the schedule goes on from another rate";
  EXPECT_NE(settings(t.get()).find("\"trainer.lr\":0.5"), std::string::npos) << settings(t.get());
  const Bytes now = checkpoint(t.get());
  const Trainer u = trainer(other.get(), o.get());
  ASSERT_TRUE(ok(nf_trainer_restore_memory(u.get(), now.data(), now.size(), &e), e));
  const double next = step(t.get()).lr;
  EXPECT_EQ(step(u.get()).lr, next);
  EXPECT_EQ(nf_model_hash(m.get()), nf_model_hash(other.get()));
  // A checkpoint without rates has those of the options.
  ASSERT_TRUE(ok(nf_trainer_restore_memory(u.get(), old.data(), old.size(), &e), e));
  EXPECT_NEAR(step(u.get()).lr, half / 50, 1e-12);
  EXPECT_NE(settings(u.get()).find("\"trainer.lr\":0.01"), std::string::npos) << settings(u.get());
  for (const double bad : {0.0, -1.0, std::nan(""), std::numeric_limits<double>::infinity(), 1e4})
    EXPECT_TRUE(failed(NF_ERR_ARGUMENT, nf_trainer_set_lr(t.get(), nullptr, bad, &e), e, "lr is"));
  EXPECT_TRUE(failed(NF_ERR_ARGUMENT, nf_trainer_set_lr(t.get(), "base.*", 0.1, &e), e, "no group"));
}

TEST(TrainerRates, OfGroups) {
  const Options o = options({{"trainer.lr", "0.01"},
                             {"trainer.optimizer", "sgd"},
                             {"trainer.groups", R"([{"match": "layers.0.*", "lr": 0.02}, {"match": "layers.2.*"}])"}});
  const Model m = model(nullptr);
  const Trainer t = trainer(m.get(), o.get());
  Err e;
  const auto moved = [&](const char* name) {
    nf_tensor_info info = NF_TENSOR_INFO_INIT;
    for (int64_t i = 0; i < abi_test::info(m.get()).tensor_count; ++i) {
      EXPECT_TRUE(ok(nf_model_tensor(m.get(), i, &info, &e), e));
      if (std::string(info.name) == name) break;
    }
    Tensor v(std::vector<int64_t>(info.shape, info.shape + info.ndim));
    EXPECT_TRUE(ok(nf_model_get_tensor(m.get(), name, v.view(), &e), e)) << name;
    return v.v;
  };
  // The gradient is the same again and again while the parameters are put back.
  const Bytes start = checkpoint(t.get());
  const auto change = [&](const char* group, double lr, const char* tensor) {
    EXPECT_TRUE(ok(nf_trainer_restore_memory(t.get(), start.data(), start.size(), &e), e));
    const std::vector<float> before = moved(tensor);
    if (lr > 0) {
      EXPECT_TRUE(ok(nf_trainer_set_lr(t.get(), group, lr, &e), e));
    }
    step(t.get());
    const std::vector<float> after = moved(tensor);
    double most = 0;
    for (size_t k = 0; k < before.size(); ++k)
      most = std::max(most, std::abs(static_cast<double>(after[k]) - before[k]));
    return most;
  };
  const std::string first = "layers.0.net.output.bias", third = "layers.2.net.output.bias";
  const double a = change(nullptr, 0, first.c_str()), c = change(nullptr, 0, third.c_str());
  ASSERT_GT(a, 0);
  EXPECT_NEAR(change("layers.0.*", 0.2, first.c_str()) / a, 10, 1e-3);
  EXPECT_NEAR(change("layers.0.*", 0.2, third.c_str()) / c, 1, 1e-3);
  EXPECT_NEAR(change("layers.2.*", 0.05, third.c_str()) / c, 5, 1e-3);
  EXPECT_NEAR(change("", 0.05, third.c_str()) / c, 1, 1e-3) << "groups keep what they took from the rest";
  EXPECT_NEAR(change(nullptr, 0.04, first.c_str()) / a, 2, 1e-3);
  EXPECT_NEAR(change(nullptr, 0.04, third.c_str()) / c, 4, 1e-3);
  EXPECT_NE(settings(t.get()).find(R"(\"match\":\"layers.2.*\",\"lr\":0.04)"), std::string::npos) << settings(t.get());
}

TEST(TrainerRestart, WarmStartForOtherData) {
  for (const int32_t keep : {0, 1}) {
    const Options o = options({{"trainer.lr", "0.01"},
                               {"trainer.schedule", "exponential"},
                               {"trainer.decay", "0.9"},
                               {"trainer.ema_decay", "0.9"}});
    const Model m = model(nullptr), fresh = model(nullptr), resumed = model(nullptr);
    const Trainer t = trainer(m.get(), o.get());
    Err e;
    for (int k = 0; k < 5; ++k) step(t.get());
    ASSERT_TRUE(ok(nf_model_copy(fresh.get(), m.get(), &e), e));
    ASSERT_TRUE(ok(nf_trainer_restart(t.get(), keep, &e), e));
    EXPECT_EQ(nf_trainer_step_count(t.get()), 0u);
    EXPECT_EQ(nf_model_hash(m.get()), nf_model_hash(fresh.get()));
    const Bytes saved = checkpoint(t.get());
    const Trainer u = trainer(fresh.get(), o.get()), v = trainer(resumed.get(), o.get());
    ASSERT_TRUE(ok(nf_trainer_restore_memory(v.get(), saved.data(), saved.size(), &e), e));
    for (int k = 0; k < 3; ++k) {
      const nf_step_info a = step(t.get()), b = step(u.get()), c = step(v.get());
      EXPECT_EQ(a.lr, b.lr) << "the schedule begins anew";
      EXPECT_EQ(a.step, b.step);
      EXPECT_EQ(a.grad_norm, c.grad_norm) << "age of the moments is saved";
      if (keep == 0) {
        EXPECT_EQ(nf_model_hash(m.get()), nf_model_hash(fresh.get())) << "like a new trainer";
      } else {
        EXPECT_NE(nf_model_hash(m.get()), nf_model_hash(fresh.get()));
      }
      EXPECT_EQ(nf_model_hash(m.get()), nf_model_hash(resumed.get()));
    }
  }
}

// Moments that are kept are as old as they are: no step is larger than those before, as it would be if Adam took them for
// the moments of a first step.
TEST(TrainerRestart, KeptMomentsContinue) {
  const Options o = options({{"trainer.lr", "0.001"}});
  const Model m = model(nullptr), twin = model(nullptr);
  const Trainer t = trainer(m.get(), o.get()), u = trainer(twin.get(), o.get());
  Err e;
  for (int k = 0; k < 10; ++k) step(t.get()), step(u.get());
  ASSERT_TRUE(ok(nf_trainer_restart(t.get(), 1, &e), e));
  for (int k = 0; k < 5; ++k) step(t.get()), step(u.get());
  EXPECT_EQ(nf_model_hash(m.get()), nf_model_hash(twin.get()))
      << "with a constant rate nothing else depends on the step";
  EXPECT_TRUE(failed(NF_ERR_ARGUMENT, nf_trainer_restart(t.get(), 2, &e), e, "keep_moments is 2"));
}

TEST(TrainerFiles, StreamAndMemoryAreTheFile) {
  const TempDir dir;
  const std::string path = dir / "c.safetensors";
  const Model m = model(nullptr), other = model(nullptr);
  const Trainer t = trainer(m.get());
  Err e;
  step(t.get());
  ASSERT_TRUE(ok(nf_trainer_save(t.get(), path.c_str(), &e), e));
  const Bytes bytes = checkpoint(t.get());
  FILE* f = fopen(path.c_str(), "rb");
  Bytes file(bytes.size() + 1);
  file.resize(fread(file.data(), 1, file.size(), f));
  fclose(f);
  EXPECT_EQ(file, bytes);
  const nf_write_fn refuse = [](void*, const void*, size_t) -> int32_t { return 3; };
  EXPECT_TRUE(failed(NF_ERR_CALLBACK, nf_trainer_save_stream(t.get(), refuse, nullptr, &e), e, "returned 3"));
  EXPECT_TRUE(failed(NF_ERR_ARGUMENT, nf_trainer_save_stream(t.get(), nullptr, nullptr, &e), e, "write is NULL"));
  const Trainer u = trainer(other.get());
  EXPECT_TRUE(failed(NF_ERR_ARGUMENT, nf_trainer_restore_memory(u.get(), nullptr, 0, &e), e, "bytes is NULL"));
  Bytes damaged = bytes;
  damaged[damaged.size() - 5] ^= 1;
  EXPECT_TRUE(failed(NF_ERR_CHECKSUM, nf_trainer_restore_memory(u.get(), damaged.data(), damaged.size(), &e), e));
  ASSERT_TRUE(ok(nf_trainer_restore_memory(u.get(), bytes.data(), bytes.size(), &e), e));
  EXPECT_EQ(nf_model_hash(m.get()), nf_model_hash(other.get()));
  EXPECT_EQ(nf_trainer_step_count(u.get()), 1u);
}

}  // namespace
}  // namespace abi_test
