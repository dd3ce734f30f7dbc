// Chains in chains, repeated and inverted, of layers with parameters: the same numbers, gradients and names as the
// chain expanded by hand, and files that restore them.
#include <gtest/gtest.h>

#include "src/model/model_file.h"
#include "tests/support/flow_case.h"

namespace libnf::test {
namespace {

// An inversion of a repetition of an inversion of a repetition.
constexpr char kNested[] = R"({"event": 3, "dtype": "float64", "invert": true, "layers": [
  {"type": "elementwise_affine"},
  {"repeat": 2, "invert": true, "layers": [
    {"type": "lu_linear"},
    {"invert": true, "layers": [{"type": "prelu", "repeat": 2}, {"type": "householder", "invert": true}]}]},
  {"type": "plu_linear", "invert": true}]})";

// In reverse order, because the whole chain is inverted.
constexpr char kByHand[] = R"({"event": 3, "dtype": "float64", "layers": [
  {"type": "plu_linear"},
  {"type": "lu_linear"}, {"type": "householder"}, {"type": "prelu", "invert": true}, {"type": "prelu", "invert": true},
  {"type": "lu_linear"}, {"type": "householder"}, {"type": "prelu", "invert": true}, {"type": "prelu", "invert": true},
  {"type": "elementwise_affine", "invert": true}]})";

// These names are in files since the first version, so they must not change.
const std::vector<std::string> kNames = {
    "layers.0.lower",       "layers.0.upper",     "layers.0.log_s",     "layers.0.sign",      "layers.0.bias",
    "layers.0.permutation", "layers.1.lower",     "layers.1.upper",     "layers.1.diagonal",  "layers.1.bias",
    "layers.2.vectors",     "layers.3.log_slope", "layers.4.log_slope", "layers.5.lower",     "layers.5.upper",
    "layers.5.diagonal",    "layers.5.bias",      "layers.6.vectors",   "layers.7.log_slope", "layers.8.log_slope",
    "layers.9.log_scale",   "layers.9.shift"};

TEST(Nesting, IsTheChainWrittenOut) {
  FlowCase<double> nested(parse_spec(kNested)), flat(parse_spec(kByHand));
  nested.randomize(4, 0.3);
  flat.randomize(4, 0.3);
  const auto &slots = nested.model().params().slots(), &same_slots = flat.model().params().slots();
  ASSERT_EQ(slots.size(), same_slots.size());
  std::vector<std::string> names;
  for (size_t i = 0; i < slots.size(); ++i) {
    names.push_back(slots[i].name);
    EXPECT_EQ(slots[i].name, same_slots[i].name);
    EXPECT_EQ(slots[i].shape, same_slots[i].shape);
  }
  EXPECT_EQ(names, kNames);
  EXPECT_EQ(nested.model().params().hash(), flat.model().params().hash());
  EXPECT_EQ(nested.model().layers()[2].where, "spec.layers[1].layers[1].layers[1] (householder, repetition 0)");

  std::mt19937_64 random(9);
  const Rows2 in{70, draw_normal(210, random), {}};
  const MappedValues cot{draw_normal(210, random), draw_normal(70, random)};
  for (const bool inverse : {false, true})
    for (const Memory memory : {Memory::full, Memory::recompute}) {
      const MappedGradients a = nested.gradients(inverse, in, cot, memory),
                            b = flat.gradients(inverse, in, cot, memory);
      EXPECT_TRUE(same_bits(a.value.y, b.value.y));
      EXPECT_TRUE(same_bits(a.value.log_det, b.value.log_det));
      EXPECT_TRUE(same_bits(a.x, b.x));
      for (size_t i = 0; i < a.params.size(); ++i) EXPECT_TRUE(same_bits(a.params[i], b.params[i])) << names[i];
    }
  const MappedValues z = nested.map(false, in), x = nested.map(true, {70, z.y, {}});
  EXPECT_TRUE(same(x.y, in.x, 1e-9 * largest(in.x)));
}

TEST(Nesting, FilesKeepIt) {
  FlowCase<double> nested(parse_spec(kNested));
  nested.randomize(5, 0.3);
  MemorySink file;
  write_model(file, nested.model(), {});
  LoadedModel loaded = read_model(system_allocator(), file.bytes());
  EXPECT_EQ(loaded.model->canonical(), nested.model().canonical());
  EXPECT_EQ(loaded.model->params().hash(), nested.model().params().hash());
  FlowCase<double> again(std::move(loaded.model));
  std::mt19937_64 random(9);
  const Rows2 in{8, draw_normal(24, random), {}};
  EXPECT_TRUE(same_bits(again.log_prob(in), nested.log_prob(in)));
}

}  // namespace
}  // namespace libnf::test
