// Gradients at the boundary: shapes, outputs that are not wanted, parameters that change between calls, and memory.
// What derivatives are worth is tested on the session itself (tests/src/derivative).
#include <functional>

#include "tests/abi/abi_support.h"

namespace abi_test {
namespace {

std::vector<float> slopes(nf_session* s, Tensor& x, Tensor* ctx = nullptr) {
  Tensor dx({x.view()->shape[0], x.view()->shape[1]});
  Err e;
  EXPECT_TRUE(ok(nf_log_prob_grad(s, x.view(), ctx ? &ctx->view() : nullptr, nullptr, dx.view(), nullptr, &e), e));
  return dx.v;
}

class Gradient : public Counted {};

TEST_F(Gradient, AgreesWithDifferencesAndWithTheOtherCalls) {
  std::string spec = kContextSpec;
  spec.insert(1, R"("dtype": "float64", )");
  const Model m = model(rt.get(), spec, 3);
  const Session s = session(m.get());
  const double x[4] = {0.5, -0.25, 1.5, 2}, ctx[1] = {0.3};
  double lp[2], dx[4], dctx[2], z[4], ld[2], cot[4], dx2[4];
  Err e;
  const nf_view xs = nf_rows_f64(x, 2, 2), c = nf_rows_f64(ctx, 1, 1);
  const nf_out lps = nf_out_vec_f64(lp, 2), dxs = nf_out_rows_f64(dx, 2, 2), dc = nf_out_rows_f64(dctx, 2, 1);
  ASSERT_TRUE(ok(nf_log_prob_grad(s.get(), &xs, &c, &lps, &dxs, &dc, &e), e));
  const auto at = [&](size_t k, double h) {
    double moved[4], mc[1] = {ctx[0] + (k == 4 ? h : 0)}, out[2];
    for (size_t i = 0; i < 4; ++i) moved[i] = x[i] + (i == k ? h : 0);
    const nf_view v = nf_rows_f64(moved, 2, 2), w = nf_rows_f64(mc, 1, 1);
    const nf_out o = nf_out_vec_f64(out, 2);
    EXPECT_TRUE(ok(nf_log_prob(s.get(), &v, &w, &o, &e), e));
    return std::pair{out[0], out[1]};
  };
  for (size_t k = 0; k < 5; ++k) {
    const auto [a0, a1] = at(k, 1e-5);
    const auto [b0, b1] = at(k, -1e-5);
    if (k < 4) {
      EXPECT_NEAR(dx[k], (k < 2 ? a0 - b0 : a1 - b1) / 2e-5, 1e-7) << k;
    }
    if (k == 4) {
      EXPECT_NEAR(dctx[0], (a0 - b0) / 2e-5, 1e-7);
      EXPECT_NEAR(dctx[1], (a1 - b1) / 2e-5, 1e-7);
    }
  }
  // log_prob = log N(z) + log_det.
  const nf_out zs = nf_out_rows_f64(z, 2, 2), lds = nf_out_vec_f64(ld, 2), dx2s = nf_out_rows_f64(dx2, 2, 2);
  ASSERT_TRUE(ok(nf_forward(s.get(), &xs, &c, &zs, &lds, &e), e));
  for (size_t k = 0; k < 4; ++k) cot[k] = -z[k];
  const double one[2] = {1, 1};
  const nf_view cots = nf_rows_f64(cot, 2, 2), ones = nf_vec_f64(one, 2);
  ASSERT_TRUE(ok(nf_vjp(s.get(), NF_FORWARD, &xs, &c, &cots, &ones, nullptr, nullptr, &dx2s, nullptr, &e), e));
  for (size_t k = 0; k < 4; ++k) EXPECT_NEAR(dx2[k], dx[k], 1e-13);
  // Pushing the gradient itself gives its square.
  const nf_view tan = nf_rows_f64(dx, 2, 2);
  double dz[4], dl[2];
  const nf_out dzs = nf_out_rows_f64(dz, 2, 2), dls = nf_out_vec_f64(dl, 2);
  ASSERT_TRUE(ok(nf_jvp(s.get(), NF_FORWARD, &xs, &c, &tan, nullptr, nullptr, nullptr, &dzs, &dls, &e), e));
  for (size_t r = 0; r < 2; ++r)
    EXPECT_NEAR(dl[r] - z[2 * r] * dz[2 * r] - z[2 * r + 1] * dz[2 * r + 1],
                dx[2 * r] * dx[2 * r] + dx[2 * r + 1] * dx[2 * r + 1], 1e-12);
}

TEST_F(Gradient, RefusesWrongShapes) {
  const Model m = model(rt.get()), with_context = model(rt.get(), kContextSpec);
  const Session s = session(m.get()), sc = session(with_context.get());
  Tensor x = banana(3), row({3}), dx({3, 2}), wrong({3, 3}), few({2}), ctx({1, 1}), dctx({3, 1}), one({1, 1}),
         two({2, 1});
  Err e;
  const auto refused = [&](nf_status status, nf_status want, const char* needle) {
    EXPECT_TRUE(failed(want, status, e, needle)) << needle;
  };
  nf_session *p = s.get(), *pc = sc.get();
  refused(nf_log_prob_grad(p, x.view(), nullptr, few.view(), nullptr, nullptr, &e), NF_ERR_SHAPE,
          "log_prob has shape [2], expected [3]");
  refused(nf_log_prob_grad(p, x.view(), nullptr, nullptr, wrong.view(), nullptr, &e), NF_ERR_SHAPE,
          "dx has shape [3, 3], expected [3, 2]");
  refused(nf_log_prob_grad(p, x.view(), nullptr, nullptr, nullptr, dctx.view(), &e), NF_ERR_SHAPE,
          "dctx is given, but the model has no context");
  refused(nf_log_prob_grad(pc, x.view(), ctx.view(), nullptr, nullptr, one.view(), &e), NF_ERR_SHAPE,
          "dctx has shape [1, 1], expected [3, 1]");
  refused(nf_log_prob_grad(pc, x.view(), nullptr, nullptr, dx.view(), nullptr, &e), NF_ERR_ARGUMENT, "ctx is NULL");
  refused(nf_vjp(p, 2, x.view(), nullptr, x.view(), nullptr, nullptr, nullptr, dx.view(), nullptr, &e), NF_ERR_ARGUMENT,
          "direction is 2");
  refused(nf_vjp(p, NF_FORWARD, x.view(), nullptr, wrong.view(), nullptr, nullptr, nullptr, dx.view(), nullptr, &e),
          NF_ERR_SHAPE, "cot_to has shape [3, 3]");
  refused(nf_vjp(p, NF_INVERSE, x.view(), nullptr, x.view(), few.view(), nullptr, nullptr, dx.view(), nullptr, &e),
          NF_ERR_SHAPE, "cot_log_det has shape [2]");
  refused(nf_vjp(pc, NF_INVERSE, x.view(), ctx.view(), x.view(), nullptr, nullptr, nullptr, nullptr, two.view(), &e),
          NF_ERR_SHAPE, "d_ctx has shape [2, 1], expected [3, 1]");
  refused(nf_jvp(p, NF_FORWARD, x.view(), nullptr, nullptr, ctx.view(), nullptr, nullptr, dx.view(), nullptr, &e),
          NF_ERR_SHAPE, "tan_ctx is given, but the model has no context");
  refused(nf_jvp(pc, NF_FORWARD, x.view(), ctx.view(), nullptr, two.view(), nullptr, nullptr, dx.view(), nullptr, &e),
          NF_ERR_SHAPE, "tan_ctx has 2 rows, expected 1 or 3");
  refused(nf_jvp(p, NF_FORWARD, x.view(), nullptr, wrong.view(), nullptr, nullptr, nullptr, dx.view(), nullptr, &e),
          NF_ERR_SHAPE, "tan_from has shape [3, 3]");
  for (float v : dx.v) EXPECT_EQ(v, 0);
}

// After every call that changes parameters, gradients are those of a new session.
TEST_F(Gradient, FollowsTheParameters) {
  const TempDir dir;
  const Model m = model(rt.get()), other = model(rt.get(), kSpec, 9);
  const Session s = session(m.get());
  const Trainer t = trainer(m.get(), options({{"trainer.ema_decay", "0.5"}, {"trainer.lr", "0.05"}}).get());
  Tensor x = banana(40);
  std::vector<float> before = slopes(s.get(), x);
  const auto follows = [&](const char* what, const std::function<nf_status(Err&)>& call) {
    Err e;
    ASSERT_TRUE(ok(call(e), e)) << what;
    const std::vector<float> now = slopes(s.get(), x);
    EXPECT_TRUE(same_bits(now, slopes(session(m.get()).get(), x))) << what;
    EXPECT_FALSE(same_bits(now, before)) << what << " changed nothing";
    before = now;
  };
  const auto step = [&](Err& e) { return nf_train_step(t.get(), Batch(x.view()), nullptr, &e); };
  follows("nf_train_step", step);
  follows("nf_train_step", step);
  follows("nf_trainer_use_average", [&](Err& e) { return nf_trainer_use_average(t.get(), 1, &e); });
  follows("nf_trainer_use_average", [&](Err& e) { return nf_trainer_use_average(t.get(), 0, &e); });
  Err e;
  // A step that is refused has still put the parameters of the last step back.
  follows("nf_trainer_use_average", [&](Err& err) { return nf_trainer_use_average(t.get(), 1, &err); });
  Tensor broken = banana(40);
  broken.v[5] = NAN;
  follows("a refused nf_train_step", [&](Err& err) {
    const nf_status status = nf_train_step(t.get(), Batch(broken.view()), nullptr, &err);
    return status == NF_ERR_NUMERIC ? NF_OK : NF_ERR_INTERNAL;
  });
  const std::string file = dir / "t.safetensors";
  ASSERT_TRUE(ok(nf_trainer_save(t.get(), file.c_str(), &e), e));
  follows("nf_train_step", step);
  follows("nf_trainer_restore", [&](Err& err) { return nf_trainer_restore(t.get(), file.c_str(), &err); });
  follows("nf_model_copy", [&](Err& err) { return nf_model_copy(m.get(), other.get(), &err); });
  nf_tensor_info tensor = NF_TENSOR_INFO_INIT;
  ASSERT_TRUE(ok(nf_model_tensor(m.get(), 0, &tensor, &e), e));
  std::vector<float> values(static_cast<size_t>(tensor.shape[0] * (tensor.ndim > 1 ? tensor.shape[1] : 1)), 0.25f);
  const nf_view v = nf_array(NF_F32, values.data(), tensor.ndim, tensor.shape);
  follows("nf_model_set_tensor", [&](Err& err) { return nf_model_set_tensor(m.get(), tensor.name, &v, &err); });
}

TEST_F(Gradient, MemoryIsTakenOnceCountedAndOptional) {
  const Model m = model(rt.get());
  const int64_t without = allocator.live;
  Tensor x = banana(100);
  {
    const Session s = session(m.get());
    const size_t before = nf_session_bytes(s.get());
    slopes(s.get(), x);
    EXPECT_GT(nf_session_bytes(s.get()), before);
    EXPECT_EQ(static_cast<int64_t>(nf_session_bytes(s.get())), allocator.live - without);
    const int64_t calls = allocator.calls;
    slopes(s.get(), x);
    EXPECT_EQ(allocator.calls, calls);
  }
  const Session s = session(m.get(), options({{"session.gradients", "true"}}).get());
  const int64_t calls = allocator.calls;
  slopes(s.get(), x);
  EXPECT_EQ(allocator.calls, calls);
}

TEST_F(Gradient, NoMemoryLeavesTheSessionUsable) {
  const Model m = model(rt.get());
  const Session s = session(m.get());
  Tensor x = banana(10), dx({10, 2}), lp({10});
  Err e;
  allocator.fail_at = allocator.calls.load();
  allocator.fail_forever = true;
  EXPECT_TRUE(failed(NF_ERR_NOMEM, nf_log_prob_grad(s.get(), x.view(), nullptr, lp.view(), dx.view(), nullptr, &e), e,
                     "out of memory"));
  EXPECT_TRUE(ok(nf_log_prob(s.get(), x.view(), nullptr, lp.view(), &e), e));
  allocator.fail_at = -1;
  EXPECT_TRUE(same_bits(slopes(s.get(), x), slopes(session(m.get()).get(), x)));
}

}  // namespace
}  // namespace abi_test
