// Elementwise layers at the ends of their ranges: data outside the image become NaN and are reported, 0 and 1 pass
// through logit, and float32 keeps its precision where the maps saturate.
#include <gtest/gtest.h>

#include <cmath>

#include "src/model/session.h"
#include "tests/support/expect_error.h"
#include "tests/support/flow_case.h"

namespace libnf::test {
namespace {

std::string spec(int64_t event, const std::string& dtype, const std::string& layer) {
  return R"({"event": )" + std::to_string(event) + R"(, "dtype": ")" + dtype + R"(", "layers": [)" + layer + "]}";
}

struct Outside {
  const char* layer;
  const char* name;
  bool inverse;  // the direction with a limited range
  float inside, outside;
};

TEST(ElementwiseLayers, OutsideOfTheRangeIsNamed) {
  const Outside cases[] = {
      {R"({"type": "sigmoid"})", "sigmoid", true, 0.5f, 1.25f},
      {R"({"type": "sigmoid", "alpha": 0.01})", "sigmoid", true, 1.0f, 1.25f},
      {R"({"type": "logit"})", "logit", false, 1.0f, -0.25f},
      {R"({"type": "logit", "invert": true})", "logit", true, 0.0f, 1.25f},
      {R"({"type": "softplus"})", "softplus", true, 0.5f, -0.25f},
      {R"({"type": "tanh"})", "tanh", true, -0.5f, -1.25f},
      {R"({"type": "exp"})", "exp", true, 2.0f, -1.0f},
      {R"({"type": "softclip", "bound": 2})", "softclip", true, -1.5f, 2.25f},
      {R"({"type": "circular_shift", "bound": 2})", "circular_shift", false, -2.0f, 4.25f},
      {R"({"type": "circular_shift", "range": "positive", "bound": 2})", "circular_shift", false, 2.0f, -0.25f},
  };
  for (const Outside& c : cases) {
    SCOPED_TRACE(c.layer);
    FlowCase<float> f(parse_spec(spec(2, "float32", R"({"type": "reverse"}, )" + std::string(c.layer))));
    std::vector<float> x(10, c.inside), y(10), log_det(5);
    const View xs = contiguous_view(x.data(), DType::f32, {5, 2}), ys = contiguous_view(y.data(), DType::f32, {5, 2});
    const View ls = contiguous_view(log_det.data(), DType::f32, {5});
    Executor one(1);
    Session quiet(system_allocator(), one, f.model(), NonFinite::propagate);
    Session strict(system_allocator(), one, f.model(), NonFinite::error);
    strict.map(c.inverse, xs, View{}, ys, ls);
    const std::vector<float> good = y;
    x[2 * 3 + 1] = c.outside;
    EXPECT_ERROR(strict.map(c.inverse, xs, View{}, ys, ls), Code::numeric,
                 ("row 3 is not finite; first at spec.layers[1] (" + std::string(c.name) + ")").c_str());
    quiet.map(c.inverse, xs, View{}, ys, ls);
    for (size_t r = 0; r < 5; ++r) {
      EXPECT_EQ(std::isfinite(log_det[r]) && std::isfinite(y[2 * r]) && std::isfinite(y[2 * r + 1]), r != 3) << r;
      EXPECT_TRUE(r == 3 || y[2 * r] == good[2 * r]) << r;
    }
  }
}

// Where y has saturated, the log-det has not, and it is accurate to float32.
TEST(ElementwiseLayers, LogDetsInTheTailsOfFloat32) {
  Values x;
  for (double v = -60; v <= 60; v += 0.5) x.push_back(v);
  const auto rows = static_cast<int64_t>(x.size());
  for (const char* layer : {R"({"type": "tanh"})", R"({"type": "sigmoid"})", R"({"type": "softplus"})",
                            R"({"type": "exp"})", R"({"type": "logit", "invert": true})"}) {
    SCOPED_TRACE(layer);
    FlowCase<float> f(parse_spec(spec(1, "float32", layer)));
    FlowCase<double> g(parse_spec(spec(1, "float64", layer)));
    const MappedValues cot{Values(x.size(), 0.5), Values(x.size(), 1.0)};
    const MappedGradients got = f.gradients(false, {rows, x, {}}, cot), want = g.gradients(false, {rows, x, {}}, cot);
    for (size_t k = 0; k < x.size(); ++k) {
      EXPECT_NEAR(got.value.log_det[k], want.value.log_det[k], 2e-6 * std::max(1.0, std::abs(want.value.log_det[k])));
      EXPECT_NEAR(got.x[k], want.x[k], 2e-6 * std::max(1.0, std::abs(want.x[k]))) << x[k];
    }
  }
}

TEST(ElementwiseLayers, PixelsAtTheEndsHaveADensity) {
  FlowCase<float> f(parse_spec(spec(3, "float32", R"({"type": "logit"})")));
  const Values lp = f.log_prob({2, {0, 1, 0.5, 1, 1, 0}, {}});
  for (double v : lp) EXPECT_TRUE(std::isfinite(v));
  const MappedValues z = f.map(false, {1, {0, 1, 0.5}, {}});
  EXPECT_NEAR(z.y[0], std::log(1e-5 / (1 - 1e-5)), 1e-5);
  EXPECT_NEAR(z.y[1], -z.y[0], 1e-5);
  EXPECT_EQ(z.y[2], 0);
  EXPECT_TRUE(same(f.map(true, {1, z.y, {}}).y, {0, 1, 0.5}, 1e-6));
}

TEST(ElementwiseLayers, LeakySlopes) {
  FlowCase<double> leaky(parse_spec(spec(2, "float64", R"({"type": "leaky_relu", "slope": 0.125})")));
  const MappedValues a = leaky.map(false, {2, {-8, 3, -16, -0.0}, {}});
  EXPECT_EQ(a.y, (Values{-1, 3, -2, 0}));
  EXPECT_TRUE(same(a.log_det, {std::log(0.125), std::log(0.125)}, 1e-15));
  FlowCase<double> learned(parse_spec(spec(2, "float64", R"({"type": "prelu", "slope": 0.5})")));
  EXPECT_NEAR(learned.param(0)[1], std::log(0.5), 1e-15);
  learned.param(0)[1] = std::log(4.0);
  const MappedValues b = learned.map(false, {2, {-8, -3, 2, -1}, {}});
  EXPECT_TRUE(same(b.y, {-4, -12, 2, -4}, 1e-14));
  EXPECT_TRUE(same(b.log_det, {std::log(2.0), std::log(4.0)}, 1e-15));
}

TEST(ElementwiseLayers, CubeRootsOfBothSigns) {
  FlowCase<double> f(parse_spec(spec(2, "float64", R"({"type": "cbrt"})")));
  const MappedValues m = f.map(false, {3, {-27, 8, 1e-300, 1, 0.0, -0.0}, {}});
  EXPECT_TRUE(same(m.y, {-3, 2, 1e-100, 1, 0, 0}, 1e-15));
  EXPECT_TRUE(std::signbit(m.y[5]));
  EXPECT_NEAR(m.log_det[0], -2 * std::log(3) - 2.0 / 3 * std::log(27 * 8), 1e-14);
  EXPECT_NEAR(m.log_det[1], -2 * std::log(3) + 200 * std::log(10), 1e-12);
  // At 0 the slope of the smallest number: finite, and undone by the inverse.
  EXPECT_NEAR(m.log_det[2], 2 * (-std::log(3) - 2.0 / 3 * std::log(std::numeric_limits<double>::denorm_min())), 1e-10);
  const MappedValues back = f.map(true, {3, m.y, {}});
  EXPECT_TRUE(same(back.y, {-27, 8, 1e-300, 1, 0, 0}, 1e-14));
  EXPECT_NEAR(back.log_det[0], -m.log_det[0], 1e-14);
  EXPECT_NEAR(back.log_det[2], -m.log_det[2], 1e-10);
}

TEST(ElementwiseLayers, SoftclipKeepsSmallNumbersAndTheBound) {
  FlowCase<float> f(parse_spec(spec(1, "float32", R"({"type": "softclip", "bound": 11})")));
  const MappedValues m = f.map(false, {5, {11, -5.5, 1e-30, 1e38, -1e38}, {}});
  EXPECT_TRUE(same(m.y, {5.5, -5.5 / 1.5, static_cast<float>(1e-30), 11, -11}, 1e-6));
  EXPECT_EQ(m.y[2], static_cast<float>(1e-30));
  EXPECT_TRUE(same(
      m.log_det, {-2 * std::log(2), -2 * std::log(1.5), 0, -2 * std::log(1e38 / 11), -2 * std::log(1e38 / 11)}, 2e-5));
}

TEST(ElementwiseLayers, ShiftsOnACircle) {
  FlowCase<double> f(parse_spec(spec(3, "float64", R"({"type": "circular_shift", "bound": 2, "turns": 0.25})")));
  f.param(0)[1] = -0.5, f.param(0)[2] = 3.75;  // shifts by 1, -2 and 15 with period 4
  const Values x = {-2, -2, -2, 0.5, 0.5, 0.5, 1.5, 1.5, 1.5, 2, 2, 2};
  const MappedValues m = f.map(false, {4, x, {}});
  EXPECT_EQ(m.y, (Values{-1, 0, 1, 1.5, -1.5, -0.5, -1.5, -0.5, 0.5, -1, 0, 1}));
  EXPECT_EQ(m.log_det, Values(4, 0.0));
  // Outside, the density is 0 but there is a z; an end that was rounded does not count as outside.
  constexpr double kFar = 1e300, kNone = -std::numeric_limits<double>::infinity();
  const MappedValues off = f.map(false, {4, {-4, -4, -4, 4, 0, 0, 0, 0, 9, 0, -103, 0}, {}});
  EXPECT_EQ(off.y, (Values{1, -2, -1, 1, -2, -1, 1, -2, 0, 1, -1, -1}));
  EXPECT_EQ(off.log_det, Values(4, kNone));
  const MappedValues far = f.map(false, {2, {kFar, 0, 0, 0, -kFar, 0}, {}});
  for (double v : far.y) EXPECT_TRUE(v >= -2 && v < 2) << v;
  EXPECT_EQ(far.log_det, Values(2, kNone));
  EXPECT_EQ(f.map(false, {2, {2 + 3e-6, 0, 0, -2 - 3e-6, 0, 0}, {}}).log_det, Values(2, 0.0));
  EXPECT_EQ(f.map(false, {2, {2 + 5e-6, 0, 0, -2 - 5e-6, 0, 0}, {}}).log_det, Values(2, kNone));
  EXPECT_EQ(f.map(true, {2, {5, 0, 0, 0, -101, 0}, {}}).y, (Values{0, -2, 1, -1, 1, 1}));
  EXPECT_EQ(f.map(true, {4, m.y, {}}).y, (Values{-2, -2, -2, 0.5, 0.5, 0.5, 1.5, 1.5, 1.5, -2, -2, -2}));
  FlowCase<double> unit(parse_spec(spec(
      1, "float64", R"({"type": "circular_shift", "range": "positive", "bound": 1, "turns": 0.5, "learned": false})")));
  EXPECT_EQ(unit.map(false, {3, {0, 0.25, 0.75}, {}}).y, (Values{0.5, 0.75, 0.25}));
  EXPECT_FALSE(unit.model().params().slots()[0].trainable);
}

}  // namespace
}  // namespace libnf::test
