// Layers that depend on the shape of an event: squeeze, flatten and the masks of couplings.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "src/flow/mask.h"
#include "src/model/rows.h"
#include "tests/support/expect_error.h"
#include "tests/support/flow_case.h"
#include "tests/support/golden.h"

namespace libnf::test {
namespace {

FlowModel model_of(const std::string& event, const std::string& layers) {
  return FlowModel(system_allocator(),
                   parse_spec(R"({"event": )" + event + R"(, "dtype": "float64", "layers": )" + layers + "}"), 0);
}

// Returns the chain's result for 0, 1, ..., which shows where each number came from.
std::vector<int64_t> places(const FlowModel& m, bool inverse = false) {
  Tape t(system_allocator(), DType::f64);
  t.recording = false;
  Var x = t.empty({1, m.columns()});
  std::iota(x->out.as<double>(), x->out.as<double>() + m.columns(), 0.0);
  const Mapped y = inverse ? m.inverse({t, nullptr}, x, nullptr) : m.forward({t, nullptr}, x, nullptr);
  const double* p = y.y->out.as<double>();
  return {p, p + m.columns()};
}

// Returns [n, c, h, w] as rows of [h, w, c], using strides only.
Values channels_last(const GoldenTensor& g) {
  const int64_t n = g.shape[0], c = g.shape[1], h = g.shape[2], w = g.shape[3];
  View from;
  from.data = const_cast<double*>(g.data.data());
  from.dtype = DType::f64;
  from.shape = {n, h, w, c};
  const int64_t strides[] = {c * h * w, w, 1, h * w};
  std::copy(strides, strides + 4, from.stride);
  Values rows(g.data.size());
  copy_rows(from, contiguous_view(rows.data(), DType::f64, {n, h * w * c}));
  return rows;
}

TEST(Squeeze, AgreesWithGoldenVectors) {
  const Golden g = Golden::load("04_squeeze");
  FlowCase<double> f(parse_spec(R"({"event": [4, 6, 2], "dtype": "float64", "layers": [{"type": "squeeze"}]})"));
  EXPECT_EQ(f.model().latent(), (Dims{2, 3, 8}));
  const Rows2 in{3, channels_last(g["x"]), {}};
  const MappedGradients got = f.gradients(false, in, {channels_last(g["cot_z"]), g["cot_log_det"].data});
  EXPECT_EQ(got.value.y, channels_last(g["z"]));
  EXPECT_EQ(got.value.log_det, g["log_det"].data);
  EXPECT_EQ(got.x, channels_last(g["grad.x"]));
  EXPECT_EQ(f.map(true, {3, got.value.y, {}}).y, channels_last(g["x_back"]));
}

TEST(Squeeze, TakesAnyHeightAndWidth) {
  const struct {
    const char *event, *layer;
    Dims out;
  } cases[] = {
      {"[4, 4, 1]", R"({"type": "squeeze"})", {2, 2, 4}},
      {"[5, 4, 2]", R"({"type": "squeeze"})", {5, 2, 4}},  // 5 rows cannot be halved
      {"[5, 7, 3]", R"({"type": "squeeze"})", {5, 7, 3}},
      {"[1, 1, 1]", R"({"type": "squeeze"})", {1, 1, 1}},
      {"[9, 4, 1]", R"({"type": "squeeze", "factor": 4})", {3, 1, 12}},
      {"[6, 4, 1]", R"({"type": "squeeze", "factor": [3, 2]})", {2, 2, 6}},
      {"[5, 4, 1]", R"({"type": "squeeze", "factor": [1, 4]})", {5, 1, 4}},
      {"[2, 2, 4]", R"({"type": "squeeze", "invert": true})", {4, 4, 1}},
      {"[2, 2, 6]", R"({"type": "squeeze", "invert": true})", {4, 2, 3}},
      {"[2, 2, 3]", R"({"type": "squeeze", "invert": true})", {2, 2, 3}},
      {"[2, 2, 6]", R"({"type": "squeeze", "factor": [3, 2], "invert": true})", {6, 4, 1}},
  };
  for (const auto& c : cases) {
    const FlowModel m = model_of(c.event, std::string("[") + c.layer + "]");
    EXPECT_EQ(to_string(m.latent()), to_string(c.out)) << c.event << c.layer;
    std::vector<int64_t> all = places(m), back = places(m, true);
    for (size_t k = 0; k < all.size(); ++k)
      EXPECT_EQ(all[static_cast<size_t>(back[k])], static_cast<int64_t>(k)) << c.event << c.layer;
  }
  // Pixel (0, 0) of the squeezed 2 x 4 x 2: for each channel its block of 2 x 2, row by row.
  const std::vector<int64_t> first = places(model_of("[2, 4, 2]", R"([{"type": "squeeze"}])"));
  EXPECT_EQ(std::vector<int64_t>(first.begin(), first.begin() + 8), (std::vector<int64_t>{0, 2, 8, 10, 1, 3, 9, 11}));
  // A round trip, also with a pair that divides an odd width.
  for (const char* event : {"[4, 6, 3]", "[5, 6, 1]"}) {
    const FlowModel m = model_of(event, R"([{"type": "squeeze", "factor": [1, 2]},
                                            {"type": "squeeze", "factor": [1, 2], "invert": true}])");
    EXPECT_EQ(m.latent(), m.event());
    std::vector<int64_t> same(static_cast<size_t>(m.columns()));
    std::iota(same.begin(), same.end(), 0);
    EXPECT_EQ(places(m), same);
  }
}

TEST(Squeeze, RefusesWhatItCannotDo) {
  const auto refused = [](const char* event, const char* layer, const char* says) {
    EXPECT_ERROR(model_of(event, std::string("[") + layer + "]"), Code::spec, says);
  };
  refused("[4]", R"({"type": "squeeze"})", "spec.layers[0].type: squeeze takes an event [height, width, channels]");
  refused("[4, 6, 1]", R"({"type": "squeeze", "factor": [2, 4]})",
          "spec.layers[0].factor: [2, 4] does not divide height and width of the event [4, 6, 1]");
  refused("[4, 6, 2]", R"({"type": "squeeze", "factor": [2, 2], "invert": true})",
          "[2, 2] does not divide the channels of the event [4, 6, 2]");
  refused("[4, 6, 2]", R"({"type": "squeeze", "factor": []})", "spec.layers[0].factor: an empty list");
  refused("[4, 6, 2]", R"({"type": "squeeze", "factor": 0})", "spec.layers[0].factor");
}

TEST(Flatten, TurnsAnImageIntoAVectorAndBack) {
  const FlowModel m = model_of("[2, 2, 3]", R"([{"type": "flatten"}, {"type": "reverse"},
                                               {"type": "flatten", "shape": [1, 4, 3], "invert": true}])");
  EXPECT_EQ(m.layers()[1].in, Dims{12});
  EXPECT_EQ(m.latent(), (Dims{1, 4, 3}));
  EXPECT_EQ(places(m).front(), 11);
  EXPECT_EQ(model_of("[12]", R"([{"type": "flatten", "invert": true}])").latent(), Dims{12});
  EXPECT_ERROR(model_of("[12]", R"([{"type": "flatten", "shape": [5, 1, 1], "invert": true}])"), Code::spec,
               "spec.layers[0].shape: [5, 1, 1] is not the event that arrives, [12]");
  EXPECT_ERROR(model_of("[4]", R"([{"type": "flatten", "shape": [8, 1, 1], "invert": true}])"), Code::spec, "shape");
  EXPECT_ERROR(model_of("[2, 2, 1]", R"([{"type": "flatten", "shape": [1, 4, 1]}])"), Code::spec, "shape");
  EXPECT_ERROR(model_of("[4]", R"([{"type": "flatten", "shape": [2, 2]}])"), Code::spec, "shape: two numbers");
}

