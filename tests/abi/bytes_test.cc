// Rows of bytes, NF_U8: the same bits as the same numbers in float32, with strides, in scores, gradients, steps and fits; and
// refused for everything that is not a row of data or a context. Tables of bytes, and images that are mirrored.
#include <fstream>

#include "tests/abi/abi_support.h"

namespace abi_test {
namespace {

constexpr char kImages[] =
    R"({"event": [4, 4, 1], "context": [2], "layers": [{"type": "dequantize", "levels": 256}, {"type": "logit"},
        {"type": "actnorm"}, {"type": "squeeze"}, {"type": "affine_coupling", "mask": "channel", "hidden": [8]}]})";
constexpr char kVectors[] =
    R"({"event": [16], "layers": [{"type": "standardize"}, {"type": "affine_coupling", "hidden": [8]}]})";

// Bytes, and the same numbers as float32.
struct Rows {
  Rows(int64_t rows, int64_t columns, uint32_t seed) : n(rows), cols(columns) {
    for (int64_t i = 0; i < rows * columns; ++i) {
      seed = seed * 1664525u + 1013904223u;
      bytes.push_back(static_cast<uint8_t>(seed >> 24));
      floats.push_back(bytes.back());
    }
  }
  nf_view u8() const { return nf_rows(NF_U8, bytes.data(), n, cols); }
  nf_view f32() const { return nf_rows(NF_F32, floats.data(), n, cols); }
  int64_t n, cols;
  std::vector<uint8_t> bytes;
  std::vector<float> floats;
};
Rows one_hot(int64_t n) {
  Rows r(n, 2, 1);
  for (size_t i = 0; i < r.bytes.size(); ++i) r.floats[i] = r.bytes[i] = static_cast<uint8_t>(i / 2 % 2 == i % 2);
  return r;
}

TEST(Bytes, ScoresAndGradientsHaveTheBitsOfFloats) {
  for (const char* dtype : {"float32", "float64"}) {
    std::string spec = kImages;
    spec.insert(1, "\"dtype\": \"" + std::string(dtype) + "\", ");
    const Model m = model(nullptr, spec);
    const Session s = session(m.get());
    const Rows x(300, 16, 7), c = one_hot(300);
    Err e;
    std::vector<float> results[2], dx[2], z[2], one[2];
    for (const bool bytes : {false, true}) {
      const nf_view xv = bytes ? x.u8() : x.f32(), cv = bytes ? c.u8() : c.f32();
      Tensor lp({300}), g({300, 16}), to({300, 16}), simple({300});
      ASSERT_TRUE(ok(nf_log_prob(s.get(), &xv, &cv, lp.view(), &e), e));
      ASSERT_TRUE(ok(nf_log_prob_grad(s.get(), &xv, &cv, nullptr, g.view(), nullptr, &e), e));
      ASSERT_TRUE(ok(nf_forward(s.get(), &xv, &cv, to.view(), nullptr, &e), e));
      ASSERT_TRUE(ok(nf_score(m.get(), &xv, &cv, simple.view(), &e), e));
      results[bytes] = lp.v, dx[bytes] = g.v, z[bytes] = to.v, one[bytes] = simple.v;
    }
    EXPECT_TRUE(std::isfinite(results[0][0]));
    EXPECT_TRUE(same_bits(results[0], results[1]) && same_bits(dx[0], dx[1]) && same_bits(z[0], z[1]));
    EXPECT_TRUE(same_bits(one[0], results[1]));
  }
}

// Pixels channel by channel, rows backwards, one row for all.
TEST(Bytes, Strides) {
  const Model m = model(nullptr, R"({"event": [2, 3, 2], "layers": [{"type": "elementwise_affine"}]})");
  const Session s = session(m.get());
  const Rows x(10, 12, 3);
  const int64_t shape[4] = {10, 2, 3, 2};
  const int64_t strides[3][4] = {{12, 3, 1, 6}, {-12, 6, 2, 1}, {0, 6, 2, 1}};
  for (const auto& stride : strides) {
    std::vector<float> got[2];
    for (const bool bytes : {false, true}) {
      const int64_t first = stride[0] < 0 ? 9 * 12 : 0;
      nf_view v = bytes ? nf_array(NF_U8, x.bytes.data() + first, 4, shape)
                        : nf_array(NF_F32, x.floats.data() + first, 4, shape);
      v.flags = NF_STRIDED;
      std::copy_n(stride, 4, v.strides);
      Tensor z({10, 12});
      Err e;
      ASSERT_TRUE(ok(nf_forward(s.get(), &v, nullptr, z.view(), nullptr, &e), e));
      got[bytes] = z.v;
    }
    EXPECT_TRUE(same_bits(got[0], got[1]));
  }
}

