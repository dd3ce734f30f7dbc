// Handles: NULL to everything that frees or reads without a status, any order of freeing, one trainer per model,
// versions.
#include <algorithm>
#include <array>
#include <functional>

#include "tests/abi/abi_support.h"

namespace abi_test {
namespace {

TEST(Handles, NullIsHarmless) {
  nf_options_free(nullptr);
  nf_runtime_free(nullptr);
  nf_model_free(nullptr);
  nf_session_free(nullptr);
  nf_trainer_free(nullptr);
  nf_table_free(nullptr);
  nf_batches_free(nullptr);
  EXPECT_EQ(nf_model_spec(nullptr), nullptr);
  EXPECT_EQ(nf_model_note(nullptr, "who"), nullptr);
  EXPECT_EQ(nf_model_note_key(nullptr, 0), nullptr);
  EXPECT_EQ(nf_session_bytes(nullptr), 0u);
  EXPECT_EQ(nf_trainer_bytes(nullptr), 0u);
  EXPECT_EQ(nf_trainer_step_count(nullptr), 0u);
  EXPECT_EQ(nf_table_column(nullptr, 0), nullptr);
  EXPECT_EQ(nf_batches_per_epoch(nullptr), 0u);
}

TEST(Handles, VersionAndNames) {
  EXPECT_EQ(nf_version(), static_cast<uint32_t>(NF_VERSION));
  const std::string dotted = std::to_string(NF_VERSION_MAJOR) + "." + std::to_string(NF_VERSION_MINOR) + "." +
                             std::to_string(NF_VERSION_PATCH);
  EXPECT_EQ(std::string(nf_version_string()).rfind(dotted, 0), 0u) << nf_version_string();
  EXPECT_EQ(nf_version_string(), nf_version_string()) << "static";
  EXPECT_STREQ(nf_status_name(NF_OK), "NF_OK");
  EXPECT_STREQ(nf_status_name(NF_ERR_SHAPE), "NF_ERR_SHAPE");
  EXPECT_STREQ(nf_status_name(NF_ERR_NOT_INVERTED), "NF_ERR_NOT_INVERTED");
  EXPECT_STREQ(nf_status_name(NF_ERR_INTERNAL), "NF_ERR_INTERNAL");
  for (nf_status s : {-1, 5, 99, INT32_MAX, INT32_MIN}) EXPECT_STREQ(nf_status_name(s), "NF_ERR_UNKNOWN") << s;
}

TEST(Handles, ANewerHeaderIsRefused) {
  for (uint32_t version : {NF_VERSION + 100u, NF_VERSION + 10000u, UINT32_MAX}) {
    nf_runtime* rt = nullptr;
    Err e;
    EXPECT_TRUE(
        failed(NF_ERR_VERSION, nf_runtime_create_v(version, nullptr, nullptr, nullptr, nullptr, nullptr, &rt, &e), e));
    EXPECT_EQ(rt, nullptr);
  }
}

// Before 1.0 a minor version may change the ABI, a patch may not.
TEST(Handles, HeadersOfOneMinorVersionAreServed) {
  Err e;
  for (const uint32_t patch : {0u, 1u, 99u}) {
    nf_runtime* rt = nullptr;
    const uint32_t header = NF_VERSION / 100 * 100 + patch;
    EXPECT_TRUE(ok(nf_runtime_create_v(header, nullptr, nullptr, nullptr, nullptr, nullptr, &rt, &e), e)) << header;
    nf_runtime_free(rt);
  }
  for (const uint32_t old : {0u, 100u, 199u}) {
    nf_runtime* rt = nullptr;
    EXPECT_TRUE(failed(NF_ERR_VERSION, nf_runtime_create_v(old, nullptr, nullptr, nullptr, nullptr, nullptr, &rt, &e),
                       e, "compile it again"));
    EXPECT_EQ(rt, nullptr);
  }
}

TEST(Handles, AllocatorAndExecutorNeedTheirFunctions) {
  CountingAllocator counting;
  nf_allocator a = counting.hook();
  a.alloc = nullptr;
  nf_runtime* rt = nullptr;
  Err e;
  EXPECT_TRUE(failed(NF_ERR_ARGUMENT, nf_runtime_create(nullptr, &a, nullptr, nullptr, nullptr, &rt, &e), e, "alloc"));
  a = counting.hook();
  a.free = nullptr;
  EXPECT_TRUE(failed(NF_ERR_ARGUMENT, nf_runtime_create(nullptr, &a, nullptr, nullptr, nullptr, &rt, &e), e, "free"));
  nf_executor x{sizeof(x), 2, nullptr, nullptr};
  EXPECT_TRUE(
      failed(NF_ERR_ARGUMENT, nf_runtime_create(nullptr, nullptr, &x, nullptr, nullptr, &rt, &e), e, "parallel_for"));
  EXPECT_EQ(rt, nullptr);
}

// R4: handles keep what they were made from alive, so all 120 orders of freeing work and leave nothing behind.
TEST(Handles, FreedInAnyOrder) {
  std::array<int, 5> order = {0, 1, 2, 3, 4};
  Tensor x = banana(8), log_prob({8});
  do {
    CountingAllocator counting;
    const nf_allocator a = counting.hook();
    Runtime rt = runtime(&a);
    Model m = model(rt.get());
    Session s = session(m.get());
    Trainer t = trainer(m.get());
    Options o = options();
    const std::function<void()> frees[] = {[&] { rt.reset(); }, [&] { m.reset(); }, [&] { s.reset(); },
                                           [&] { t.reset(); }, [&] { o.reset(); }};
    for (int i : order) {
      frees[i]();
      Err e;  // what is left works
      if (s) {
        EXPECT_TRUE(ok(nf_log_prob(s.get(), x.view(), nullptr, log_prob.view(), &e), e));
      }
      if (t) {
        EXPECT_TRUE(ok(nf_train_step(t.get(), Batch(x.view()), nullptr, &e), e));
      }
    }
    EXPECT_EQ(counting.live, 0);
    EXPECT_EQ(counting.mismatches, 0);
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(Handles, TablesAndBatchesOutliveTheRuntime) {
  CountingAllocator counting;
  const nf_allocator a = counting.hook();
  const TempDir dir;
  const std::string path = dir / "t.npy";
  Tensor x = banana(10);
  Err e;
  ASSERT_TRUE(ok(nf_table_save(x.view(), path.c_str(), nullptr, &e), e));
  {
    Runtime rt = runtime(&a);
    nf_table* table = nullptr;
    ASSERT_TRUE(ok(nf_table_open(rt.get(), path.c_str(), nullptr, &table, &e), e));
    const Table owner(table);
    nf_view v = NF_VIEW_INIT;
    ASSERT_TRUE(ok(nf_table_view(table, &v, &e), e));
    ASSERT_EQ(v.ndim, 2);
    EXPECT_EQ(v.shape[0], 10);
    EXPECT_EQ(memcmp(v.data, x.v.data(), x.v.size() * sizeof(float)), 0);
    nf_batches* made = nullptr;
    ASSERT_TRUE(ok(nf_batches_create(rt.get(), Batch(&v), options({{"batches.batch", "4"}}).get(), &made, &e), e));
    const Batches b(made);
    rt.reset();
    nf_batch batch = NF_BATCH_INIT;
    ASSERT_TRUE(ok(nf_batches_get(made, 3, &batch, &e), e));
    EXPECT_EQ(batch.x->shape[1], 2);
    EXPECT_EQ(batch.ctx, nullptr);
    EXPECT_EQ(batch.weight, nullptr);
    EXPECT_EQ(batch.scores, nullptr);
    EXPECT_EQ(nf_table_column(table, 2), nullptr);
    EXPECT_EQ(nf_table_column(table, -1), nullptr);
    EXPECT_STREQ(nf_table_column(table, 0), "");
  }
  EXPECT_EQ(counting.live, 0);
}

using OneTrainer = Counted;

TEST_F(OneTrainer, PerModel) {
  const Model m = model(rt.get());
  Trainer first = trainer(m.get());
  nf_trainer* second = nullptr;
  Err e;
  EXPECT_TRUE(failed(NF_ERR_STATE, nf_trainer_create(m.get(), nullptr, nullptr, &second, &e), e, "trainer"));
  EXPECT_EQ(second, nullptr);
  first.reset();
  EXPECT_TRUE(trainer(m.get())) << "the model is free again";
}

TEST_F(OneTrainer, NotesComeAndGo) {
  const Model m = model(rt.get());
  Err e;
  EXPECT_EQ(nf_model_note(m.get(), "who"), nullptr);
  ASSERT_TRUE(ok(nf_model_set_note(m.get(), "who", "caf\xc3\xa9 \"x\"\n", &e), e));
  EXPECT_STREQ(nf_model_note(m.get(), "who"), "caf\xc3\xa9 \"x\"\n");
  const std::vector<unsigned char> file = bytes_of(m.get());
  nf_model* loaded = nullptr;
  ASSERT_TRUE(ok(nf_model_load_memory(rt.get(), file.data(), file.size(), nullptr, &loaded, &e), e));
  EXPECT_STREQ(nf_model_note(loaded, "who"), "caf\xc3\xa9 \"x\"\n");
  nf_model_free(loaded);
  EXPECT_EQ(nf_model_set_note(m.get(), "bad", "\xff\xfe", &e), NF_ERR_ARGUMENT) << "not UTF-8";
  ASSERT_TRUE(ok(nf_model_set_note(m.get(), "an earlier key", "", &e), e));
  EXPECT_STREQ(nf_model_note_key(m.get(), 0), "an earlier key");
  EXPECT_STREQ(nf_model_note_key(m.get(), 1), "who");
  for (int64_t k : {int64_t{2}, int64_t{-1}, INT64_MAX}) EXPECT_EQ(nf_model_note_key(m.get(), k), nullptr);
  ASSERT_TRUE(ok(nf_model_set_note(m.get(), "who", nullptr, &e), e));
  EXPECT_EQ(nf_model_note(m.get(), "who"), nullptr);
}

TEST_F(OneTrainer, TensorsByNameAndIndex) {
  const Model m = model(rt.get());
  const nf_model_info i = info(m.get());
  const uint64_t fresh = nf_model_hash(m.get());
  EXPECT_EQ(i.event_size, 2);
  EXPECT_EQ(i.context_size, 0);
  EXPECT_EQ(i.dtype, NF_F32);
  EXPECT_GT(i.param_count, 0);
  Err e;
  int64_t trainable = 0;
  for (int64_t k = 0; k < i.tensor_count; ++k) {
    nf_tensor_info ti = NF_TENSOR_INFO_INIT;
    ASSERT_TRUE(ok(nf_model_tensor(m.get(), k, &ti, &e), e));
    Tensor value(std::vector<int64_t>(ti.shape, ti.shape + ti.ndim));
    ASSERT_TRUE(ok(nf_model_get_tensor(m.get(), ti.name, value.view(), &e), e)) << ti.name;
    if (ti.trainable) trainable += static_cast<int64_t>(value.v.size());
    for (float& v : value.v) v += 0.25f;
    ASSERT_TRUE(ok(nf_model_set_tensor(m.get(), ti.name, value.view(), &e), e)) << ti.name;
    const std::vector<float> written = value.v;
    ASSERT_TRUE(ok(nf_model_get_tensor(m.get(), ti.name, value.view(), &e), e));
    EXPECT_TRUE(same_bits(value.v, written));
    const uint64_t hash = nf_model_hash(m.get());
    for (float bad : {NAN, INFINITY, -INFINITY}) {
      value.v.back() = bad;
      EXPECT_TRUE(failed(NF_ERR_NUMERIC, nf_model_set_tensor(m.get(), ti.name, value.view(), &e), e, ti.name));
    }
    EXPECT_EQ(nf_model_hash(m.get()), hash) << "a refused tensor changed the model";
  }
  EXPECT_EQ(trainable, i.param_count);
  EXPECT_NE(nf_model_hash(m.get()), fresh);
  nf_tensor_info ti = NF_TENSOR_INFO_INIT;
  for (int64_t k : {int64_t{-1}, i.tensor_count, INT64_MAX, INT64_MIN})
    EXPECT_TRUE(failed(NF_ERR_ARGUMENT, nf_model_tensor(m.get(), k, &ti, &e), e, "index")) << k;
  Tensor one({1});
  EXPECT_TRUE(
      failed(NF_ERR_ARGUMENT, nf_model_get_tensor(m.get(), "layers.9.nothing", one.view(), &e), e, "layers.9.nothing"));
}

}  // namespace
}  // namespace abi_test
