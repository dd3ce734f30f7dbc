// The base distribution through the C ABI: log-densities, samples and quantiles of latents, and the temperature of samples.
#include "tests/abi/abi_support.h"

namespace abi_test {
namespace {

constexpr char kStudent[] =
    R"({"event": [2, 2, 1], "context": [1], "base": {"type": "student_t", "parameters": "context"}, "layers": [{"type": "squeeze"},
        {"type": "flatten"}, {"type": "affine_coupling", "hidden": [8]}]})";

TEST_F(Counted, SamplesAreTheInverseOfBaseSamples) {
  const Model m = model(rt.get(), kContextSpec);
  const Session s = session(m.get());
  Err e;
  Tensor ctx({5, 1}, {0.5f, -1.0f, 0.25f, 2.0f, 0.0f}), each({20, 1}), z({20, 2}), x({20, 2}), back({20, 2}), lp({20}),
      at({20}), log_det({20});
  for (size_t i = 0; i < 20; ++i) each.v[i] = ctx.v[i / 4];
  for (const double temperature : {0.0, 1.0, 0.7}) {
    const Sampling how(7, 100, 4, temperature);
    ASSERT_TRUE(ok(nf_base_sample(s.get(), how, ctx.view(), z.view(), &e), e));
    ASSERT_TRUE(ok(nf_sample(s.get(), how, ctx.view(), x.view(), lp.view(), &e), e));
    ASSERT_TRUE(ok(nf_inverse(s.get(), z.view(), each.view(), back.view(), log_det.view(), &e), e));
    EXPECT_TRUE(same_bits(back.v, x.v)) << temperature;
    // log_prob is that of the model at temperature 1.
    ASSERT_TRUE(ok(nf_log_prob(s.get(), x.view(), each.view(), at.view(), &e), e));
    for (size_t i = 0; i < 20; ++i) EXPECT_NEAR(lp.v[i], at.v[i], 1e-4);
    ASSERT_TRUE(ok(nf_base_log_prob(s.get(), z.view(), each.view(), at.view(), &e), e));
    for (size_t i = 0; i < 20; ++i) EXPECT_NEAR(lp.v[i], at.v[i] - log_det.v[i], 1e-4);
  }
}

TEST_F(Counted, RepeatIsTiling) {
  const Model m = model(rt.get(), kContextSpec);
  const Session s = session(m.get());
  Err e;
  Tensor ctx({300, 1}), tiled({900, 1}), x({900, 2}), y({900, 2}), part({6, 2}), lx({900}), ly({900});
  for (size_t i = 0; i < 900; ++i) tiled.v[i] = ctx.v[i / 3] = static_cast<float>(std::sin(static_cast<double>(i / 3)));
  ASSERT_TRUE(ok(nf_sample(s.get(), Sampling(5, 40, 3), ctx.view(), x.view(), lx.view(), &e), e));
  ASSERT_TRUE(ok(nf_sample(s.get(), Sampling(5, 40), tiled.view(), y.view(), ly.view(), &e), e));
  EXPECT_TRUE(same_bits(x.v, y.v) && same_bits(lx.v, ly.v));
  // A call may be cut anywhere that a context ends.
  Tensor two({2, 1}, {ctx.v[100], ctx.v[101]});
  ASSERT_TRUE(ok(nf_sample(s.get(), Sampling(5, 340, 3), two.view(), part.view(), nullptr, &e), e));
  EXPECT_TRUE(same_bits(part.v, {x.v.begin() + 600, x.v.begin() + 612}));
  // One context serves all, and 0 stands for 1.
  Tensor one({1, 1}, 0.5f), all({900, 1}, 0.5f);
  ASSERT_TRUE(ok(nf_sample(s.get(), Sampling(5, 40, 3), one.view(), x.view(), nullptr, &e), e));
  ASSERT_TRUE(ok(nf_sample(s.get(), Sampling(5, 40, 0), all.view(), y.view(), nullptr, &e), e));
  EXPECT_TRUE(same_bits(x.v, y.v));
  Tensor odd({7, 2});
  EXPECT_TRUE(failed(NF_ERR_SHAPE, nf_sample(s.get(), Sampling(5, 40, 3), two.view(), odd.view(), nullptr, &e), e,
                     "multiple of how.repeat = 3"));
  EXPECT_TRUE(
      failed(NF_ERR_SHAPE, nf_base_sample(s.get(), Sampling(5, 40, 3), two.view(), odd.view(), &e), e, "z has 7 rows"));
  EXPECT_TRUE(
      failed(NF_ERR_SHAPE, nf_sample(s.get(), Sampling(5, 40, 2), ctx.view(), part.view(), nullptr, &e), e, "ctx"));
  for (const double t : {-0.5, double{NAN}, 1e7})
    EXPECT_TRUE(failed(NF_ERR_ARGUMENT, nf_sample(s.get(), Sampling(5, 40, 3, t), two.view(), part.view(), nullptr, &e),
                       e, "how.temperature"));
  EXPECT_TRUE(failed(NF_ERR_ARGUMENT, nf_sample(s.get(), Sampling(5, 40, -1), two.view(), part.view(), nullptr, &e), e,
                     "how.repeat"));
}

