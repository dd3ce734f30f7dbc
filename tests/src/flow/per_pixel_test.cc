// Layers that act on the channels of each pixel: they are the vector's layer at every pixel, with all gradients, where
// their kind or the spec says so; what has no per-pixel form is refused. And what couplings of images add: masks of any
// share, the scales of Glow and of a learned bound, learned priors of splits.
#include <gtest/gtest.h>

#include <cmath>

#include "src/io/json.h"
#include "src/model/describe.h"
#include "tests/support/expect_error.h"
#include "tests/support/flow_case.h"
#include "tests/support/golden.h"
#include "tests/support/layer_suite.h"

namespace libnf::test {
namespace {

constexpr int64_t kPixels = 6, kRows = 5;

std::string spec_of(const std::string& event, const std::string& layers, const std::string& dtype = "float64") {
  return R"({"event": )" + event + R"(, "dtype": ")" + dtype + R"(", "layers": [)" + layers + "]}";
}
FlowModel model_of(const std::string& event, const std::string& layers) {
  return FlowModel(system_allocator(), parse_spec(spec_of(event, layers)), 0);
}

// Compares a layer of images [2, 3, 4] with that of vectors [4], pixel by pixel.
void is_the_layer_of_a_pixel(const std::string& layer) {
  SCOPED_TRACE(layer);
  FlowCase<double> image(parse_spec(spec_of("[2, 3, 4]", layer))), pixel(parse_spec(spec_of("[4]", layer)));
  image.randomize(3, 0.3);
  pixel.randomize(3, 0.3);
  ASSERT_EQ(image.model().params().trainable_size(), pixel.model().params().trainable_size());
  std::mt19937_64 random(5);
  const Rows2 in{kRows, draw_normal(kRows * kPixels * 4, random), {}}, rows{kRows * kPixels, in.x, {}};
  const MappedValues cot{draw_normal(kRows * kPixels * 4, random), draw_normal(kRows, random)};
  MappedValues each = cot;  // every pixel has the cotangent of its row
  each.log_det.clear();
  for (const double c : cot.log_det) each.log_det.insert(each.log_det.end(), kPixels, c);
  for (const bool inverse : {false, true})
    for (const Memory memory : {Memory::full, Memory::recompute}) {
      const MappedGradients got = image.gradients(inverse, in, cot, memory),
                            want = pixel.gradients(inverse, rows, each);
      expect_close(got.value.y, want.value.y, 1e-13, "y");
      Values sums(kRows);
      for (size_t k = 0; k < want.value.log_det.size(); ++k) sums[k / kPixels] += want.value.log_det[k];
      expect_close(got.value.log_det, sums, 1e-12, "log_det");
      expect_close(got.x, want.x, 1e-12, "gradient of x");
      for (size_t i = 0; i < got.params.size(); ++i)
        if (!want.params[i].empty()) expect_close(got.params[i], want.params[i], 1e-11, "gradient of a tensor");
    }
}

TEST(PerPixel, IsTheLayerOfAVectorAtEveryPixel) {
  int kinds = 0;
  for (const LayerKind* kind : Registry<LayerKind>::all()) {
    if (kind->on_images != OnImages::per_pixel) continue;
    ++kinds;
    is_the_layer_of_a_pixel(std::string(R"({"type": ")") + kind->name + "\"}");
  }
  EXPECT_EQ(kinds, 12);
  for (const char* layer : {R"({"type": "spline", "per_pixel": true})", R"({"type": "planar", "per_pixel": true})",
                            R"({"type": "masked_autoregressive", "per_pixel": true, "invert": true})",
                            R"({"type": "affine_coupling", "per_pixel": true, "net": {"type": "mlp", "hidden": [5]}})"})
    is_the_layer_of_a_pixel(layer);
}

TEST(PerPixel, FollowsTheSpecAndTheEvent) {
  const auto numbers = [](const char* event, const char* layer) {
    return model_of(event, layer).params().slots()[0].shape.count();
  };
  EXPECT_EQ(numbers("[2, 3, 4]", R"({"type": "actnorm"})"), 4);
  EXPECT_EQ(numbers("[2, 3, 4]", R"({"type": "actnorm", "per_pixel": false})"), 24);
  EXPECT_EQ(numbers("[2, 3, 4]", R"({"type": "linear"})"), 16);
  EXPECT_EQ(numbers("[2, 3, 4]", R"({"type": "flatten"}, {"type": "actnorm"})"), 24);
  EXPECT_EQ(numbers("[24]", R"({"type": "actnorm", "per_pixel": true})"), 24) << "a vector is one pixel";
  EXPECT_EQ(numbers("[1, 1, 24]", R"({"type": "actnorm", "per_pixel": true})"), 24);
  EXPECT_EQ(numbers("[4, 6, 1]", R"({"type": "actnorm"})"), 1);
  // As the layers before have arranged the pixels, inside splits too.
  EXPECT_EQ(numbers("[4, 6, 1]", R"({"type": "squeeze"}, {"type": "actnorm"})"), 4);
  EXPECT_EQ(numbers("[4, 6, 2]", R"({"type": "split", "prior": "fixed", "layers": [{"type": "squeeze"},
                                     {"type": "actnorm"}]})"),
            4);
  // It is part of the canonical form where the spec has it, and of the description.
  const FlowModel m = model_of("[2, 3, 4]", R"({"type": "actnorm", "per_pixel": false}, {"type": "reverse"})");
  EXPECT_NE(m.canonical().find(R"("type":"actnorm","per_pixel":false)"), std::string::npos) << m.canonical();
  EXPECT_EQ(m.canonical().find("per_pixel"), m.canonical().rfind("per_pixel"));
  EXPECT_EQ(write_spec(parse_spec(m.canonical())), m.canonical());
  const Json described = parse_json(describe_model(m), "", Code::internal, size_t{1} << 20, 32);
  const Json::Array& layers = *described.find("layers")->array();
  EXPECT_FALSE(*layers[0].find("per_pixel")->boolean());
  EXPECT_TRUE(*layers[1].find("per_pixel")->boolean());
}

