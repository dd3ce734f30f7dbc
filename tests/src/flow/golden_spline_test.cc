// Spline layers and neural spline flows against golden vectors of groups 06, 07 and 08 (nflows, zuko; float64): values,
// log-determinants, inverses, samples, densities and all gradients, in both dtypes.
#include "tests/support/golden_chain.h"

namespace libnf::test {
namespace {

template <class T>
class SplineGolden : public ChainGolden<T> {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(SplineGolden, Types);

int64_t context_of(const Golden& g) { return static_cast<int64_t>(g.number("context_features", 0)); }

Json spline_fields(const Golden& g) {
  Json j = {{"bins", static_cast<int64_t>(g.number("bins"))}};
  if (g.meta("tails") == "none") {
    j["tails"] = "none";
    j["interval"] = {0, 1};
  } else {
    j["bound"] = g.number("tail_bound");
  }
  return j;
}

TYPED_TEST(SplineGolden, Coupling) {
  for (const char* name : {"06_rqnsf_coupling", "06_rqnsf_coupling_context", "06_rqnsf_coupling_unconditional",
                           "06_rqnsf_coupling_unit"}) {
    const Golden g = Golden::load(name);
    Chain chain(g, g["x"].cols(), context_of(g));
    chain.spline_coupling("", spline_fields(g));
    this->check(g, chain);
  }
}

TYPED_TEST(SplineGolden, Autoregressive) {
  for (const char* name : {"07_rqnsf_ar_layer", "07_rqnsf_ar_layer_context"}) {
    const Golden g = Golden::load(name);
    Chain chain(g, g["x"].cols(), context_of(g));
    chain.nflows_spline_ar("autoregressive_net.", spline_fields(g));
    this->check(g, chain);
  }
}

TYPED_TEST(SplineGolden, Models) {
  for (const char* name : {"08_nsf_c_d6", "08_nsf_c_d10", "08_nsf_ar_d6", "08_nsf_ar_d10"}) {
    const Golden g = Golden::load(name);
    Chain chain(g, g["x"].cols(), context_of(g));
    int at = 0;
    const auto prefix = [&] { return "_transform._transforms." + std::to_string(at++) + "."; };
    const auto layers = static_cast<int>(g.number("num_layers"));
    for (int i = 0; i <= layers; ++i) {
      chain.permutation(prefix());
      chain.lu(prefix(), 1e-3);
      if (i == layers) break;
      const std::string spline = prefix();
      if (g.has("param." + spline + "transform_features"))
        chain.spline_coupling(spline, spline_fields(g));
      else
        chain.nflows_spline_ar(spline + "autoregressive_net.", spline_fields(g));
    }
    this->check(g, chain);
  }
}

TYPED_TEST(SplineGolden, Zuko) {
  for (const char* name : {"08_zuko_nsf", "08_zuko_nsf_context"}) {
    const Golden g = Golden::load(name);
    Chain chain(g, g["x"].cols(), context_of(g));
    for (int i = 0; i < 2; ++i) chain.zuko_spline_ar("transform.transforms." + std::to_string(i) + ".");
    this->check(g, chain);
  }
}

// zuko uses two passes: columns of order 0 get their own splines (the last biases), the others the splines of a net
// that sees columns of order 0. If those are the last columns, a reversal around the layer makes them our first half.
TYPED_TEST(SplineGolden, ZukoCoupling) {
  const Golden g = Golden::load("08_zuko_nsf_coupling");
  const int64_t event = g["x"].cols(), bins = static_cast<int64_t>(g.number("bins")), per = 3 * bins - 1;
  Chain chain(g, event, 0);
  for (int i = 0; i < 3; ++i) {
    const std::string prefix = "transform.transforms." + std::to_string(i) + ".";
    const auto order = g["param." + prefix + "order"].template as<int64_t>();
    const bool reversed = order[0] == 0;
    const int64_t moving = std::accumulate(order.begin(), order.end(), int64_t{0}), passing = event - moving;
    if (reversed) chain.layer({{"type", "reverse"}});
    chain.layer({{"type", "spline_coupling"},
                 {"swap", true},
                 {"bins", bins},
                 {"bound", g.number("bound")},
                 {"convention", "zuko"},
                 {"scale_by_width", false},
                 {"unconditional", true},
                 {"hidden", {16, 16}}});
    // Our column for their column c: columns that are transformed first, then those that pass.
    const auto ours = [&](int64_t c) { return reversed ? event - 1 - c : c; };
    for (int l = 0; l < 3; ++l) {
      const std::string theirs = prefix + "hyper." + std::to_string(2 * l);
      const std::string net = "net." + (l == 2 ? "output" : "hidden." + std::to_string(l));
      const GoldenTensor& w = g["param." + theirs + ".weight"];
      const int64_t units = w.shape[0], in = w.shape[1], width = l == 2 ? moving * per : units;
      Place weight{chain.ours(net + ".weight"), {}}, bias{chain.ours(net + ".bias"), {}};
      Place free{chain.ours("unconditional"), {}};
      for (int64_t o = 0; o < units; ++o) {
        const int64_t to = l == 2 ? ours(o / per) * per + o % per : o;
        const bool moves = l < 2 || order[static_cast<size_t>(o / per)] == 1;
        for (int64_t k = 0; k < in; ++k) {
          const int64_t from = l == 0 ? ours(k) - moving : k;
          weight.at.push_back(moves && from >= 0 ? from * width + to : -1);
        }
        bias.at.push_back(moves ? to : -1);
        free.at.push_back(moves ? -1 : to - moving * per);
      }
      chain.place(theirs + ".weight", weight);
      chain.place(theirs + ".bias", bias, free);
    }
    if (reversed) chain.layer({{"type", "reverse"}});
    ASSERT_EQ(passing + moving, event);
  }
  this->check(g, chain);
}

// Columns 0 and 3 are circles of circumference 2 B. Their net sees w0 sin + w1 cos of the circle that passes, ours sees
// sine and cosine. So our first weights are products of theirs, and gradients of theirs are sums of ours.
TYPED_TEST(SplineGolden, CircularCoupling) {
  using T = TypeParam;
  const Golden g = Golden::load("05_circular_coupling");
  const int64_t rows = g["x"].rows(), bins = static_cast<int64_t>(g.number("bins")), per = 3 * bins;
  const int64_t hidden = static_cast<int64_t>(g.number("hidden"));
  const std::string prefix = "prqct.transform_net.", own = "prqct.unconditional_transform.unnormalized_";
  const std::vector<bool> circle = {true, false, false, true};
  Chain chain(g, 4, 0);
  chain.layer({{"type", "spline_coupling"},
               {"mask", "alternating"},
               {"swap", true},
               {"bins", bins},
               {"bound", g.number("tail_bound")},
               {"circular", {1, 0, 0, 1}},
               {"convention", "nflows"},
               {"scale_by_width", true},
               {"unconditional", true},
               {"net", "residual"},
               {"hidden", {hidden}},
               {"blocks", 2}});
  chain.dense_net(prefix);
  // They have K + 1 slopes: the last one of a circle and both end slopes of a line are unused.
  const auto number = [&](int64_t column, int64_t k) -> int64_t {
    if (k < 2 * bins) return k;
    const int64_t knot = k - 2 * bins;
    if (circle[static_cast<size_t>(column)]) return knot < bins ? k : -1;
    return knot > 0 && knot < bins ? k - 1 : -1;
  };
  Place weight{chain.ours("net.output.weight"), {}}, bias{chain.ours("net.output.bias"), {}};
  for (int64_t o = 0; o < 2 * (3 * bins + 1); ++o) {
    const int64_t j = o / (3 * bins + 1), k = number(2 * j + 1, o % (3 * bins + 1)), to = k < 0 ? -1 : j * per + k;
    bias.at.push_back(to);
    for (int64_t u = 0; u < hidden; ++u) weight.at.push_back(to < 0 ? -1 : u * 2 * per + to);
  }
  chain.place(prefix + "final_layer.weight", weight);
  chain.place(prefix + "final_layer.bias", bias);
  int64_t first = 0;
  for (const char* part : {"widths", "heights", "derivatives"}) {
    Place p{chain.ours("unconditional"), {}};
    const int64_t count = g["param." + own + part].cols();
    for (int64_t j = 0; j < 2; ++j)
      for (int64_t i = 0; i < count; ++i) {
        const int64_t k = number(2 * j, first + i);
        p.at.push_back(k < 0 ? -1 : j * per + k);
      }
    chain.place(own + part, p);
    first += count;
  }
  chain.drop(prefix + "initial_layer.weight");

  FlowCase<T> f(parse_spec(chain.spec(dtype_of<T>).dump()));
  f.fill_params(0);
  this->load(g, chain, f);
  const Values w = g["param." + prefix + "preprocessing.weights"].data,
               in = g["param." + prefix + "initial_layer.weight"].data;
  T* ours = f.param(static_cast<size_t>(f.model().params().find("layers.0.net.input.weight")));
  for (int64_t u = 0; u < hidden; ++u)
    for (int64_t i = 0; i < 3; ++i) {
      const double theirs = in[static_cast<size_t>(2 * u + (i == 2))];
      ours[i * hidden + u] = static_cast<T>(i == 2 ? theirs : theirs * w[static_cast<size_t>(i)]);
    }
  const MappedGradients out = f.gradients(false, {rows, g["x"].data, {}}, {g["cot_z"].data, g["cot_log_det"].data});
  expect_close(out.value.y, g["z"], golden_tolerance<T>, "z");
  expect_close(out.value.log_det, g["log_det"], std::max(golden_tolerance<T>, sizeof(T) == 4 ? 4e-5 : 0), "log_det");
  // Rounding, amplified as by their inverse.
  const double back = std::max(golden_tolerance<T>, sizeof(T) == 4 ? 100 * 0x1p29 * g.number("inverse_err") : 0);
  expect_close(f.map(true, {rows, g["z"].data, {}}).y, g["x_back"], back, "x_back");
  expect_close(out.x, g["grad.x"], golden_grad_tolerance<T>, "grad.x");
  this->compare_gradients(g, chain, f, out, golden_grad_tolerance<T>);
  const Values& gw = out.params[static_cast<size_t>(f.model().params().find("layers.0.net.input.weight"))];
  Values g_in(in.size()), g_w(2);
  for (int64_t u = 0; u < hidden; ++u)
    for (int64_t i = 0; i < 3; ++i) {
      const double here = gw[static_cast<size_t>(i * hidden + u)];
      const auto theirs = static_cast<size_t>(2 * u + (i == 2));
      g_in[theirs] += i == 2 ? here : here * w[static_cast<size_t>(i)];
      if (i < 2) g_w[static_cast<size_t>(i)] += here * in[theirs];
    }
  expect_close(g_in, g["grad.param." + prefix + "initial_layer.weight"], golden_grad_tolerance<T>, "input weights");
  expect_close(g_w, g["grad.param." + prefix + "preprocessing.weights"], golden_grad_tolerance<T>, "sine and cosine");
}

}  // namespace
}  // namespace libnf::test
