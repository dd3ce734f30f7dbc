// Variational autoencoders: a model whose evidence is known, golden values and gradients, bounds in their order, any
// posterior, prior and likelihood, float64, context, latents of one column, and specs that make no sense.
#include "src/model/vae_model.h"

#include <gtest/gtest.h>

#include <cmath>

#include "runtime/op/ops.h"
#include "src/model/rows.h"
#include "src/model/session_blocks.h"
#include "tests/support/expect_error.h"
#include "tests/support/golden.h"
#include "tests/support/op_check.h"

namespace libnf::test {
namespace {

std::unique_ptr<Density> model_of(const std::string& spec, uint64_t seed = 1) {
  return make_model(system_allocator(), parse_spec(spec), seed);
}

void set(Density& m, const std::string& name, const Values& values) {
  for (size_t i = 0; i < m.params().slots().size(); ++i) {
    if (m.params().slots()[i].name != name) continue;
    const View v = m.params().view(i);
    ASSERT_EQ(v.count(), static_cast<int64_t>(values.size())) << name;
    with_dtype(v.dtype, [&]<class T>() {
      for (size_t k = 0; k < values.size(); ++k) v.as<T>()[k] = static_cast<T>(values[k]);
    });
    return;
  }
  FAIL() << "no tensor " << name;
}

void randomize(Density& m, uint64_t seed, double std) {
  std::mt19937_64 random(seed);
  for (size_t i = 0; i < m.params().slots().size(); ++i) {
    if (!m.params().slots()[i].trainable) continue;
    const View v = m.params().view(i);
    const Values values = draw_normal(v.count(), random);
    with_dtype(v.dtype, [&]<class T>() {
      for (int64_t k = 0; k < v.count(); ++k) v.as<T>()[k] = static_cast<T>(std * values[static_cast<size_t>(k)]);
    });
  }
}

Values log_prob(const Density& m, const Values& x, const Values& context, int64_t samples, uint64_t seed = 0,
                uint32_t threads = 1, int64_t chunk = 0) {
  Executor executor(threads);
  Session session(system_allocator(), executor, m, SessionOptions(NonFinite::propagate, samples, seed));
  const auto n = static_cast<int64_t>(x.size()) / m.columns();
  Values out(static_cast<size_t>(n));
  const auto view = [](const Values& v, int64_t first, int64_t rows, int64_t cols) {
    return cols ? contiguous_view(const_cast<double*>(v.data()) + first * cols, DType::f64, {rows, cols}) : View{};
  };
  if (chunk == 0) chunk = n;
  for (int64_t first = 0; first < n; first += chunk) {
    const int64_t rows = std::min(chunk, n - first);
    session.log_prob(view(x, first, rows, m.columns()), view(context, first, rows, m.context()),
                     contiguous_view(out.data() + first, DType::f64, {rows}));
  }
  return out;
}

// x = w z + b + noise of deviation s, z standard normal: p(x) is normal with mean b and variance w^2 + s^2, and the
// posterior is normal with mean w (x - b) / (w^2 + s^2) and variance s^2 / (w^2 + s^2). With that posterior every draw has
// the same weight, so that a single one is the evidence itself.
TEST(Vae, LinearGaussianEvidence) {
  constexpr double w = 0.8, b = -0.3, s = 0.6, variance = w * w + s * s;
  const auto m =
      model_of(R"({"kind": "vae", "event": 1, "latent": 1, "dtype": "float64", "encoder": {"type": "mlp", "hidden": []},
      "decoder": {"type": "mlp", "hidden": []}, "likelihood": {"type": "gaussian", "scale_from": "fixed", "scale": 0.6}})");
  set(*m, "decoder.output.weight", {w});
  set(*m, "decoder.output.bias", {b});
  const Values x = {-2, -0.3, 0, 0.1, 1.7, 5};
  const auto evidence = [&](double v) {
    return -0.5 * ((v - b) * (v - b) / variance + std::log(2 * std::acos(-1.0) * variance));
  };
  set(*m, "encoder.output.weight", {w / variance, 0});
  set(*m, "encoder.output.bias", {-w * b / variance, std::log(s * s / variance)});
  const Values exact = log_prob(*m, x, {}, 1);
  for (size_t r = 0; r < x.size(); ++r) EXPECT_NEAR(exact[r], evidence(x[r]), 1e-12);
  // With another posterior, many draws converge to the evidence, from below on average.
  set(*m, "encoder.output.weight", {0.2, 0});
  set(*m, "encoder.output.bias", {0.1, -0.5});
  const Values few = log_prob(*m, x, {}, 1), many = log_prob(*m, x, {}, 20000);
  double gap = 0;
  for (size_t r = 0; r + 1 < x.size(); ++r) {
    EXPECT_NEAR(many[r], evidence(x[r]), 0.03) << x[r];
    gap += evidence(x[r]) - few[r];
  }
  EXPECT_GT(gap, 0.1);
}

// ELBO <= IWAE(4) <= IWAE(32) <= log p(x), in the mean over many seeds.
TEST(Vae, BoundsAreInOrder) {
  const auto m = model_of(R"({"kind": "vae", "event": 6, "latent": 2, "dtype": "float64",
      "encoder": {"type": "mlp", "hidden": [8]}, "decoder": {"type": "mlp", "hidden": [8]},
      "posterior": {"layers": [{"type": "planar"}]}})");
  randomize(*m, 3, 0.7);
  const Values x = {1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 1};
  const auto mean_of = [&](int64_t samples) {
    double sum = 0;
    for (uint64_t seed = 0; seed < 100; ++seed)
      for (const double lp : log_prob(*m, x, {}, samples, seed)) sum += lp / 200;
    return sum;
  };
  const double one = mean_of(1), four = mean_of(4), many = mean_of(32);
  EXPECT_LT(one + 0.01, four);
  EXPECT_LT(four + 0.001, many);
  const Values evidence = log_prob(*m, x, {}, 5000);
  EXPECT_LT(many, (evidence[0] + evidence[1]) / 2 + 0.01);
}

