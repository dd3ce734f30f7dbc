// Events of any shape through the ABI: rows flat or shaped, with any strides, in every call that takes or returns them;
// the description of a model; and models whose log_prob is a bound.
#include <nlohmann/json.hpp>

#include "tests/abi/abi_support.h"

namespace abi_test {
namespace {

using Json = nlohmann::json;

constexpr int64_t kN = 5, kH = 4, kW = 4, kC = 1, kD = 16;
constexpr char kImages[] = R"({"event": [4, 4, 1], "layers": [
  {"type": "actnorm"}, {"type": "squeeze"},
  {"type": "affine_coupling", "mask": "channel", "net": {"type": "mlp", "hidden": [8]}},
  {"type": "affine_coupling", "mask": "checkerboard", "swap": true, "net": {"type": "mlp", "hidden": [8]}},
  {"type": "squeeze", "invert": true}]})";

std::vector<float> numbers(int64_t n, float scale = 1) {
  std::vector<float> v;
  for (int64_t k = 0; k < n; ++k) v.push_back(scale * static_cast<float>((k * 7919 + 13) % 101 - 50) / 50);
  return v;
}

// The same numbers as [n, h, w, c] in channel-first memory, with a gap after every number.
struct Strided {
  explicit Strided(std::vector<float> rows) {
    memory.assign(rows.size() * 2, -77);
    for (size_t k = 0; k < rows.size(); ++k) memory[2 * at(k)] = rows[k];
    v = NF_VIEW_INIT;
    v.ndim = 4;
    v.flags = NF_STRIDED;
    const int64_t shape[] = {static_cast<int64_t>(rows.size()) / kD, kH, kW, kC};
    const int64_t strides[] = {2 * kD, 2 * kW, 2, 2 * kH * kW};
    std::copy(shape, shape + 4, v.shape);
    std::copy(strides, strides + 4, v.strides);
    v.data = memory.data();
  }
  static size_t at(size_t k) {
    const size_t r = k / kD, i = k / (kW * kC) % kH, j = k / kC % kW, c = k % kC;
    return r * kD + c * kH * kW + i * kW + j;
  }
  std::vector<float> rows() const {
    std::vector<float> out(memory.size() / 2);
    for (size_t k = 0; k < out.size(); ++k) out[k] = memory[2 * at(k)];
    for (size_t k = 1; k < memory.size(); k += 2) EXPECT_EQ(memory[k], -77) << "wrote between the numbers";
    return out;
  }
  std::vector<float> memory;
  nf_view v;
  // The same memory, written.
  const nf_out* out() {
    memcpy(&out_, &v, sizeof out_);
    return &out_;
  }

 private:
  nf_out out_;
};

std::string described(const nf_model* m) {
  std::string text;
  Err e;
  const nf_write_fn append = [](void* user, const void* bytes, size_t n) -> int32_t {
    static_cast<std::string*>(user)->append(static_cast<const char*>(bytes), n);
    return 0;
  };
  EXPECT_TRUE(ok(nf_model_describe(m, append, &text, &e), e));
  return text;
}

class Events : public Counted {
 protected:
  Err e;
};

