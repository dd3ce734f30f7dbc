// Nets in specs: nested in their own object, and in the older form with fields next to "net". Both forms give the same
// canonical spec, the same tensors and the same numbers.
#include <gtest/gtest.h>

#include "src/model/flow_model.h"
#include "src/model/spec.h"
#include "tests/support/expect_error.h"

namespace libnf::test {
namespace {

std::string model_of(const std::string& layer, const std::string& rest = "") {
  return R"({"event": 4, "context": 2)" + rest + R"(, "layers": [)" + layer + "]}";
}

struct Pair {
  const char *old, *nested;  // fields of a layer, a base or an embedding
};

const Pair kPairs[] = {
    {R"()", R"()"},
    {R"(, "net": "mlp")", R"(, "net": {"type": "mlp"})"},
    {R"(, "hidden": [5])", R"(, "net": {"type": "mlp", "hidden": [5]})"},
    {R"(, "hidden": 5, "activation": "silu")", R"(, "net": {"type": "mlp", "hidden": 5, "activation": "silu"})"},
    {R"(, "net": "residual", "hidden": [6], "blocks": 1)",
     R"(, "net": {"type": "residual", "hidden": [6], "blocks": 1})"},
    {R"(, "net": "residual", "hidden": [6], "dropout": 0.25, "init": "random", "context_by": "film")",
     R"(, "net": {"type": "residual", "dropout": 0.25, "context_by": "film", "init": "random", "hidden": [6]})"},
    // "blocks" of a net without blocks was accepted and had no effect.
    {R"(, "net": "mlp", "blocks": 7, "hidden": [3, 4])", R"(, "net": {"type": "mlp", "hidden": [3, 4]})"},
    {R"(, "blocks": 0)", R"()"},
};

const char* const kPlaces[] = {R"({"type": "additive_coupling"%})",
                               R"({"type": "affine_coupling"%})",
                               R"({"type": "spline_coupling"%})",
                               R"({"type": "masked_autoregressive"%})",
                               R"({"type": "spline_autoregressive"%})",
                               R"({"type": "planar", "parameters": "context"%})",
                               R"({"type": "radial"%})"};

std::string fill(std::string place, const std::string& fields) { return place.replace(place.find('%'), 1, fields); }

void expect_same(const std::string& a, const std::string& b) {
  const FlowModel old(system_allocator(), parse_spec(a), 3), nested(system_allocator(), parse_spec(b), 3);
  EXPECT_EQ(old.canonical(), nested.canonical()) << a;
  ASSERT_EQ(old.params().slots().size(), nested.params().slots().size());
  for (size_t i = 0; i < old.params().slots().size(); ++i)
    EXPECT_EQ(old.params().slots()[i].name, nested.params().slots()[i].name);
  EXPECT_EQ(old.params().hash(), nested.params().hash()) << a;
  // The canonical form can be read again, and only has the nested form.
  const FlowModel again(system_allocator(), parse_spec(old.canonical()), 3);
  EXPECT_EQ(again.canonical(), old.canonical());
  EXPECT_EQ(again.params().hash(), old.params().hash());
}

TEST(NetSpec, OldFieldsAreTheNestedNet) {
  for (const Pair& p : kPairs) {
    for (const char* place : kPlaces) expect_same(model_of(fill(place, p.old)), model_of(fill(place, p.nested)));
    const auto base = [](const std::string& fields) {
      return model_of("", R"(, "base": {"type": "full_normal", "parameters": "context")" + fields + "}");
    };
    expect_same(base(p.old), base(p.nested));
    const auto embedding = [](const std::string& fields) {
      return model_of(R"({"type": "affine_coupling"})", R"(, "embedding": {"out": 3)" + fields + "}");
    };
    expect_same(embedding(p.old), embedding(p.nested));
  }
}

// Files contain the names of tensors, so they must not change.
TEST(NetSpec, TensorsKeepTheirNames) {
  const FlowModel m(system_allocator(),
                    parse_spec(model_of(R"({"type": "affine_coupling", "net": {"type": "residual",
    "hidden": [4], "blocks": 1}}, {"type": "masked_autoregressive", "net": {"type": "mlp", "hidden": [4]}})",
                                        R"(, "embedding": {"out": 1, "net": "mlp"})")),
                    1);
  std::vector<std::string> names;
  for (const ParamSlot& s : m.params().slots())
    if (s.name.ends_with(".weight")) names.push_back(s.name);
  EXPECT_EQ(names, (std::vector<std::string>{"layers.0.net.input.weight", "layers.0.net.blocks.0.0.weight",
                                             "layers.0.net.blocks.0.1.weight", "layers.0.net.blocks.0.gate.weight",
                                             "layers.0.net.output.weight", "layers.1.net.hidden.0.weight",
                                             "layers.1.net.output.weight", "embedding.hidden.0.weight",
                                             "embedding.hidden.1.weight", "embedding.output.weight"}));
}

