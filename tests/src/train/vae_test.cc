// Training of variational autoencoders: gradients of the objectives against differences with the noise of the step, the
// factor of the divergence by step, bounds, threads, resuming, and options that make no sense.
#include <gtest/gtest.h>

#include <cmath>

#include "src/io/byte_sink.h"
#include "src/io/json.h"
#include "src/model/vae_model.h"
#include "src/train/checkpoint.h"
#include "src/train/trainer.h"
#include "tests/support/expect_error.h"
#include "tests/support/op_check.h"

namespace libnf::test {
namespace {

struct Trained {
  Trained(const std::string& spec, const std::string& options, uint32_t threads = 1, uint64_t seed = 5)
      : executor(threads),
        model(make_model(system_allocator(), parse_spec(spec), seed)),
        trainer(system_allocator(), executor, *model,
                read_trainer_config(parse_json(options, "options", Code::spec, 1 << 16, 8)), {}) {}
  double* param(size_t slot) const { return model->params().view(slot).as<double>(); }
  int64_t size(size_t slot) const { return model->params().view(slot).count(); }
  Values all() const {
    Values v;
    for (size_t i = 0; i < model->params().slots().size(); ++i)
      for (int64_t k = 0; k < size(i); ++k) v.push_back(param(i)[k]);
    return v;
  }
  void put(const Values& v) const {
    size_t at = 0;
    for (size_t i = 0; i < model->params().slots().size(); ++i)
      for (int64_t k = 0; k < size(i); ++k) param(i)[k] = v[at++];
  }
  Executor executor;
  std::unique_ptr<Density> model;
  Trainer trainer;
};

struct Bits {
  explicit Bits(int64_t n, int64_t columns = 4, int64_t c = 0) : rows(n), cols(columns), contexts(c) {
    std::mt19937_64 random(2);
    for (int64_t i = 0; i < n * columns; ++i) x.push_back(static_cast<double>(random() % 2));
    context = draw_normal(n * c, random);
  }
  TrainingRows view(int64_t n) {
    TrainingRows r;
    r.x = contiguous_view(x.data(), DType::f64, {n, cols});
    if (contexts) r.context = contiguous_view(context.data(), DType::f64, {n, contexts});
    return r;
  }
  TrainingRows view() { return view(rows); }
  int64_t rows, cols, contexts;
  Values x, context;
};

constexpr char kNormal[] =
    R"({"kind": "vae", "event": 4, "latent": 2, "dtype": "float64", "encoder": {"type": "mlp", "hidden": [6], "activation": "tanh"},
    "decoder": {"type": "mlp", "hidden": [6], "activation": "tanh"}})";

std::string with(const std::string& rest) {
  return R"({"kind": "vae", "event": 4, "latent": 2, "dtype": "float64", "encoder": {"type": "mlp", "hidden": [6], "activation": "tanh"},
    "decoder": {"type": "mlp", "hidden": [6], "activation": "tanh"}, )" +
         rest + "}";
}

