// Variational autoencoders through the ABI and nf.hpp: encoding, the way through the posterior, decoding, sampling and
// scoring; what a model says of itself; fitting, saving and loading; calls that are for other models.
#include <nf/nf.hpp>

#include <nlohmann/json.hpp>

#include "tests/abi/abi_support.h"

namespace abi_test {
namespace {

constexpr char kImages[] = R"({"kind": "vae", "event": [4, 4, 1], "latent": 3, "encoder": "conv_encoder",
    "decoder": "conv_decoder", "posterior": {"features": 2, "layers": [{"type": "planar", "repeat": 2}]}})";
constexpr int64_t kN = 6, kD = 16, kZ = 3;

std::vector<float> bits(int64_t n) {
  std::vector<float> x;
  for (int64_t i = 0; i < n * kD; ++i) x.push_back(static_cast<float>((i * 7919 + 13) % 101 % 2));
  return x;
}

TEST(Vae, FromRowsToLatentsAndBack) {
  const nf::Runtime rt;
  const nf::Model m(rt, kImages, 3);
  nf::Session s(m);
  const std::vector<float> x = bits(kN);
  const nf::View rows(x.data(), kN, kD);
  std::vector<float> mean(kN * kZ), log_var(kN * kZ), z(kN * kZ), log_q(kN), states(3 * kN * kZ), dets(2 * kN);
  s.encode_into(nf::Out(mean.data(), kN, kZ), nf::Out(log_var.data(), kN, kZ), nf::Out(z.data(), kN, kZ),
                nf::Out(log_q), rows);
  EXPECT_EQ(s.encode(rows), mean);
  s.posterior_trace_into(nf::Out(states.data(), {3, kN, kZ}), nf::Out(dets.data(), {2, kN}), rows);
  EXPECT_EQ(std::vector<float>(states.end() - kN * kZ, states.end()), z);
  for (int64_t r = 0; r < kN; ++r) {  // log N(z_0; mean, e^log_var) - log_det
    double want = -dets[r] - dets[kN + r];
    for (int64_t j = r * kZ; j < (r + 1) * kZ; ++j) {
      const double u = (states[j] - mean[j]) * std::exp(-log_var[j] / 2);
      want -= (u * u + log_var[j] + std::log(2 * std::acos(-1.0))) / 2;
    }
    EXPECT_NEAR(log_q[r], want, 1e-4);
  }
  const std::vector<float> means = s.decode(nf::View(z.data(), kN, kZ));
  ASSERT_EQ(means.size(), x.size());
  for (const float p : means) EXPECT_TRUE(p > 0 && p < 1);
  std::vector<float> log_prob(kN);
  const std::vector<float> drawn = s.sample(kN, {5}, {}, nf::Out(log_prob));
  for (const float v : drawn) EXPECT_TRUE(v == 0 || v == 1);
  EXPECT_EQ(s.log_prob(nf::View(drawn.data(), kN, kD)), log_prob);
}

// nf_sample draws from the likelihood at these latents, so the mean over many draws is what they decode to.
TEST(Vae, LatentsOfSamples) {
  const nf::Runtime rt;
  const nf::Model m(rt, R"({"kind": "vae", "event": 3, "latent": 2, "dtype": "float64",
      "likelihood": {"type": "gaussian", "scale_from": "fixed", "scale": 1e-6}})",
                    3);
  nf::Session s(m);
  const std::vector<double> z = s.base_sample<double>(kN, {8}), x = s.sample<double>(kN, {8});
  const std::vector<double> means = s.decode<double>(nf::View(z.data(), kN, 2));
  for (size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(x[i], means[i], 1e-5);
  const std::vector<double> lp = s.base_log_prob<double>(nf::View(z.data(), kN, 2));
  for (int64_t r = 0; r < kN; ++r)
    EXPECT_NEAR(lp[r], -(z[2 * r] * z[2 * r] + z[2 * r + 1] * z[2 * r + 1]) / 2 - std::log(2 * std::acos(-1.0)), 1e-12);
}

