// Bad specs: every message starts with the JSON path of the culprit ("spec.layers[0].hidden"; of an unknown or
// duplicate key, the object that holds it), says the value and what would be right. The fields of all layers, bases,
// targets and the embedding come from nf_parts_describe and nf_targets_describe, so that those to come are covered
// without a line here.
#include <functional>
#include <nlohmann/json.hpp>

#include "tests/abi/abi_support.h"

namespace abi_test {
namespace {

using Json = nlohmann::json;

class SpecErrors : public Counted {
 protected:
  nf_status make(const std::string& spec, nf_error* e) {
    nf_model* m = nullptr;
    const nf_status status = nf_model_create(rt.get(), spec.data(), spec.size(), 1, &m, e);
    EXPECT_EQ(m != nullptr, status == NF_OK);
    nf_model_free(m);
    return status;
  }
  nf_status make_target(const std::string& spec, int64_t columns, nf_error* e) {
    nf_target* t = nullptr;
    const nf_status status = nf_target_create(rt.get(), spec.data(), spec.size(), columns, &t, e);
    EXPECT_EQ(t != nullptr, status == NF_OK);
    nf_target_free(t);
    return status;
  }
  using Maker = std::function<nf_status(const std::string& spec, nf_error*)>;
  // Expects a refusal whose message begins with "spec" and `path`, and contains all of `needles`.
  void refuse(const std::string& spec, const std::string& path, std::initializer_list<std::string> needles = {}) {
    refuse([this](const std::string& text, nf_error* e) { return make(text, e); }, spec, "spec" + path, needles);
  }
  void refuse(const Maker& maker, const std::string& spec, const std::string& start,
              std::initializer_list<std::string> needles = {}) {
    SCOPED_TRACE(spec.size() < 400 ? spec : spec.substr(0, 400) + "...");
    Err e;
    const int64_t live = allocator.live;
    const nf_status status = maker(spec, &e);
    EXPECT_TRUE(failed(NF_ERR_SPEC, status, e));
    EXPECT_EQ(std::string(e.message).rfind(start, 0), 0u) << "should start with '" << start << "': " << e.message;
    for (const std::string& n : needles) EXPECT_TRUE(failed(NF_ERR_SPEC, status, e, n));
    EXPECT_EQ(allocator.live, live) << "leaked";
  }

  // Checks every field of a part of a spec as described: its default is accepted, wrong values are refused at
  // start.FIELD, and for a choice the message lists the names. `spec` returns the whole spec, given the fields of the
  // part.
  void check_fields(const Json& kind, const std::string& start, const Maker& maker,
                    const std::function<std::string(const Json& fields)>& spec);
  int fields = 0, values = 0;  // number checked