// Every kind of posterior that training is likely to use, every likelihood, and every prior.
std::vector<std::string> specs() {
  std::vector<std::string> all = {kNormal};
  for (const char* layers :
       {R"({"type": "planar", "parameters": "context", "net": {"type": "mlp", "hidden": []}, "repeat": 2})",
        R"({"type": "planar"})", R"({"type": "radial", "parameters": "context"})",
        R"({"type": "sylvester", "parameters": "context"})",
        R"({"type": "masked_autoregressive", "hidden": [6], "activation": "tanh"}, {"type": "reverse"})",
        R"({"type": "masked_autoregressive", "hidden": [6], "activation": "tanh", "invert": true})",
        R"({"type": "spline_autoregressive", "hidden": [6], "activation": "tanh"})",
        R"({"type": "affine_coupling", "hidden": [6], "activation": "tanh"}, {"type": "lu_linear"})"})
    all.push_back(with(R"("posterior": {"features": 3, "layers": [)" + std::string(layers) + "]}"));
  all.push_back(with(R"("posterior": {"scale_bounds": [0.2, 3], "layers": [{"type": "planar"}]})"));
  for (const char* likelihood :
       {R"("gaussian")", R"({"type": "gaussian", "scale_from": "decoder"})", R"("laplace")",
        R"({"type": "discretized_logistic", "levels": 2, "components": 2})", R"({"type": "categorical", "levels": 2})",
        R"("negative_binomial")", R"({"type": "negative_binomial", "dispersion_from": "decoder"})"})
    all.push_back(with(R"("likelihood": )" + std::string(likelihood)));
  // Convolutions: of an image, of one with several channels and several numbers per pixel, and of a row as an image.
  const std::string tower = R"("channels": [3, 2], "strides": [1, 2], "kernel": 3, "features": 5)";
  const auto conv = [&](const char* event, const std::string& more, const char* rest) {
    all.push_back(R"({"kind": "vae", "latent": 2, "dtype": "float64", "event": )" + std::string(event) +
                  R"(, "encoder": {"type": "conv_encoder", )" + tower + more +
                  R"(}, "decoder": {"type": "conv_decoder", )" + tower + more + "}" + rest + "}");
  };
  conv("[2, 2, 1]", "", "");
  conv("[1, 2, 2]", R"(, "gated": false, "activation": "tanh")",
       R"(, "likelihood": {"type": "discretized_logistic", "levels": 2, "components": 2})");
  conv("4", "", R"(, "context": 2)");
  all.push_back(with(R"("context": 2, "prior": {"base": {"type": "diagonal_normal", "parameters": "context"}})"));
  all.push_back(with(R"("prior": {"base": "gaussian_mixture"})"));
  all.push_back(with(R"("prior": {"pseudo_inputs": 3})"));
  all.push_back(with(R"("prior": {"layers": [{"type": "affine_coupling", "hidden": [6], "activation": "tanh"}]})"));
  return all;
}

// A step of plain descent at rate 1 shows the gradient of the loss of its rows and its noise, which evaluating before
// the step uses too.
void check_gradient(const std::string& spec, const std::string& objective) {
  SCOPED_TRACE(spec + " " + objective);
  const std::string options = R"({"optimizer": "sgd", "lr": 1, "guard": "off", )" + objective + "}";
  const Trained at(spec, options);
  Bits data(5, 4, at.model->context());
  std::mt19937_64 random(6);
  Trained stepped(spec, options);
  Values start = draw_normal(static_cast<int64_t>(at.all().size()), random);
  for (double& v : start) v *= 0.4;
  // Buffers, such as the scale of a likelihood that is fixed, stay.
  size_t place = 0;
  const Values before = at.all();
  for (size_t i = 0; i < at.model->params().slots().size(); ++i)
    for (int64_t k = 0; k < at.size(i); ++k, ++place)
      if (!at.model->params().slots()[i].trainable) start[place] = before[place];
  stepped.put(start);
  stepped.trainer.parameters_changed();
  stepped.trainer.step(data.view());
  const Values end = stepped.all();
  for (int direction = 0; direction < 3; ++direction) {
    Values v = draw_normal(static_cast<int64_t>(start.size()), random);
    double slope = 0;
    for (size_t i = 0; i < v.size(); ++i) slope += v[i] * (start[i] - end[i]);
    const auto loss = [&](double h) {
      Trained moved(spec, options);
      Values p = start;
      for (size_t i = 0; i < p.size(); ++i)
        if (end[i] != start[i]) p[i] += h * v[i];
      moved.put(p);
      moved.trainer.parameters_changed();
      return moved.trainer.evaluate(data.view()).value;
    };
    constexpr double h = 2e-5;
    const double difference = (8 * (loss(h) - loss(-h)) - (loss(2 * h) - loss(-2 * h))) / (12 * h);
    EXPECT_NEAR(slope, difference, 1e-6 * std::max(1.0, std::abs(slope)));
  }
}

TEST(VaeTraining, GradientsOfTheElbo) {
  for (const std::string& spec : specs())
    check_gradient(spec, R"("objective": "elbo", "kl": "monte_carlo", "draws": 2)");
  check_gradient(kNormal, R"("objective": "elbo")");
  check_gradient(kNormal, R"("objective": "nll")");
}

TEST(VaeTraining, GradientsOfIwae) {
  for (const std::string& spec : specs()) check_gradient(spec, R"("objective": "iwae", "draws": 3)");
}

