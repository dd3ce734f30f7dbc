// Losses of the host through the ABI: the cotangents of nll give the bits of nf_train_step, gradients wait between calls,
// and every misuse says what is wrong.
#include "tests/abi/abi_support.h"

namespace abi_test {
namespace {

struct Given {
  nf_cotangents c = NF_COTANGENTS_INIT;
  explicit Given(nf_direction d, const nf_view* out, const nf_view* log_det, const nf_view* log_prob) {
    c.direction = d, c.out = out, c.log_det = log_det, c.log_prob = log_prob;
  }
  operator const nf_cotangents*() const { return &c; }
};

TEST(HostLoss, IsNllToTheBit) {
  const Model a = model(nullptr, kContextSpec), b = model(nullptr, kContextSpec);
  const Options o = options({{"trainer.lr", "0.01"}, {"trainer.clip_norm", "1"}});
  const Trainer nll = trainer(a.get(), o.get()), host = trainer(b.get(), o.get());
  Err e;
  for (int step = 0; step < 5; ++step) {
    Tensor x = banana(100, 10 + static_cast<uint64_t>(step)), ctx({100, 1}, 0.5f), weight({100}, 1.0f);
    std::vector<double> cot(100);
    double sum = 0;
    for (size_t r = 0; r < 100; ++r) sum += weight.v[r] = static_cast<float>(1 + r % 3);
    for (size_t r = 0; r < 100; ++r) cot[r] = -static_cast<double>(weight.v[r]) / sum;
    const nf_view lp = nf_vec_f64(cot.data(), 100);
    nf_step_info want = NF_STEP_INFO_INIT, got = NF_STEP_INFO_INIT;
    ASSERT_TRUE(ok(nf_train_step(nll.get(), Batch(x.view(), ctx.view(), weight.view()), &want, &e), e));
    const uint64_t before = nf_model_generation(b.get());
    ASSERT_TRUE(
        ok(nf_trainer_accumulate(host.get(), Batch(x.view(), ctx.view()), Given(NF_FORWARD, nullptr, nullptr, &lp), &e),
           e));
    ASSERT_TRUE(ok(nf_trainer_apply(host.get(), want.loss, &got, &e), e));
    EXPECT_EQ(nf_model_hash(a.get()), nf_model_hash(b.get())) << step;
    EXPECT_EQ(got.grad_norm, want.grad_norm);
    EXPECT_EQ(got.loss, want.loss);
    EXPECT_EQ(got.step, want.step);
    EXPECT_NE(nf_model_generation(b.get()), before);
  }
}

// A loss that libnf does not know: the distance of samples to a point, by NF_INVERSE. It falls.
TEST(HostLoss, MovesSamplesWhereTheHostWants) {
  const Model m = model(nullptr);
  const Session s = session(m.get());
  const Trainer t = trainer(m.get(), options({{"trainer.lr", "0.02"}}).get());
  Err e;
  constexpr int64_t n = 64;
  double first = 0, last = 0;
  for (int step = 0; step < 200; ++step) {
    Tensor z({n, 2}), x({n, 2}), cot({n, 2}), ctx({0});
    for (size_t k = 0; k < z.v.size(); ++k) z.v[k] = std::sin(static_cast<float>(k) * 1.7f + static_cast<float>(step));
    ASSERT_TRUE(ok(nf_inverse(s.get(), z.view(), nullptr, x.view(), nullptr, &e), e));
    double loss = 0;
    for (size_t k = 0; k < x.v.size(); ++k) {
      const float d = x.v[k] - (k % 2 ? -3.0f : 5.0f);
      loss += d * d / n;
      cot.v[k] = 2 * d / n;
    }
    (step == 0 ? first : last) = loss;
    ASSERT_TRUE(
        ok(nf_trainer_accumulate(t.get(), Batch(z.view()), Given(NF_INVERSE, cot.view(), nullptr, nullptr), &e), e));
    ASSERT_TRUE(ok(nf_trainer_apply(t.get(), loss, nullptr, &e), e));
  }
  EXPECT_LT(last, first / 5);
}

TEST(HostLoss, GradientsWait) {
  const TempDir dir;
  const Model m = model(nullptr);
  const Trainer t = trainer(m.get());
  Tensor x = banana(50), cot({50}, -0.02f);
  Err e;
  EXPECT_TRUE(failed(NF_ERR_STATE, nf_trainer_apply(t.get(), 0, nullptr, &e), e, "nf_trainer_accumulate"));
  EXPECT_TRUE(ok(nf_trainer_discard(t.get(), &e), e)) << "a no-op";
  const auto add = [&] {
    return nf_trainer_accumulate(t.get(), Batch(x.view()), Given(NF_FORWARD, nullptr, nullptr, cot.view()), &e);
  };
  ASSERT_TRUE(ok(add(), e));
  EXPECT_TRUE(failed(NF_ERR_STATE, nf_train_step(t.get(), Batch(x.view()), nullptr, &e), e, "nf_trainer_discard"));
  EXPECT_TRUE(failed(NF_ERR_STATE, nf_trainer_save(t.get(), (dir / "c").c_str(), &e), e, "gradients wait"));
  ASSERT_TRUE(ok(add(), e));
  ASSERT_TRUE(ok(nf_trainer_discard(t.get(), &e), e));
  ASSERT_TRUE(ok(nf_train_step(t.get(), Batch(x.view()), nullptr, &e), e));
  ASSERT_TRUE(ok(nf_trainer_save(t.get(), (dir / "c").c_str(), &e), e));
  ASSERT_TRUE(ok(add(), e));
  ASSERT_TRUE(ok(nf_trainer_restore(t.get(), (dir / "c").c_str(), &e), e));
  EXPECT_TRUE(failed(NF_ERR_STATE, nf_trainer_apply(t.get(), 0, nullptr, &e), e)) << "a restored trainer has none";
}

TEST(HostLoss, Misuse) {
  const Model m = model(nullptr);
  const Trainer t = trainer(m.get());
  Tensor x = banana(50), out({50, 2}, 0.1f), row({50}, 0.1f), short_row({49}), weight({50}, 1.0f);
  Err e;
  const auto add = [&](const nf_batch* b, const nf_cotangents* c) { return nf_trainer_accumulate(t.get(), b, c, &e); };
  EXPECT_TRUE(failed(NF_ERR_ARGUMENT,
                     nf_trainer_accumulate(nullptr, Batch(x.view()), Given(0, out.view(), nullptr, nullptr), &e), e,
                     "trainer is NULL"));
  EXPECT_TRUE(failed(NF_ERR_ARGUMENT, add(nullptr, Given(0, out.view(), nullptr, nullptr)), e, "batch is NULL"));
  EXPECT_TRUE(failed(NF_ERR_ARGUMENT, add(Batch(x.view()), nullptr), e, "cotangents is NULL"));
  EXPECT_TRUE(
      failed(NF_ERR_ARGUMENT, add(Batch(x.view()), Given(7, out.view(), nullptr, nullptr)), e, "direction is 7"));
  EXPECT_TRUE(failed(NF_ERR_ARGUMENT, add(Batch(x.view()), Given(0, nullptr, nullptr, nullptr)), e, "nothing to add"));
  EXPECT_TRUE(failed(NF_ERR_ARGUMENT,
                     add(Batch(x.view(), nullptr, weight.view()), Given(0, out.view(), nullptr, nullptr)), e,
                     "batch.weight"));
  EXPECT_TRUE(failed(NF_ERR_SHAPE, add(Batch(x.view()), Given(0, row.view(), nullptr, nullptr)), e, "cotangents.out"));
  EXPECT_TRUE(failed(NF_ERR_SHAPE, add(Batch(x.view()), Given(0, nullptr, short_row.view(), nullptr)), e,
                     "cotangents.log_det"));
  EXPECT_TRUE(
      failed(NF_ERR_SHAPE, add(Batch(x.view()), Given(0, nullptr, nullptr, out.view())), e, "cotangents.log_prob"));
  row.v[31] = NAN;
  EXPECT_TRUE(
      failed(NF_ERR_NUMERIC, add(Batch(x.view()), Given(0, nullptr, row.view(), nullptr)), e, "\"log_det\" of row 31"));
  EXPECT_EQ(e.row, 31);
  x.v[2 * 12] = INFINITY;
  EXPECT_TRUE(failed(NF_ERR_NUMERIC, add(Batch(x.view()), Given(0, out.view(), nullptr, nullptr)), e, "row 12"));
  EXPECT_EQ(e.row, 12);
  EXPECT_TRUE(failed(NF_ERR_STATE, nf_trainer_apply(t.get(), 0, nullptr, &e), e)) << "nothing was added";
}

}  // namespace
}  // namespace abi_test