std::string mask_of(MaskKind kind, const Dims& event, bool swap, int64_t count = 0) {
  std::vector<ParamInfo> none;
  const Mask mask({kind, swap, 0, count}, Declare(none, "", event, 0, 0));
  std::string s(static_cast<size_t>(event.count()), '?');
  for (const int32_t i : mask.pass) s[static_cast<size_t>(i)] = '.';
  for (const int32_t i : mask.transform) s[static_cast<size_t>(i)] = 'x';
  return s;
}

TEST(Mask, ByChannelAndByPixel) {
  const struct {
    MaskKind kind;
    Dims event;
    const char *plain, *swapped;
  } cases[] = {
      {MaskKind::channel, {2, 2, 2}, ".x.x.x.x", "x.x.x.x."},
      {MaskKind::channel, {1, 2, 3}, ".xx.xx", "x..x.."},
      {MaskKind::channel, {2, 2, 1}, "xxxx", "xxxx"},  // there is only one channel
      {MaskKind::channel, {5}, "..xxx", "xx..."},
      {MaskKind::channel, {1}, "x", "x"},
      {MaskKind::checkerboard, {2, 3, 1}, "x.x.x.", ".x.x.x"},
      {MaskKind::checkerboard, {3, 2, 1}, "x..xx.", ".xx..x"},
      {MaskKind::checkerboard, {1, 2, 2}, "xx..", "..xx"},
      {MaskKind::checkerboard, {1, 1, 3}, "xxx", "xxx"},  // there is only one pixel
      {MaskKind::checkerboard, {5}, "x.x.x", ".x.x."},
      {MaskKind::checkerboard, {1}, "x", "x"},
      {MaskKind::halves, {2, 3, 1}, "...xxx", "xxx..."},
      {MaskKind::alternating, {2, 3, 1}, "x.x.x.", ".x.x.x"},
      {MaskKind::halves, {1}, "x", "x"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(mask_of(c.kind, c.event, false), c.plain) << to_string(c.event);
    EXPECT_EQ(mask_of(c.kind, c.event, true), c.swapped) << to_string(c.event);
  }
}

TEST(Mask, OfAnyShare) {
  const struct {
    MaskKind kind;
    Dims event;
    int64_t count;
    const char *plain, *swapped;
  } cases[] = {
      {MaskKind::channel, {1, 2, 3}, 1, "..x..x", "xx.xx."}, {MaskKind::channel, {1, 2, 3}, 2, ".xx.xx", "x..x.."},
      {MaskKind::channel, {1, 2, 2}, 2, "xxxx", "xxxx"},     {MaskKind::channel, {5}, 1, "....x", "xxxx."},
      {MaskKind::halves, {5}, 4, ".xxxx", "x...."},          {MaskKind::random, {3}, 3, "xxx", "xxx"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(mask_of(c.kind, c.event, false, c.count), c.plain) << to_string(c.event);
    EXPECT_EQ(mask_of(c.kind, c.event, true, c.count), c.swapped) << to_string(c.event);
  }
  const std::string drawn = mask_of(MaskKind::random, {9}, false, 2);
  EXPECT_EQ(std::count(drawn.begin(), drawn.end(), 'x'), 2);
  const auto refused = [](const char* fields, const char* says) {
    EXPECT_ERROR(model_of("[2, 2, 3]", R"([{"type": "affine_coupling", )" + std::string(fields) + "}]"), Code::spec,
                 says);
  };
  refused(R"("mask": "channel", "mask_count": 4)", "spec.layers[0].mask_count: 4 of 3 channels");
  refused(R"("mask_count": 13)", "spec.layers[0].mask_count: 13 of 12 columns");
  refused(R"("mask": "checkerboard", "mask_count": 1)", "mask_count: 1 has no effect with \"mask\": \"checkerboard\"");
}

// Couplings see pixels as the layers before arranged them.
TEST(Mask, FollowsTheSqueezedEvent) {
  const char* coupling = R"({"type": "affine_coupling", "mask": "channel", "hidden": [8]})";
  FlowCase<double> f(parse_spec(R"({"event": [2, 2, 1], "dtype": "float64", "layers": [{"type": "squeeze"}, )" +
                                std::string(coupling) + "]}"));
  f.randomize(1, 0.3);
  Rows2 in{1, {0.1, 0.2, 0.3, 0.4}, {}};
  const Values z = f.map(false, in).y;
  EXPECT_TRUE(z[0] == 0.1 && z[1] == 0.2) << "the first two channels pass";
  EXPECT_TRUE(z[2] != 0.3 && z[3] != 0.4);
}

}  // namespace
}  // namespace libnf::test