// log_z of n draws is log_prob with n draws, within the errors of both; draws are those of the posterior, whichever
// call they come in and on however many threads; the weighted mean of z is nearer to the true posterior's.
TEST(Vae, PosteriorAsProposal) {
  constexpr char kSpec[] = R"({"kind": "vae", "event": 2, "latent": 2, "context": 1, "dtype": "float64", "likelihood":
      {"type": "gaussian", "scale_from": "fixed", "scale": 0.5}})";
  constexpr int64_t kDraws = 20000;
  const double x[2] = {0.3, -0.8}, c[1] = {0.4};
  const nf::View row(x, 1, 2), ctx(c, 1, 1);
  std::vector<double> z(2 * kDraws), log_w(kDraws), again(2 * kDraws);
  nf::ImportanceInfo info;
  for (const int threads : {1, 2, 8}) {
    const nf::Runtime rt(nf::Options{{"runtime.threads", threads}});
    const nf::Model m(rt, kSpec, 3);
    nf::Session s(m);
    info = s.posterior_importance(row, kDraws, 7, nf::Out(z.data(), kDraws, 2), nf::Out(log_w), ctx);
    if (threads == 1) again = z;
    EXPECT_EQ(z, again) << threads;
  }
  EXPECT_EQ(info.samples, kDraws);
  const nf::Runtime rt;
  const nf::Model m(rt, kSpec, 3);
  nf::Session s(m), many(m, nf::Options{{"session.score_samples", kDraws}});
  EXPECT_NEAR(info.log_z, many.log_prob<double>(row, ctx)[0], 6 * info.log_z_error);
  EXPECT_LT(info.log_z_error, 0.05);
  std::vector<double> late(10);
  s.posterior_importance(row, 5, {7, 9000}, nf::Out(late.data(), 5, 2), {}, ctx);
  EXPECT_EQ(late, std::vector<double>(z.begin() + 18000, z.begin() + 18010));

  // By quadrature over a grid of latents.
  double total = 0, mean[2] = {0, 0};
  std::vector<double> grid;
  constexpr int kSteps = 121;
  for (int i = 0; i < kSteps * kSteps; ++i) {
    grid.push_back(-6 + 12.0 / (kSteps - 1) * (i / kSteps));
    grid.push_back(-6 + 12.0 / (kSteps - 1) * (i % kSteps));
  }
  const std::vector<double> decoded = s.decode<double>(nf::View(grid.data(), kSteps * kSteps, 2), ctx);
  for (size_t i = 0; i < grid.size(); i += 2) {
    double log_p = -std::log(2 * std::acos(-1.0)) * 2 - 2 * std::log(0.5);
    for (size_t j = 0; j < 2; ++j)
      log_p -= (grid[i + j] * grid[i + j] + std::pow((x[j] - decoded[i + j]) / 0.5, 2)) / 2;
    total += std::exp(log_p) * 0.01;
    for (size_t j = 0; j < 2; ++j) mean[j] += grid[i + j] * std::exp(log_p) * 0.01;
  }
  EXPECT_NEAR(info.log_z, std::log(total), 5 * info.log_z_error);
  const nf::Estimate found = nf::importance_mean(nf::View(log_w), nf::View(z.data(), kDraws, 2));
  for (size_t j = 0; j < 2; ++j) EXPECT_NEAR(found.mean[j], mean[j] / total, 5 * found.error[j]);
}

TEST(Vae, SaysWhatItIs) {
  const nf::Runtime rt;
  const nf::Model m(rt, kImages, 3);
  const nf::ModelInfo info = m.info();
  EXPECT_EQ(info.event_size, kD);
  EXPECT_EQ(info.latent_size, kZ);
  EXPECT_EQ(info.log_prob, NF_BOUND);
  EXPECT_FALSE(info.has_layers);
  const auto j = nlohmann::json::parse(m.describe());
  EXPECT_EQ(j["kind"], "vae");
  EXPECT_EQ(j["latent"], nlohmann::json::array({kZ}));
  EXPECT_EQ(j["posterior_layers"], 2);
  EXPECT_EQ(j["log_prob"], "bound");
}