TEST_F(Events, FlatOrShapedWithAnyStrides) {
  const Model m = model(rt.get(), kImages);
  const Session s = session(m.get());
  Tensor flat({kN, kD}, numbers(kN * kD)), lp({kN}), z({kN, kD}), ld({kN}), x({kN, kD}), states({6, kN, kD});
  ASSERT_TRUE(ok(nf_model_init_from_data(m.get(), flat.view(), nullptr, &e), e));
  ASSERT_TRUE(ok(nf_log_prob(s.get(), flat.view(), nullptr, lp.view(), &e), e));
  ASSERT_TRUE(ok(nf_forward(s.get(), flat.view(), nullptr, z.view(), ld.view(), &e), e));
  ASSERT_TRUE(ok(nf_inverse(s.get(), z.view(), nullptr, x.view(), nullptr, &e), e));
  ASSERT_TRUE(ok(nf_trace(s.get(), 0, flat.view(), nullptr, states.view(), nullptr, &e), e));
  for (size_t k = 0; k < x.v.size(); ++k) EXPECT_NEAR(x.v[k], flat.v[k], 1e-5);

  // The same as [n, h, w, c], row-major and in strided memory.
  Tensor shaped({kN, kH, kW, kC}, flat.v), z4({kN, kH, kW, kC}), lp4({kN}), states4({6, kN, kD});
  ASSERT_TRUE(ok(nf_log_prob(s.get(), shaped.view(), nullptr, lp4.view(), &e), e));
  EXPECT_TRUE(same_bits(lp4.v, lp.v));
  ASSERT_TRUE(ok(nf_forward(s.get(), shaped.view(), nullptr, z4.view(), nullptr, &e), e));
  EXPECT_TRUE(same_bits(z4.v, z.v));
  ASSERT_TRUE(ok(nf_trace(s.get(), 0, shaped.view(), nullptr, states4.view(), nullptr, &e), e));
  EXPECT_TRUE(same_bits(states4.v, states.v));
  Strided strange(flat.v), out(std::vector<float>(flat.v.size(), 0));
  ASSERT_TRUE(ok(nf_log_prob(s.get(), &strange.v, nullptr, lp4.view(), &e), e));
  EXPECT_TRUE(same_bits(lp4.v, lp.v));
  ASSERT_TRUE(ok(nf_forward(s.get(), &strange.v, nullptr, out.out(), nullptr, &e), e));
  EXPECT_TRUE(same_bits(out.rows(), z.v));
  ASSERT_TRUE(ok(nf_inverse(s.get(), &out.v, nullptr, strange.out(), nullptr, &e), e));
  EXPECT_TRUE(same_bits(strange.rows(), x.v));
  Tensor drawn({kN, kD});
  ASSERT_TRUE(ok(nf_sample(s.get(), Sampling(3, 0), nullptr, drawn.view(), lp.view(), &e), e));
  ASSERT_TRUE(ok(nf_sample(s.get(), Sampling(3, 0), nullptr, out.out(), lp4.view(), &e), e));
  EXPECT_TRUE(same_bits(out.rows(), drawn.v));
  EXPECT_TRUE(same_bits(lp4.v, lp.v));

  // The same for training, by direct calls and through batches.
  uint64_t hashes[4];
  for (int k = 0; k < 4; ++k) {
    const Model trained = model(rt.get(), kImages);
    const Trainer t = trainer(trained.get(), options({{"trainer.lr", "0.01"}}).get());
    Strided data(flat.v);
    const nf_view* rows[] = {&flat.view(), &shaped.view(), &data.v, &data.v};
    nf_batches* b = nullptr;
    const Options o = options({{"batches.batch", "5"}, {"batches.order", "sequential"}});
    ASSERT_TRUE(ok(nf_batches_create(rt.get(), Batch(rows[k]), o.get(), &b, &e), e));
    const Batches batches(b);
    for (uint64_t step = 0; step < 3; ++step) {
      nf_batch batch = NF_BATCH_INIT;
      ASSERT_TRUE(ok(nf_batches_get(b, step, &batch, &e), e));
      EXPECT_EQ(batch.x->ndim, k == 0 ? 2 : 4);
      ASSERT_TRUE(ok(nf_train_step(t.get(), k == 3 ? Batch(rows[k]) : Batch(batch.x), nullptr, &e), e));
    }
    hashes[k] = nf_model_hash(trained.get());
    EXPECT_EQ(hashes[k], hashes[0]) << k;
  }
}

