// Targets: golden vectors (log density, gradient, integrals over boxes), gradients of every registry entry against
// differences, log Z against quadrature, float32 against float64, points far away and at kinks.
#include "src/target/target.h"

#include <gtest/gtest.h>

#include <random>

#include "src/model/target_spec.h"
#include "tests/support/brief.h"
#include "tests/support/expect_error.h"
#include "tests/support/golden.h"

namespace libnf::test {
namespace {

using Values = std::vector<double>;

struct At {
  Values log_p, grad;
};

template <class T = double>
At at(const Target& target, const Values& x) {
  const int64_t d = target.event, n = static_cast<int64_t>(x.size()) / d;
  std::vector<T> in(x.begin(), x.end()), grad(x.size());
  Values log_p(static_cast<size_t>(n));
  target.evaluate(contiguous_view(in.data(), dtype_of<T>, {n, d}), {}, contiguous_view(log_p.data(), DType::f64, {n}),
                  contiguous_view(grad.data(), dtype_of<T>, {n, d}));
  return {log_p, Values(grad.begin(), grad.end())};
}

// Returns the log of the integral of the density over a box, by composite 4-point Gauss-Legendre rules.
double log_integral(const Target& target, double x0, double x1, double y0, double y1, int pieces = 400) {
  constexpr double kNode[] = {-0.8611363115940526, -0.3399810435848563, 0.3399810435848563, 0.8611363115940526};
  constexpr double kWeight[] = {0.34785484513745385, 0.6521451548625461, 0.6521451548625461, 0.34785484513745385};
  double sum = 0;
  Values row;
  const double hx = (x1 - x0) / pieces, hy = (y1 - y0) / pieces;
  for (int i = 0; i < pieces; ++i)
    for (int a = 0; a < 4; ++a) {
      row.clear();
      for (int j = 0; j < pieces; ++j)
        for (int b = 0; b < 4; ++b)
          row.insert(row.end(), {x0 + hx * (i + 0.5 + 0.5 * kNode[a]), y0 + hy * (j + 0.5 + 0.5 * kNode[b])});
      const Values log_p = at(target, row).log_p;
      for (size_t k = 0; k < log_p.size(); ++k) sum += std::exp(log_p[k]) * kWeight[a] * kWeight[k % 4] / 4;
    }
  return std::log(sum * hx * hy);
}

struct GoldenCase {
  const char *file, *spec;
};
class GoldenTarget : public testing::TestWithParam<GoldenCase> {};

TEST_P(GoldenTarget, DensityGradientAndBoxes) {
  const Golden g = Golden::load(GetParam().file);
  const auto target = parse_target(GetParam().spec, 2);
  At got = at(*target, g["z"].data);
  for (double& v : got.log_p) v = -v;
  for (double& v : got.grad) v = -v;
  expect_close(got.log_p, g["U"], kGoldenF64, "U");
  expect_close(got.grad, g["grad.z"], kGoldenF64, "dU/dz");
  At f32 = at<float>(*target, g["z"].data);
  for (double& v : f32.log_p) v = -v;
  // U grows to thousands, with inputs rounded to float32, so the error is relative to the slope.
  expect_close(f32.log_p, g["U"], 1e-4, "U in float32");
  for (int64_t i = 0; i < g["box"].rows(); ++i) {
    if (brief() && i > 0) break;
    const Values box = g["box"].row(i);
    EXPECT_NEAR(log_integral(*target, box[0], box[1], box[2], box[3]), g["log_Z"].data[static_cast<size_t>(i)], 1e-9);
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, GoldenTarget,
                         testing::Values(GoldenCase{"11_target_U1", "u1"},
                                         GoldenCase{"11_target_U2", R"({"type": "u2", "cut": 0})"},
                                         GoldenCase{"11_target_U3", R"({"type": "u3", "cut": 0})"},
                                         GoldenCase{"11_target_U4", R"({"type": "u4", "cut": 0})"}),
                         [](const auto& info) { return std::string(info.param.file).substr(10); });

class EveryTarget : public testing::TestWithParam<const TargetKind*> {};

TEST_P(EveryTarget, GradientIsThatOfTheLogDensity) {
  std::mt19937_64 random(3);
  std::normal_distribution<double> normal(0, 2);
  for (const int64_t d : {1, 2, 3, 40, 200}) {
    if (d < GetParam()->min_event || d > GetParam()->max_event) continue;
    const auto target = GetParam()->build(*GetParam()->config(), d);
    Values x(static_cast<size_t>(40 * d));
    for (double& v : x) v = normal(random);
    const At here = at(*target, x);
    constexpr double kStep = 1e-6;
    for (int64_t r = 0; r < 40; ++r)
      for (int64_t j = 0; j < std::min<int64_t>(d, 5); ++j) {
        const size_t k = static_cast<size_t>(r * d + j);
        Values up(x.begin() + r * d, x.begin() + (r + 1) * d), down = up;
        up[static_cast<size_t>(j)] += kStep;
        down[static_cast<size_t>(j)] -= kStep;
        const double slope = (at(*target, up).log_p[0] - at(*target, down).log_p[0]) / (2 * kStep);
        EXPECT_NEAR(here.grad[k], slope, 1e-6 * std::max(1.0, std::abs(slope))) << "row " << r << " column " << j;
      }
  }
}

TEST_P(EveryTarget, LogZIsTheIntegral) {
  const auto target = GetParam()->build(*GetParam()->config(), std::max<int64_t>(2, GetParam()->min_event));
  const std::string name = GetParam()->name;
  // No grid covers the funnel's neck and mouth, but the integral over a part of it is known.
  if (name == "funnel") {
    EXPECT_NEAR(log_integral(*target, -3, 1, -12, 12), std::log(0.47190369), 1e-6);  // Phi(1/3) - Phi(-1)
    return;
  }
  // The pieces of the rule end at the cut of u2 to u4.
  EXPECT_NEAR(log_integral(*target, -12, 12, name == "banana" ? -8 : -12, name == "banana" ? 45 : 12, 480),
              target->log_z(), 1e-5);
}

TEST_P(EveryTarget, FarAwayAndAtTheOrigin) {
  const auto target = GetParam()->build(*GetParam()->config(), std::max<int64_t>(2, GetParam()->min_event));
  for (const double v : {0.0, 30.0, -30.0, 1e3, -1e3}) {
    const At here = at(*target, {v, 0.0});
    if (std::abs(v) < 100) {
      EXPECT_TRUE(std::isfinite(here.log_p[0])) << v;
      EXPECT_TRUE(std::isfinite(here.grad[0]) && std::isfinite(here.grad[1])) << v;
    }
    EXPECT_FALSE(std::isnan(here.log_p[0])) << v;
  }
  EXPECT_TRUE(at(*target, {}).log_p.empty());
  EXPECT_TRUE(std::isnan(at(*target, {kUnknown, 0.5}).log_p[0]));
}

INSTANTIATE_TEST_SUITE_P(Targets, EveryTarget,
                         testing::ValuesIn(Registry<TargetKind>::all().begin(), Registry<TargetKind>::all().end()),
                         [](const auto& info) { return std::string(info.param->name); });

TEST(Target, KnownIntegrals) {
  const auto log_z = [](const char* spec) { return parse_target(spec, 2)->log_z(); };
  EXPECT_NEAR(log_z("u1"), 1.877502, 1e-6);
  // In the parametrization of other experiments.
  EXPECT_NEAR(log_z(R"({"type": "u1", "radius": 4, "spread": 0.8})"), 2.3133, 5e-5);
  // Bumps far outside the ring, against midpoint sums on a grid of 4000 x 4000.
  EXPECT_NEAR(log_z(R"({"type": "u1", "centre": 5})"), -7.5729536, 1e-6);
  EXPECT_NEAR(log_z(R"({"type": "u1", "centre": 20})"), -310.8698016, 1e-6);
  EXPECT_NEAR(log_z(R"({"type": "u1", "centre": 100})"), -9234.0686948, 1e-5);
  EXPECT_NEAR(log_z(R"({"type": "u1", "centre": 100, "spread": 10})"), -45.8586430, 1e-6);
  // Bumps too thin for the rule give an unknown log Z instead of a wrong one.
  EXPECT_TRUE(std::isnan(log_z(R"({"type": "u1", "radius": 100, "spread": 0.01})")));
  EXPECT_NEAR(log_z(R"({"type": "u2", "wall": 0})"), 2.0821, 5e-5);
  EXPECT_NEAR(log_z("cross"), 1.9613, 5e-5);
  EXPECT_EQ(log_z("banana"), 0);
  EXPECT_EQ(log_z(R"({"type": "u3", "cut": 0})"), std::numeric_limits<double>::infinity());
}

TEST(Target, AHardWallHasNoDensityBehindIt) {
  const auto target = parse_target(R"({"type": "u2", "wall": 0})", 2);
  const At here = at(*target, {3.99, 0, 4.01, 0, -4.01, 0});
  EXPECT_GT(here.log_p[0], -10);
  EXPECT_EQ(here.log_p[1], -std::numeric_limits<double>::infinity());
  EXPECT_EQ(here.log_p[2], -std::numeric_limits<double>::infinity());
}

TEST(Target, SpecsThatAreWrongSayWhatIsRight) {
  EXPECT_ERROR(parse_target("u5", 2), Code::spec, "u1");
  EXPECT_ERROR(parse_target("two_moon", 2), Code::spec, "did you mean \"two_moons\"");
  EXPECT_ERROR(parse_target("zzzzzz", 2), Code::spec, "known: banana");
  EXPECT_ERROR(parse_target("", 2), Code::spec, "target");
  EXPECT_ERROR(parse_target("[1]", 2), Code::spec, "is not a target");
  EXPECT_ERROR(parse_target(R"({"radius": 4})", 2), Code::spec, "is not a target");
  EXPECT_ERROR(parse_target(R"({"type": "u1", "radios": 4})", 2), Code::spec, "did you mean \"radius\"");
  EXPECT_ERROR(parse_target(R"({"type": "u1", "zzzzzz": 4})", 2), Code::spec, "known: radius, width, centre, spread");
  EXPECT_ERROR(parse_target(R"({"type": "u1", "width": 0})", 2), Code::spec, "width");
  EXPECT_ERROR(parse_target("u1", 3), Code::shape, "has 2 columns, not 3");
  EXPECT_ERROR(parse_target("banana", 1), Code::shape, "at least 2");
  EXPECT_ERROR(parse_target("funnel", 0), Code::shape, "at least 1");
}

}  // namespace
}  // namespace libnf::test
