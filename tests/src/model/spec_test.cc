// Specs: the canonical form is a fixed point with every default written out, and chains, repeats and inversions give
// the right layers in the right order.
#include "src/model/spec.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "src/model/flow_model.h"
#include "tests/support/expect_error.h"
#include "tests/support/random_config.h"

namespace libnf::test {
namespace {

using Json = nlohmann::ordered_json;

std::string canonical(const std::string& text) { return write_spec(parse_spec(text)); }
std::string with_layers(const std::string& layers) { return R"({"event": [4], "layers": )" + layers + "}"; }

// Returns the layers of a model in order of the data: the last part of their names, with ' for inverted ones.
std::string order(const std::string& layers) {
  const FlowModel model(system_allocator(), parse_spec(with_layers(layers)), 0);
  std::string all;
  for (const LayerInstance& s : model.layers()) {
    const size_t open = s.where.find('(');
    all += s.where.substr(open + 1, 1) + (s.inverted ? "'" : "");
  }
  return all;
}

TEST(Spec, CanonicalFormIsAFixedPoint) {
  const char* texts[] = {
      R"({"event": 3, "layers": []})",
      R"({"event": [3], "context": 2, "dtype": "float64", "base": "diagonal_normal", "layers": [{"type": "reverse"}]})",
      R"({"event": [4], "invert": true, "layers": [{"type": "affine_coupling", "cap": 2, "hidden": [3], "repeat": 2},
          {"repeat": 3, "invert": true, "layers": [{"type": "shuffle", "seed": 9223372036854775807},
          {"layers": [{"type": "permutation", "order": [3, 1, 0, 2], "invert": true}]}]}]})",
  };
  for (const char* text : texts) {
    const std::string once = canonical(text);
    EXPECT_EQ(canonical(once), once);
  }
  for (const LayerKind* kind : Registry<LayerKind>::all())
    for (uint64_t i = 0; i < 50; ++i) {
      const std::string once = random_spec(*kind, i, takes_event(*kind, {4}) ? Dims{4} : Dims{2, 1, 2}, 1);
      EXPECT_EQ(canonical(once), once);
    }
}

TEST(Spec, CanonicalFormDoesNotDependOnOrderOrSpelling) {
  EXPECT_EQ(canonical(R"({"layers":[{"cap":3.0,"type":"affine_coupling"}],"event":4})"),
            canonical(R"({"event": [4], "context": [0], "base": {"type": "normal"}, "dtype": "float32", "invert": false,
                          "layers": [{"type": "affine_coupling", "repeat": 1, "scale": "bounded_exp"}]})"));
}

TEST(Spec, DefaultsAreWritten) {
  const Json j = Json::parse(canonical(with_layers(R"([{"type": "affine_coupling"}])")));
  EXPECT_EQ(j.at("dtype"), "float32");
  EXPECT_EQ(j.at("context"), Json::parse("[0]"));
  EXPECT_EQ(j.at("base").at("type"), "normal");
  const Json& layer = j.at("layers").at(0);
  EXPECT_EQ(layer.at("mask"), "halves");
  EXPECT_EQ(layer.at("swap"), false);
  EXPECT_EQ(layer.at("scale"), "bounded_exp");
  EXPECT_EQ(layer.at("cap"), 3.0);
  const Json& net = layer.at("net");
  EXPECT_EQ(net.at("type"), "mlp");
  EXPECT_EQ(net.at("hidden"), Json::parse("[64, 64]"));
  EXPECT_EQ(net.at("activation"), "relu");
  EXPECT_EQ(net.at("dropout"), 0.0);
  // Every documented field of every layer is included.
  const Json all = Json::parse(describe_parts());
  ASSERT_EQ(all.at("layers").size(), Registry<LayerKind>::all().size());
  for (const Json& kind : all.at("layers")) {
    const std::string name = kind.at("name");
    const Json written = Json::parse(canonical(with_layers(R"([{"type": ")" + name + "\"}]")));
    for (const Json& field : kind.at("fields"))
      EXPECT_EQ(written["layers"][0].value(field["name"].get<std::string>(), Json()), field["default"]) << name;
  }
}

