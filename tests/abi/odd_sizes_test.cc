// Every newer call with one column, one row, an image of odd size, a context and float64: nf_fit, losses of the host, the
// base, gradients, the one-row call, clones, checkpoints in memory.
#include "tests/abi/abi_support.h"

namespace abi_test {
namespace {

struct Odd {
  const char* name;
  const char* spec;
  int64_t context;
};
void PrintTo(const Odd& o, std::ostream* out) { *out << o.spec; }

constexpr Odd kOdd[] = {
    {"OneColumn",
     R"({"event": [1], "layers": [{"type": "spline_autoregressive", "bins": 4, "hidden": [4]}, {"type": "elementwise_affine"}]})",
     0},
    {"OneColumnContextF64",
     R"({"event": [1], "context": [2], "dtype": "float64", "layers": [{"type": "masked_autoregressive", "hidden": [4]},
         {"type": "affine_coupling", "hidden": [4], "mask": "alternating"}]})",
     2},
    {"OddImage",
     R"({"event": [3, 5, 2], "layers": [{"type": "squeeze"}, {"type": "affine_coupling", "hidden": [6], "mask": "channel"},
         {"type": "flatten"}, {"type": "reverse"}, {"type": "affine_coupling", "hidden": [6]}]})",
     0},
    {"OnePixelContext",
     R"({"event": [1, 1, 3], "context": [1], "base": "logistic", "layers": [{"type": "affine_coupling", "hidden": [6]}]})",
     1},
};

class OddSizes : public testing::TestWithParam<Odd> {
 protected:
  void SetUp() override {
    m = model(nullptr, GetParam().spec);
    const nf_model_info i = info(m.get());
    event.assign(i.event, i.event + i.event_ndim);
    latent.assign(i.latent, i.latent + i.latent_ndim);
    size = static_cast<size_t>(i.event_size);
  }
  std::vector<int64_t> shape(int64_t n, const std::vector<int64_t>& of) const {
    std::vector<int64_t> s = of;
    s.insert(s.begin(), n);
    return s;
  }
  Tensor data(int64_t n, uint64_t seed = 1) const {
    Tensor x(shape(n, event));
    for (size_t k = 0; k < x.v.size(); ++k)
      x.v[k] = std::sin(static_cast<float>(k + 31 * seed) * 1.3f) + 0.1f * static_cast<float>(k % 7);
    return x;
  }
  Tensor like(int64_t n, const std::vector<int64_t>& of, float fill = 7) const { return Tensor(shape(n, of), fill); }
  // Contexts [n, c], or nothing.
  struct Context {
    Tensor t;
    bool there;
    const nf_view* view() { return there ? static_cast<const nf_view*>(t.view()) : nullptr; }
  };
  Context context(int64_t n) const {
    const int64_t c = GetParam().context;
    Tensor t({n, std::max<int64_t>(c, 1)});
    for (size_t k = 0; k < t.v.size(); ++k) t.v[k] = std::cos(static_cast<float>(k) * 0.7f);
    return {t, c > 0};
  }
  void warm_up() {  // data-dependent layers are initialized, parameters are not those of the start
    Tensor x = data(16);
    Context c = context(16);
    const Trainer t = trainer(m.get(), options({{"trainer.lr", "0.02"}}).get());
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(ok(nf_train_step(t.get(), Batch(x.view(), c.view()), nullptr, &e), e));
  }

  Err e;
  Model m;
  std::vector<int64_t> event, latent;
  size_t size = 0;
};

