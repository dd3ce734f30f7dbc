// Using libnf from C++: variational inference and importance sampling for a model of your own, the eight schools of
// Rubin (1981; Gelman et al., Bayesian Data Analysis, section 5.5): estimated effects y_j of coaching with known errors
//   s_j, y_j ~ N(mu + tau e_j, s_j^2),  e_j ~ N(0, 1),  mu ~ N(0, 5^2),  tau ~ half-Cauchy(0, 5),
// with the ten unknowns x = (mu, log tau, e_1 .. e_8). A spline flow is fitted to the posterior by reverse KL.
// Importance weights correct its errors and give the evidence and the effective sample size; a Markov chain with
// proposals from the flow checks the means. Needs only nf.hpp and -lnf.
// clang-format off
//   c++ -std=c++17 -O2 -Iinclude examples/cpp/eight_schools.cc -Lbuild/src -lnf -Wl,-rpath,$PWD/build/src -o build/schools
//   build/schools build/schools.safetensors
// clang-format on
#include <cmath>
#include <cstdio>
#include <exception>
#include <nf/nf.hpp>
#include <vector>

namespace {

constexpr int kSchools = 8, kColumns = 2 + kSchools;
constexpr double kEffect[kSchools] = {28, 8, -3, 7, -1, 1, 18, 12}, kError[kSchools] = {15, 10, 16, 11, 9, 11, 10, 18};

// elementwise_affine learns location and scale of each unknown, so that it falls into the splines' interval of -5 to 5.
constexpr char kSpec[] = R"({"event": [10], "dtype": "float64", "base": "diagonal_normal", "layers": [
  {"type": "elementwise_affine"},
  {"repeat": 3, "layers": [{"type": "spline_coupling", "bins": 8, "bound": 5, "hidden": [32, 32]},
                           {"type": "shuffle"}]}]})";

double log_normal(double x, double sd) { return -0.5 * x * x / (sd * sd) - std::log(sd * std::sqrt(2 * M_PI)); }

// Returns log p(y, x) with all constants, so that log Z is the log evidence, and its gradient unless `gradient` is
// null.
double log_joint(const double* x, double* gradient) {
  const double mu = x[0], tau = std::exp(x[1]), ratio = tau / 5;
  // The change of variables to log tau adds a factor tau.
  double sum = log_normal(mu, 5) + std::log(2 / (M_PI * 5)) - std::log1p(ratio * ratio) + x[1];
  double d_mu = -mu / 25, d_log_tau = 1 - 2 * ratio * ratio / (1 + ratio * ratio);
  for (int j = 0; j < kSchools; ++j) {
    const double e = x[2 + j], residual = kEffect[j] - mu - tau * e, pull = residual / (kError[j] * kError[j]);
    sum += log_normal(e, 1) + log_normal(residual, kError[j]);
    d_mu += pull;
    d_log_tau += pull * tau * e;
    if (gradient) gradient[2 + j] = pull * tau - e;
  }
  if (gradient) gradient[0] = d_mu, gradient[1] = d_log_tau;
  return sum;
}

// libnf evaluates all rows of a step in one call, so that your own threads could share them.
bool target(const nf::View& x, const nf::View&, const nf::Out& log_density, const nf::Out& gradient) {
  const double* rows = x.data<double>();
  double *out = log_density.data<double>(), *g = gradient.none() ? nullptr : gradient.data<double>();
  for (int64_t r = 0; r < x.rows(); ++r) out[r] = log_joint(rows + r * kColumns, g ? g + r * kColumns : nullptr);
  return true;  // false stops the call
}

int run(const char* path) {
  const nf::Runtime runtime;
  nf::Model model(runtime, kSpec, /*seed=*/1);
  const nf::Target posterior(runtime, kColumns, target);
  if (!(posterior.gradient_error(std::vector<double>(kColumns, 0.5)) < 1e-6))
    return std::puts("the gradient does not match the density"), 1;

  nf::Trainer trainer(model, {{"trainer.objective", "reverse_kl"},
                              {"trainer.path_gradient", true},
                              {"trainer.samples", 256},
                              {"trainer.lr", 5e-3},
                              {"trainer.schedule", "cosine"},
                              {"trainer.max_steps", 1500},
                              {"trainer.clip_norm", 20}});
  trainer.set_target(posterior);
  trainer.run(1500, [](const nf::StepInfo& s) {  // the loss is at least -log evidence
    if (s.step % 500 == 0) std::printf("step %4d  loss %.3f\n", static_cast<int>(s.step), s.loss);
    return true;
  });
  model.save(path);

  // Weighted samples of the flow give posterior means with errors, the evidence, and the effective sample size.
  const int64_t n = 20000;
  nf::Session session(model);
  std::vector<double> x(static_cast<size_t>(n * kColumns)), log_weight(static_cast<size_t>(n)), wanted;
  const nf::ImportanceInfo fit = session.importance(posterior, n, /*seed=*/2, nf::Out(x, kColumns), log_weight);
  for (int64_t r = 0; r < n; ++r) {
    wanted.push_back(x[static_cast<size_t>(r * kColumns)]);                // mu
    wanted.push_back(std::exp(x[static_cast<size_t>(r * kColumns + 1)]));  // tau
  }
  const nf::Estimate weighted = nf::importance_mean(log_weight, nf::View(wanted, 2));
  std::printf("log evidence %.4f +- %.4f, effective samples %.0f of %d (%.0f %%)\n", fit.log_z, fit.log_z_error,
              fit.ess, static_cast<int>(n), 100 * fit.ess_fraction);

  // Estimate the same means with Markov chains that use the flow as proposal.
  nf::MetropolisInfo walk = NF_METROPOLIS_INFO_INIT;
  const int64_t draws = 500, chains = 40;
  const std::vector<double> chain = session.metropolis<double>(
      posterior, draws, chains, {{"metropolis.burn_in", 50}, {"metropolis.seed", 3}}, {}, &walk);
  double mu = 0, tau = 0;
  for (size_t r = 0; r < chain.size(); r += kColumns) mu += chain[r], tau += std::exp(chain[r + 1]);
  mu /= static_cast<double>(draws * chains), tau /= static_cast<double>(draws * chains);
  std::printf("      weights          chains (%.0f %% of proposals accepted)\n", 100 * walk.acceptance);
  std::printf("mu    %.3f +- %.3f  %.3f\ntau   %.3f +- %.3f  %.3f\n", weighted.mean[0], weighted.error[0], mu,
              weighted.mean[1], weighted.error[1], tau);

  if (!(fit.ess_fraction > 0.5)) return std::puts("the flow does not fit the posterior"), 1;
  if (!(std::abs(mu - weighted.mean[0]) < 0.25 && std::abs(tau - weighted.mean[1]) < 0.25))
    return std::puts("weights and chains disagree"), 1;
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc > 1 ? argv[1] : "/tmp/eight_schools.safetensors");
  } catch (const nf::Exception& e) {
    std::printf("%s: %s\n", nf::status_name(e.status()), e.what());
    return 2;
  }
}