double first_loss(const std::string& options, int64_t n = 5) {
  Trained r(kNormal, R"({"optimizer": "sgd", "lr": 0, )" + options + "}");
  Bits data(n);
  return r.trainer.step(data.view()).loss;
}

TEST(VaeTraining, FactorOfTheDivergence) {
  const double zero = first_loss(R"("objective": "elbo", "beta": 0)"), one = first_loss(R"("objective": "elbo")"),
               two = first_loss(R"("objective": "elbo", "beta": 2)");
  EXPECT_NEAR(two - one, one - zero, 1e-12);
  EXPECT_GT(one, zero + 1e-3);
  // It rises over 4 steps, twice over the cycles. The rate is 0, so only the noise and the factor differ.
  Bits data(5);
  const auto losses = [&](const std::string& options) {
    Trained r(kNormal, R"({"optimizer": "sgd", "lr": 0, "objective": "elbo", )" + options + "}");
    Values all;
    for (int k = 0; k < 12; ++k) all.push_back(r.trainer.step(data.view()).loss);
    return all;
  };
  const Values none = losses(R"("beta": 0)"), whole = losses(R"("beta": 1)"),
               rising = losses(R"("beta": 2, "beta_start": 1, "beta_warmup_steps": 4, "beta_cycle_steps": 6)");
  for (size_t k = 0; k < 12; ++k) {
    const double beta = k % 6 >= 4 ? 2 : 1 + static_cast<double>(k % 6) / 4;
    EXPECT_NEAR(rising[k], none[k] + beta * (whole[k] - none[k]), 1e-12) << k;
  }
  // Evaluating does not anneal.
  Trained annealed(kNormal, R"({"objective": "elbo", "beta_warmup_steps": 100, "free_bits": 3})"),
      plain(kNormal, R"({"objective": "elbo"})");
  EXPECT_EQ(annealed.trainer.evaluate(data.view()).value, plain.trainer.evaluate(data.view()).value);
}

