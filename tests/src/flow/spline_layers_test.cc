// Properties of spline layers: new ones are near the identity, columns may have their own intervals, circles and lines
// mix, and wrong combinations of fields are refused by name.
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "tests/support/expect_error.h"
#include "tests/support/flow_case.h"

namespace libnf::test {
namespace {

std::string spec_of(const std::string& layer, int event = 3) {
  return R"({"event": [)" + std::to_string(event) + R"(], "dtype": "float64", "layers": [)" + layer + "]}";
}

Rows2 some_rows(int64_t rows, int64_t event) {
  std::mt19937_64 random(3);
  return draw_mild(Domain::real, rows, event, 0, random);
}

TEST(SplineLayers, FreshOnesAreNearTheIdentity) {
  for (const char* kind : {"rational_quadratic", "linear", "quadratic", "cubic"})
    for (const char* type : {"spline", "spline_coupling", "spline_autoregressive"})
      for (const char* tails : {"linear", "none"}) {
        FlowCase<double> f(parse_spec(spec_of(std::string(R"({"type": ")") + type + R"(", "spline": ")" + kind +
                                              R"(", "tails": ")" + tails + "\"}")));
        const Rows2 in = some_rows(50, 3);
        const MappedValues z = f.map(false, in);
        for (size_t k = 0; k < in.x.size(); ++k) EXPECT_NEAR(z.y[k], in.x[k], 0.05) << type << " " << kind;
        for (const double l : z.log_det) EXPECT_NEAR(l, 0, 0.05) << type << " " << kind;
      }
}

TEST(SplineLayers, ColumnsHaveIntervalsOfTheirOwn) {
  FlowCase<double> f(parse_spec(spec_of(R"({"type": "spline", "interval": [-1, 1, 0, 5, -3, -2]})")));
  f.randomize(1, 1);
  const Rows2 in{3, {-1.5, -0.1, -3.5, 0.3, 2.5, -2.5, 1.5, 5.1, -1.9}, {}};
  const MappedValues z = f.map(false, in);
  for (const size_t k : {0, 1, 2, 6, 7, 8}) EXPECT_EQ(z.y[k], in.x[k]) << "outside";
  for (const size_t k : {3, 4, 5}) EXPECT_NE(z.y[k], in.x[k]) << "inside";
  EXPECT_EQ(z.log_det[0], 0);
  EXPECT_NE(z.log_det[1], 0);
}

// Column 0 is a circle, 1 a line, 2 a circle. Adding a period to a column changes only that column, in a coupling (0
// passes, the others are transformed) and in autoregressive splines of any order.
void check_mix(const std::string& fields) {
  SCOPED_TRACE(fields);
  FlowCase<double> f(parse_spec(spec_of(R"({"interval": [-2, 3], "circular": [1, 0, 1], "type": )" + fields + "}")));
  f.randomize(2, 0.5);
  const Rows2 in = some_rows(20, 3);
  Rows2 moved = in;
  for (int64_t r = 0; r < 20; ++r) {
    moved.x[static_cast<size_t>(3 * r)] += 5;
    moved.x[static_cast<size_t>(3 * r + 2)] -= 15;
  }
  for (const bool inverse : {false, true}) {
    const MappedValues a = f.map(inverse, in), b = f.map(inverse, moved);
    for (size_t r = 0; r < 20; ++r) {
      EXPECT_NEAR(b.y[3 * r], a.y[3 * r] + 5, 1e-12);
      EXPECT_NEAR(b.y[3 * r + 1], a.y[3 * r + 1], 1e-12);
      EXPECT_NEAR(b.y[3 * r + 2], a.y[3 * r + 2] - 15, 1e-12);
      EXPECT_NEAR(b.log_det[r], a.log_det[r], 1e-11);
    }
  }
}

TEST(SplineLayers, CirclesAndLinesMix) {
  check_mix(R"("spline_coupling", "unconditional": true, "hidden": [8])");
  for (const char* order : {"natural", "reversed", "random"})
    for (const char* net : {R"("hidden": [8, 9])", R"("net": "residual", "hidden": [8])", R"("hidden": [])"})
      check_mix(R"("spline_autoregressive", "order": ")" + std::string(order) + "\", " + net);
}

// The density is the same at both ends of a circle, also for columns that depend on it, and so is its gradient with
// respect to other columns.
TEST(SplineLayers, AutoregressiveDensitiesCloseTheirCircles) {
  const double top = 2 * std::numbers::pi;
  for (const auto& [event, circles] :
       {std::pair<int, std::string>{1, "1"}, {2, "1, 0"}, {4, "1, 1, 1, 1"}, {4, "0, 1, 0, 1"}})
    for (const char* net : {R"("hidden": [12, 12], "activation": "tanh")", R"("net": "residual", "hidden": [12])"})
      for (const char* order : {"natural", "random"}) {
        SCOPED_TRACE(circles + " " + net + " " + order);
        const std::string layer =
            R"({"type": "spline_autoregressive", "interval": [0, 6.283185307179586], "circular": [)" + circles +
            R"(], "order": ")" + order + "\", " + net + "}";
        FlowCase<double> f(
            parse_spec(R"({"event": )" + std::to_string(event) +
                       R"(, "dtype": "float64", "base": {"type": "uniform", "low": [-9], "high": [9]}, "layers": [)" +
                       layer + ", " + layer + "]}"));
        f.randomize(5, 0.3);
        Rows2 low = some_rows(10, event);
        for (double& v : low.x) v = std::abs(v);
        for (int c = 0; c < event; ++c) {
          if (circles[static_cast<size_t>(3 * c)] != '1') continue;
          Rows2 at[] = {low, low};
          for (size_t r = 0; r < 10; ++r) {
            const auto k = r * static_cast<size_t>(event) + static_cast<size_t>(c);
            at[0].x[k] = std::nextafter(0.0, 1.0);
            at[1].x[k] = std::nextafter(top, 0.0);
          }
          EXPECT_TRUE(same(f.log_prob(at[0]), f.log_prob(at[1]), 1e-9)) << "column " << c;
          const MappedValues cot{Values(low.x.size()), Values(10, 1.0)};
          const Values gx[] = {f.gradients(false, at[0], cot).x, f.gradients(false, at[1], cot).x};
          const MappedValues from[] = {f.map(true, at[0]), f.map(true, at[1])};
          EXPECT_TRUE(same(from[0].log_det, from[1].log_det, 1e-9)) << "column " << c;
          for (size_t k = 0; k < low.x.size(); ++k) {
            const bool self = k % static_cast<size_t>(event) == static_cast<size_t>(c);
            EXPECT_NEAR(from[1].y[k] - from[0].y[k], self ? top : 0, 1e-9) << "column " << c;
            // The slope of a spline has a kink at its knots, and the seam is a knot.
            if (!self) {
              EXPECT_NEAR(gx[1][k], gx[0][k], 1e-8) << "column " << c;
            }
          }
        }
      }
}