// A whole planar autoencoder with given noise: values, and the gradient of every parameter of it.
TEST(Vae, GoldenPlanar) {
  const Golden g = Golden::load("10_planar_vae");
  const auto k = static_cast<int64_t>(g.number("K")), d = static_cast<int64_t>(g.number("z_dim")),
             hidden = g["param.enc.weight"].rows(), columns = g["x"].cols(), n = g["x"].rows(),
             features = k * (2 * d + 1);
  // The encoder's outputs: mean, log variance, then u, w and b of all layers. Each layer picks its own.
  const std::string text =
      R"({"kind": "vae", "dtype": "float64", "event": )" + std::to_string(columns) + R"(, "latent": )" +
      std::to_string(d) + R"(, "encoder": {"type": "mlp", "hidden": [)" + std::to_string(hidden) +
      R"(], "activation": "tanh"}, "decoder": {"type": "mlp", "hidden": [)" + std::to_string(hidden) +
      R"(], "activation": "tanh"}, "posterior": {"features": )" + std::to_string(features) +
      R"(, "layers": [{"type": "planar", "parameters": "context", "net": {"type": "mlp", "hidden": []}, "repeat": )" +
      std::to_string(k) + "}]}}";
  const auto m = model_of(text);
  const auto transposed = [&](const std::string& name) {
    const GoldenTensor& t = g[name];
    Values out;
    for (int64_t j = 0; j < t.cols(); ++j)
      for (int64_t i = 0; i < t.rows(); ++i) out.push_back(t.data[static_cast<size_t>(i * t.cols() + j)]);
    return out;
  };
  const char* heads[] = {"mean", "log_var", "u", "w", "b"};
  Values weight, bias;
  for (int64_t j = 0; j < hidden; ++j)
    for (const char* head : heads)
      for (int64_t i = 0; i < g["param." + std::string(head) + ".weight"].rows(); ++i)
        weight.push_back(g["param." + std::string(head) + ".weight"].data[static_cast<size_t>(i * hidden + j)]);
  for (const char* head : heads)
    for (const double v : g["param." + std::string(head) + ".bias"].data) bias.push_back(v);
  set(*m, "encoder.hidden.0.weight", transposed("param.enc.weight"));
  set(*m, "encoder.hidden.0.bias", g["param.enc.bias"].data);
  set(*m, "encoder.output.weight", weight);
  set(*m, "encoder.output.bias", bias);
  set(*m, "decoder.hidden.0.weight", transposed("param.dec.weight"));
  set(*m, "decoder.hidden.0.bias", g["param.dec.bias"].data);
  set(*m, "decoder.output.weight", transposed("param.out.weight"));
  set(*m, "decoder.output.bias", g["param.out.bias"].data);
  for (int64_t i = 0; i < k; ++i) {
    const std::string layer = "posterior.layers." + std::to_string(i) + ".";
    Values pick(static_cast<size_t>(features * (2 * d + 1)), 0.0);
    for (int64_t j = 0; j < 2 * d + 1; ++j) {
      const int64_t feature = j < d ? i * d + j : j < 2 * d ? k * d + i * d + j - d : 2 * k * d + i;
      pick[static_cast<size_t>(feature * (2 * d + 1) + j)] = 1;
    }
    set(*m, layer + "net.output.weight", pick);
    set(*m, layer + "net.output.bias", Values(static_cast<size_t>(2 * d + 1), 0.0));
    set(*m, layer + "parameters", Values(static_cast<size_t>(2 * d + 1), 0.0));
  }

  Tape t(system_allocator(), DType::f64);
  std::vector<Node> params(m->params().slots().size());
  Buffer grads(system_allocator(), static_cast<size_t>(m->params().trainable_size()) * sizeof(double) + 64,
               "gradients");
  m->params().bind(params.data(), grads.data(), nullptr);
  const Scope s{t, params.data()};
  const auto leaf = [&](const char* name) {
    const GoldenTensor& v = g[name];
    return t.input(contiguous_view(const_cast<double*>(v.data.data()), DType::f64, {v.rows(), v.cols()}), false);
  };
  const VaeModel& vae = *m->vae();
  Var x = leaf("x");
  const VaeModel::Encoded e = vae.encode(s, x, nullptr);
  const VaeModel::Drawn z = vae.move(s, e, leaf("eps"));
  Var logits = vae.decode(s, z.z, nullptr), elbo = vae.log_weight(s, x, nullptr, z);
  const auto same = [&](Var v, const char* name, double factor = 1) {
    Var dense = contiguous(t, v);
    for (int64_t i = 0; i < dense->out.count(); ++i) {
      const double want = g[name].data[static_cast<size_t>(i)];
      EXPECT_NEAR(dense->out.as<double>()[i] * factor, want, 1e-9 * std::max(1.0, std::abs(want))) << name << " " << i;
    }
  };
  same(e.mean, "mean");
  same(e.log_scale, "log_var", 2);
  same(z.z_0, "z_0");
  same(z.z, "z_k");
  same(logits, "logits");
  same(elbo, "elbo");
  Var loss = scale(t, sum(t, elbo), -1 / static_cast<double>(n));
  *t.grad(*loss).as<double>() = 1;
  t.backward();
  const auto gradient = [&](const std::string& name) {
    for (size_t i = 0; i < params.size(); ++i)
      if (m->params().slots()[i].name == name) return t.grad_out(params[i]).as<double>();
    throw std::runtime_error(name);
  };
  const auto check = [&](const double* have, const Values& want, const std::string& name) {
    for (size_t i = 0; i < want.size(); ++i)
      EXPECT_NEAR(have[i], want[i], 1e-9 * std::max(1.0, std::abs(want[i]))) << name << " " << i;
  };
  check(gradient("encoder.hidden.0.weight"), transposed("grad.param.enc.weight"), "enc");
  check(gradient("decoder.hidden.0.weight"), transposed("grad.param.dec.weight"), "dec");
  check(gradient("decoder.output.bias"), g["grad.param.out.bias"].data, "out");
  check(gradient("decoder.output.weight"), transposed("grad.param.out.weight"), "out");
  Values head_bias;
  for (const char* head : heads)
    for (const double v : g["grad.param." + std::string(head) + ".bias"].data) head_bias.push_back(v);
  check(gradient("encoder.output.bias"), head_bias, "heads");
}