// With one draw both bounds are log w; with more, of the same draws, the logarithm of the mean is above the mean.
TEST(VaeTraining, IwaeBesideTheElbo) {
  const auto loss = [](const char* objective, int draws) {
    return first_loss(std::string(R"("objective": ")") + objective + R"(", "draws": )" + std::to_string(draws) +
                      (objective[0] == 'e' ? R"(, "kl": "monte_carlo")" : ""));
  };
  EXPECT_NEAR(loss("iwae", 1), loss("elbo", 1), 1e-12);
  EXPECT_LT(loss("iwae", 5), loss("elbo", 5) - 1e-3);
  EXPECT_GT(loss("iwae", 5), loss("elbo", 5) - std::log(5.0));
}

TEST(VaeTraining, FreeBitsChargeAtLeastThatMuch) {
  const double reconstruction = first_loss(R"("objective": "elbo", "beta": 0)");
  EXPECT_NEAR(first_loss(R"("objective": "elbo", "free_bits": 50)"), reconstruction + 2 * 50, 1e-9);
  EXPECT_NEAR(first_loss(R"("objective": "elbo", "free_bits": 1e-9)"), first_loss(R"("objective": "elbo")"), 1e-6);
}

// The score term has expectation 0, so the mean over many rows and draws agrees.
TEST(VaeTraining, StickingTheLandingHasTheSameExpectation) {
  Bits data(1);
  const auto gradient = [&](const std::string& rest) {
    Trained r(kNormal, R"({"optimizer": "sgd", "lr": 1, "objective": "elbo", "kl": "monte_carlo", "draws": 2000, )" +
                           rest + "}");
    const Values before = r.all();
    r.trainer.step(data.view());
    Values g = r.all();
    for (size_t i = 0; i < g.size(); ++i) g[i] = before[i] - g[i];
    return g;
  };
  const Values plain = gradient(R"("sticking_the_landing": false)"), path = gradient(R"("sticking_the_landing": true)");
  double differ = 0;
  for (size_t i = 0; i < plain.size(); ++i) {
    EXPECT_NEAR(plain[i], path[i], 0.1);
    differ += std::abs(plain[i] - path[i]);
  }
  EXPECT_GT(differ, 0);
}

// Gradients of steps of plain descent at rate 1 from the same parameters, one after another.
std::vector<Values> gradients(const std::string& options, int steps) {
  Trained r(kNormal, R"({"optimizer": "sgd", "lr": 1, "guard": "off", )" + options + "}");
  Bits data(1);
  std::mt19937_64 random(8);
  Values start = draw_normal(static_cast<int64_t>(r.all().size()), random);
  for (double& v : start) v *= 0.6;
  std::vector<Values> all;
  for (int k = 0; k < steps; ++k) {
    r.put(start);
    r.trainer.parameters_changed();
    r.trainer.step(data.view());
    Values g = r.all();
    for (size_t i = 0; i < g.size(); ++i) g[i] = start[i] - g[i];
    all.push_back(std::move(g));
  }
  return all;
}

// Rows at the same place of a batch get other draws in every step.
TEST(VaeTraining, StepsHaveNoiseOfTheirOwn) {
  for (const char* options : {R"("objective": "elbo", "kl": "monte_carlo")", R"("objective": "iwae")"}) {
    const std::vector<Values> g = gradients(options, 3);
    EXPECT_NE(g[0], g[1]) << options;
    EXPECT_NE(g[1], g[2]) << options;
  }
}

// With one draw it is the gradient that sticks the landing. With more, gradients of the decoder are those of the bound;
// those of the encoder have the same mean, and vary less.
TEST(VaeTraining, DoublyReparameterizedGradients) {
  const char twice[] = R"("objective": "iwae", "doubly_reparameterized": true, "draws": )";
  const Values one = gradients(std::string(twice) + "1", 1)[0],
               sticking = gradients(R"("objective": "elbo", "kl": "monte_carlo", "sticking_the_landing": true)", 1)[0];
  for (size_t i = 0; i < one.size(); ++i) EXPECT_NEAR(one[i], sticking[i], 1e-12);

  constexpr int kSteps = 4000;
  const auto plain = gradients(R"("objective": "iwae", "draws": 16)", kSteps),
             less = gradients(std::string(twice) + "16", kSteps);
  const Trained r(kNormal, R"({"objective": "iwae"})");
  size_t at = 0;
  double noise = 0, lower = 0;
  for (size_t slot = 0; slot < r.model->params().slots().size(); ++slot)
    for (int64_t k = 0; k < r.size(slot); ++k, ++at) {
      if (r.model->params().slots()[slot].name.starts_with("decoder")) {
        for (int step = 0; step < 5; ++step) EXPECT_NEAR(less[step][at], plain[step][at], 1e-12);
        continue;
      }
      double difference = 0, square = 0;
      for (int step = 0; step < kSteps; ++step) {
        const double d = less[step][at] - plain[step][at];
        difference += d / kSteps;
        square += d * d / kSteps;
      }
      EXPECT_NEAR(difference, 0, 4.5 * std::sqrt(square / kSteps) + 1e-15) << at;
      const auto variance = [&](const std::vector<Values>& all) {
        double m = 0, v = 0;
        for (const Values& g : all) m += g[at] / kSteps;
        for (const Values& g : all) v += (g[at] - m) * (g[at] - m) / kSteps;
        return v;
      };
      noise += variance(plain);
      lower += variance(less);
    }
  EXPECT_LT(lower, 0.5 * noise);
}

TEST(VaeTraining, ThreadsDoNotChangeBits) {
  Bits data(300);
  for (const char* options :
       {R"({"objective": "elbo", "beta_warmup_steps": 10, "seed": 4})", R"({"objective": "iwae", "draws": 2})"}) {
    uint64_t want = 0;
    for (const uint32_t threads : {1u, 2u, 3u, 8u}) {
      Trained r(with(R"("posterior": {"features": 3, "layers": [{"type": "planar", "parameters": "context"}]})"),
                options, threads);
      for (int k = 0; k < 5; ++k) r.trainer.step(data.view());
      if (threads == 1) want = r.model->params().hash();
      EXPECT_EQ(r.model->params().hash(), want) << threads;
    }
  }
}

TEST(VaeTraining, ResumesWithTheSameBits) {
  Bits data(50);
  const char options[] =
      R"({"objective": "elbo", "beta_warmup_steps": 7, "beta_cycle_steps": 9, "free_bits": 0.01, "seed": 4})";
  Trained whole(kNormal, options), first(kNormal, options);
  for (int k = 0; k < 12; ++k) whole.trainer.step(data.view());
  for (int k = 0; k < 5; ++k) first.trainer.step(data.view());
  MemorySink file;
  write_checkpoint(file, *first.model, {}, first.trainer);
  Trained second(kNormal, options, 2, 77);
  Notes notes;
  read_checkpoint(file.bytes(), *second.model, notes, second.trainer);
  for (int k = 0; k < 7; ++k) second.trainer.step(data.view());
  EXPECT_EQ(second.model->params().hash(), whole.model->params().hash());
}

// What the forward pass keeps does not change the gradients.
TEST(VaeTraining, MemoryDoesNotChangeTheGradient) {
  Bits data(20);
  const std::string spec = with(R"("posterior": {"features": 3, "layers": [{"type": "affine_coupling", "hidden": [6],
      "repeat": 3}, {"type": "planar"}]}, "prior": {"layers": [{"type": "affine_coupling", "hidden": [6], "repeat": 3}]})");
  Values want;
  for (const char* memory : {"full", "recompute", "invert"}) {
    Trained r(spec, std::string(R"({"objective": "elbo", "drift": 1e-300, "optimizer": "sgd", "memory": ")") + memory +
                        "\"}");
    for (int k = 0; k < 2; ++k) r.trainer.step(data.view());
    if (want.empty()) want = r.all();
    const Values have = r.all();
    for (size_t i = 0; i < want.size(); ++i) ASSERT_NEAR(have[i], want[i], 1e-12) << memory;
  }
}