uint64_t after_steps(const char* spec, const Rows& x, const Rows* c, bool bytes) {
  const Model m = model(nullptr, spec);
  const Trainer t = trainer(m.get());
  const nf_view xv = bytes ? x.u8() : x.f32(), cv = c ? bytes ? c->u8() : c->f32() : nf_view NF_VIEW_INIT;
  Err e;
  for (int k = 0; k < 3; ++k) EXPECT_TRUE(ok(nf_train_step(t.get(), Batch(&xv, c ? &cv : nullptr), nullptr, &e), e));
  double loss = 0;
  EXPECT_TRUE(ok(nf_trainer_evaluate(t.get(), Batch(&xv, c ? &cv : nullptr), &loss, nullptr, &e), e));
  return nf_model_hash(m.get());
}

TEST(Bytes, StepsHaveTheBitsOfFloats) {
  const Rows x(64, 16, 5), c = one_hot(64);
  EXPECT_EQ(after_steps(kImages, x, &c, true), after_steps(kImages, x, &c, false));
  EXPECT_EQ(after_steps(kVectors, x, nullptr, true), after_steps(kVectors, x, nullptr, false));
}

TEST(Bytes, FitsBatchesAndStartsHaveTheBitsOfFloats) {
  const Rows x(200, 16, 9);
  uint64_t hashes[2], starts[2];
  for (const bool bytes : {false, true}) {
    const nf_view xv = bytes ? x.u8() : x.f32();
    const Model m = model(nullptr, kVectors);
    Err e;
    ASSERT_TRUE(ok(nf_model_init_from_data(m.get(), &xv, nullptr, &e), e));
    starts[bytes] = nf_model_hash(m.get());
    ASSERT_TRUE(ok(nf_fit(m.get(), Batch(&xv), nullptr, options({{"fit.steps", "5"}, {"batches.batch", "32"}}).get(),
                          nullptr, nullptr, nullptr, &e),
                   e));
    hashes[bytes] = nf_model_hash(m.get());
  }
  EXPECT_EQ(starts[0], starts[1]);
  EXPECT_EQ(hashes[0], hashes[1]);
  const nf_view xv = x.u8();
  nf_batches* b = nullptr;
  Err e;
  ASSERT_TRUE(ok(nf_batches_create(nullptr, Batch(&xv), options({{"batches.batch", "32"}}).get(), &b, &e), e));
  const Batches batches(b);
  nf_batch out = NF_BATCH_INIT;
  ASSERT_TRUE(ok(nf_batches_get(b, 1, &out, &e), e));
  EXPECT_EQ(out.x->dtype, NF_U8);
  const int64_t row = nf_batches_row(b, 3);
  EXPECT_EQ(memcmp(static_cast<const uint8_t*>(out.x->data) + 3 * 16, x.bytes.data() + row * 16, 16), 0);
}

