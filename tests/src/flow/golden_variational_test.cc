// Variational flows against golden vectors of group 01 (normflows, sylvester-flows; float64), built op by op with
// parameters that are shared or given per row: values, log-determinants, inverses and all gradients, in both dtypes.
#include <gtest/gtest.h>

#include <cmath>

#include "runtime/op/affine_column.h"
#include "runtime/op/planar.h"
#include "runtime/op/polar.h"
#include "runtime/op/radial.h"
#include "runtime/op/reflect.h"
#include "runtime/op/row_matrix.h"
#include "runtime/op/sylvester.h"
#include "tests/support/golden.h"
#include "tests/support/graph.h"

namespace libnf::test {
namespace {

// Joins step k of tensors [n, K, ...] into (u | w | b) for every row.
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
  // step(graph, x, k, inverse) is step k of K or its inverse. Checks everything except gradients of parameters.
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
    // float32: the steps contract by factors of ten and more, and the inverse expands as much.
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
    return planar(this->graph.tape, x, p[static_cast<size_t>(k)], {Ridge::tanh, 0, inverse, {}});
  });
  for (int64_t k = 0; k < steps; ++k) this->expect_grad(p[static_cast<size_t>(k)], set("grad.param.", k), "u | w | b");
}

TYPED_TEST(VariationalGolden, PlanarAmortized) {
  const Golden g = Golden::load("01_planar_amortised");
  const int64_t steps = g["b"].shape[1], n = g["x"].rows(), d = g["x"].cols();
  std::vector<Var> p;
  const auto set = [&](const std::string& prefix, int64_t k) {
    return joined({&g[prefix + "u"], &g[prefix + "w"], &g[prefix + "b"]}, n, steps, k);
  };
  for (int64_t k = 0; k < steps; ++k) p.push_back(this->graph.leaf(set("", k), {n, 2 * d + 1}));
  this->run(g, steps, [&](Var x, int64_t k, bool inverse) {
    return planar(this->graph.tape, x, p[static_cast<size_t>(k)], {Ridge::tanh, 0, inverse, {}});
  });
  for (int64_t k = 0; k < steps; ++k) this->expect_grad(p[static_cast<size_t>(k)], set("grad.", k), "u | w | b");
}

// Their alpha is the absolute value of a parameter, ours the softplus of one: raw = log(e^|a| - 1), d raw/d|a| =
// 1/sigmoid(raw).
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
    return radial(this->graph.tape, x, p[static_cast<size_t>(k)], inverse);
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

TYPED_TEST(VariationalGolden, RadialAmortized) {
  const Golden g = Golden::load("01_radial_amortised");
  const int64_t steps = g["alpha_raw"].shape[1], n = g["x"].rows(), d = g["x"].cols();
  std::vector<Var> p;
  const auto set = [&](const std::string& prefix, int64_t k) {
    return joined({&g[prefix + "z0"], &g[prefix + "alpha_raw"], &g[prefix + "beta_raw"]}, n, steps, k);
  };
  for (int64_t k = 0; k < steps; ++k) p.push_back(this->graph.leaf(set("", k), {n, d + 2}));
  this->run(g, steps, [&](Var x, int64_t k, bool inverse) {
    return radial(this->graph.tape, x, p[static_cast<size_t>(k)], inverse);
  });
  for (int64_t k = 0; k < steps; ++k)
    this->expect_grad(p[static_cast<size_t>(k)], set("grad.", k), "x0 | raw alpha | raw beta");
}

// The op's F holds R1 above its diagonal, R2 transposed below it, and the raw diagonal of R1.
Values triangles(const Golden& g, const std::string& prefix, int64_t steps, int64_t k) {
  const GoldenTensor &full = g[prefix + "full_d"], &d1 = g[prefix + "diag1_raw"], &d2 = g[prefix + "diag2_raw"],
                     &b = g[prefix + "b"];
  const int64_t n = full.shape[0], m = full.shape[2];
  Values v = joined({&full, &d2, &b}, n, steps, k);
  const Values diagonal = joined({&d1}, n, steps, k);
  for (int64_t r = 0; r < n; ++r)
    for (int64_t j = 0; j < m; ++j)
      v[static_cast<size_t>(r * m * (m + 2) + j * m + j)] = diagonal[static_cast<size_t>(r * m + j)];
  return v;
}

// turn(x, k, transposed) returns Q x or Q^T x for step k.
template <class T, class Turn>
Mapped sylvester_step(Graph<T>& graph, Var x, Var p, bool inverse, const Turn& turn) {
  const Mapped v = sylvester(graph.tape, turn(x, true), p, inverse, {});
  Var moved = turn(v.y, false);
  return {inverse ? sub(graph.tape, x, moved) : add(graph.tape, x, moved), v.log_det};
}