TEST_F(Counted, QuantilesOfLatentsInTheirShape) {
  const Model m = model(rt.get(), kStudent);
  const Session s = session(m.get());
  const nf_model_info i = info(m.get());
  ASSERT_EQ(i.latent_ndim, 1);
  Err e;
  const float c = 0.5f;
  const nf_view ctx = nf_rows_f32(&c, 1, 1);
  std::vector<double> u(8, 0.5), z(8), lp(2);
  u[3] = 1 - 1e-12, u[4] = 1e-12;
  const nf_view uv = nf_rows_f64(u.data(), 2, 4);
  const nf_out zv = nf_out_rows_f64(z.data(), 2, 4);
  ASSERT_TRUE(ok(nf_base_quantile(s.get(), &uv, &ctx, &zv, &e), e));
  for (const double v : z) EXPECT_TRUE(std::isfinite(v));
  EXPECT_GT(z[3], 100);  // a float32 model, whose 1 - 1e-12 would be 1
  EXPECT_LT(z[4], -100);
  const nf_view zin = nf_rows_f64(z.data(), 2, 4);
  const nf_out lpv = nf_out_vec_f64(lp.data(), 2);
  ASSERT_TRUE(ok(nf_base_log_prob(s.get(), &zin, &ctx, &lpv, &e), e));
  EXPECT_TRUE(std::isfinite(lp[0]) && std::isfinite(lp[1]));
  for (const double bad : {0.0, 1.0, -1.0, double{NAN}}) {
    u[6] = bad;
    const std::vector<double> before = z;
    EXPECT_TRUE(failed(NF_ERR_ARGUMENT, nf_base_quantile(s.get(), &uv, &ctx, &zv, &e), e, "row 1, column 2"));
    EXPECT_EQ(e.row, 1);
    EXPECT_EQ(e.layer, -1);
    EXPECT_EQ(z, before);
  }
}

TEST_F(Counted, BasesThatCannotAreNamed) {
  Err e;
  Tensor u({3, 2}, 0.5f), z({3, 2});
  const auto with = [&](const char* base) {
    return model(rt.get(), std::string(R"({"event": [2], "layers": [], "base": )") + base + "}");
  };
  const Model full = with("\"full_normal\""), mixture = with("\"gaussian_mixture\""), box = with("\"uniform\"");
  for (const auto& [m, quantile, scale] :
       {std::tuple{full.get(), false, true}, {mixture.get(), false, false}, {box.get(), true, false}}) {
    const Session s = session(m);
    if (!quantile) {
      EXPECT_TRUE(failed(NF_ERR_UNSUPPORTED, nf_base_quantile(s.get(), u.view(), nullptr, z.view(), &e), e,
                         "columns depend on each other"));
    }
    if (!scale) {
      EXPECT_TRUE(failed(NF_ERR_UNSUPPORTED, nf_sample(s.get(), Sampling(1, 0, 0, 0.5), nullptr, z.view(), nullptr, &e),
                         e, "has no scale"));
      EXPECT_TRUE(failed(NF_ERR_UNSUPPORTED, nf_base_sample(s.get(), Sampling(1, 0, 0, 0.5), nullptr, z.view(), &e), e,
                         m == box.get() ? "\"uniform\"" : "\"gaussian_mixture\""));
    }
    ASSERT_TRUE(ok(nf_base_sample(s.get(), nullptr, nullptr, z.view(), &e), e));
  }
}

TEST_F(Counted, CallsForTheBaseAllocateNothing) {
  const Model m = model(rt.get(), kStudent);
  const Session s = session(m.get());
  Err e;
  Tensor u({200, 4}, 0.25f), z({200, 4}), x({200, 2, 2, 1}), lp({200}), ctx({1, 1}, 0.5f), each({50, 1}, 0.5f);
  const int64_t calls = allocator.calls;
  ASSERT_TRUE(ok(nf_base_quantile(s.get(), u.view(), ctx.view(), z.view(), &e), e));
  ASSERT_TRUE(ok(nf_base_sample(s.get(), Sampling(1, 2, 4, 0.5), each.view(), z.view(), &e), e));
  ASSERT_TRUE(ok(nf_base_log_prob(s.get(), z.view(), ctx.view(), lp.view(), &e), e));
  ASSERT_TRUE(ok(nf_sample(s.get(), Sampling(1, 2, 4, 0.5), each.view(), x.view(), lp.view(), &e), e));
  EXPECT_EQ(allocator.calls, calls);
}

}  // namespace
}  // namespace abi_test