// Older names are accepted, and written under the new name.
TEST(Spec, AliasesAreRead) {
  const std::string old = with_layers(R"([{"type": "standardise"}, {"type": "actnorm"}, {"type": "batch_norm"}])");
  EXPECT_EQ(canonical(old),
            canonical(with_layers(R"([{"type": "standardize"}, {"type": "actnorm"}, {"type": "batch_norm"}])")));
  EXPECT_NE(canonical(old).find("standardize"), std::string::npos);
  EXPECT_EQ(Registry<LayerKind>::find("standardise"), Registry<LayerKind>::find("standardize"));
  const FlowModel model(system_allocator(), parse_spec(old), 1);
  for (const std::string layer : {"layers.0.", "layers.1.", "layers.2."}) {
    EXPECT_GE(model.params().find(layer + "initialized"), 0);
    EXPECT_EQ(model.params().find(layer + "initialised"), model.params().find(layer + "initialized"));
  }
}

TEST(Spec, NumbersSurviveExactly) {
  const Json j =
      Json::parse(canonical(with_layers(R"([{"type": "affine_coupling", "cap": 0.1, "dropout": 0.30000000000000004,
                                                       "mask_seed": 9223372036854775807}])")));
  const Json& layer = j.at("layers").at(0);
  EXPECT_EQ(layer.at("cap").get<double>(), 0.1);
  EXPECT_EQ(layer.at("net").at("dropout").get<double>(), 0.30000000000000004);
  EXPECT_EQ(layer.at("mask_seed").get<int64_t>(), INT64_MAX);
}

// r = reverse, s = shuffle, p = permutation, e = elementwise_affine.
constexpr char kR[] = R"({"type": "reverse"})";
constexpr char kS[] = R"({"type": "shuffle"})";

std::string chain(const std::string& layers, const std::string& fields = "") {
  return "{" + fields + (fields.empty() ? "" : ", ") + "\"layers\": [" + layers + "]}";
}
std::string list(const std::string& layers) { return "[" + layers + "]"; }

TEST(Spec, LayersComeInOrder) {
  const std::string r = kR, s = kS, inverted_s = R"({"type": "shuffle", "invert": true})";
  EXPECT_EQ(order("[]"), "");
  EXPECT_EQ(order(list(r + "," + s)), "rs");
  EXPECT_EQ(order(list(r + "," + chain(s + "," + r) + "," + s)), "rsrs");
  EXPECT_EQ(order(list(R"({"type": "reverse", "repeat": 3})")), "rrr");
  EXPECT_EQ(order(list(chain(r + "," + s, "\"repeat\": 2"))), "rsrs");
  EXPECT_EQ(order(list(inverted_s + "," + r)), "s'r");
  // The inverse of a chain runs it backwards, each layer inverted.
  const std::string invert = "\"invert\": true";
  EXPECT_EQ(order(list(chain(r + "," + s, invert))), "s'r'");
  EXPECT_EQ(order(list(chain(r + "," + s, invert + ", \"repeat\": 2"))), "s'r's'r'");
  EXPECT_EQ(order(list(chain(r + "," + inverted_s, invert))), "sr'");
  // Inverting twice cancels, at any depth.
  EXPECT_EQ(order(list(chain(chain(r + "," + s, invert), invert))), "rs");
  EXPECT_EQ(order(list(chain(chain(r + "," + s, invert) + "," + s, invert))), "s'rs");
  EXPECT_EQ(order(list(chain(chain(chain(r + "," + s, invert), invert), invert))), "s'r'");
  EXPECT_EQ(order(list(chain(chain(r + "," + s, "\"repeat\": 2") + "," + r, invert))), "r's'r's'r'");
}

TEST(Spec, TheWholeModelInverts) {
  FlowModel model(
      system_allocator(),
      parse_spec(R"({"event": 4, "invert": true, "layers": [)" + list(kR).substr(1, sizeof kR - 1) + "," + kS + "]}"),
      0);
  ASSERT_EQ(model.layers().size(), 2u);
  EXPECT_TRUE(model.layers()[0].inverted && model.layers()[1].inverted);
  EXPECT_EQ(model.layers()[0].where, "spec.layers[1] (shuffle)");
  EXPECT_EQ(model.layers()[1].where, "spec.layers[0] (reverse)");
}

