// One list of fields is read, written, described and drawn at random: every type of field, nested in each other.
#include <gtest/gtest.h>

#include "src/base/base.h"
#include "src/flow/chain.h"
#include "src/model/read_fields.h"
#include "src/model/write_fields.h"
#include "tests/support/expect_error.h"
#include "tests/support/random_config.h"

namespace libnf::test {
namespace {

enum class Mode { plain, gated };

struct Inner final : Config {
  int64_t depth = 2;
  std::vector<double> ends = {-1, 1};
  void fields(Fields& f) override {
    f.integer("depth", "levels", depth, -(int64_t{1} << 62), 100);
    f.reals("ends", "low, high", ends, -10, 10, 2);
  }
};

struct Outer final : Config {
  Mode mode = Mode::plain;
  double gate = 0.5;
  bool on = false;
  std::string note = "none";
  std::vector<int64_t> sizes = {3};
  Inner inner;
  std::unique_ptr<Inner> extra;
  OneOf<BaseKind> base{"uniform"};
  std::vector<LayerSpec> layers;
  void fields(Fields& f) override {
    static constexpr const char* kModes[] = {"plain", "gated"};
    f.choice("mode", "how", mode, kModes);
    f.relevant(mode == Mode::gated, "\"mode\": \"plain\"");
    f.real("gate", "of the gated mode", gate, 0, 1);
    f.relevant(true);
    f.flag("on", "whether", on);
    f.text("note", "words", note, 8);
    f.integers("sizes", "of layers", sizes, 1, 100, 3);
    f.object("inner", "an object", inner);
    f.optional("extra", "another, or none", extra);
    f.one_of("base", "a part", base);
    f.chain("layers", "a chain", layers);
  }
};

Json parse(const std::string& text) { return parse_json(text, "test", Code::format, 1 << 16, 20); }

Outer read(const std::string& text) {
  Outer o;
  const Json j = parse(text);
  read_config(j, "spec", o);
  return o;
}

TEST(Fields, DefaultsAreWritten) {
  Outer o;
  EXPECT_EQ(written(o).dump(),
            R"({"mode":"plain","gate":0.5,"on":false,"note":"none","sizes":[3],"inner":{"depth":2,"ends":[-1.0,1.0]},)"
            R"("base":{"type":"uniform","low":[0.0],"high":[1.0]},"layers":[]})");
}

TEST(Fields, EveryTypeIsRead) {
  const Outer o = read(R"({"mode": "gated", "gate": 0.25, "on": true, "note": "a b", "sizes": 7,
    "inner": {"depth": -4611686018427387904}, "extra": {"ends": []},
    "base": {"type": "gaussian_mixture", "components": 3, "hidden": [2]},
    "layers": [{"type": "reverse", "repeat": 2}, {"invert": true, "layers": [{"type": "planar", "hidden": 5}]}]})");
  EXPECT_EQ(o.mode, Mode::gated);
  EXPECT_EQ(o.gate, 0.25);
  EXPECT_TRUE(o.on);
  EXPECT_EQ(o.note, "a b");
  EXPECT_EQ(o.sizes, std::vector<int64_t>{7});
  EXPECT_EQ(o.inner.depth, -(int64_t{1} << 62));
  EXPECT_EQ(o.inner.ends, (std::vector<double>{-1, 1}));
  ASSERT_TRUE(o.extra);
  EXPECT_EQ(o.extra->depth, 2);
  EXPECT_TRUE(o.extra->ends.empty());
  EXPECT_STREQ(o.base.part().name, "gaussian_mixture");
  ASSERT_EQ(o.layers.size(), 2u);
  EXPECT_STREQ(o.layers[0].kind->name, "reverse");
  EXPECT_EQ(o.layers[0].repeat, 2);
  EXPECT_TRUE(o.layers[1].invert);
  EXPECT_STREQ(o.layers[1].layers.at(0).kind->name, "planar");
}

TEST(Fields, WhatIsWrittenIsRead) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    Outer o;
    RandomFields random(seed, 4);
    o.fields(random);
    if (o.mode == Mode::plain) o.gate = Outer().gate;
    const std::string text = written(o).dump();
    Outer again = read(text);
    EXPECT_EQ(written(again).dump(), text);
  }
}

