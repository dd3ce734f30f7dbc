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

}  // namespace
}  // namespace nf::test