// Returns step k of [n, K, D, M] as the rows of every Q^T.
Values transposed_basis(const GoldenTensor& q, int64_t k) {
  const int64_t n = q.shape[0], steps = q.shape[1], d = q.shape[2], m = q.shape[3];
  Values v;
  for (int64_t r = 0; r < n; ++r)
    for (int64_t j = 0; j < m; ++j)
      for (int64_t i = 0; i < d; ++i) v.push_back(q.data[static_cast<size_t>(((r * steps + k) * d + i) * m + j)]);
  return v;
}

TYPED_TEST(VariationalGolden, SylvesterOrthogonal) {
  const Golden g = Golden::load("01_sylvester_orthogonal");
  const GoldenTensor& basis = g["q_ortho"];
  const int64_t n = basis.shape[0], steps = basis.shape[1], d = basis.shape[2], m = basis.shape[3];
  std::vector<Var> p, q;
  for (int64_t k = 0; k < steps; ++k) {
    p.push_back(this->graph.leaf(triangles(g, "", steps, k), {n, m * (m + 2)}));
    q.push_back(this->graph.leaf(transposed_basis(basis, k), {n, m * d}));
  }
  this->run(g, steps, [&](Var x, int64_t k, bool inverse) {
    return sylvester_step(this->graph, x, p[static_cast<size_t>(k)], inverse, [&](Var v, bool transposed) {
      return row_matrix(this->graph.tape, v, q[static_cast<size_t>(k)], m, !transposed);
    });
  });
  for (int64_t k = 0; k < steps; ++k) {
    this->expect_grad(p[static_cast<size_t>(k)], triangles(g, "grad.", steps, k), "triangles");
    this->expect_grad(q[static_cast<size_t>(k)], transposed_basis(g["grad.q_ortho"], k), "basis");
    // The paper's iteration converges to the polar factor.
    Var polar = polar_rows(this->graph.tape, this->graph.leaf(transposed_basis(g["q_step_0"], k), {n, m * d}), m);
    expect_close(this->graph.value(polar), transposed_basis(basis, k), golden_tolerance<TypeParam>, "polar factor");
  }
}

TYPED_TEST(VariationalGolden, SylvesterHouseholder) {
  const Golden g = Golden::load("01_sylvester_householder");
  const GoldenTensor& raw = g["q_raw"];
  const int64_t n = raw.shape[0], steps = raw.shape[1], h = raw.shape[2], d = raw.shape[3];
  std::vector<Var> p, q;
  for (int64_t k = 0; k < steps; ++k) {
    p.push_back(this->graph.leaf(triangles(g, "", steps, k), {n, d * (d + 2)}));
    q.push_back(this->graph.leaf(joined({&raw}, n, steps, k), {n, h * d}));
  }
  this->run(g, steps, [&](Var x, int64_t k, bool inverse) {
    return sylvester_step(this->graph, x, p[static_cast<size_t>(k)], inverse, [&](Var v, bool transposed) {
      return reflect(this->graph.tape, v, q[static_cast<size_t>(k)], h, transposed);
    });
  });
  for (int64_t k = 0; k < steps; ++k) {
    this->expect_grad(p[static_cast<size_t>(k)], triangles(g, "grad.", steps, k), "triangles");
    this->expect_grad(q[static_cast<size_t>(k)], joined({&g["grad.q_raw"]}, n, steps, k), "reflections");
  }
}

TYPED_TEST(VariationalGolden, SylvesterTriangular) {
  const Golden g = Golden::load("01_sylvester_triangular");
  const int64_t n = g["x"].rows(), d = g["x"].cols(), steps = g["b"].shape[1];
  std::vector<int32_t> reversal;
  for (int64_t j = d; j-- > 0;) reversal.push_back(static_cast<int32_t>(j));
  std::vector<Var> p;
  for (int64_t k = 0; k < steps; ++k) p.push_back(this->graph.leaf(triangles(g, "", steps, k), {n, d * (d + 2)}));
  this->run(g, steps, [&](Var x, int64_t k, bool inverse) {
    return sylvester_step(this->graph, x, p[static_cast<size_t>(k)], inverse, [&](Var v, bool) {
      return k % 2 ? gather_columns(this->graph.tape, v, reversal.data(), d) : v;
    });
  });
  for (int64_t k = 0; k < steps; ++k)
    this->expect_grad(p[static_cast<size_t>(k)], triangles(g, "grad.", steps, k), "triangles");
}