TEST(Vae, GoldenDivergence) {
  const Golden g = Golden::load("10_kl_gaussians");
  const int64_t n = g["mean_q"].rows(), d = g["mean_q"].cols();
  const auto m = model_of(R"({"kind": "vae", "event": 1, "dtype": "float64", "latent": )" + std::to_string(d) + "}");
  Tape t(system_allocator(), DType::f64);
  const auto leaf = [&](const char* name) {
    return t.input(contiguous_view(const_cast<double*>(g[name].data.data()), DType::f64, {n, d}), true);
  };
  Var mean = leaf("mean_q"), v = leaf("log_var_q");
  Var kl = sum_last(t, m->vae()->analytic_kl({t, nullptr}, {mean, scale(t, v, 0.5), nullptr}));
  for (int64_t r = 0; r < n; ++r)
    EXPECT_NEAR(kl->out.as<double>()[r], g["kl_standard"].data[static_cast<size_t>(r)], 1e-9);
  *t.grad(*sum(t, kl)).as<double>() = 1;
  t.backward();
  for (int64_t i = 0; i < n * d; ++i) {
    EXPECT_NEAR(t.grad_out(*mean).as<double>()[i], g["grad_standard.mean_q"].data[static_cast<size_t>(i)], 1e-9);
    EXPECT_NEAR(t.grad_out(*v).as<double>()[i], g["grad_standard.log_var_q"].data[static_cast<size_t>(i)], 1e-9);
  }
}