  static std::string with_layer(const std::string& layer) { return R"({"event": [2], "layers": [)" + layer + "]}"; }
};

TEST_F(SpecErrors, NotJson) {
  for (const char* text : {"", " ", "{", "}", "[", "nul", "{\"event\": [2],}", "{\"event\": [2] \"layers\": []}",
                           "{'event': [2]}", "{\"event\": [2], \"layers\": []} x", "// no\n{}",
                           "{\"event\": [02], \"layers\": []}", "{\"event\": [2], \"layers\": [], \"base\": \"\xff\"}",
                           "{\"event\": [NaN]}", "{\"event\": [1e400]}", "\xef\xbb\xbf{}"})
    refuse(text, "");
  Err e;
  const std::string nul("{\"event\": [2], \"layers\": []}\0", 29);
  EXPECT_EQ(make(nul, &e), NF_ERR_SPEC) << "a NUL after the end is not white space";
}

TEST_F(SpecErrors, NotAnObject) {
  for (const char* text : {"null", "[]", "3", "\"event\"", "true"}) refuse(text, "", {"object"});
}

TEST_F(SpecErrors, DuplicateKeys) {
  refuse(R"({"event": [2], "event": [3], "layers": []})", "", {"event"});
  refuse(with_layer(R"({"type": "reverse", "type": "reverse"})"), ".layers[0]", {"type"});
  refuse(with_layer(R"({"type": "affine_coupling", "hidden": [2], "hidden": [3]})"), ".layers[0]", {"hidden"});
}

TEST_F(SpecErrors, UnknownKeysSuggestTheNearest) {
  refuse(R"({"event": [2], "layer": []})", "", {"\"layer\"", "layers"});
  refuse(R"({"evnt": [2], "layers": []})", "", {"evnt", "event"});
  refuse(with_layer(R"({"type": "affine_coupling", "hiden": [2]})"), ".layers[0]", {"hiden", "hidden"});
  refuse(with_layer(R"({"repeat": 2, "layers": [{"type": "reverse"}, {"type": "affine_coupling", "hiden": [2]}]})"),
         ".layers[0].layers[1]", {"hiden", "hidden"});
  refuse(with_layer(R"({"type": "reverse", "": 1})"), ".layers[0]");
  refuse(with_layer(R"({"type": "reverse", ")" + std::string(5000, 'k') + R"(": 1})"), ".layers[0]");
}

TEST_F(SpecErrors, UnknownLayersSuggestTheNearest) {
  refuse(with_layer(R"({"type": "affine_cuopling"})"), ".layers[0].type", {"affine_cuopling", "affine_coupling"});
  refuse(with_layer(R"({"type": "revers"})"), ".layers[0].type", {"reverse"});
  refuse(with_layer(R"({"type": "Reverse"})"), ".layers[0].type", {"reverse"});
  refuse(with_layer(R"({"type": ""})"), ".layers[0].type");
  refuse(with_layer(R"({"type": "zzzzzzzzzzzzzzzzzzzzzzzz"})"), ".layers[0].type");
  refuse(with_layer(R"({"type": 3})"), ".layers[0].type", {"3"});
  refuse(with_layer(R"({"hidden": [2]})"), ".layers[0]", {"type"});
  refuse(with_layer("3"), ".layers[0]", {"3"});
  refuse(with_layer("null"), ".layers[0]");
  refuse(R"({"event": [2], "base": "nomal", "layers": []})", ".base", {"nomal", "normal"});
}

TEST_F(SpecErrors, EventContextAndLayers) {
  refuse("{}", "", {"event"});
  refuse(R"({"layers": []})", "", {"event"});
  refuse(R"({"event": [2]})", "", {"layers"});
  for (const char* bad :
       {"0", "-1", "1099511627776", "9223372036854775807", "9223372036854775808", "1.5", "null", "\"2\""})
    refuse(std::string(R"({"event": [)") + bad + R"(], "layers": []})", ".event");
  for (const char* bad : {"[]", "2.5", "\"2\"", "{}", "[2, 2, 2, 2, 2, 2, 2]", "[[2]]"})
    refuse(std::string(R"({"event": )") + bad + R"(, "layers": []})", ".event");
  for (const char* bad : {"[-1]", "[1099511627776]", "[0.5]", "\"1\"", "{}"})
    refuse(std::string(R"({"event": [2], "context": )") + bad + R"(, "layers": []})", ".context");
  for (const char* bad : {"null", "{}", "3", "\"reverse\""})
    refuse(std::string(R"({"event": [2], "layers": )") + bad + "}", ".layers");
  for (const char* bad : {"3", "[]", "\"float16\"", "\"f32 \"", "null"})
    refuse(std::string(R"({"event": [2], "layers": [], "dtype": )") + bad + "}", ".dtype");
}

TEST_F(SpecErrors, Repeat) {
  for (const char* bad : {"0", "-1", "1099511627776", "9223372036854775807", "1.5", "\"2\"", "null", "[2]"})
    refuse(with_layer(std::string(R"({"layers": [{"type": "reverse"}], "repeat": )") + bad + "}"), ".layers[0].repeat");
  refuse(with_layer(R"({"repeat": 2})"), ".layers[0]");
  refuse(with_layer(R"({"repeat": 2, "layers": [], "type": "reverse"})"), ".layers[0]");
  refuse(with_layer(R"({"type": "reverse", "invert": 1})"), ".layers[0].invert");
  // Each bound is met, but their product is not.
  std::string nested = R"({"type": "reverse"})";
  for (int i = 0; i < 5; ++i) nested = R"({"repeat": 1000, "layers": [)" + nested + "]}";
  refuse(with_layer(nested), "");
}

TEST_F(SpecErrors, TooDeepAndTooLarge) {
  std::string deep = R"({"type": "reverse"})";
  for (int i = 0; i < 3000; ++i) deep = R"({"layers": [)" + deep + "]}";
  refuse(with_layer(deep), "", {"deep"});
  refuse(std::string(200000, '['), "");
  refuse(with_layer(R"({"type": "reverse", "x": )" + std::string(50000, '[') + std::string(50000, ']') + "}"), "");
  std::string large = R"({"type": "reverse"})";
  for (int i = 0; i < 21; ++i) large = large + "," + large;  // 40 MB
  refuse(with_layer(large), "");
  // Small to write, enormous to build: refused with a status instead of attempted.
  Err e;
  const nf_status status =
      make(R"({"event": [1000000], "layers": [{"type": "affine_coupling", "hidden": [1000000, 1000000]}]})", &e);
  EXPECT_TRUE(status == NF_ERR_SPEC || status == NF_ERR_NOMEM) << nf_status_name(status);
  EXPECT_TRUE(failed(status, status, e));
}

// Returns values that a field with this description must refuse.
std::vector<Json> wrong_values(const Json& f) {
  const std::string type = f["type"];
  std::vector<Json> bad = {nullptr, Json::object()};
  const Json low = f.value("min", Json()), high = f.value("max", Json());
  const bool list = type.find("list") != std::string::npos || type.find("integers") != std::string::npos ||
                    f["default"].is_array() || type.find("[]") != std::string::npos;
  auto numbers = [&](bool integer) {
    std::vector<Json> n = {1e308};
    if (integer) n.insert(n.end(), {0.5, INT64_MIN, UINT64_MAX});
    if (low.is_number_integer() && low.get<int64_t>() > INT64_MIN) n.push_back(low.get<int64_t>() - 1);
    if (high.is_number_integer() && high.get<int64_t>() < INT64_MAX) n.push_back(high.get<int64_t>() + 1);
    if (low.is_number_float()) n.push_back(std::nextafter(low.get<double>(), -INFINITY));
    if (high.is_number_float()) n.push_back(std::nextafter(high.get<double>(), INFINITY));
    return n;
  };
  if (type == "chain") {
    bad.insert(bad.end(), {3, "reverse", true, Json::object(), Json::array({3}), Json::array({nullptr})});
  } else if (list) {
    bad.insert(bad.end(), {"x", true, Json::array({"x"}), Json::array({nullptr}), Json::array({Json::array({1})})});
    for (const Json& n : numbers(type != "numbers"))
      bad.insert(bad.end(), {n, Json::array({n})});          // a number is a list of one
    const auto most = f.value("max_count", size_t{100000});  // lists of layers have no bound on their length
    if (most < 100000) bad.push_back(Json(std::vector<int>(most + 1, 1)));
  } else if (f.contains("choices")) {
    bad.insert(bad.end(), {3, true, Json::array(), "", f["choices"][0].get<std::string>() + "x"});
  } else if (f["default"].is_boolean()) {
    bad.insert(bad.end(), {0, 1, "true", Json::array()});
  } else if (f["default"].is_number()) {
    bad.insert(bad.end(), {"1", true, Json::array({1})});
    for (const Json& n : numbers(type.find("int") != std::string::npos)) bad.push_back(n);
  } else {
    bad.insert(bad.end(), {3, true, Json::array()});
  }
  return bad;
}

void SpecErrors::check_fields(const Json& kind, const std::string& start, const Maker& maker,
                              const std::function<std::string(const Json& fields)>& spec) {
  SCOPED_TRACE(kind["name"].get<std::string>());
  EXPECT_FALSE(kind.value("doc", "").empty());
  Err e;
  ASSERT_TRUE(ok(maker(spec(Json::object()), &e), e)) << "all defaults";
  for (const Json& f : kind["fields"]) {
    ++fields;
    const std::string field = f["name"], at = start + "." + field;
    EXPECT_FALSE(f.value("doc", "").empty()) << field;
    ASSERT_TRUE(ok(maker(spec({{field, f["default"]}}), &e), e)) << "the default of " << field;
    for (const Json& v : wrong_values(f)) {
      ++values;
      refuse(maker, spec({{field, v}}), at);
    }
    if (!f.contains("choices")) continue;
    for (const Json& c : f["choices"]) {
      // If this is refused, it is by a rule about another field.
      const nf_status status = maker(spec({{field, c}}), &e);
      const std::string message = e.message;
      ASSERT_TRUE(status == NF_OK || message.rfind(at + ":", 0) != 0 ||
                  message.find("has no effect with") != std::string::npos)
          << message;
      refuse(maker, spec({{field, "no such"}}), at, {"no such", c.get<std::string>()});
    }
  }
  for (const char* unknown : {"no_such_field", "event", "embedding", ""})
    refuse(maker, spec({{unknown, 3}}), start + ": unknown field");
}

TEST_F(SpecErrors, EveryFieldOfEveryPart) {
  const char* text = nf_parts_describe();
  ASSERT_NE(text, nullptr);
  EXPECT_EQ(text, nf_parts_describe()) << "static";
  const Json all = Json::parse(text), targets = Json::parse(nf_targets_describe());
  const Maker model = [this](const std::string& spec, nf_error* e) { return make(spec, e); };
  ASSERT_GE(all["layers"].size(), 6u);
  for (const Json& l : all["layers"])
    check_fields(l, "spec.layers[1]", model, [&](Json j) {
      j["type"] = l["name"];
      return R"({"event": [1, 2, 1], "layers": [{"type": "reverse"}, )" + j.dump() + "]}";
    });
  ASSERT_GE(all["nets"].size(), 2u);
  for (const Json& n : all["nets"])
    check_fields(n, "spec.layers[0].net", model, [&](Json j) {
      j["type"] = n["name"];
      return R"({"event": [2], "layers": [{"type": "affine_coupling", "net": )" + j.dump() + "}]}";
    });
  ASSERT_GE(all["bases"].size(), 6u);
  for (const Json& b : all["bases"])
    check_fields(b, "spec.base", model, [&](Json j) {
      j["type"] = b["name"];
      return R"({"event": [2], "context": [3], "layers": [], "base": )" + j.dump() + "}";
    });
  check_fields(all["embedding"], "spec.embedding", model, [](const Json& j) {
    return R"({"event": [2], "context": [3], "layers": [], "embedding": )" + j.dump() + "}";
  });
  ASSERT_GE(targets.size(), 6u);
  for (const Json& t : targets)
    check_fields(
        t, "target",
        [&](const std::string& spec, nf_error* e) { return make_target(spec, t["min_columns"].get<int64_t>(), e); },
        [&](Json j) {
          j["type"] = t["name"];
          return j.dump();
        });
  EXPECT_GE(fields, 100);
  EXPECT_GE(values, 1000);
}

TEST_F(SpecErrors, BasesEmbeddingsAndTargets) {
  for (const char* bad : {"3", "null", "true", "[]", "{}", "[\"normal\"]", "{\"typ\": \"normal\"}"})
    refuse(std::string(R"({"event": [2], "layers": [], "base": )") + bad + "}", ".base");
  for (const char* bad : {"3", "null", "[\"normal\"]", "{}"})
    refuse(std::string(R"({"event": [2], "layers": [], "base": {"type": )") + bad + "}}", ".base.type");
  for (const char* bad : {"3", "null", "true", "[]", "\"mlp\"", "[{}]"})
    refuse(std::string(R"({"event": [2], "context": [3], "layers": [], "embedding": )") + bad + "}", ".embedding");
  refuse(R"({"event": [2], "layers": [], "embedding": {}})", ".embedding", {"context"});
  refuse(R"({"event": [2], "context": [3], "layers": [], "embedding": {"hiden": [2]}})", ".embedding", {"hidden"});
  refuse(R"({"event": [2], "context": [3], "layers": [], "embedding": {"out": 2, "out": 3}})", ".embedding", {"out"});
  const auto target = [this](const std::string& spec, nf_error* e) { return make_target(spec, 2, e); };
  for (const char* bad :
       {"", " ", "3", "null", "[]", "{}", "{", "no_such", "{\"type\": 3}", "{\"type\": \"\"}", "\"u1\""})
    refuse(target, bad, "target");
  refuse(target, "two_moon", "target", {"two_moons"});
}

// One wrong byte at any position gives either a model or a message that says where.
TEST_F(SpecErrors, AnyByteMayBeWrong) {
  const std::string good = R"({"event": [2], "context": [3], "embedding": {"out": 2, "hidden": [3], "net": "mlp"},
    "base": {"type": "full_normal", "parameters": "context", "hidden": [2]}, "dtype": "float64",
    "layers": [{"repeat": 2, "layers": [{"type": "affine_coupling", "hidden": [3], "invert": true}]}]})";
  Err e;
  ASSERT_TRUE(ok(make(good, &e), e));
  int accepted = 0, refused = 0;
  for (size_t i = 0; i < good.size(); ++i)
    for (const char* put : {"", "0", "9", "-", "\"", "{", "]", ",", ":", "x", "\x01", "\xff"}) {
      const std::string spec = good.substr(0, i) + put + good.substr(i + 1);
      const nf_status status = make(spec, &e);
      (status == NF_OK ? accepted : refused)++;
      if (status == NF_OK || status == NF_ERR_NOMEM) continue;
      ASSERT_TRUE(failed(NF_ERR_SPEC, status, e)) << spec;
      ASSERT_EQ(std::string(e.message).rfind("spec", 0), 0u) << e.message;
    }
  EXPECT_GT(accepted, 10);
  EXPECT_GT(refused, 1000);
}

// The canonical spec is a fixed point: all defaults are written out, and it builds an equal model.
TEST_F(SpecErrors, CanonicalSpecIsAFixedPoint) {
  const Model m = model(rt.get());
  const std::string spec = nf_model_spec(m.get());
  const Model again = model(rt.get(), spec);
  EXPECT_EQ(nf_model_spec(again.get()), spec);
  EXPECT_EQ(nf_model_hash(again.get()), nf_model_hash(m.get()));
  EXPECT_TRUE(Json::parse(spec).contains("base"));
}

}  // namespace
}  // namespace abi_test