TEST_F(Events, ErrorsNameTheShapes) {
  const Model m = model(rt.get(), kImages);
  const Session s = session(m.get());
  const Trainer t = trainer(m.get());
  Tensor lp({kN}), good({kN, kD}), states({6, kN, kD});
  const auto refuse = [&](Tensor x, const std::string& got) {
    const std::string says = got + ", expected [n, 16] or [n, 4, 4, 1]";
    EXPECT_TRUE(failed(NF_ERR_SHAPE, nf_log_prob(s.get(), x.view(), nullptr, lp.view(), &e), e, "x has shape " + says));
    EXPECT_TRUE(failed(NF_ERR_SHAPE, nf_inverse(s.get(), x.view(), nullptr, good.view(), nullptr, &e), e,
                       "z has shape " + says));
    EXPECT_TRUE(failed(NF_ERR_SHAPE, nf_trace(s.get(), 0, x.view(), nullptr, states.view(), nullptr, &e), e,
                       "from has shape " + says));
    EXPECT_TRUE(failed(NF_ERR_SHAPE, nf_sample(s.get(), Sampling(1, 0), nullptr, x.view(), nullptr, &e), e,
                       "out has shape " + says));
    EXPECT_TRUE(failed(NF_ERR_SHAPE, nf_train_step(t.get(), Batch(x.view()), nullptr, &e), e, "x has shape " + says));
    EXPECT_TRUE(
        failed(NF_ERR_SHAPE, nf_model_init_from_data(m.get(), x.view(), nullptr, &e), e, "x has shape " + says));
  };
  refuse(Tensor({5, 15}), "[5, 15]");
  refuse(Tensor({5, 4, 4}), "[5, 4, 4]");
  refuse(Tensor({5, 1, 4, 4}), "[5, 1, 4, 4]");
  refuse(Tensor({80}), "[80]");
  Tensor few({kN - 1, kH, kW, kC});
  EXPECT_TRUE(failed(NF_ERR_SHAPE, nf_forward(s.get(), good.view(), nullptr, few.view(), nullptr, &e), e,
                     "z has shape [4, 4, 4, 1], expected [5, 16] or [5, 4, 4, 1]"));
  Tensor cube({2, 3, 4});
  nf_batches* b = nullptr;
  EXPECT_TRUE(failed(NF_ERR_SHAPE, nf_batches_create(rt.get(), Batch(cube.view()), nullptr, &b, &e), e,
                     "x has shape [2, 3, 4], expected [n, columns] or [n, height, width, channels]"));
  // This model's latents have another shape than its data.
  const Model squeezed = model(rt.get(), R"({"event": [4, 4, 1], "layers": [{"type": "squeeze"}]})");
  const Session q = session(squeezed.get());
  Tensor x4({kN, 4, 4, 1}), z4({kN, 2, 2, 4});
  EXPECT_TRUE(ok(nf_forward(q.get(), x4.view(), nullptr, z4.view(), nullptr, &e), e));
  EXPECT_TRUE(failed(NF_ERR_SHAPE, nf_forward(q.get(), x4.view(), nullptr, x4.view(), nullptr, &e), e,
                     "expected [5, 16] or [5, 2, 2, 4]"));
  EXPECT_TRUE(failed(NF_ERR_SHAPE, nf_inverse(q.get(), x4.view(), nullptr, x4.view(), nullptr, &e), e,
                     "expected [n, 16] or [n, 2, 2, 4]"));
}

TEST_F(Events, ModelsDescribeThemselves) {
  const Model m = model(rt.get(), R"({"event": [4, 4, 1], "context": 2, "layers": [{"type": "squeeze"},
      {"type": "split", "layers": [{"type": "reverse"}]}]})");
  const Json j = Json::parse(described(m.get()));
  EXPECT_EQ(j["kind"], "flow");
  EXPECT_EQ(j["event"], Json({4, 4, 1}));
  EXPECT_EQ(j["latent"], Json({16}));
  EXPECT_EQ(j["context"], Json({2}));
  EXPECT_EQ(j["dtype"], "float32");
  EXPECT_EQ(j["log_prob"], "exact");
  ASSERT_EQ(j["layers"].size(), 3u);
  for (size_t k = 0; k < 3; ++k) {
    nf_layer_info layer = NF_LAYER_INFO_INIT;
    ASSERT_TRUE(ok(nf_model_layer(m.get(), static_cast<int64_t>(k), &layer, &e), e));
    EXPECT_EQ(j["layers"][k]["where"], layer.where);
    EXPECT_EQ(j["layers"][k]["name"], layer.name);
    EXPECT_EQ(j["layers"][k]["type"], layer.type);
    EXPECT_EQ(j["layers"][k]["columns"], layer.columns);
  }
  const Json scales = Json::parse(R"x([{"where": "", "first_column": 0, "columns": 8, "event": [2, 2, 2]},
      {"where": "spec.layers[1] (split)", "first_column": 8, "columns": 8, "event": [2, 2, 2]}])x");
  EXPECT_EQ(j["scales"], scales);
  const nf_write_fn refuse = [](void*, const void*, size_t) -> int32_t { return 1; };
  EXPECT_TRUE(failed(NF_ERR_CALLBACK, nf_model_describe(m.get(), refuse, nullptr, &e), e));
}

