// Spline layers and neural spline flows against golden vectors of groups 06, 07 and 08 (nflows, zuko; float64): values,
// log-determinants, inverses, samples, densities and all gradients, in both dtypes.
#include "tests/support/golden_chain.h"

namespace nf::test {
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

// Two passes: columns of order 0 get splines of their own, the last biases; the others those of a net that sees columns
// of order 0. Which are the first ones or the last ones: a reversal around makes them our first half.
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
                 {"parameters", "zuko"},
                 {"scale_by_width", false},
                 {"unconditional", true},
                 {"hidden", {16, 16}}});
    // Our columns of their column c: those that move first, then those that pass.
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

}  // namespace
}  // namespace nf::test
