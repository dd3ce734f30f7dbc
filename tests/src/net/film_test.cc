// FiLM: nets against the formula written with loops, masks of masked nets, new nets that do not depend on the context,
// and configurations without hidden units to modulate. Gradients and inverses are tested by the registry suites and
// autoregressive_test.cc.
#include <gtest/gtest.h>

#include <cmath>

#include "src/net/made.h"
#include "tests/support/expect_error.h"
#include "tests/support/flow_case.h"
#include "tests/support/net_config.h"

namespace libnf::test {
namespace {

constexpr int64_t kRows = 5, kContext = 2;

// A net by itself, with random parameters.
struct Holder {
  template <class Build>
  Holder(int64_t event, int64_t context, const Build& build) : t(system_allocator(), DType::f64) {
    build(Declare(infos, "", event, context, 0));
    std::vector<ParamSlot> slots;
    for (const ParamInfo& p : infos) slots.push_back({p.name, p.shape, p.trainable});
    params = std::make_unique<ParamStore>(system_allocator(), DType::f64, std::move(slots));
    nodes.resize(infos.size());
    params->bind(nodes.data(), nullptr, nullptr);
    std::mt19937_64 random(3);
    for (size_t i = 0; i < infos.size(); ++i) {
      const View v = params->view(i);
      const Values values = draw_normal(v.count(), random);
      for (size_t k = 0; k < values.size(); ++k) v.as<double>()[k] = 0.5 * values[k];
    }
  }
  const double* data(const std::string& name) const {
    const int64_t slot = params->find(name);
    EXPECT_GE(slot, 0) << name;
    return params->view(static_cast<size_t>(slot)).as<double>();
  }
  Var rows(Values& v, int64_t cols) {
    return t.input(contiguous_view(v.data(), DType::f64, {static_cast<int64_t>(v.size()) / cols, cols}), false);
  }
  // Returns y = x W + b for one row, W [in, out] under `name`.
  Values dense(const std::string& name, const Values& x, size_t out) const {
    const double *w = data(name + ".weight"), *b = data(name + ".bias");
    Values y(b, b + out);
    for (size_t i = 0; i < x.size(); ++i)
      for (size_t j = 0; j < out; ++j) y[j] += x[i] * w[i * out + j];
    return y;
  }
  // Returns h (1 + scale) + shift, and its tanh if `active`.
  Values film(const std::string& name, const Values& h, const Values& c, bool active) const {
    const Values gb = dense(name + ".film", c, 2 * h.size());
    Values y(h.size());
    for (size_t j = 0; j < h.size(); ++j) {
      y[j] = h[j] * (1 + gb[j]) + gb[h.size() + j];
      if (active) y[j] = std::tanh(y[j]);
    }
    return y;
  }
  std::vector<ParamInfo> infos;
  std::unique_ptr<ParamStore> params;
  std::vector<Node> nodes;
  Tape t;
};

// Returns a net whose context modulates hidden units.
NetChoice film_net(const std::string& kind, const std::string& hidden) {
  return net_of(R"({"type": ")" + kind + R"(", "activation": "tanh", "context_by": "film", "hidden": )" + hidden + "}");
}

Values part(const Values& v, size_t row, size_t cols) {
  return Values(v.begin() + static_cast<int64_t>(row * cols), v.begin() + static_cast<int64_t>((row + 1) * cols));
}

Values random_rows(int64_t cols, uint64_t seed) {
  std::mt19937_64 random(seed);
  return draw_normal(kRows * cols, random);
}

TEST(Film, MlpIsTheFormula) {
  std::unique_ptr<Net> net;
  Holder h(3, kContext, [&](Declare d) { net = film_net("mlp", "[4, 3]").build(d, 3, 2); });
  Values x = random_rows(3, 1), c = random_rows(kContext, 2);
  const Values got = values_of<double>((*net)({h.t, h.nodes.data()}, h.rows(x, 3), h.rows(c, kContext))->out);
  for (size_t r = 0; r < kRows; ++r) {
    const Values cr = part(c, r, kContext);
    Values a = h.film("hidden.0", h.dense("hidden.0", part(x, r, 3), 4), cr, true);
    a = h.film("hidden.1", h.dense("hidden.1", a, 3), cr, true);
    EXPECT_TRUE(same(part(got, r, 2), h.dense("output", a, 2), 1e-13));
  }
}

TEST(Film, ResidualNetIsTheFormula) {
  std::unique_ptr<Net> net;
  Holder h(3, kContext, [&](Declare d) { net = film_net("residual", "[4]").build(d, 3, 2); });
  Values x = random_rows(3, 1), c = random_rows(kContext, 2);
  const Values got = values_of<double>((*net)({h.t, h.nodes.data()}, h.rows(x, 3), h.rows(c, kContext))->out);
  for (size_t r = 0; r < kRows; ++r) {
    const Values cr = part(c, r, kContext);
    Values a = h.film("input", h.dense("input", part(x, r, 3), 4), cr, false);
    for (const std::string block : {"blocks.0.", "blocks.1."}) {
      Values b = a;
      for (double& v : b) v = std::tanh(v);
      b = h.film(block + "0", h.dense(block + "0", b, 4), cr, true);
      b = h.dense(block + "1", b, 4);
      for (size_t j = 0; j < 4; ++j) a[j] += b[j];
    }
    EXPECT_TRUE(same(part(got, r, 2), h.dense("output", a, 2), 1e-13));
  }
}

// Output i of a masked net depends only on the context and on the inputs before i.
TEST(Film, MasksHold) {
  constexpr int64_t event = 5, per = 2;
  for (const std::string kind : {"mlp", "residual"}) {
    std::optional<Made> made;
    Holder h(event, kContext, [&](Declare d) {
      MadeConfig c;
      c.net = film_net(kind, kind == "mlp" ? "[12, 12]" : "[12]");
      made.emplace(c, d, per);
    });
    Values x = random_rows(event, 1), c = random_rows(kContext, 2);
    const auto run = [&] {
      return values_of<double>((*made)({h.t, h.nodes.data()}, h.rows(x, event), h.rows(c, kContext))->out);
    };
    const Values base = run();
    const auto changed = [&](double& v, int64_t output) {
      const double keep = v;
      v += 0.3;
      const Values now = run();
      v = keep;
      return now[static_cast<size_t>(output * kRows)] != base[static_cast<size_t>(output * kRows)];
    };
    for (int64_t o = 0; o < event * per; ++o) {
      for (int64_t i = 0; i < event; ++i)
        EXPECT_EQ(changed(x[static_cast<size_t>(i)], o), i < o / per) << "input " << i << ", output " << o;
      for (size_t k = 0; k < kContext; ++k) EXPECT_TRUE(changed(c[k], o)) << "context, output " << o;
    }
  }
}

const char* const kLayers[] = {
    R"("affine_coupling", "hidden": [9])", R"("additive_coupling", "net": "residual", "hidden": [9])",
    R"("masked_autoregressive", "hidden": [9, 7])", R"("masked_autoregressive", "net": "residual", "hidden": [9])"};

ModelSpec spec(const std::string& layer, int64_t context) {
  return parse_spec(R"({"event": 3, "dtype": "float64", "context": )" + std::to_string(context) +
                    R"(, "layers": [{"context_by": "film", "type": )" + layer + "}]}");
}

TEST(Film, FreshNetsDoNotSeeTheContext) {
  for (const char* layer : kLayers) {
    FlowCase<double> f(spec(layer, kContext)), g(spec(layer, 0));
    const Rows2 a{kRows, random_rows(3, 1), random_rows(kContext, 2)}, b{kRows, a.x, random_rows(kContext, 3)};
    EXPECT_TRUE(same_bits(f.log_prob(a), f.log_prob(b))) << layer;
    f.randomize(4, 0.3);
    EXPECT_FALSE(same_bits(f.log_prob(a), f.log_prob(b))) << layer;
    // Without a context there is no FiLM tensor.
    for (const ParamSlot& s : g.model().params().slots()) EXPECT_EQ(s.name.find("film"), std::string::npos) << s.name;
  }
}

TEST(Film, NeedsHiddenUnits) {
  for (const char* layer : {R"("affine_coupling", "hidden": [])", R"("masked_autoregressive", "hidden": [])"}) {
    EXPECT_ERROR(FlowModel(system_allocator(), spec(layer, kContext), 1), Code::spec, "spec.layers[0].net.context_by");
    EXPECT_NO_THROW(FlowModel(system_allocator(), spec(layer, 0), 1));
  }
}

}  // namespace
}  // namespace libnf::test