TEST(Bytes, AreRefusedForAllOtherNumbers) {
  const Model m = model(nullptr, kVectors);
  const Session s = session(m.get());
  const Rows x(4, 16, 1);
  const nf_view xv = x.f32(), xb = x.u8(), weight = nf_vec(NF_U8, x.bytes.data(), 4);
  std::vector<uint8_t> room(4 * 16);
  const nf_out out = nf_out_rows(NF_U8, room.data(), 4, 16), column = nf_out_array(NF_U8, room.data(), 1, &x.n);
  Tensor z({4, 16}), lp({4});
  Err e;
  const std::string why = "which only rows of data and contexts can have";
  const auto refused = [&](nf_status status, const char* name) {
    return failed(NF_ERR_SHAPE, status, e, name + std::string(".dtype is NF_U8 (3), ") + why);
  };
  EXPECT_TRUE(refused(nf_log_prob(s.get(), &xv, nullptr, &column, &e), "log_prob"));
  EXPECT_TRUE(refused(nf_forward(s.get(), &xv, nullptr, &out, nullptr, &e), "z"));
  EXPECT_TRUE(refused(nf_inverse(s.get(), &xb, nullptr, z.view(), nullptr, &e), "z"));
  EXPECT_TRUE(refused(nf_sample(s.get(), nullptr, nullptr, &out, nullptr, &e), "out"));
  EXPECT_TRUE(refused(nf_log_prob_grad(s.get(), &xb, nullptr, nullptr, &out, nullptr, &e), "dx"));
  EXPECT_TRUE(refused(nf_vjp(s.get(), NF_FORWARD, &xb, nullptr, &xb, nullptr, nullptr, nullptr, z.view(), nullptr, &e),
                      "cot_to"));
  EXPECT_TRUE(refused(nf_jvp(s.get(), NF_FORWARD, &xb, nullptr, &xb, nullptr, nullptr, nullptr, z.view(), nullptr, &e),
                      "tan_from"));
  nf_tensor_info info = NF_TENSOR_INFO_INIT;
  ASSERT_TRUE(ok(nf_model_tensor(m.get(), 0, &info, &e), e));
  const nf_view value = nf_array(NF_U8, x.bytes.data(), info.ndim, info.shape);
  EXPECT_TRUE(refused(nf_model_set_tensor(m.get(), info.name, &value, &e), "value"));
  const Trainer t = trainer(m.get());
  EXPECT_TRUE(refused(nf_train_step(t.get(), Batch(&xb, nullptr, &weight), nullptr, &e), "weight"));
  nf_cotangents c = NF_COTANGENTS_INIT;
  c.out = &xb;
  EXPECT_TRUE(refused(nf_trainer_accumulate(t.get(), Batch(&xb), &c, &e), "cotangents.out"));
  c.out = &xv;
  c.direction = NF_INVERSE;
  EXPECT_TRUE(refused(nf_trainer_accumulate(t.get(), Batch(&xb), &c, &e), "x"));
  nf_batch part = *static_cast<const nf_batch*>(Batch(&xb));
  part.part = &weight;
  EXPECT_TRUE(refused(nf_fit(m.get(), &part, nullptr, nullptr, nullptr, nullptr, nullptr, &e), "part"));
  EXPECT_TRUE(
      refused(nf_target_log_density(target(nullptr, "funnel", 16).get(), &xb, nullptr, lp.view(), nullptr, &e), "x"));
  nf_view wrong = x.u8();
  wrong.dtype = 4;
  EXPECT_TRUE(failed(NF_ERR_SHAPE, nf_log_prob(s.get(), &wrong, nullptr, lp.view(), &e), e,
                     "x.dtype is 4, expected NF_F32 (1), NF_F64 (2) or NF_U8 (3)"));
  nf_model* none = nullptr;
  EXPECT_TRUE(failed(NF_ERR_SPEC,
                     nf_model_create(nullptr, R"({"event": 2, "dtype": "uint8", "layers": []})", NF_TEXT, 1, &none, &e),
                     e, "uint8"));
}

void write_npy(const std::string& path, const std::string& descr, const std::string& shape, const std::string& data) {
  std::string dict = "{'descr': '" + descr + "', 'fortran_order': False, 'shape': " + shape + ", }";
  dict += std::string(63 - (10 + dict.size()) % 64, ' ') + '\n';
  std::ofstream(path, std::ios::binary) << "\x93NUMPY\x01" << '\0' << static_cast<char>(dict.size() & 255)
                                        << static_cast<char>(dict.size() >> 8) << dict << data;
}

