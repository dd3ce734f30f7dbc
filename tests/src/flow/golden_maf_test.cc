// Autoregressive layers and whole models against golden vectors of groups 07 and 08 (nflows, zuko; float64): values,
// log-determinants, inverses, samples, densities and all gradients, in both dtypes.
#include "tests/support/golden_chain.h"

namespace libnf::test {
namespace {

using Types = testing::Types<float, double>;
template <class T>
class MafGolden : public ChainGolden<T> {};
TYPED_TEST_SUITE(MafGolden, Types);

TYPED_TEST(MafGolden, Maf) {
  for (const char* name : {"07_maf_layer", "07_maf_layer_context"}) {
    const Golden g = Golden::load(name);
    Chain chain(g, g["x"].cols(), static_cast<int64_t>(g.number("context_features", 0)));
    chain.nflows_maf("autoregressive_net.", false);
    this->check(g, chain);
  }
}

TYPED_TEST(MafGolden, Iaf) {
  const Golden g = Golden::load("07_iaf_layer");
  Chain chain(g, g["x"].cols(), 0);
  chain.nflows_maf("_transform.autoregressive_net.", true);
  this->check(g, chain);
}

TYPED_TEST(MafGolden, ModelsOfFiveLayers) {
  for (const char* name : {"08_maf5_d6", "08_maf5_d10"}) {
    const Golden g = Golden::load(name);
    const bool norm = g.flag("batch_norm_between_layers");
    Chain chain(g, g["x"].cols(), 0);
    std::vector<FixedNorm> norms;
    int at = 0;
    const auto prefix = [&] { return "_transform._transforms." + std::to_string(at++) + "."; };
    for (int i = 0; i < 5; ++i) {
      chain.layer({{"type", "permutation"}, {"order", g["param." + prefix() + "_permutation"].template as<int64_t>()}});
      chain.nflows_maf(prefix() + "autoregressive_net.", false);
      if (!norm) continue;
      chain.layer({{"type", "elementwise_affine"}});
      norms.push_back({prefix(), chain.ours("")});
    }
    this->check(g, chain, norms);
  }
}

TYPED_TEST(MafGolden, Zuko) {
  const Golden g = Golden::load("08_zuko_maf");
  Chain chain(g, g["x"].cols(), g["context"].cols());
  for (int i = 0; i < 3; ++i) chain.zuko_maf("transform.transforms." + std::to_string(i) + ".");
  this->check(g, chain);
}

TYPED_TEST(MafGolden, RealNvp) {
  const Golden g = Golden::load("08_realnvp");
  Chain chain(g, g["x"].cols(), 0);
  for (int i = 0; i < 4; ++i) chain.coupling("_transform._transforms." + std::to_string(i) + ".");
  this->check(g, chain);
}

}  // namespace
}  // namespace libnf::test