TEST(PerPixel, RefusesWhatHasNoMeaning) {
  const auto refused = [](const char* layer, const char* says) {
    EXPECT_ERROR(model_of("[2, 2, 4]", layer), Code::spec, says);
  };
  refused(R"({"type": "squeeze", "per_pixel": true})",
          "spec.layers[0].per_pixel: this layer changes the shape of the event");
  refused(R"({"type": "split", "per_pixel": true})", "spec.layers[0].per_pixel");
  refused(R"({"type": "batch_norm", "per_pixel": true})", "spec.layers[0].per_pixel: a layer that normalizes by batch");
  refused(R"({"type": "dequantize", "per_pixel": true})", "spec.layers[0].per_pixel: a layer that draws");
  refused(R"({"type": "actnorm", "per_pixel": 1})", "spec.layers[0].per_pixel: 1 is not true or false");
  refused(R"({"layers": [], "per_pixel": true})", "spec.layers[0]: unknown field \"per_pixel\"");
  refused(R"({"type": "permutation", "order": [0, 1]})", "spec.layers[0].order");
}

// What a layer draws in training does not depend on how the rows are divided into blocks.
TEST(PerPixel, DrawsByRow) {
  const std::string layer =
      R"({"type": "masked_autoregressive", "per_pixel": true, "invert": true, "net": {"type": "mlp",
                                "hidden": [16], "dropout": 0.5, "init": "random"}})";
  const FlowModel m = model_of("[2, 3, 4]", layer);
  std::vector<Node> params(m.params().slots().size());
  m.params().bind(params.data(), nullptr, nullptr);
  std::mt19937_64 random(1);
  Values x = draw_normal(kRows * 24, random);
  const auto run = [&](int64_t first, int64_t count) {
    Tape t(system_allocator(), DType::f64);
    t.training = true;
    t.random.seed = 7;
    t.random.first_row = first;
    Var in = t.input(contiguous_view(x.data() + first * 24, DType::f64, {count, 24}), false);
    const Values y = values_of<double>(m.inverse({t, params.data()}, in, nullptr).y->out);
    EXPECT_EQ(t.random.first_row, first);
    return y;
  };
  const Values all = run(0, kRows), some = run(2, 2);
  EXPECT_TRUE(same_bits(some, Values(all.begin() + 48, all.begin() + 96)));
}

