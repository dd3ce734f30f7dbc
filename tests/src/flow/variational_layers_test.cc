// Properties of planar layers beyond the registry suites: w = 0, strong contractions relative to their condition, many
// columns, and that parameters from a context give the same map as free ones.
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "tests/support/flow_case.h"
#include "tests/support/op_check.h"

namespace libnf::test {
namespace {

using Json = nlohmann::ordered_json;
constexpr const char* kFunctions[] = {"tanh", "leaky_relu", "elu"};

template <class T>
FlowCase<T> make(const Json& layer, int64_t event, int64_t context = 0) {
  const Json spec = {{"event", {event}}, {"context", {context}}, {"dtype", name_of(dtype_of<T>)}, {"layers", {layer}}};
  return FlowCase<T>(parse_spec(spec.dump()));
}

template <class T>
class PlanarLayer : public testing::Test {
 protected:
  static constexpr bool kF64 = sizeof(T) == 8;
  // Returns a layer with parameters u, w, b.
  static FlowCase<T> planar(const char* function, const Values& u, const Values& w, double b) {
    FlowCase<T> f = make<T>({{"type", "planar"}, {"function", function}}, static_cast<int64_t>(u.size()));
    T* p = f.param(0);
    for (double v : u) *p++ = static_cast<T>(v);
    for (double v : w) *p++ = static_cast<T>(v);
    *p = static_cast<T>(b);
    return f;
  }
  static bool all_finite(const Values& v) {
    return std::all_of(v.begin(), v.end(), [](double x) { return std::isfinite(x); });
  }
};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(PlanarLayer, Types);

// With w = 0 the map shifts by u h(b), whatever the constraint on w.u does.
TYPED_TEST(PlanarLayer, NoDirectionIsAShift) {
  const Values x = {0.5, -1, 2, 3, 0, 0.25};
  for (const char* function : kFunctions)
    for (const double w : {0.0, 1e-30 * (this->kF64 ? 1e-200 : 1)}) {
      auto f = this->planar(function, {1, -2}, {w, -w}, -0.5);
      const double b = -0.5, h = function == kFunctions[0]   ? std::tanh(b)
                                 : function == kFunctions[1] ? 0.01 * b
                                                             : std::expm1(b);
      for (const bool inverse : {false, true}) {
        const MappedGradients m = f.gradients(inverse, {3, x, {}}, {{1, 2, 3, 4, 5, 6}, {1, 1, 1}});
        for (size_t r = 0; r < 3; ++r) {
          EXPECT_NEAR(m.value.y[2 * r], x[2 * r] + (inverse ? -h : h), 1e-6);
          EXPECT_NEAR(m.value.y[2 * r + 1], x[2 * r + 1] - 2 * (inverse ? -h : h), 1e-6);
          EXPECT_EQ(m.value.log_det[r], 0);
        }
        EXPECT_EQ(m.x, (Values{1, 2, 3, 4, 5, 6}));
        EXPECT_TRUE(this->all_finite(m.params[0]));
        EXPECT_NEAR(m.params[0][0], (inverse ? -h : h) * (1 + 3 + 5), 1e-5) << "gradient of u";
      }
    }
}

// If m = softplus(w.u) is near 0, the map contracts rows near a = 0 by det = h^2 + m h'. Differences that z cannot
// represent are lost, and so is the effect of rounding u^ = u + k w (of size |u| eps) on w.u^ near -1: a rounding error
// of z becomes |u^||w| / det roundings of x. Rows of ordinary condition are recovered to 1e-9 in float64, 1e-4 in
// float32.
TYPED_TEST(PlanarLayer, StrongContractionsLoseWhatTheirConditionSays) {
  const double tolerance = this->kF64 ? 1e-9 : 1e-4, roundings = this->kF64 ? 1e-12 : 1e-6;
  std::mt19937_64 random(5);
  int64_t ordinary = 0;
  for (const char* function : kFunctions)
    for (const double s : {-3.0, -8.0, -20.0, -60.0}) {
      const Values w = {0.6, -0.8, 0.5}, u = {s * 0.6 / 1.25 + 0.3, -s * 0.8 / 1.25, s * 0.5 / 1.25 + 0.1};
      auto f = this->planar(function, u, w, 0.1);
      constexpr int64_t n = 300;
      const Values x = draw_normal(3 * n, random);
      const MappedValues there = f.map(false, {n, x, {}}), back = f.map(true, {n, there.y, {}});
      for (size_t r = 0; r < n; ++r) {
        const double det = std::exp(there.log_det[r]), condition = 1 + 1 / det;
        ordinary += condition < 20;
        for (size_t j = 3 * r; j < 3 * r + 3; ++j)
          ASSERT_NEAR(back.y[j], x[j], roundings * condition * (1 + std::abs(x[j]) + std::abs(s)))
              << function << " " << s << " row " << r << " det " << det;
        if (condition < 20) {
          ASSERT_NEAR(back.y[3 * r], x[3 * r], tolerance * std::max(1.0, std::abs(x[3 * r])));
          ASSERT_NEAR(back.log_det[r] + there.log_det[r], 0, tolerance);
        }
      }
    }
  EXPECT_GT(ordinary, 1000);
}

// With w.u so negative that softplus underflows, leaky_relu and elu keep a floor of 1 + h' w.u^: log_det is finite, rows
// come back as far as their condition allows, and gradients are those of the floor.
TYPED_TEST(PlanarLayer, ContractionsHaveAFloor) {
  const double eps = this->kF64 ? 0x1p-52 : 0x1p-23, least = 0.5 * std::log(eps);
  std::mt19937_64 random(6);
  for (const char* function : {"leaky_relu", "elu"})
    for (const double s : {-40.0, -88.0, -104.0, -750.0}) {
      SCOPED_TRACE(std::string(function) + " " + std::to_string(s));
      auto f = this->planar(function, {s * 0.6, -s * 0.8}, {0.6, -0.8}, 0.1);
      constexpr int64_t n = 100;
      const Values x = draw_normal(2 * n, random);
      const MappedValues there = f.map(false, {n, x, {}}), back = f.map(true, {n, there.y, {}});
      const double roundings = 20 * eps * (1 + 1 / std::sqrt(eps));
      for (size_t r = 0; r < n; ++r) {
        if (0.6 * x[2 * r] - 0.8 * x[2 * r + 1] + 0.1 > 0)
          ASSERT_NEAR(there.log_det[r], least, 1e-5);
        else
          ASSERT_GE(there.log_det[r], least);
        ASSERT_NEAR(back.log_det[r], -there.log_det[r], 0.1);
        for (size_t j = 2 * r; j < 2 * r + 2; ++j)
          ASSERT_NEAR(back.y[j], x[j], roundings * (1 + std::abs(x[j]) + std::abs(s)));
      }
      // Below the floor u matters only across w: the sum of z along w and log_det stay.
      const MappedGradients g = f.gradients(false, {1, {1, -1}, {}}, {{0.6, -0.8}, {1}});
      ASSERT_TRUE(this->all_finite(g.params[0]) && this->all_finite(g.x));
      EXPECT_NEAR(0.6 * g.params[0][0] - 0.8 * g.params[0][1], 0, 1e-5);
    }
}

// Far more columns than rows in a block: sums over columns, their gradients, and the inverse.
TYPED_TEST(PlanarLayer, ManyColumns) {
  constexpr int64_t d = 784, n = 5;
  auto f = make<TypeParam>({{"type", "planar"}}, d);
  f.randomize(1, 0.1);
  std::mt19937_64 random(2);
  const Values x = draw_normal(d * n, random);
  const MappedValues there = f.map(false, {n, x, {}}), back = f.map(true, {n, there.y, {}});
  for (size_t k = 0; k < x.size(); ++k) ASSERT_NEAR(back.y[k], x[k], this->kF64 ? 1e-12 : 1e-5);
  for (size_t r = 0; r < n; ++r) EXPECT_NEAR(there.log_det[r] + back.log_det[r], 0, this->kF64 ? 1e-12 : 1e-5);
}

// A net that returns zeros leaves the free parameters, for every row.
TYPED_TEST(PlanarLayer, ContextIsTheSameMap) {
  constexpr int64_t n = 20, d = 3;
  auto free = make<TypeParam>({{"type", "planar"}}, d);
  auto rows = make<TypeParam>({{"type", "planar"}, {"parameters", "context"}, {"hidden", {4}}}, d, 2);
  free.randomize(1, 0.5);
  std::mt19937_64 random(2);
  const Values x = draw_normal(d * n, random), context = draw_normal(2 * n, random);
  const auto& slots = rows.model().params().slots();
  for (size_t i = 0; i < slots.size(); ++i)
    for (int64_t k = 0; k < slots[i].shape.count(); ++k) {
      const bool output = slots[i].name.find("output") != std::string::npos;
      rows.param(i)[k] = slots[i].name == "layers.0.parameters" ? free.param(0)[k]
                         : output                               ? TypeParam(0)
                                                                : TypeParam(0.1) * static_cast<TypeParam>(k);
    }
  for (const bool inverse : {false, true}) {
    const MappedValues a = free.map(inverse, {n, x, {}}), b = rows.map(inverse, {n, x, context});
    EXPECT_TRUE(same(a.y, b.y, this->kF64 ? 1e-13 : 1e-5));
    EXPECT_TRUE(same(a.log_det, b.log_det, this->kF64 ? 1e-13 : 1e-5));
  }
}

TEST(PlanarLayerSpec, ContextNeedsAContext) {
  try {
    make<double>({{"type", "planar"}, {"parameters", "context"}}, 2);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::spec);
    EXPECT_NE(std::string(e.what()).find("spec.context"), std::string::npos) << e.what();
  }
}

}  // namespace
}  // namespace libnf::test