TEST(Bytes, TablesKeepThem) {
  const TempDir dir;
  const Rows x(6, 4, 2);
  const std::string content(x.bytes.begin(), x.bytes.end()), path = dir / "x.npy";
  write_npy(path, "|u1", "(6, 2, 2, 1)", content);
  write_npy(dir / "f.npy", "<f4", "(1, 1)", std::string(4, '\0'));
  std::ofstream(dir / "x.csv") << "1,2\n3,4\n";
  nf_table* table = nullptr;
  Err e;
  for (const char* map : {"off", "on"}) {
    const Options o = options({{"table.dtype", "uint8"}, {"table.map", map}});
    ASSERT_TRUE(ok(nf_table_open(nullptr, path.c_str(), o.get(), &table, &e), e));
    const Table t(table);
    nf_view v = NF_VIEW_INIT;
    ASSERT_TRUE(ok(nf_table_view(table, &v, &e), e));
    EXPECT_EQ(v.dtype, NF_U8);
    EXPECT_EQ(nf_table_is_mapped(table), std::string(map) == "on");
    EXPECT_EQ(memcmp(v.data, x.bytes.data(), x.bytes.size()), 0);
    EXPECT_EQ(nf_table_shape(table, nullptr), 4);
    ASSERT_TRUE(ok(nf_table_save(&v, (dir / "again.npy").c_str(), nullptr, &e), e));
    ASSERT_TRUE(ok(nf_table_save(&v, (dir / "again.csv").c_str(), nullptr, &e), e));
  }
  std::ifstream first(path, std::ios::binary), again(dir / "again.npy", std::ios::binary);
  const std::string was{std::istreambuf_iterator<char>(first), {}}, is{std::istreambuf_iterator<char>(again), {}};
  EXPECT_EQ(was.substr(was.size() - 24), is.substr(is.size() - 24)) << "the same bytes";
  ASSERT_TRUE(ok(nf_table_open(nullptr, (dir / "again.csv").c_str(), nullptr, &table, &e), e));
  nf_view v = NF_VIEW_INIT;
  ASSERT_TRUE(ok(nf_table_view(table, &v, &e), e));
  EXPECT_EQ(memcmp(v.data, x.floats.data(), 24 * sizeof(float)), 0);
  nf_table_free(table);
  const Options picked = options({{"table.dtype", "uint8"}, {"table.columns", "3,0"}, {"table.where", "1 >= 100"}});
  ASSERT_TRUE(ok(nf_table_open(nullptr, path.c_str(), picked.get(), &table, &e), e));
  ASSERT_TRUE(ok(nf_table_view(table, &v, &e), e));
  std::vector<uint8_t> wanted;
  for (size_t r = 0; r < 6; ++r)
    if (x.bytes[4 * r + 1] >= 100) wanted.insert(wanted.end(), {x.bytes[4 * r + 3], x.bytes[4 * r]});
  ASSERT_EQ(v.shape[0] * v.shape[1], static_cast<int64_t>(wanted.size()));
  EXPECT_TRUE(!wanted.empty() && wanted.size() < 12 && memcmp(v.data, wanted.data(), wanted.size()) == 0);
  nf_table_free(table);
  const Options o = options({{"table.dtype", "uint8"}});
  for (const char* name : {"f.npy", "x.csv"})
    EXPECT_TRUE(failed(NF_ERR_ARGUMENT, nf_table_open(nullptr, (dir / name).c_str(), o.get(), &table, &e), e, name));
}

TEST(Bytes, LatentsHaveTheBitsOfFloats) {
  const Model m = model(nullptr, R"({"kind": "vae", "event": [16], "context": [2], "latent": 2, "likelihood":
      {"type": "categorical", "levels": 256}, "posterior": {"layers": [{"type": "planar"}]}})");
  const Session s = session(m.get());
  const Rows x(20, 16, 7), c = one_hot(20);
  Err e;
  std::vector<float> all[2];
  double log_z[2];
  for (const bool bytes : {false, true}) {
    const nf_view xv = bytes ? x.u8() : x.f32(), cv = bytes ? c.u8() : c.f32();
    Tensor z({20, 2}), states({2, 20, 2}), back({20, 16});
    ASSERT_TRUE(ok(nf_encode(s.get(), &xv, &cv, nullptr, nullptr, z.view(), nullptr, &e), e));
    ASSERT_TRUE(ok(nf_posterior_trace(s.get(), &xv, &cv, states.view(), nullptr, &e), e));
    ASSERT_TRUE(ok(nf_decode(s.get(), z.view(), &cv, back.view(), &e), e));
    nf_view x0 = xv, c0 = cv;
    x0.shape[0] = c0.shape[0] = 1;
    nf_importance_info info = NF_IMPORTANCE_INFO_INIT;
    ASSERT_TRUE(ok(nf_posterior_importance(s.get(), &x0, &c0, 1, 0, 30, nullptr, nullptr, &info, &e), e));
    log_z[bytes] = info.log_z;
    for (const Tensor* t : {&z, &states, &back}) all[bytes].insert(all[bytes].end(), t->v.begin(), t->v.end());
  }
  EXPECT_TRUE(same_bits(all[0], all[1]));
  EXPECT_EQ(log_z[0], log_z[1]);
}

// ---- images that are mirrored --------------------------------------------------------------------------------------