TEST(Fields, ErrorsCarryThePath) {
  const std::pair<const char*, const char*> bad[] = {
      {R"({"mode": "gate"})", "spec.mode: \"gate\" is not one of \"plain\", \"gated\""},
      {R"({"gate": 0.4})", "spec.gate: 0.4 has no effect with \"mode\": \"plain\"; leave it out"},
      {R"({"mode": "gated", "gate": 2})", "spec.gate: 2 is not a number in [0, 1]"},
      {R"({"note": 3})", "spec.note: 3 is not a text in quotes"},
      {R"({"note": "123456789"})", "spec.note: a text of 9 bytes, at most 8 are allowed"},
      {R"({"sizes": [1, 0]})", "spec.sizes[1]: 0 is not an integer in [1, 100]"},
      {R"({"sizes": 0})", "spec.sizes: 0 is not an integer in [1, 100]"},
      {R"({"sizes": [1, 2, 3, 4]})", "spec.sizes: a list of 4 entries, at most 3 are allowed"},
      {R"({"inner": 3})", "spec.inner: 3 is not an object such as {\"depth\":2,"},
      {R"({"inner": {"depht": 3}})", "spec.inner: unknown field \"depht\"; did you mean \"depth\"?"},
      {R"({"inner": {"type": 3}})", "spec.inner: unknown field \"type\"; known: depth, ends"},
      {R"({"extra": null})", "spec.extra: null is not an object such as"},
      {R"({"extra": {"ends": [11]}})", "spec.extra.ends[0]: 11 is not a number in [-10, 10]"},
      {R"({"base": 3})", "spec.base: 3 is not a base; write \"uniform\" or {\"type\": \"uniform\", ...}"},
      {R"({"base": {"low": 0}})", "spec.base: {\"low\":0} is not a base; write"},
      {R"({"base": "unifrom"})", "spec.base: unknown base \"unifrom\"; did you mean \"uniform\"?"},
      {R"({"base": {"type": "unifrom"}})", "spec.base.type: unknown base \"unifrom\"; did you mean \"uniform\"?"},
      {R"({"base": {"type": "uniform", "lo": 0}})", "spec.base: unknown field \"lo\"; did you mean \"low\"?"},
      {R"({"layers": {}})", "spec.layers: {} is not a list of layers"},
      {R"({"layers": [{"layers": [{"type": "plannar"}]}]})",
       "spec.layers[0].layers[0].type: unknown layer \"plannar\"; did you mean \"planar\"?"},
      {R"({"layers": [{"layers": [], "repaet": 2}]})",
       "spec.layers[0]: unknown field \"repaet\"; did you mean \"repeat\"?"},
  };
  for (const auto& c : bad) EXPECT_ERROR(read(c.first), Code::spec, c.second);
}

TEST(Fields, ADefaultWithoutEffectMayBeWritten) { EXPECT_NO_THROW(read(R"({"mode": "plain", "gate": 0.5})")); }

TEST(Fields, DescriptionsNest) {
  Outer o;
  const Json list = describe_fields(o);
  const auto field = [&](const char* name) {
    for (const Json& f : *list.array())
      if (*f.find("name") == name) return f;
    return Json();
  };
  EXPECT_EQ(names_of(o),
            (std::vector<std::string>{"mode", "gate", "on", "note", "sizes", "inner", "extra", "base", "layers"}));
  EXPECT_EQ(*field("note").find("type"), "text");
  EXPECT_EQ(*field("inner").find("fields")->array()->at(0).find("name"), "depth");
  EXPECT_EQ(*field("inner").find("default"), parse(R"({"depth": 2, "ends": [-1.0, 1.0]})"));
  EXPECT_TRUE(field("extra").find("default")->is_null());
  EXPECT_EQ(*field("extra").find("optional"), true);
  EXPECT_EQ(*field("base").find("of"), "bases");
  EXPECT_EQ(*field("base").find("default")->find("type"), "uniform");
  EXPECT_EQ(*field("layers").find("of"), "layers");
}

TEST(Fields, EveryRegistryIsListed) {
  std::vector<std::string> words;
  for (const Family* family : families()) {
    words.emplace_back(family->word);
    ASSERT_FALSE(family->parts.empty());
    for (const PartKind* kind : family->parts) {
      EXPECT_EQ(family->find(kind->name), kind);
      for (const char* alias : kind->aliases) EXPECT_EQ(family->find(alias), kind);
      EXPECT_NE(std::string(kind->doc), "") << kind->name;
      EXPECT_EQ(describe_part(*family, *kind).find("fields")->array()->size(), names_of(*kind->config()).size());
    }
    EXPECT_EQ(family->find("no_such_part"), nullptr);
  }
  for (const char* word : {"layer", "base", "target"})
    EXPECT_EQ(std::count(words.begin(), words.end(), word), 1) << word;
}

}  // namespace
}  // namespace libnf::test
