// Shared by the generic suites over all layers of the registry: one test per layer, and random cases of a layer.
#pragma once
#include <gtest/gtest.h>

#include <ostream>
#include <string>

#include "tests/support/brief.h"
#include "tests/support/flow_case.h"
#include "tests/support/random_config.h"

namespace libnf {

// Lets GoogleTest print parameters by name; must be in the namespace of LayerKind for argument-dependent lookup.
inline void PrintTo(const LayerKind* kind, std::ostream* os) { *os << kind->name; }

}  // namespace libnf

namespace libnf::test {

inline constexpr int64_t kColumns[] = {1, 2, 3, 5, 8};
inline const Dims kImages[] = {{1, 1, 1}, {3, 1, 1}, {2, 2, 2}, {1, 2, 3}, {3, 2, 1}};

class LayerSuite : public testing::TestWithParam<const LayerKind*> {
 protected:
  const LayerKind& kind() const { return *GetParam(); }
  // Events for configuration i: vectors of every size, and one image; those among them that the layer takes.
  std::vector<Dims> events(uint64_t i) const {
    std::vector<Dims> all;
    for (const int64_t d : kColumns) all.push_back({d});
    all.push_back(kImages[i % std::size(kImages)]);
    std::erase_if(all, [&](const Dims& e) { return !takes_event(kind(), e); });
    return all;
  }
  // One of them, of vectors and images alike.
  Dims some_event(uint64_t i) const {
    const std::vector<Dims> all = events(i / 2);
    return all[i % all.size()];
  }
  // As it is, and inverted where the layer allows that.
  static std::vector<bool> directions(const std::string& spec) {
    return takes_inversion(spec) ? std::vector<bool>{false, true} : std::vector<bool>{false};
  }
  // Domain of the inputs of the layer, or of its inverse.
  Domain domain(bool inverted) const { return inverted ? kind().image : kind().domain; }
};

// Whether what the layer does depends on random numbers.
inline bool draws(const LayerKind& kind) {
  const Dims event = takes_event(kind, {2}) ? Dims{2} : Dims{2, 2, 1};
  return !FlowModel(system_allocator(), variant(random_spec(kind, 1, event, 0), DType::f64, false), 0).exact();
}

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
  f.randomize(seed, kParamStd);
  return f;
}

inline std::string describe(const std::string& spec, bool inverted) { return (inverted ? "inverted " : "") + spec; }

}  // namespace libnf::test