TEST(Flip, MirrorsHalfOfTheImagesOfABatch) {
  const Rows x(64, 12, 4);
  const int64_t shape[4] = {64, 2, 3, 2};
  const nf_view v = nf_array(NF_U8, x.bytes.data(), 4, shape), flat = x.u8();
  nf_batches* b = nullptr;
  Err e;
  const Options o = options({{"batches.batch", "16"}, {"batches.flip", "true"}});
  EXPECT_TRUE(failed(NF_ERR_SHAPE, nf_batches_create(nullptr, Batch(&flat), o.get(), &b, &e), e, "batches.flip"));
  ASSERT_TRUE(ok(nf_batches_create(nullptr, Batch(&v), o.get(), &b, &e), e));
  const Batches batches(b);
  int mirrored[2] = {0, 0};
  std::vector<int> epochs[2];
  for (uint64_t k = 0; k < 8; ++k) {
    nf_batch out = NF_BATCH_INIT;
    ASSERT_TRUE(ok(nf_batches_get(b, k, &out, &e), e));
    for (int64_t r = 0; r < 16; ++r) {
      const uint8_t* got = static_cast<const uint8_t*>(out.x->data) + r * 12;
      const uint8_t* was = x.bytes.data() + nf_batches_row(b, r) * 12;
      uint8_t other[12];
      for (int y = 0; y < 2; ++y)
        for (int w = 0; w < 3; ++w)
          for (int c = 0; c < 2; ++c) other[(y * 3 + w) * 2 + c] = was[(y * 3 + 2 - w) * 2 + c];
      const bool flipped = memcmp(got, other, 12) == 0;
      EXPECT_TRUE(flipped || memcmp(got, was, 12) == 0);
      mirrored[k / 4] += flipped;
      if (flipped) epochs[k / 4].push_back(static_cast<int>(nf_batches_row(b, r)));
    }
  }
  for (auto& rows : epochs) std::sort(rows.begin(), rows.end());
  EXPECT_NEAR(mirrored[0], 32, 14);
  EXPECT_NEAR(mirrored[1], 32, 14);
  EXPECT_NE(epochs[0], epochs[1]) << "drawn anew in each epoch";
}

std::string spec_of(const char* event) {
  return std::string(R"({"event": )") + event +
         R"(, "layers": [{"type": "actnorm"}, {"type": "squeeze"}, {"type": "affine_coupling", "mask": "channel", "hidden": [8]}]})";
}

uint64_t fitted(const nf_view& x, const char* threads, const char* flip, const char* stop,
                const std::string& checkpoint, nf_status* status = nullptr) {
  const Options ro = options({{"runtime.threads", threads}});
  const Runtime rt = runtime(nullptr, ro.get());
  const Model m = model(rt.get(), spec_of("[4, 4, 1]"));
  const Options o = options({{"fit.steps", stop},
                             {"trainer.max_steps", "12"},
                             {"batches.batch", "16"},
                             {"batches.flip", flip},
                             {"fit.valid_every", "3"},
                             {"fit.restore_best", "false"},
                             {"fit.checkpoint", checkpoint.c_str()},
                             {"fit.resume", "true"}});
  Err e;
  const nf_status s = nf_fit(m.get(), Batch(&x), nullptr, o.get(), nullptr, nullptr, nullptr, &e);
  if (status)
    *status = s;
  else
    EXPECT_TRUE(ok(s, e));
  return nf_model_hash(m.get());
}

TEST(Flip, FitsAreTheSameForAnyThreadsShapeAndResume) {
  const TempDir dir;
  const Rows x(80, 16, 6);
  const int64_t shape[4] = {80, 4, 4, 1};
  const nf_view flat = x.u8(), images = nf_array(NF_F32, x.floats.data(), 4, shape);
  const uint64_t whole = fitted(flat, "1", "true", "12", dir / "a");
  EXPECT_NE(whole, fitted(flat, "1", "false", "12", dir / "plain"));
  EXPECT_EQ(whole, fitted(images, "3", "true", "12", dir / "b"));
  fitted(flat, "2", "true", "6", dir / "c");
  nf_status status = NF_OK;
  fitted(flat, "2", "false", "12", dir / "c", &status);
  EXPECT_EQ(status, NF_ERR_STATE) << "the run mirrored images";
  EXPECT_EQ(whole, fitted(flat, "2", "true", "12", dir / "c"));
}

TEST(Flip, IsRefusedForVectors) {
  const Rows x(80, 16, 6);
  const nf_view v = x.u8();
  const Model m = model(nullptr, kVectors);
  Err e;
  EXPECT_TRUE(failed(
      NF_ERR_SPEC,
      nf_fit(m.get(), Batch(&v), nullptr, options({{"batches.flip", "true"}}).get(), nullptr, nullptr, nullptr, &e), e,
      "the model's event is [16]"));
}

}  // namespace
}  // namespace abi_test