// The embedding's initial output is not near zero, whatever its type; otherwise layers would not see the context.
TEST(NetSpec, TheEmbeddingHasItsOwnDefaults) {
  for (const char* net : {R"()", R"(, "net": "residual", "hidden": [4])", R"(, "net": {"type": "residual"})"}) {
    const ModelSpec s = parse_spec(model_of("", R"(, "embedding": {"out": 3)" + std::string(net) + "}"));
    EXPECT_NE(write_spec(s).find(R"("init":"random")"), std::string::npos) << net;
  }
}

TEST(NetSpec, ErrorsNameTheFieldAndTheFix) {
  const auto bad = [](const std::string& fields, const char* message) {
    EXPECT_ERROR(
        FlowModel(system_allocator(), parse_spec(model_of(R"({"type": "affine_coupling", )" + fields + "}")), 1),
        Code::spec, message);
  };
  bad(R"("net": {"type": "mlp", "hiden": [3]})",
      "spec.layers[0].net: unknown field \"hiden\"; did you mean \"hidden\"?");
  bad(R"("net": {"type": "mlp", "blocks": 3})", "spec.layers[0].net: unknown field \"blocks\"; known: hidden, ");
  bad(R"("net": {"type": "mlp", "hidden": [3, 0]})", "spec.layers[0].net.hidden[1]: 0 is not an integer in [1, ");
  bad(R"("net": {"type": "residul"})", "spec.layers[0].net.type: unknown net \"residul\"; did you mean \"residual\"?");
  bad(R"("net": "residul")", "spec.layers[0].net: unknown net \"residul\"; did you mean \"residual\"?");
  bad(R"("net": "zzzzzzzzzz")",
      "spec.layers[0].net: unknown net \"zzzzzzzzzz\"; known: conv, conv_decoder, conv_encoder, gated_conv, mlp, "
      "residual, residual_conv");
  bad(R"("net": 3)", "spec.layers[0].net: 3 is not a net; write \"mlp\" or {\"type\": \"mlp\", ...}");
  bad(R"("net": {"hidden": [3]})", "spec.layers[0].net: {\"hidden\":[3]} is not a net; write \"mlp\" or {\"type\"");
  bad(R"("net": {"type": "residual", "hidden": [3, 3]})", "spec.layers[0].net.hidden: a residual net takes one");
  // Both forms at once.
  bad(R"("net": {"type": "mlp"}, "hidden": [3])",
      "spec.layers[0].hidden: belongs inside \"net\": write \"net\": {\"type\": \"mlp\", \"hidden\": ...}");
  bad(R"("blocks": 2, "net": {"type": "residual"})",
      "spec.layers[0].blocks: belongs inside \"net\": write \"net\": {\"type\": \"residual\", \"blocks\": ...}");
  bad(R"("net": {"type": "mlp"}, "hiden": [3])",
      "spec.layers[0]: unknown field \"hiden\"; did you mean \"net.hidden\"?");
  // The older form is checked as strictly as before.
  bad(R"("hiden": [3])", "spec.layers[0]: unknown field \"hiden\"; did you mean \"hidden\"?");
  bad(R"("hidden": [0])", "spec.layers[0].hidden[0]: 0 is not an integer in [1, ");
  bad(R"("net": "mlp", "blocks": -1)", "spec.layers[0].blocks: -1 is not an integer in [0, 256]");
  EXPECT_ERROR(parse_spec(model_of("", R"(, "embedding": {"out": 3, "net": {"type": "mlp", "out": 3}})")), Code::spec,
               "spec.embedding.net: unknown field \"out\"");
  EXPECT_ERROR(parse_spec(model_of("", R"(, "base": {"type": "laplace", "net": {"type": "mlp"}, "init": "random"})")),
               Code::spec, "spec.base.init: belongs inside \"net\"");
}

}  // namespace
}  // namespace libnf::test
