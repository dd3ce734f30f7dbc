// Tangents of every layer of the registry, in random configurations and both directions: those of y and log_det along
// x, context and parameter tensors agree with five-point differences to 1e-6, and so do their gradients, so
// Hessian-vector products of log_prob are exact. Then the same for all layers in one chain, with layers run again for
// tangents (memory = recompute).
#include <gtest/gtest.h>

#include "tests/support/layer_suite.h"
#include "tests/support/tangent_check.h"

namespace libnf::test {
namespace {

constexpr int64_t kRows = 3;
constexpr uint64_t kTangentConfigs = 16;
constexpr size_t kTensors = 3;  // tensors per configuration

class LayerTangent : public LayerSuite {};

TEST_P(LayerTangent, AgreesWithDifferences) {
  if (draws(kind())) return;  // constant within a level; the op suite checks its tangent
  for (uint64_t i = 0; i < kTangentConfigs && !HasFailure(); ++i)
    for (const Dims& event : events(i)) {
      const int64_t d = event.count(), context = (static_cast<int64_t>(i) + d / 2) % 2 ? 3 : 0;
      if (d > (event.rank == 1 ? 5 : 9)) continue;  // larger ones only take longer
      const std::string spec = random_spec(kind(), 70000 + 100 * i + static_cast<uint64_t>(d), event, context);
      for (const bool inverted : directions(spec)) {
        SCOPED_TRACE(describe(spec, inverted));
        FlowCase<double> f = make_case<double>(spec, inverted, i);
        std::mt19937_64 random(i);
        const Rows2 in = draw_mild(domain(inverted), kRows, d, context, random);
        ASSERT_TRUE(tangents_agree({.f = f, .in = in, .density = false}, i, kTensors));
      }
    }
}

NF_EVERY_LAYER(LayerTangent);

// Returns all layers of the registry that map all reals to all reals, with default fields, in one chain.
std::string chain_of_all(int64_t event, int64_t context) {
  std::string layers;
  for (const LayerKind* kind : Registry<LayerKind>::all()) {
    if (kind->domain != Domain::real || kind->image != Domain::real) continue;
    const std::string layer = std::string(R"({"type": ")") + kind->name + "\"}";
    const std::string spec = "{\"event\": [" + std::to_string(event) + "], \"context\": [" + std::to_string(context) +
                             "], \"dtype\": \"float64\", \"layers\": [" + layer + "]}";
    try {
      FlowModel(system_allocator(), parse_spec(spec), 0);
    } catch (const Error& e) {
      if (e.code() != Code::spec) throw;  // skips a layer with a required field
      continue;
    }
    layers += (layers.empty() ? "" : ", ") + layer;
  }
  return "{\"event\": [" + std::to_string(event) + "], \"context\": [" + std::to_string(context) +
         "], \"dtype\": \"float64\", \"layers\": [" + layers + "]}";
}

TEST(ChainTangent, OfAllLayersInAnyMemory) {
  const std::string spec = chain_of_all(3, 2);
  for (const bool inverted : {false, true})
    for (const Memory memory : {Memory::full, Memory::recompute}) {
      SCOPED_TRACE(describe(spec, inverted));
      FlowCase<double> f(variant(spec, DType::f64, inverted), 5);
      f.randomize(5, 0.1);
      std::mt19937_64 random(6);
      const Rows2 in = draw_mild(Domain::real, kRows, 3, 2, random);
      EXPECT_TRUE(tangents_agree({.f = f, .in = in, .density = true, .memory = memory}, 7, 6));
    }
}

}  // namespace
}  // namespace libnf::test
