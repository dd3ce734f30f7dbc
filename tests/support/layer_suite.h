// Shared by the generic suites over all layers of the registry: one test per layer, and random cases of a layer.
#pragma once
#include <gtest/gtest.h>

#include <ostream>
#include <string>

#include "tests/support/flow_case.h"
#include "tests/support/random_config.h"

namespace nf {

// Lets GoogleTest print parameters by name; must be in the namespace of LayerKind for argument-dependent lookup.
inline void PrintTo(const LayerKind* kind, std::ostream* os) { *os << kind->name; }

}  // namespace nf

namespace nf::test {

inline constexpr uint64_t kConfigs = 50;  // random configurations per layer
inline constexpr int64_t kEvents[] = {1, 2, 3, 5, 8};

class LayerSuite : public testing::TestWithParam<const LayerKind*> {
 protected:
  const LayerKind& kind() const { return *GetParam(); }
  // Domain of the inputs of the layer, or of its inverse.
  Domain domain(bool inverted) const { return inverted ? kind().image : kind().domain; }
};

inline std::string layer_name(const testing::TestParamInfo<const LayerKind*>& info) { return info.param->name; }

#define NF_EVERY_LAYER(Suite)                                                                                       \
  INSTANTIATE_TEST_SUITE_P(Registry, Suite,                                                                         \
                           testing::ValuesIn(Registry<LayerKind>::all().begin(), Registry<LayerKind>::all().end()), \
                           layer_name)

// Large enough to move parameters far from their near-identity initial values.
constexpr double kParamStd = 0.3;

template <class T>
FlowCase<T> make_case(const std::string& spec, bool inverted, uint64_t seed = 1) {
  FlowCase<T> f(variant(spec, dtype_of<T>, inverted), seed);
  f.randomise(seed, kParamStd);
  return f;
}

inline std::string describe(const std::string& spec, bool inverted) { return (inverted ? "inverted " : "") + spec; }

}  // namespace nf::test