TEST(Spec, StepsSayWhereTheyCameFrom) {
  const FlowModel model(system_allocator(),
                        parse_spec(with_layers(list(std::string(kR) + "," + chain(kS, "\"repeat\": 2")))), 0);
  ASSERT_EQ(model.layers().size(), 3u);
  EXPECT_EQ(model.layers()[0].where, "spec.layers[0] (reverse)");
  EXPECT_EQ(model.layers()[2].where, "spec.layers[1].layers[0] (shuffle, repetition 1)");
}

TEST(Spec, ErrorsNameTheFieldAndTheFix) {
  const auto bad = [](const std::string& text, const char* message) {
    EXPECT_ERROR(parse_spec(text), Code::spec, message);
  };
  bad("[]", "spec: [] is not an object");
  bad(R"({"layers": []})", "spec.event is missing");
  bad(R"({"event": 0, "layers": []})", "spec.event: 0 is not");
  bad(R"({"event": [2, 3], "layers": []})", "spec.event");
  bad(R"({"event": 2})", "spec.layers is missing");
  bad(R"({"event": 2, "layers": [], "dtpye": "float32"})", "did you mean \"dtype\"?");
  bad(R"({"event": 2, "layers": [], "dtype": "float16"})", "spec.dtype: \"float16\" is not one of \"float32\"");
  bad(R"({"event": 2, "layers": [], "base": "norml"})", "did you mean \"normal\"?");
  bad(R"({"event": 2, "layers": [], "event": 3})", "event");
  bad(with_layers(R"([{"type": "revers"}])"),
      "spec.layers[0].type: unknown layer \"revers\"; did you mean \"reverse\"?");
  bad(with_layers(R"([{"type": "MAF"}])"), "did you mean \"masked_autoregressive\"?");
  bad(with_layers(R"([{"type": "real_nvp"}])"), "did you mean \"affine_coupling\"?");
  bad(with_layers(R"([{"type": "iaf"}])"), "did you mean \"masked_autoregressive\" with \"invert\": true?");
  bad(with_layers(R"([{"type": "nothing_like_it_at_all"}])"), "list all)");
  bad(with_layers(R"([{"type": "reverse", "layers": []}])"), "either \"type\" or \"layers\", not both");
  bad(with_layers(R"([{}])"), "spec.layers[0]: a layer has either");
  bad(with_layers(R"([{"type": "affine_coupling", "cap": 0}])"),
      "spec.layers[0].cap: 0 is not a number in [0.001, 20]");
  bad(with_layers(R"([{"type": "affine_coupling", "hiden": [3]}])"), "did you mean \"hidden\"?");
  bad(with_layers(R"([{"type": "affine_coupling", "hidden": [0]}])"), "spec.layers[0].hidden[0]: 0 is not");
  bad(with_layers(R"([{"layers": [{"type": "affine_coupling", "swap": 1}]}])"), "spec.layers[0].layers[0].swap");
  bad(with_layers(R"([{"repeat": 200, "layers": [{"type": "reverse", "repeat": 100}]}])"), "more than 10000 layers");
  bad(R"({"event": 16777216, "layers": [{"type": "reverse", "repeat": 9}]})", "above the limit");
  EXPECT_ERROR(
      FlowModel(system_allocator(), parse_spec(with_layers(R"([{"type": "permutation", "order": [0, 1, 1, 2]}])")), 0),
      Code::spec, "spec.layers[0].order: must list every column");
  EXPECT_ERROR(FlowModel(system_allocator(), parse_spec(with_layers(R"([{"layers": [{"type": "reverse"},
                                                 {"type": "affine_coupling", "net": "residual", "hidden": []}]}])")),
                         0),
               Code::spec, "spec.layers[0].layers[1].net.hidden: a residual net takes one hidden size");
}

}  // namespace
}  // namespace libnf::test