TEST_P(OddSizes, Fit) {
  for (const int64_t n : {2, 3, 41}) {
    const Model fresh = model(nullptr, GetParam().spec);
    Tensor x = data(n), lp({n}), sample = like(1, event);
    Context c = context(n), one = context(1);
    nf_fit_info end = NF_FIT_INFO_INIT;
    const Options o = options({{"fit.steps", "40"}, {"trainer.lr", "0.02"}, {"batches.batch", "7"}});
    ASSERT_TRUE(ok(nf_fit(fresh.get(), Batch(x.view(), c.view()), nullptr, o.get(), nullptr, nullptr, &end, &e), e))
        << n;
    EXPECT_EQ(end.train_rows + end.valid_rows, n);
    EXPECT_GE(end.valid_rows, 1);
    EXPECT_TRUE(std::isfinite(end.best)) << n;
    ASSERT_TRUE(ok(nf_score(fresh.get(), x.view(), c.view(), lp.view(), &e), e));
    for (const float v : lp.v) EXPECT_TRUE(std::isfinite(v)) << n;
    ASSERT_TRUE(ok(nf_draw(fresh.get(), 1, one.view(), sample.view(), &e), e));
    for (const float v : sample.v) EXPECT_TRUE(std::isfinite(v)) << n;
  }
  // One row cannot be split, and can be trained on.
  Tensor x = data(1);
  Context c = context(1);
  EXPECT_TRUE(failed(NF_ERR_SHAPE,
                     nf_fit(m.get(), Batch(x.view(), c.view()), nullptr, nullptr, nullptr, nullptr, nullptr, &e), e,
                     "1 row"));
  const Options all = options({{"fit.holdout", "0"}, {"fit.steps", "3"}});
  nf_fit_info end = NF_FIT_INFO_INIT;
  ASSERT_TRUE(ok(nf_fit(m.get(), Batch(x.view(), c.view()), nullptr, all.get(), nullptr, nullptr, &end, &e), e));
  EXPECT_EQ(end.step, 3u);
  EXPECT_EQ(end.train_rows, 1);
}

TEST_P(OddSizes, HostLossIsNllToTheBit) {
  for (const int64_t n : {1, 5}) {
    const Model twin = model(nullptr, GetParam().spec), host_model = model(nullptr, GetParam().spec);
    const Trainer nll = trainer(twin.get()), host = trainer(host_model.get());
    for (uint64_t step = 0; step < 3; ++step) {
      Tensor x = data(n, step);
      Context c = context(n);
      const std::vector<double> cot(static_cast<size_t>(n), -1.0 / static_cast<double>(n));
      const nf_view lp = nf_vec_f64(cot.data(), n);
      nf_cotangents given = NF_COTANGENTS_INIT;
      given.log_prob = &lp;
      ASSERT_TRUE(ok(nf_train_step(nll.get(), Batch(x.view(), c.view()), nullptr, &e), e));
      ASSERT_TRUE(ok(nf_trainer_accumulate(host.get(), Batch(x.view(), c.view()), &given, &e), e));
      ASSERT_TRUE(ok(nf_trainer_apply(host.get(), 0, nullptr, &e), e));
      ASSERT_EQ(nf_model_hash(twin.get()), nf_model_hash(host_model.get())) << n << " rows, step " << step;
    }
  }
}

TEST_P(OddSizes, Base) {
  warm_up();
  const Session s = session(m.get());
  for (const int64_t n : {1, 4}) {
    Tensor z = like(n, latent), x = like(n, event), back = like(n, event), of_z({n}), of_x({n}), log_det({n});
    Context c = context(n);
    const Sampling how(3, 10);
    ASSERT_TRUE(ok(nf_base_sample(s.get(), how, c.view(), z.view(), &e), e));
    ASSERT_TRUE(ok(nf_sample(s.get(), how, c.view(), x.view(), of_x.view(), &e), e));
    ASSERT_TRUE(ok(nf_inverse(s.get(), z.view(), c.view(), back.view(), log_det.view(), &e), e));
    EXPECT_TRUE(same_bits(back.v, x.v));
    ASSERT_TRUE(ok(nf_base_log_prob(s.get(), z.view(), c.view(), of_z.view(), &e), e));
    for (size_t r = 0; r < of_z.v.size(); ++r) EXPECT_NEAR(of_x.v[r], of_z.v[r] - log_det.v[r], 2e-4);
    // The median of every column is the mode of these bases.
    Tensor half = like(n, latent, 0.5f), middle = like(n, latent), at({n});
    ASSERT_TRUE(ok(nf_base_quantile(s.get(), half.view(), c.view(), middle.view(), &e), e));
    ASSERT_TRUE(ok(nf_base_log_prob(s.get(), middle.view(), c.view(), at.view(), &e), e));
    for (size_t r = 0; r < at.v.size(); ++r) EXPECT_GE(at.v[r], of_z.v[r]);
  }
}