TEST_F(Events, BoundsByDraws) {
  const Model m =
      model(rt.get(), R"({"event": [1], "layers": [{"type": "dequantize"}, {"type": "elementwise_affine"}]})");
  EXPECT_EQ(Json::parse(described(m.get()))["log_prob"], "bound");
  const Session one = session(m.get()), many = session(m.get(), options({{"session.score_samples", "64"}}).get()),
                other = session(m.get(), options({{"session.score_seed", "1"}}).get());
  Tensor x({200, 1}), a({200}), b({200}), c({200});
  for (size_t k = 0; k < 200; ++k) x.v[k] = static_cast<float>(k % 7) - 3;
  ASSERT_TRUE(ok(nf_log_prob(one.get(), x.view(), nullptr, a.view(), &e), e));
  ASSERT_TRUE(ok(nf_log_prob(many.get(), x.view(), nullptr, b.view(), &e), e));
  ASSERT_TRUE(ok(nf_log_prob(other.get(), x.view(), nullptr, c.view(), &e), e));
  EXPECT_TRUE(same_bits(std::vector<float>(a.v.begin(), a.v.begin() + 7),
                        std::vector<float>(a.v.begin() + 7, a.v.begin() + 14)));
  EXPECT_FALSE(same_bits(a.v, c.v));
  // log(Phi(x + 1) - Phi(x))
  for (size_t k = 0; k < 7; ++k) {
    const double v = x.v[k], p = 0.5 * (std::erf((v + 1) / std::sqrt(2)) - std::erf(v / std::sqrt(2)));
    EXPECT_NEAR(b.v[k], std::log(p), 0.4) << v;
  }
  nf_options* o = nullptr;
  ASSERT_TRUE(ok(nf_options_create(&o, &e), e));
  const Options bag(o);
  EXPECT_TRUE(failed(NF_ERR_SPEC, nf_options_set(o, "session.score_samples", "0", &e), e, "score_samples"));
  // What needs the density itself says so.
  nf_trainer* t = nullptr;
  EXPECT_TRUE(failed(NF_ERR_UNSUPPORTED,
                     nf_trainer_create(m.get(), options({{"trainer.objective", "reverse_kl"}}).get(), nullptr, &t, &e),
                     e, "objective \"reverse_kl\" does not train this model"));
  const Target banana = target(rt.get(), "funnel", 2);
  const Model two = model(rt.get(), R"({"event": [2], "layers": [{"type": "dequantize"}]})");
  const Session s2 = session(two.get());
  nf_importance_info info = NF_IMPORTANCE_INFO_INIT;
  EXPECT_TRUE(failed(NF_ERR_UNSUPPORTED,
                     nf_importance(s2.get(), banana.get(), 1, 0, 10, nullptr, nullptr, nullptr, &info, &e), e,
                     "bound"));
  Tensor chains({2, 3, 2});
  EXPECT_TRUE(
      failed(NF_ERR_UNSUPPORTED,
             nf_metropolis(rt.get(), banana.get(), s2.get(), nullptr, nullptr, nullptr, chains.view(), nullptr, &e), e,
             "bound"));
}

}  // namespace
}  // namespace abi_test
