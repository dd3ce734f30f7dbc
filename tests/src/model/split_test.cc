// Splits: the likelihood is that of a learned Gaussian prior, the layers inside are ordinary layers of the chain that
// act on the first columns, and the model reports which latents belong to which split.
#include <gtest/gtest.h>

#include <cmath>

#include "runtime/core/rows.h"
#include "src/io/json.h"
#include "src/model/describe.h"
#include "src/model/flow_model.h"
#include "src/model/session.h"
#include "tests/support/expect_error.h"
#include "tests/support/flow_case.h"
#include "tests/support/trace.h"

namespace libnf::test {
namespace {

std::string spec_of(const std::string& event, const std::string& layers) {
  return R"({"event": )" + event + R"(, "dtype": "float64", "layers": [)" + layers + "]}";
}
FlowModel model_of(const std::string& event, const std::string& layers) {
  return FlowModel(system_allocator(), parse_spec(spec_of(event, layers)), 0);
}

double log_normal(double x, double mean, double s) {
  const double u = (x - mean) / s;
  return -0.5 * u * u - std::log(s) - 0.5 * std::log(2 * M_PI);
}

TEST(Split, HasTheLikelihoodOfALearnedPrior) {
  for (const char* scale : {"bounded_exp", "exp", "sigmoid", "softplus"}) {
    const std::string inside =
        R"({"type": "affine_coupling", "net": {"type": "mlp", "hidden": [8]}}, {"type": "reverse"})";
    FlowCase<double> f(
        parse_spec(spec_of("[5]", R"({"type": "split", "net": {"type": "mlp", "hidden": [8]}, "scale": ")" +
                                      std::string(scale) + R"(", "layers": [)" + inside + "]}")));
    f.randomize(1, 0.5);
    // The layers inside, as a model of the first three columns.
    FlowCase<double> h(parse_spec(spec_of("[3]", inside)));
    for (size_t i = 0; i < h.model().params().slots().size(); ++i) {
      const ParamSlot& s = h.model().params().slots()[i];
      const std::string name = "layers." + std::to_string(std::stoi(s.name.substr(7)) + 1) + s.name.substr(8);
      const int64_t from = f.model().params().find(name);
      ASSERT_GE(from, 0) << name;
      std::copy_n(f.param(static_cast<size_t>(from)), s.shape.count(), h.param(i));
    }
    std::mt19937_64 random(2);
    const int64_t n = 20;
    Rows2 in{n, draw_normal(5 * n, random), {}};
    const Values lp = f.log_prob(in), z = f.map(false, in).y;
    // z_r is affine in r for given h, so its values at r = 0 and 1 give mean and standard deviation.
    Rows2 at[2] = {in, in};
    Values kept;
    for (int64_t r = 0; r < n; ++r) {
      kept.insert(kept.end(), in.x.begin() + 5 * r, in.x.begin() + 5 * r + 3);
      for (int k = 0; k < 2; ++k) at[k].x[static_cast<size_t>(5 * r + 3)] = at[k].x[static_cast<size_t>(5 * r + 4)] = k;
    }
    const Values z0 = f.map(false, at[0]).y, z1 = f.map(false, at[1]).y, inner = h.log_prob({n, kept, {}});
    for (int64_t r = 0; r < n; ++r) {
      double want = inner[static_cast<size_t>(r)];
      for (int64_t j = 3; j < 5; ++j) {
        const auto k = static_cast<size_t>(5 * r + j);
        const double s = 1 / (z1[k] - z0[k]), mean = -z0[k] * s;
        EXPECT_GT(s, 0);
        EXPECT_LT(s, scale == std::string("sigmoid") ? 1.0011 : 1e9) << "the deviation, not its inverse";
        want += log_normal(in.x[k], mean, s);
      }
      EXPECT_NEAR(lp[static_cast<size_t>(r)], want, 1e-9 * std::max(1.0, std::abs(want))) << scale;
    }
  }
}

TEST(Split, LayersInsideActOnTheFirstColumns) {
  // Two nested splits; names and order of the tensors are those of one chain.
  FlowCase<double> f(parse_spec(spec_of("[8]", R"(
      {"type": "elementwise_affine"},
      {"type": "split", "prior": "fixed", "layers": [
        {"type": "elementwise_affine"},
        {"type": "split", "keep": 1, "prior": "fixed", "layers": [{"type": "elementwise_affine", "repeat": 2}]},
        {"type": "elementwise_affine"}]},
      {"type": "elementwise_affine"})")));
  const auto& layers = f.model().layers();
  ASSERT_EQ(layers.size(), 8u);
  const int64_t columns[] = {8, 8, 4, 4, 1, 1, 4, 8};
  for (size_t i = 0; i < 8; ++i) EXPECT_EQ(layers[i].columns, columns[i]) << i;
  EXPECT_EQ(layers[4].where, "spec.layers[1].layers[1].layers[0] (elementwise_affine, repetition 0)");
  for (size_t i = 0; i < f.model().params().slots().size(); ++i)
    if (f.model().params().slots()[i].name.find("shift") != std::string::npos)
      for (int64_t k = 0; k < f.model().params().slots()[i].shape.count(); ++k) f.param(i)[k] = 1;
  const Rows2 zeros{1, Values(8, 0.0), {}};
  EXPECT_EQ(f.map(false, zeros).y, (Values{6, 4, 4, 4, 2, 2, 2, 2}));
  EXPECT_EQ(f.map(true, {1, {6, 4, 4, 4, 2, 2, 2, 2}, {}}).y, Values(8, 0.0));
  // Every intermediate state, in both directions.
  Executor one(1);
  Session s(system_allocator(), one, f.model(), NonFinite::propagate);
  Values x(8, 0.0), states(9 * 8), back(9 * 8);
  const auto view = [](Values& v, const Dims& d) { return contiguous_view(v.data(), DType::f64, d); };
  trace(s, false, view(x, {1, 8}), View{}, view(states, {9, 1, 8}));
  Values z(states.end() - 8, states.end());
  trace(s, true, view(z, {1, 8}), View{}, view(back, {9, 1, 8}));
  EXPECT_EQ(Values(states.begin() + 5 * 8, states.begin() + 6 * 8), (Values{3, 2, 2, 2, 1, 1, 1, 1}));
  for (size_t k = 0; k < 9; ++k) EXPECT_TRUE(std::equal(&back[8 * k], &back[8 * k] + 8, &states[8 * (8 - k)])) << k;
}

TEST(Split, OfImagesTakesChannels) {
  FlowCase<double> f(parse_spec(spec_of("[2, 2, 3]", R"({"type": "split", "keep": 1, "prior": "fixed", "layers": [
      {"type": "squeeze"}, {"type": "reverse"}]})")));
  Values x;
  for (int i = 0; i < 12; ++i) x.push_back(i);
  const Values z = f.map(false, {1, x, {}}).y;
  EXPECT_EQ(z, (Values{9, 6, 3, 0, 1, 2, 4, 5, 7, 8, 10, 11}));
  EXPECT_EQ(f.map(true, {1, z, {}}).y, x);
  EXPECT_EQ(f.model().layers()[1].in, (Dims{2, 2, 1}));
  EXPECT_EQ(f.model().layers()[2].in, (Dims{1, 1, 4}));
  // With one channel or one column, everything continues.
  for (const char* event : {"[2, 2, 1]", "[1]", "[1, 1, 1]"}) {
    const FlowModel all = model_of(event, R"({"type": "split", "layers": [{"type": "reverse"}]})");
    EXPECT_EQ(all.layers()[1].columns, all.columns());
    EXPECT_EQ(all.params().slots().size(), 0u);
  }
}

std::string scales(const FlowModel& m) {
  std::string s;
  for (const Scale& scale : m.chain().scales())
    s += (s.empty() ? "" : "; ") + std::to_string(scale.first) + ": " + to_string(scale.event) + " " + scale.where;
  return s;
}

TEST(Split, ListsTheScales) {
  EXPECT_EQ(scales(model_of("[4]", R"({"type": "reverse"})")), "0: [4] ");
  EXPECT_EQ(scales(model_of("[2, 2, 1]", R"({"type": "squeeze"})")), "0: [1, 1, 4] ");
  const std::string two = R"({"type": "squeeze"}, {"type": "split", "layers": [
      {"type": "squeeze"}, {"type": "split", "keep": 6, "layers": [{"type": "reverse"}]}]})";
  EXPECT_EQ(scales(model_of("[4, 4, 1]", two)),
            "0: [1, 1, 6] ; 6: [1, 1, 2] spec.layers[1].layers[1] (split); 8: [2, 2, 2] spec.layers[1] (split)");
  // If the columns are mixed again, no scales remain; mixing only those of the inner split keeps the outer scale.
  EXPECT_EQ(scales(model_of("[4, 4, 1]", two + R"(, {"type": "reverse"})")), "0: [16] ");
  EXPECT_EQ(
      scales(model_of("[8]", R"({"type": "split", "layers": [{"type": "split", "layers": []}, {"type": "reverse"}]})")),
      "0: [4] ; 4: [4] spec.layers[0] (split)");
  EXPECT_EQ(scales(model_of("[8]", R"({"type": "split", "invert": true, "layers": []})")), "0: [8] ");
  const Json j = parse_json(describe_model(model_of("[4, 4, 1]", two)), "description", Code::format, 1 << 20, 32);
  EXPECT_EQ(*j.find("kind")->string(), "flow");
  EXPECT_EQ(j.find("event")->dump(), "[4,4,1]");
  EXPECT_EQ(j.find("latent")->dump(), "[16]");
  EXPECT_EQ(*j.find("log_prob")->string(), "exact");
  EXPECT_EQ((*j.find("layers")->array())[3].dump(),
            R"x({"name":"layers.3","where":"spec.layers[1].layers[1] (split)","type":"split","inverted":false,)x"
            R"x("event":[1,1,8],"latent":[8],"columns":8,"per_pixel":false})x");
  EXPECT_EQ((*j.find("scales")->array())[2].dump(),
            R"x({"where":"spec.layers[1] (split)","first_column":8,"columns":8,"event":[2,2,2]})x");
  EXPECT_EQ(*parse_json(describe_model(model_of("[1]", R"({"type": "dequantize"})")), "", Code::format, 1 << 20, 32)
                 .find("log_prob")
                 ->string(),
            "bound");
}

TEST(Split, InvertsWithItsLayers) {
  const std::string layers = R"({"type": "split", "layers": [{"type": "affine_coupling"}, {"type": "split", "layers":
      [{"type": "elementwise_affine"}]}, {"type": "reverse"}]})";
  FlowCase<double> f(parse_spec(spec_of("[5]", layers)));
  FlowCase<double> g(parse_spec(spec_of("[5]", R"({"invert": true, "layers": [)" + layers + "]}")));
  f.randomize(4, 0.3);
  // The same tensors, with the layers in reverse order.
  const auto last = f.model().layers().size() - 1;
  for (size_t i = 0; i < f.model().params().slots().size(); ++i) {
    const std::string& name = f.model().params().slots()[i].name;
    const size_t dot = name.find('.', 7);
    const std::string other =
        "layers." + std::to_string(last - static_cast<size_t>(std::stoi(name.substr(7)))) + name.substr(dot);
    const int64_t to = g.model().params().find(other);
    ASSERT_GE(to, 0) << name << " " << other;
    std::copy_n(f.param(i), f.model().params().slots()[i].shape.count(), g.param(static_cast<size_t>(to)));
  }
  std::mt19937_64 random(5);
  const Rows2 in{7, draw_normal(35, random), {}};
  EXPECT_TRUE(same_bits(g.map(true, in).y, f.map(false, in).y));
  EXPECT_TRUE(same_bits(g.map(false, in).y, f.map(true, in).y));
  EXPECT_TRUE(same_bits(g.map(false, in).log_det, f.map(true, in).log_det));
}