TEST(VaeTraining, LossFalls) {
  Bits data(200);
  for (const std::string& spec : specs()) {
    SCOPED_TRACE(spec);
    Trained r(spec, R"({"objective": "elbo", "lr": 0.01})");
    Bits rows(200, 4, r.model->context());
    const double before = r.trainer.evaluate(rows.view()).value;
    for (int k = 0; k < 60; ++k) r.trainer.step(rows.view());
    EXPECT_LT(r.trainer.evaluate(rows.view()).value, before);
  }
}

TEST(VaeTraining, OptionsThatMakeNoSense) {
  const std::string flow = R"({"event": 4, "layers": []})";
  EXPECT_ERROR(Trained(flow, R"({"objective": "elbo"})"), Code::unsupported, "\"kind\": \"vae\"");
  EXPECT_ERROR(Trained(flow, R"({"objective": "iwae"})"), Code::unsupported, "\"kind\": \"vae\"");
  const std::string planar = with(R"("posterior": {"layers": [{"type": "planar"}]})");
  EXPECT_ERROR(Trained(planar, R"({"objective": "elbo", "kl": "analytic"})"), Code::spec, "\"kl\"");
  EXPECT_ERROR(Trained(planar, R"({"objective": "elbo", "free_bits": 1})"), Code::spec, "free_bits");
  EXPECT_ERROR(Trained(planar, R"({"objective": "elbo", "sticking_the_landing": true})"), Code::spec,
               "sticking_the_landing");
  EXPECT_ERROR(Trained(planar, R"({"objective": "iwae", "doubly_reparameterized": true})"), Code::spec,
               "doubly_reparameterized");
  EXPECT_ERROR(Trained(kNormal, R"({"objective": "elbo", "beta": -1})"), Code::spec, "beta");
  EXPECT_ERROR(Trained(kNormal, R"({"objective": "elbo", "draws": 0})"), Code::spec, "draws");
  EXPECT_ERROR(Trained(kNormal, R"({"objective": "elbo", "beta_warmup_steps": 5, "beta_cycle_steps": 3})"), Code::spec,
               "beta_cycle_steps");
  EXPECT_ERROR(Trained(kNormal, R"({"objective": "reverse_kl"})"), Code::unsupported, "bound");
  Bits data(3);
  data.x[5] = 7;
  Trained r(kNormal, R"({"objective": "elbo"})");
  EXPECT_ERROR(r.trainer.step(data.view()), Code::numeric, "row 1");
}

}  // namespace
}  // namespace libnf::test
