// Gradients without the activations (memory = invert): for every layer of the registry, in random configurations, both
// directions and both dtypes, they are those of the whole graph as long as what is rebuilt does not drift, and drift is
// never silent.
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "tests/support/layer_suite.h"

namespace libnf::test {
namespace {

using SpecJson = nlohmann::ordered_json;
constexpr int64_t kRows = 5;

// The layer behind one that turns the columns around, whose output, the layer's input, is what gets rebuilt.
std::string behind_another(const std::string& spec, bool inverted) {
  SpecJson json = SpecJson::parse(spec);
  SpecJson layers = json["layers"];
  json["layers"] =
      SpecJson::array({{{"type", "reverse"}, {"per_pixel", false}}, {{"layers", layers}, {"invert", inverted}}});
  return json.dump();
}

double distance(const Values& a, const Values& b) {
  double most = 0;
  for (size_t k = 0; k < a.size(); ++k) most = std::max(most, std::abs(a[k] - b[k]));
  return most;
}

class LayerRebuild : public LayerSuite {
 protected:
  template <class T>
  void check(const std::string& spec, bool inverted, uint64_t seed) {
    SCOPED_TRACE(describe(spec, inverted));
    FlowCase<T> f(variant(behind_another(spec, inverted), dtype_of<T>, false), seed);
    f.randomize(seed, 0.1);
    std::mt19937_64 random(seed);
    const Rows2 in = draw_mild(domain(inverted), kRows, f.model().columns(), f.model().context(), random);
    const MappedValues cot{draw_normal(kRows * f.model().columns(), random), draw_normal(kRows, random)};
    const MappedGradients full = f.gradients(false, in, cot);
    double size = largest(full.x);
    for (const Values& p : full.params) size = std::max(size, largest(p));
    if (!std::isfinite(size) || !std::isfinite(largest(full.value.y))) return;
    const MappedGradients again = f.gradients(false, in, cot, Memory::invert);
    EXPECT_TRUE(same_bits(again.value.y, full.value.y));
    EXPECT_LE(distance(again.value.log_det, full.value.log_det), eps<T>() * std::max(1.0, largest(full.value.log_det)));
    ++tried_;
    const double allowed = std::is_same_v<T, double> ? 1e-10 : 1e-5;
    if (!(f.drift().worst <= allowed)) return;
    ++rebuilt_;
    // In float32, random configurations amplify rounding more than models do, which agree to 1e-4 (invert_test.cc).
    const double bound = (std::is_same_v<T, double> ? 1e-8 : 2e-3) * std::max(1.0, size);
    EXPECT_LE(distance(again.x, full.x), bound);
    EXPECT_LE(distance(again.context, full.context), bound);
    for (size_t i = 0; i < full.params.size(); ++i)
      EXPECT_LE(distance(again.params[i], full.params[i]), bound) << f.model().params().slots()[i].name;
  }
  template <class T>
  static double eps() {
    return 64 * static_cast<double>(std::numeric_limits<T>::epsilon());
  }
  int tried_ = 0, rebuilt_ = 0;
};

TEST_P(LayerRebuild, GradientsAreThoseOfTheGraph) {
  for (uint64_t i = 0; i < configs() && !HasFailure(); ++i)
    for (const Dims& event : events(i)) {
      const int64_t d = event.count(), context = (static_cast<int64_t>(i) + d) % 2 ? 3 : 0;
      const std::string spec = random_spec(kind(), 70000 + 100 * i + static_cast<uint64_t>(d), event, context);
      for (const bool inverted : directions(spec)) {
        check<double>(spec, inverted, i);
        check<float>(spec, inverted, i);
      }
    }
  EXPECT_GT(tried_, 0);
  // Of a sigmoid in float32 and of a shift that wraps around, a quarter does not come back.
  EXPECT_GT(3 * rebuilt_, 2 * tried_) << rebuilt_ << " of " << tried_ << " rebuild well";
}

NF_EVERY_LAYER(LayerRebuild);

}  // namespace
}  // namespace libnf::test