// <jvp(t), c> = <t, vjp(c)>, and log_prob_grad agrees with the one-row call by differences.
TEST_P(OddSizes, Gradients) {
  warm_up();
  const Session s = session(m.get());
  Tensor x = data(1), tan = like(1, event), cot = like(1, latent), to = like(1, latent), pushed = like(1, latent),
         pulled = like(1, event), zero({1});
  for (size_t k = 0; k < size; ++k) {
    tan.v[k] = 0.3f + 0.1f * static_cast<float>(k % 5);
    cot.v[k] = 0.7f - 0.2f * static_cast<float>(k % 3);
  }
  Context c = context(1);
  ASSERT_TRUE(ok(nf_jvp(s.get(), NF_FORWARD, x.view(), c.view(), tan.view(), nullptr, to.view(), nullptr, pushed.view(),
                        nullptr, &e),
                 e));
  ASSERT_TRUE(ok(nf_vjp(s.get(), NF_FORWARD, x.view(), c.view(), cot.view(), nullptr, nullptr, nullptr, pulled.view(),
                        nullptr, &e),
                 e));
  double left = 0, right = 0, scale = 0;
  for (size_t k = 0; k < size; ++k) {
    left += double{pushed.v[k]} * cot.v[k];
    right += double{tan.v[k]} * pulled.v[k];
    scale += std::abs(double{tan.v[k]} * pulled.v[k]);
  }
  EXPECT_NEAR(left, right, 1e-5 * (1 + scale));

  Tensor dx = like(1, event), lp({1}), later({1}), sooner({1});
  ASSERT_TRUE(ok(nf_log_prob_grad(s.get(), x.view(), c.view(), lp.view(), dx.view(), nullptr, &e), e));
  const auto at = [&](size_t k, double step) {
    std::vector<double> row(x.v.begin(), x.v.end()), ctx(c.t.v.begin(), c.t.v.end());
    row[k] += step;
    double value = 0;
    EXPECT_TRUE(ok(nf_log_prob_row(s.get(), row.data(), c.there ? ctx.data() : nullptr, &value, &e), e));
    return value;
  };
  EXPECT_EQ(static_cast<float>(at(0, 0)), lp.v[0]);
  for (size_t k = 0; k < size; ++k)
    EXPECT_NEAR(dx.v[k], (at(k, 1e-2) - at(k, -1e-2)) / 2e-2, 0.02 * (1 + std::abs(dx.v[k]))) << k;
}

TEST_P(OddSizes, CloneAndCheckpointInMemory) {
  const Trainer t = trainer(m.get());
  Tensor x = data(1);
  Context c = context(1);
  ASSERT_TRUE(ok(nf_train_step(t.get(), Batch(x.view(), c.view()), nullptr, &e), e));
  std::string bytes;
  const nf_write_fn write = [](void* user, const void* p, size_t n) {
    static_cast<std::string*>(user)->append(static_cast<const char*>(p), n);
    return 0;
  };
  ASSERT_TRUE(ok(nf_trainer_save_stream(t.get(), write, &bytes, &e), e));
  nf_model* made = nullptr;
  ASSERT_TRUE(ok(nf_model_clone(m.get(), nullptr, &made, &e), e));
  const Model clone(made);
  EXPECT_EQ(nf_model_hash(clone.get()), nf_model_hash(m.get()));
  const Trainer second = trainer(clone.get());
  ASSERT_TRUE(ok(nf_trainer_restore_memory(second.get(), bytes.data(), bytes.size(), &e), e));
  for (const nf_trainer* each : {t.get(), second.get()})
    for (int i = 0; i < 2; ++i)
      ASSERT_TRUE(ok(nf_train_step(const_cast<nf_trainer*>(each), Batch(x.view(), c.view()), nullptr, &e), e));
  EXPECT_EQ(nf_model_hash(clone.get()), nf_model_hash(m.get()));
}

INSTANTIATE_TEST_SUITE_P(, OddSizes, testing::ValuesIn(kOdd), [](const auto& p) { return std::string(p.param.name); });

}  // namespace
}  // namespace abi_test