TEST(Split, RefusesWhatDoesNotFit) {
  const auto refused = [](const char* event, const char* layer, const char* says) {
    EXPECT_ERROR(model_of(event, layer), Code::spec, says);
  };
  refused("[4]", R"({"type": "split", "keep": 5, "layers": []})", "spec.layers[0].keep: 5 of 4 columns");
  refused("[4, 4, 2]", R"({"type": "split", "keep": 3, "layers": []})",
          "spec.layers[0].keep: 3 of 2 channels of the event [4, 4, 2]");
  refused("[4]", R"({"type": "split", "layers": [{"type": "afine"}]})", "spec.layers[0].layers[0].type: unknown layer");
  refused("[4]", R"({"type": "split", "layers": [{"type": "permutation", "order": [0, 1, 2, 3]}]})",
          "spec.layers[0].layers[0].order");
  refused("[4]", R"({"type": "split", "prior": "fixed", "cap": 2, "layers": []})", "spec.layers[0].cap");
  refused("[4]", R"({"type": "split", "layers": {}})", "spec.layers[0].layers: {} is not a list of layers");
  refused("[64]", R"({"repeat": 100, "layers": [{"type": "split", "layers": [{"type": "reverse", "repeat": 200}]}]})",
          "more than 10000 layers");
}

}  // namespace
}  // namespace libnf::test
