// Variational flows against golden vectors of group 01 (normflows, sylvester-flows; float64), built op by op with their
// parameters shared or one set per row: values, log-determinants, the way back, and all gradients, in both dtypes.
#include <gtest/gtest.h>

#include <cmath>

#include "runtime/op/planar.h"
#include "runtime/op/radial.h"
#include "tests/support/golden.h"
#include "tests/support/graph.h"

namespace nf::test {
namespace {

// Step k of tensors [n, K, ...], side by side: (u | w | b) of every row.
Values joined(const std::vector<const GoldenTensor*>& parts, int64_t rows, int64_t steps, int64_t k) {
  Values v;
  for (int64_t r = 0; r < rows; ++r)
    for (const GoldenTensor* g : parts) {
      const int64_t size = g->count() / (rows * steps);
      const auto at = g->data.begin() + (r * steps + k) * size;
      v.insert(v.end(), at, at + size);
    }
  return v;
}

template <class T>
class VariationalGolden : public testing::Test {
 protected:
  // step(graph, x, k, inverse) is step k of K or its inverse. Checks all but the gradients of parameters.
  template <class Step>
  void run(const Golden& g, int64_t steps, const Step& step) {
    const int64_t n = g["x"].rows(), d = g["x"].cols();
    Var x = graph.leaf(g["x"].data, {n, d});
    Mapped m{x, nullptr};
    for (int64_t k = 0; k < steps; ++k) graph.then(&m, step(m.y, k, false));
    expect_close(graph.value(m.y), g["z"], golden_tolerance<T>, "z");
    expect_close(graph.value(m.log_det), g["log_det"], golden_tolerance<T>, "log_det");
    Mapped back{graph.leaf(g["z"].data, {n, d}), nullptr};
    for (int64_t k = steps; k-- > 0;) graph.then(&back, step(back.y, k, true));
    // float32: the steps contract by factors of ten and more, and the way back expands as much.
    constexpr double tolerance = sizeof(T) == 8 ? kGoldenF64 : 1e-4;
    expect_close(graph.value(back.y), g["x"], tolerance, "x");
    Values opposite = g["log_det"].data;
    for (double& v : opposite) v = -v;
    expect_close(graph.value(back.log_det), opposite, tolerance, "log_det of the inverse");
    graph.backward(m, g["cot_z"].data, g["cot_log_det"].data);
    expect_grad(x, g["grad.x"].data, "grad.x");
  }
  void expect_grad(Var v, const Values& want, const std::string& what) {
    expect_close(graph.grad(v), want, golden_grad_tolerance<T>, what);
  }

  Graph<T> graph;
};

using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(VariationalGolden, Types);

TYPED_TEST(VariationalGolden, PlanarShared) {
  const Golden g = Golden::load("01_planar_shared");
  const auto steps = static_cast<int64_t>(g.number("K")), d = g["x"].cols();
  std::vector<Var> p;
  const auto set = [&](const std::string& prefix, int64_t k) {
    const std::string at = prefix + std::to_string(k) + ".";
    return joined({&g[at + "u"], &g[at + "w"], &g[at + "b"]}, 1, 1, 0);
  };
  for (int64_t k = 0; k < steps; ++k) p.push_back(this->graph.leaf(set("param.", k), {2 * d + 1}));
  this->run(g, steps, [&](Var x, int64_t k, bool inverse) {
    Var y = planar(this->graph.tape, x, p[static_cast<size_t>(k)], {Ridge::tanh, 0, inverse, {}});
    return Mapped{y, y->extra};
  });
  for (int64_t k = 0; k < steps; ++k) this->expect_grad(p[static_cast<size_t>(k)], set("grad.param.", k), "u | w | b");
}

TYPED_TEST(VariationalGolden, PlanarAmortised) {
  const Golden g = Golden::load("01_planar_amortised");
  const int64_t steps = g["b"].shape[1], n = g["x"].rows(), d = g["x"].cols();
  std::vector<Var> p;
  const auto set = [&](const std::string& prefix, int64_t k) {
    return joined({&g[prefix + "u"], &g[prefix + "w"], &g[prefix + "b"]}, n, steps, k);
  };
  for (int64_t k = 0; k < steps; ++k) p.push_back(this->graph.leaf(set("", k), {n, 2 * d + 1}));
  this->run(g, steps, [&](Var x, int64_t k, bool inverse) {
    Var y = planar(this->graph.tape, x, p[static_cast<size_t>(k)], {Ridge::tanh, 0, inverse, {}});
    return Mapped{y, y->extra};
  });
  for (int64_t k = 0; k < steps; ++k) this->expect_grad(p[static_cast<size_t>(k)], set("grad.", k), "u | w | b");
}

// Their alpha is the magnitude of a parameter, ours softplus of one: raw = log(e^|a| - 1), d raw/d|a| = 1/sigmoid(raw).
TYPED_TEST(VariationalGolden, RadialShared) {
  const Golden g = Golden::load("01_radial_shared");
  const auto steps = static_cast<int64_t>(g.number("K")), d = g["x"].cols();
  std::vector<Var> p;
  const auto at = [](const std::string& prefix, int64_t k) { return prefix + std::to_string(k) + "."; };
  const auto raw_of = [](double alpha) { return std::log(std::expm1(std::abs(alpha))); };
  for (int64_t k = 0; k < steps; ++k) {
    const std::string name = at("param.", k);
    Values set = g[name + "z_0"].data;
    set.push_back(raw_of(g[name + "alpha"].item()));
    set.push_back(g[name + "beta"].item());
    p.push_back(this->graph.leaf(set, {d + 2}));
  }
  this->run(g, steps, [&](Var x, int64_t k, bool inverse) {
    Var y = radial(this->graph.tape, x, p[static_cast<size_t>(k)], inverse);
    return Mapped{y, y->extra};
  });
  for (int64_t k = 0; k < steps; ++k) {
    const std::string name = at("grad.param.", k);
    const double alpha = g[at("param.", k) + "alpha"].item();
    Values set = g[name + "z_0"].data;
    set.push_back(g[name + "alpha"].item() * (alpha < 0 ? -1 : 1) * -std::expm1(-std::abs(alpha)));
    set.push_back(g[name + "beta"].item());
    this->expect_grad(p[static_cast<size_t>(k)], set, "x0 | raw alpha | raw beta");
  }
}

TYPED_TEST(VariationalGolden, RadialAmortised) {
  const Golden g = Golden::load("01_radial_amortised");
  const int64_t steps = g["alpha_raw"].shape[1], n = g["x"].rows(), d = g["x"].cols();
  std::vector<Var> p;
  const auto set = [&](const std::string& prefix, int64_t k) {
    return joined({&g[prefix + "z0"], &g[prefix + "alpha_raw"], &g[prefix + "beta_raw"]}, n, steps, k);
  };
  for (int64_t k = 0; k < steps; ++k) p.push_back(this->graph.leaf(set("", k), {n, d + 2}));
  this->run(g, steps, [&](Var x, int64_t k, bool inverse) {
    Var y = radial(this->graph.tape, x, p[static_cast<size_t>(k)], inverse);
    return Mapped{y, y->extra};
  });
  for (int64_t k = 0; k < steps; ++k)
    this->expect_grad(p[static_cast<size_t>(k)], set("grad.", k), "x0 | raw alpha | raw beta");
}

}  // namespace
}  // namespace nf::test