// Gated IAF. Its context is added after the first activation, so the nets are built here. The column map is that of
// masked_autoregressive with "scale": "gate". Their inverse runs the net once per column.
template <class T>
class GatedStep {
 public:
  GatedStep(Graph<T>& graph, const Golden& g, int64_t k) : graph_(graph), g_(g), k_(std::to_string(k) + ".") {
    for (const char* name : kLayers) {
      const GoldenTensor& w = g["param." + k_ + name + ".weight"];
      weights_.push_back(graph.leaf(w.data, {w.shape[0], w.shape[1]}));
      biases_.push_back(graph.leaf(g["param." + k_ + name + ".bias"].data, {w.shape[1]}));
      masks_.push_back(graph.leaf(g["mask." + k_ + name].data, {w.shape[0], w.shape[1]}));
    }
    for (int64_t j = 0; j < g["x"].cols(); ++j) order_.push_back(static_cast<int32_t>(j));
    reversal_.assign(order_.rbegin(), order_.rend());
  }
  // Returns [2 d, n]: mean and raw gate, column by column.
  Var net(Var x, Var h_context) {
    Tape& t = graph_.tape;
    const auto layer = [&](size_t i, Var v) { return linear(t, v, mul(t, weights_[i], masks_[i]), biases_[i]); };
    Var h = add(t, unary(t, Unary::elu, layer(0, x), 1), h_context);
    h = unary(t, Unary::elu, layer(1, h), 1);
    const int64_t n = x->out.shape[0], d = x->out.shape[1];
    Var both = concat_columns(t, layer(2, h), layer(3, h));
    return reshape(t, contiguous(t, permute(t, reshape(t, both, {n, 2, d}), {2, 1, 0})), {2 * d, n});
  }
  Mapped operator()(Var x, Var h_context, bool inverse) {
    Tape& t = graph_.tape;
    const bool odd = (k_[0] - '0') % 2 == 1;
    const auto turn = [&](Var v) {
      return odd ? gather_columns(t, v, reversal_.data(), static_cast<int64_t>(order_.size())) : v;
    };
    if (!inverse) {
      x = turn(x);
      return map_columns(t, column_, order_.data(), x, net(x, h_context));
    }
    const int64_t n = x->out.shape[0], d = x->out.shape[1];
    std::vector<T> log_det(static_cast<size_t>(n));
    Values rows(static_cast<size_t>(n * d), 0.0);
    const Values z = graph_.value(contiguous(t, x));
    for (int64_t j = 0; j < d; ++j) {
      Var h = net(graph_.leaf(rows, {n, d}), h_context);
      std::vector<T> in, out(static_cast<size_t>(n));
      for (int64_t r = 0; r < n; ++r) in.push_back(static_cast<T>(z[static_cast<size_t>(r * d + j)]));
      const T* params = h->out.template as<T>() + 2 * j * n;
      column_.map(t, Column<T>{n, in.data(), params, out.data(), log_det.data(), j}, true);
      for (int64_t r = 0; r < n; ++r)
        rows[static_cast<size_t>(r * d + j)] = static_cast<double>(out[static_cast<size_t>(r)]);
    }
    return {turn(graph_.leaf(rows, {n, d})), graph_.leaf(Values(log_det.begin(), log_det.end()), {n})};
  }
  template <class Expect>
  void each_gradient(const Expect& expect) {
    for (size_t i = 0; i < std::size(kLayers); ++i) {
      const std::string name = "grad.param." + k_ + kLayers[i];
      expect(weights_[i], g_[name + ".weight"].data, name + ".weight");
      expect(biases_[i], g_[name + ".bias"].data, name + ".bias");
    }
  }

 private:
  static constexpr const char* kLayers[] = {"z0", "zh0", "mean", "std"};
  Graph<T>& graph_;
  const Golden& g_;
  std::string k_;
  AffineColumn column_{ColumnScale::gate, 0};
  std::vector<Var> weights_, biases_, masks_;
  std::vector<int32_t> order_, reversal_;
};

TYPED_TEST(VariationalGolden, GatedIaf) {
  const Golden g = Golden::load("01_iaf_sylvester");
  const auto steps = static_cast<int64_t>(g.number("K"));
  Var h_context = this->graph.leaf(g["h_context"].data, {g["h_context"].rows(), g["h_context"].cols()});
  std::deque<GatedStep<TypeParam>> nets;
  for (int64_t k = 0; k < steps; ++k) nets.emplace_back(this->graph, g, k);
  this->run(g, steps,
            [&](Var x, int64_t k, bool inverse) { return nets[static_cast<size_t>(k)](x, h_context, inverse); });
  this->expect_grad(h_context, g["grad.h_context"].data, "h_context");
  for (GatedStep<TypeParam>& net : nets)
    net.each_gradient([&](Var v, const Values& want, const std::string& what) { this->expect_grad(v, want, what); });
}

}  // namespace
}  // namespace libnf::test