// A session's mean of weights, and the loss of a flow posterior from its parts.
TEST(Vae, GoldenImportance) {
  const Golden g = Golden::load("10_importance_loglik");
  const int64_t n = g["log_w"].rows(), draws = g["log_w"].cols();
  for (int64_t r = 0; r < n; ++r) {
    LogMeanExp mean;
    for (const double w : g["log_w"].row(r)) mean.add(w);
    EXPECT_NEAR(mean.mean(draws), g["log_lik"].data[static_cast<size_t>(r)], 1e-9);
  }
}

TEST(Vae, GoldenFlowLoss) {
  const Golden g = Golden::load("10_flow_vae_loss");
  const int64_t n = g["x"].rows();
  Tape t(system_allocator(), DType::f64);
  const auto leaf = [&](const char* name) {
    const GoldenTensor& v = g[name];
    return t.input(contiguous_view(const_cast<double*>(v.data.data()), DType::f64, {v.rows(), v.cols()}), false);
  };
  const auto m = model_of(R"({"kind": "vae", "event": 10, "latent": 5, "dtype": "float64"})");
  Var p = leaf("probs"), log_scale = scale(t, unary(t, Unary::log, leaf("z_var")), 0.5);
  Var logits = sub(t, unary(t, Unary::log, p), unary(t, Unary::log1p, scale(t, p, -1)));
  const Scope s{t, nullptr};
  const VaeModel::Drawn d = m->vae()->move(s, {leaf("z_mean"), log_scale, nullptr}, leaf("eps"));
  Var log_lik = m->vae()->log_likelihood(s, leaf("x"), logits), prior = m->vae()->log_prior(s, leaf("z_k"), nullptr);
  for (int64_t r = 0; r < n; ++r) {
    const auto at = [&](Var v) { return v->out.as<double>()[r]; };
    const double loss = -at(log_lik) + at(d.log_q) - g["log_det"].data[static_cast<size_t>(r)] - at(prior);
    const double want = g["loss"].data[static_cast<size_t>(r)];
    EXPECT_NEAR(loss, want, 1e-9 * std::abs(want));
  }
}

// All specs of this list are also trained in tests/src/train/vae_test.cc.
const char* const kSpecs[] = {
    R"({"kind": "vae", "event": 4, "latent": 1})",
    R"({"kind": "vae", "event": 4, "latent": 3, "context": 2, "dtype": "float64", "encoder": {"type": "residual", "hidden": [8]},
        "prior": {"base": {"type": "diagonal_normal", "parameters": "context"}}})",
    R"({"kind": "vae", "event": [2, 2, 1], "latent": 2, "likelihood": {"type": "discretized_logistic", "levels": 2},
        "posterior": {"features": 3, "layers": [{"type": "masked_autoregressive", "hidden": [8], "repeat": 2}]}})",
    R"({"kind": "vae", "event": 4, "latent": 2, "context": 2, "posterior": {"features": 2, "layers": [{"type": "sylvester", "parameters": "context"}]},
        "prior": {"layers": [{"type": "spline_coupling", "hidden": [8]}]}, "likelihood": {"type": "categorical", "levels": 3}})",
    R"({"kind": "vae", "event": 4, "latent": 2, "prior": {"pseudo_inputs": 5}, "likelihood": "gaussian"})",
};

TEST(Vae, RowsAreIndependent) {
  std::mt19937_64 random(8);
  for (const char* spec : kSpecs) {
    SCOPED_TRACE(spec);
    const auto m = model_of(spec);
    randomize(*m, 5, 0.3);
    constexpr int64_t n = 70;
    Values x, context = draw_normal(n * m->context(), random);
    for (int64_t i = 0; i < n * 4; ++i) x.push_back(static_cast<double>(random() % 2));
    const Values want = log_prob(*m, x, context, 3, 7);
    for (const double lp : want) EXPECT_TRUE(std::isfinite(lp));
    EXPECT_EQ(log_prob(*m, x, context, 3, 7, 2), want) << "two threads";
    EXPECT_EQ(log_prob(*m, x, context, 3, 7, 1, 9), want) << "9 rows at a time";
    EXPECT_NE(log_prob(*m, x, context, 3, 8), want) << "another seed";
  }
}