TEST(AffineCoupling, HasTheScalesOfGlowAndOfALearnedBound) {
  // The net is its output's bias: [t | raw] of the two channels that move.
  const auto z_of = [](const std::string& fields, double log_bound) {
    FlowCase<double> f(parse_spec(spec_of(
        "[1, 2, 3]",
        R"({"type": "affine_coupling", "mask": "channel", "net": {"type": "conv", "hidden": []}, )" + fields + "}")));
    f.fill_params(0);
    const auto at = [&](const char* name) {
      const int64_t slot = f.model().params().find(std::string("layers.0.") + name);
      return slot < 0 ? nullptr : f.param(static_cast<size_t>(slot));
    };
    const double bias[] = {0.5, -1, 2, -3};
    std::copy_n(bias, 4, at("net.output.bias"));
    if (double* c = at("log_bound")) c[0] = 0, c[1] = log_bound;
    const MappedValues z = f.map(false, {1, {7, 1, 2, 8, 3, 4}, {}});
    expect_close(f.map(true, {1, z.y, {}}).y, Values{7, 1, 2, 8, 3, 4}, 1e-12, "x");
    return z;
  };
  const auto expect = [&](const std::string& fields, double s0, double s1, bool first, double log_bound = 0) {
    SCOPED_TRACE(fields);
    const MappedValues z = z_of(fields, log_bound);
    const auto at = [&](double x, double t, double s) { return first ? (x + t) * s : x * s + t; };
    expect_close(z.y, Values{7, at(1, 0.5, s0), at(2, -1, s1), 8, at(3, 0.5, s0), at(4, -1, s1)}, 1e-13, "z");
    expect_close(z.log_det, Values{2 * (std::log(s0) + std::log(s1))}, 1e-13, "log_det");
  };
  const auto sigmoid = [](double v) { return 1 / (1 + std::exp(-v)); };
  const auto soft = [](double a) { return std::exp(a / (1 + std::abs(a) / std::log(1000))); };
  expect(R"("scale": "plain_sigmoid", "shift_first": true)", sigmoid(4), sigmoid(-1), true);
  expect(R"("scale": "plain_sigmoid")", sigmoid(4), sigmoid(-1), false);
  expect(R"("scale": "soft_exp")", soft(2), soft(-3), false);
  expect(R"("scale": "exp", "shift_first": true)", std::exp(2), std::exp(-3), true);
  const double b = std::exp(0.7);
  expect(R"("scale": "learned_bound", "shift_first": true)", std::exp(std::tanh(2.0)), std::exp(b * std::tanh(-3 / b)),
         true, 0.7);
}

TEST(Split, HasAConvolutionAsAPrior) {
  // Glow's split prior: one convolution that starts at zero. A new one is the standard normal.
  const std::string layer = R"({"type": "split", "scale": "exp", "net": {"type": "conv", "hidden": []}})";
  FlowCase<double> f(parse_spec(spec_of("[3, 2, 4]", layer)));
  std::mt19937_64 random(2);
  const Rows2 in{kRows, draw_normal(kRows * 24, random), {}};
  double sum = 0;
  for (int64_t k = 0; k < 24; ++k) sum += in.x[static_cast<size_t>(k)] * in.x[static_cast<size_t>(k)];
  EXPECT_NEAR(f.log_prob(in)[0], -0.5 * sum - 12 * std::log(2 * M_PI), 1e-12);
  for (const char* scale : {"exp", "plain_sigmoid", "learned_bound"}) {
    FlowCase<double> g(parse_spec(spec_of("[3, 2, 4]", R"({"type": "split", "net": {"type": "conv", "hidden": []},
                                                          "scale": ")" +
                                                           std::string(scale) + "\"}")));
    g.randomize(4, 0.3);
    const MappedValues z = g.map(false, in);
    expect_close(g.map(true, {kRows, z.y, {}}).y, in.x, 1e-11, "x");
  }
}

}  // namespace
}  // namespace libnf::test