TEST(SplineLayers, ManyBins) {
  FlowCase<float> f([] {
    ModelSpec s =
        parse_spec(spec_of(R"({"type": "spline", "bins": 256, "min_bin_width": 1e-4, "min_bin_height": 1e-4})"));
    s.dtype = DType::f32;
    return s;
  }());
  f.randomize(4, 1);
  const Rows2 in = some_rows(100, 3);
  const MappedValues z = f.map(false, in), x = f.map(true, {100, z.y, {}});
  for (size_t k = 0; k < in.x.size(); ++k) EXPECT_NEAR(x.y[k], in.x[k], 1e-4);
}

TEST(SplineLayers, RefuseWhatCannotBe) {
  const auto refuses = [](const char* fields, const char* field) {
    EXPECT_ERROR(FlowCase<double>(parse_spec(spec_of(std::string(R"({"type": "spline", )") + fields + "}"))),
                 Code::spec, field);
  };
  refuses(R"("interval": [1])", "layers[0].interval");
  refuses(R"("interval": [1, 2, 3, 4])", "layers[0].interval");
  refuses(R"("interval": [2, 1])", "layers[0].interval");
  refuses(R"("interval": [1000, 1000.5])", "layers[0].interval");
  refuses(R"("circular": [1, 0])", "layers[0].circular");
  refuses(R"("bins": 200, "min_bin_width": 0.01)", "layers[0].min_bin_width");
  refuses(R"("bins": 200, "min_bin_height": 0.01)", "layers[0].min_bin_height");
  refuses(R"("spline": "cubic", "bins": 1)", "layers[0].bins");
  refuses(R"("spline": "cubic", "tails": "circular")", "layers[0].spline");
  refuses(R"("spline": "linear", "circular": [0, 1, 0])", "layers[0].spline");
  refuses(R"("spline": "quadratic", "convention": "zuko")", "layers[0].convention");
}

}  // namespace
}  // namespace libnf::test