TEST(Vae, RowsOutsideTheSupport) {
  const auto m = model_of(kSpecs[0]);
  const double infinity = std::numeric_limits<double>::infinity();
  const Values lp = log_prob(*m, {0, 1, 0, 1, 0, 2, 0, 1, 0, infinity, 0, 1, 0, -infinity, 0, 1}, {}, 2);
  EXPECT_TRUE(std::isfinite(lp[0]));
  for (size_t r = 1; r < 4; ++r) EXPECT_EQ(lp[r], -infinity) << r;
  EXPECT_TRUE(std::isnan(log_prob(*m, {0, std::nan(""), 0, 1}, {}, 2)[0]));
}

TEST(Vae, Samples) {
  for (const char* spec : kSpecs) {
    SCOPED_TRACE(spec);
    const auto m = model_of(spec);
    randomize(*m, 5, 0.3);
    Executor executor(2);
    Session session(system_allocator(), executor, *m, {});
    constexpr int64_t n = 40;
    Values x(n * 4), again(n * 4), lp(n), context(static_cast<size_t>(n * m->context()), 0.5);
    const View c = m->context() ? contiguous_view(context.data(), DType::f64, {n, m->context()}) : View{};
    Session::Sampling how;
    how.seed = 3;
    session.sample(how, c, contiguous_view(x.data(), DType::f64, {n, 4}), contiguous_view(lp.data(), DType::f64, {n}));
    for (const double v : lp) EXPECT_TRUE(std::isfinite(v));
    for (int64_t first = 0; first < n; first += 7) {
      const int64_t rows = std::min<int64_t>(7, n - first);
      how.first = static_cast<uint64_t>(first);
      session.sample(how, c.data ? rows_of_view(c, first, rows) : c,
                     contiguous_view(again.data() + first * 4, DType::f64, {rows, 4}), {});
    }
    EXPECT_EQ(again, x);
  }
}

TEST(Vae, NamesWhereNumbersStopBeingFinite) {
  const auto m = model_of(R"({"kind": "vae", "event": 2, "latent": 2, "encoder": {"type": "mlp", "hidden": []},
      "decoder": {"type": "mlp", "hidden": []}})");
  Executor executor(1);
  Session session(system_allocator(), executor, *m, SessionOptions(NonFinite::error));
  Values lp(1);
  const auto score = [&](Values x) {
    session.log_prob(contiguous_view(x.data(), DType::f64, {1, 2}), {}, contiguous_view(lp.data(), DType::f64, {1}));
  };
  EXPECT_ERROR(score({std::nan(""), 0}), Code::numeric, "row 0 of x holds NaN");
  set(*m, "encoder.output.bias", {0, 0, 1e30, 0});
  EXPECT_ERROR(score({1, 0}), Code::numeric, "spec.encoder");
  set(*m, "encoder.output.bias", {0, 0, 0, 0});
  set(*m, "decoder.output.bias", {std::numeric_limits<double>::infinity(), 0});
  EXPECT_ERROR(score({1, 0}), Code::numeric, "spec.decoder");
}

TEST(Vae, SpecsThatMakeNoSense) {
  const auto spec = [](const std::string& rest) { return R"({"kind": "vae", "event": 4)" + rest + "}"; };
  EXPECT_ERROR(model_of(spec("")), Code::spec, "spec.latent is missing");
  EXPECT_ERROR(model_of(spec(R"(, "latent": 0)")), Code::spec, "spec.latent");
  EXPECT_ERROR(model_of(spec(R"(, "latent": 2, "likelihood": "bernouli")")), Code::spec, "bernoulli");
  EXPECT_ERROR(model_of(spec(R"(, "latent": 2, "layers": [])")), Code::spec, "layers");
  EXPECT_ERROR(model_of(spec(R"(, "latent": 2, "posterior": {"layers": [{"type": "actnorm"}]})")), Code::spec,
               "spec.posterior.layers[0]");
  EXPECT_ERROR(model_of(spec(R"(, "latent": 2, "posterior": {"scale_bounds": [3, 0.1]})")), Code::spec,
               "spec.posterior.scale_bounds");
  EXPECT_ERROR(model_of(spec(R"(, "latent": 2, "prior": {"layers": [{"type": "dequantize"}]})")), Code::spec,
               "spec.prior.layers[0]");
  EXPECT_ERROR(model_of(spec(R"(, "latent": 2, "prior": {"pseudo_inputs": 3, "base": "laplace"})")), Code::spec,
               "spec.prior.pseudo_inputs");
  EXPECT_ERROR(model_of(spec(R"(, "context": 1, "latent": 2, "prior": {"pseudo_inputs": 3})")), Code::spec,
               "spec.prior.pseudo_inputs");
  EXPECT_ERROR(model_of(spec(R"(, "latent": 2, "likelihood": {"type": "categorical", "levels": 1})")), Code::spec,
               "levels");
}

}  // namespace
}  // namespace libnf::test
