// Gradients of base distributions: of log-densities with respect to z, context and every parameter, and of samples,
// against five-point differences. Those of mixture samples are compared with the quantile map, solved by bisection.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/src/base/base_case.h"

namespace libnf::test {
namespace {

// Computes sum(cot log p(z)) or sum(cot sample) and its gradients.
struct Graph {
  Graph(const BaseSetup& b, int64_t rows, int64_t event, bool sampling, uint64_t seed)
      : f(base_spec(b, DType::f64, event)),
        sampling(sampling),
        rows(rows),
        grads(system_allocator(), static_cast<size_t>(f.model().params().trainable_size()) * sizeof(double) + 64, "g"),
        nodes(f.model().params().slots().size()),
        t(system_allocator(), DType::f64) {
    f.randomize(seed, 0.4);
    std::mt19937_64 random(seed + 1);
    z = draw_normal(rows * event, random);
    cot = draw_normal(rows * event, random);
    context = draw_context(b, rows, seed + 2);
  }
  Var run() {
    f.model().params().bind(nodes.data(), grads.data(), nullptr);
    t.random = {};
    t.random.seed = 17;
    x = t.input(contiguous_view(z.data(), DType::f64, {rows, f.model().columns()}), true);
    c = context.empty() ? nullptr
                        : t.input(contiguous_view(context.data(), DType::f64, {rows, f.model().context()}), true);
    const Scope s{t, nodes.data()};
    return sampling ? f.model().base().sample(s, rows, c) : f.model().base().log_prob(s, x, c);
  }
  double loss() {
    const TapeScope scope(t);
    const Values v = values_of<double>(run()->out);
    double sum = 0;
    for (size_t k = 0; k < v.size(); ++k) sum += cot[k] * v[k];
    return sum;
  }
  double difference(double& p) {
    const double start = p;
    const double d = five_point(1e-3, {1.0}, [&](double h) {
      p = start + h;
      return Values{loss()};
    });
    p = start;
    return d;
  }
  // Returns false if nothing needs a gradient.
  bool backward() {
    Var y = run();
    if (!y->needs_grad) return false;
    const View g = t.grad(*y);
    for (int64_t k = 0; k < g.count(); ++k) g.as<double>()[k] = cot[static_cast<size_t>(k)];
    t.backward();
    return true;
  }
  FlowCase<double> f;
  bool sampling;
  int64_t rows;
  Buffer grads;
  std::vector<Node> nodes;
  Tape t;
  Values z, cot, context;
  Var x = nullptr, c = nullptr;
};

void expect_near(double got, double want, const std::string& where) {
  EXPECT_NEAR(got, want, 1e-6 * std::max(1.0, std::abs(want))) << where;
}

TEST(BaseGradients, AgreeWithDifferences) {
  for (const BaseSetup& b : kBaseSetups)
    for (const int64_t event : {3, 1})
      for (const bool sampling : {false, true}) {
        if (sampling && b.implicit) continue;
        SCOPED_TRACE(std::string(b.json) + (sampling ? " sample" : " log_prob") + std::to_string(event));
        Graph g(b, 4, event, sampling, 3);
        if (!g.backward()) {
          EXPECT_FALSE(b.learned);
          continue;
        }
        ParamStore& params = g.f.model().params();
        std::vector<Values> got;
        for (Node& n : g.nodes) got.push_back(n.needs_grad ? values_of<double>(g.t.grad(n)) : Values{});
        const auto of = [&](Var v) { return v ? values_of<double>(g.t.grad(*v)) : Values{}; };
        const Values gx = sampling ? Values{} : of(g.x), gc = b.labels == BaseSetup::none ? of(g.c) : Values{};
        if (!sampling) {
          for (size_t k = 0; k < g.z.size(); ++k) expect_near(gx[k], g.difference(g.z[k]), "z " + std::to_string(k));
        }
        for (size_t k = 0; k < gc.size(); ++k) expect_near(gc[k], g.difference(g.context[k]), "context");
        for (size_t i = 0; i < got.size(); ++i)
          for (size_t k = 0; k < got[i].size(); ++k)
            expect_near(got[i][k], g.difference(g.f.param(i)[k]), params.slots()[i].name + " " + std::to_string(k));
      }
}

// Weights, locations and scales of a mixture of K normals in d columns, in that order.
struct Mixture {
  size_t components, d;
  Values p;
  double loc(size_t k, size_t j) const { return p[components + k * d + j]; }
  double scale(size_t k, size_t j) const { return std::exp(p[components * (1 + d) + k * d + j]); }
  // F_j(z_j | z_1 ... z_(j-1))
  double conditional(const double* z, size_t j, double zj) const {
    double all = 0, below = 0;
    for (size_t k = 0; k < components; ++k) {
      double w = std::exp(p[k]);
      for (size_t i = 0; i < j; ++i) {
        const double u = (z[i] - loc(k, i)) / scale(k, i);
        w *= std::exp(-0.5 * u * u) / scale(k, i);
      }
      all += w;
      below += w * 0.5 * std::erfc(-(zj - loc(k, j)) / scale(k, j) * M_SQRT1_2);
    }
    return below / all;
  }
  Values at(const Values& quantiles) const {
    Values z(d);
    for (size_t j = 0; j < d; ++j) {
      double low = -100, high = 100;
      for (int i = 0; i < 200; ++i) {
        const double middle = 0.5 * (low + high);
        (conditional(z.data(), j, middle) < quantiles[j] ? low : high) = middle;
      }
      z[j] = 0.5 * (low + high);
    }
    return z;
  }
};

// A row's sample as a function of the parameters, with its conditional quantiles held fixed.
TEST(BaseGradients, OfMixtureSamplesAreThoseOfTheQuantileMap) {
  for (const char* json :
       {R"({"type": "gaussian_mixture", "components": 3})", R"({"type": "gaussian_mixture", "components": 1})"})
    for (const int64_t event : {1, 3})
      for (uint64_t seed = 0; seed < 6; ++seed) {
        Graph g({.json = json, .implicit = true}, 1, event, true, seed);
        ASSERT_TRUE(g.backward());
        Mixture m{static_cast<size_t>(g.nodes[0].out.count()), static_cast<size_t>(event), {}};
        Values got;
        for (size_t i = 0; i < 3; ++i) {
          const Values grad = values_of<double>(g.t.grad(g.nodes[i])), p = values_of<double>(g.nodes[i].out);
          got.insert(got.end(), grad.begin(), grad.end());
          m.p.insert(m.p.end(), p.begin(), p.end());
        }
        const Values z = values_of<double>(g.run()->out);
        Values quantiles;
        for (size_t j = 0; j < m.d; ++j) quantiles.push_back(m.conditional(z.data(), j, z[j]));
        for (size_t k = 0; k < m.p.size(); ++k) {
          const double start = m.p[k];
          const double want = five_point(1e-3, {1.0}, [&](double h) {
            m.p[k] = start + h;
            const Values moved = m.at(quantiles);
            double sum = 0;
            for (size_t j = 0; j < m.d; ++j) sum += g.cot[j] * moved[j];
            return Values{sum};
          });
          m.p[k] = start;
          expect_near(got[k], want, std::string(json) + " parameter " + std::to_string(k));
        }
      }
}

// d/dlogits E[z^2] = w_k (loc_k^2 + s_k^2 - E[z^2]); the mean over many samples is within five standard errors.
TEST(BaseGradients, OfMixtureWeightsAreUnbiased) {
  constexpr int64_t n = 40000;
  Graph g({.json = R"({"type": "gaussian_mixture", "components": 2})"}, n, 1, true, 5);
  const double* logits = g.f.param(0);
  const double w = 1 / (1 + std::exp(logits[1] - logits[0]));
  double square[2];
  for (int k = 0; k < 2; ++k) square[k] = std::pow(g.f.param(1)[k], 2) + std::exp(2 * g.f.param(2)[k]);
  const double want = w * (1 - w) * (square[0] - square[1]);
  const Values z = [&] {
    const TapeScope scope(g.t);
    return values_of<double>(g.run()->out);
  }();
  for (size_t r = 0; r < n; ++r) g.cot[r] = 2 * z[r] / n;
  ASSERT_TRUE(g.backward());
  const double got = values_of<double>(g.t.grad(g.nodes[0]))[0];
  EXPECT_NEAR(got, want, 5 * 1.0 / std::sqrt(n));  // one row's contribution has a standard deviation below 1
  EXPECT_GT(std::abs(want), 0.02);
}

// With rows far out or not finite in the batch, gradients of a good row that has weight stay finite.
TEST(BaseGradients, AreNotSpoiledByRowsFarOut) {
  for (const char* json : {R"({"type": "gaussian_mixture", "components": 3})", R"({"type": "student_t"})",
                           R"({"type": "logistic"})", R"({"type": "laplace"})"}) {
    Graph g({.json = json}, 2, 2, false, 4);
    for (const double far : {1e30, -1e160, 1e300}) {
      g.z[0] = far;
      const TapeScope scope(g.t);
      ASSERT_TRUE(g.backward());
      for (Node& n : g.nodes)
        for (double v : values_of<double>(g.t.grad(n))) EXPECT_FALSE(std::isnan(v)) << json << far;
      for (double v : values_of<double>(g.t.grad(*g.x))) EXPECT_TRUE(std::isfinite(v)) << json << far;
      std::fill_n(g.grads.as<double>(), g.f.model().params().trainable_size(), 0.0);
    }
  }
}

}  // namespace
}  // namespace libnf::test