TEST(Vae, FitsSavesAndLoads) {
  TempDir dir;
  const nf::Runtime rt;
  nf::Model m(rt, kImages, 3);
  const std::vector<float> x = bits(40);
  const nf::View rows(x.data(), 40, kD);
  nf::fit(
      m, nf::Batch(rows),
      nf::Options{
          {"trainer.objective", "elbo"}, {"trainer.beta_warmup_steps", 3}, {"fit.steps", 8}, {"batches.batch", 20}});
  const std::string path = dir / "vae.safetensors";
  m.save(path);
  const nf::Model again = nf::Model::load(rt, path);
  EXPECT_EQ(again.hash(), m.hash());
  const nf::Options many{{"session.score_samples", 4}, {"session.score_seed", 9}};
  EXPECT_EQ(nf::Session(again, many).log_prob(rows), nf::Session(m, many).log_prob(rows));
}

TEST(Vae, CallsForOtherModels) {
  const Runtime rt = runtime();
  const Model vae = model(rt.get(), kImages), flow = model(rt.get());
  const Session latents = session(vae.get()), chain = session(flow.get());
  Tensor x({2, kD}), z({2, kZ}), two({2, 2}), rows({2});
  Err e;
  EXPECT_TRUE(
      failed(NF_ERR_UNSUPPORTED, nf_forward(latents.get(), x.view(), nullptr, z.view(), nullptr, &e), e, "nf_encode"));
  EXPECT_TRUE(
      failed(NF_ERR_UNSUPPORTED, nf_inverse(latents.get(), z.view(), nullptr, x.view(), nullptr, &e), e, "nf_decode"));
  EXPECT_TRUE(failed(NF_ERR_UNSUPPORTED, nf_base_quantile(latents.get(), z.view(), nullptr, z.view(), &e), e, "base"));
  EXPECT_TRUE(failed(NF_ERR_UNSUPPORTED,
                     nf_log_prob_grad(latents.get(), x.view(), nullptr, rows.view(), nullptr, nullptr, &e), e, ""));
  EXPECT_TRUE(failed(NF_ERR_UNSUPPORTED,
                     nf_encode(chain.get(), two.view(), nullptr, two.view(), nullptr, nullptr, nullptr, &e), e,
                     "\"vae\""));
  EXPECT_TRUE(failed(NF_ERR_UNSUPPORTED, nf_decode(chain.get(), two.view(), nullptr, two.view(), &e), e, "\"vae\""));
  EXPECT_TRUE(failed(NF_ERR_SHAPE, nf_decode(latents.get(), x.view(), nullptr, x.view(), &e), e, "z"));
  EXPECT_TRUE(failed(NF_ERR_SHAPE, nf_encode(latents.get(), z.view(), nullptr, nullptr, nullptr, nullptr, nullptr, &e),
                     e, "x"));
  Tensor planes({2, 2, kZ});
  EXPECT_TRUE(
      failed(NF_ERR_SHAPE, nf_posterior_trace(latents.get(), x.view(), nullptr, planes.view(), nullptr, &e), e, "3"));
  nf_importance_info info = NF_IMPORTANCE_INFO_INIT;
  Tensor one({1, kD}), one_of_two({1, 2});
  EXPECT_TRUE(
      failed(NF_ERR_UNSUPPORTED,
             nf_posterior_importance(chain.get(), one_of_two.view(), nullptr, 1, 0, 3, nullptr, nullptr, &info, &e), e,
             "\"vae\""));
  EXPECT_TRUE(failed(NF_ERR_SHAPE,
                     nf_posterior_importance(latents.get(), x.view(), nullptr, 1, 0, 3, nullptr, nullptr, &info, &e), e,
                     "x"));
  EXPECT_TRUE(failed(NF_ERR_ARGUMENT,
                     nf_posterior_importance(latents.get(), one.view(), nullptr, 1, 0, 0, nullptr, nullptr, &info, &e),
                     e, "n is 0"));
  Tensor none({0, kD}), no_z({0, kZ});
  EXPECT_TRUE(ok(nf_encode(latents.get(), none.view(), nullptr, no_z.view(), nullptr, nullptr, nullptr, &e), e));
}

}  // namespace
}  // namespace abi_test
