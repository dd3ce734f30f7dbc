// Gradients of every layer of the registry, in random configurations and both directions: those of
// sum(cot_y y) + sum(cot_log_det log_det) with respect to x, context and every parameter agree with five-point
// differences to 1e-6, and do not change when the layer runs again in the backward pass (memory = recompute).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/support/layer_suite.h"

namespace libnf::test {
namespace {

constexpr int64_t kRows = 3;
const int64_t kMaxElements = brief() ? 2 : 48;  // elements checked per tensor, at random positions if it has more

struct Loss {
  FlowCase<double>& f;
  MappedValues cot;
  double operator()(const Rows2& in, double* size) const {
    const MappedValues m = f.map(false, in);
    double sum = 0;
    const auto add = [&](const Values& c, const Values& v) {
      for (size_t k = 0; k < v.size(); ++k) {
        sum += c[k] * v[k];
        *size += std::abs(c[k] * v[k]);
      }
    };
    add(cot.y, m.y);
    add(cot.log_det, m.log_det);
    return sum;
  }
};

// Kinks (relu) within 2 h make the differences wrong, so smaller steps are tried before a gradient fails. Rounding of
// the loss contributes to the bound: 1e-9 of the loss at the smallest step.
template <class Set>
testing::AssertionResult agrees(double gradient, double value, const Loss& loss, const Rows2& in, const Set& set) {
  double difference = 0, bound = 0;
  for (double h = 1e-3; h > 5e-7; h /= 10) {
    double size = 0;
    const auto at = [&](double v) {
      set(v);
      return loss(in, &size);
    };
    difference = (8 * (at(value + h) - at(value - h)) - (at(value + 2 * h) - at(value - 2 * h))) / (12 * h);
    set(value);
    bound = 1e-6 * std::max(1.0, std::abs(difference)) + 1e-15 * size / h;
    if (std::abs(difference - gradient) <= bound) return testing::AssertionSuccess();
  }
  return testing::AssertionFailure() << "gradient " << gradient << ", difference " << difference;
}

class LayerGradient : public LayerSuite {
 protected:
  void check(const std::string& spec, bool inverted, uint64_t seed) {
    SCOPED_TRACE(describe(spec, inverted));
    FlowCase<double> f = make_case<double>(spec, inverted, seed);
    std::mt19937_64 random(seed);
    Rows2 in;
    Loss loss{f, {}};
    // Random parameters can take values out of range, and with large weights the inverse of an autoregressive layer
    // can overflow within a few columns: draw again, with smaller parameters at every second draw.
    constexpr uint64_t kDraws = 40;
    const auto usable = [&] {
      double size = 0;
      const double value = loss(in, &size);
      return std::isfinite(value) && std::isfinite(size);
    };
    uint64_t k = 0;
    do {
      if (k > 0) f.randomize(seed + 1000 * (k / 2), k % 2 ? 0.1 : kParamStd);
      in = draw_mild(domain(inverted), kRows, f.model().columns(), f.model().context(), random);
      loss.cot = {draw_normal(kRows * f.model().columns(), random), draw_normal(kRows, random)};
    } while (!usable() && ++k < kDraws);
    ASSERT_LT(k, kDraws) << "no draw has a finite loss";
    const MappedGradients full = f.gradients(false, in, loss.cot);
    const MappedGradients again = f.gradients(false, in, loss.cot, Memory::recompute);
    EXPECT_TRUE(same_bits(again.value.y, full.value.y));
    EXPECT_TRUE(same(again.x, full.x, 1e-12 * largest(full.x)));
    EXPECT_TRUE(same(again.context, full.context, 1e-12 * largest(full.context)));
    const auto check_inputs = [&](Values& v, const Values& gradient, const char* what) {
      ASSERT_EQ(v.size(), gradient.size());
      for (size_t k = 0; k < v.size(); ++k)
        ASSERT_TRUE(agrees(gradient[k], v[k], loss, in, [&](double value) { v[k] = value; })) << what << " " << k;
    };
    check_inputs(in.x, full.x, "x");
    check_inputs(in.context, full.context, "context");
    const auto& slots = f.model().params().slots();
    for (size_t i = 0; i < slots.size() && !HasFatalFailure(); ++i) {
      if (!slots[i].trainable) continue;
      EXPECT_TRUE(same(again.params[i], full.params[i], 1e-12 * largest(full.params[i]))) << slots[i].name;
      const int64_t count = slots[i].shape.count();
      for (int64_t e = 0; e < std::min(count, kMaxElements); ++e) {
        const auto k = static_cast<size_t>(
            count <= kMaxElements ? e : static_cast<int64_t>(random() % static_cast<uint64_t>(count)));
        double* p = f.param(i) + k;
        ASSERT_TRUE(agrees(full.params[i][k], *p, loss, in, [&](double value) { *p = value; }))
            << slots[i].name << " " << k;
      }
    }
  }
};

TEST_P(LayerGradient, AgreesWithDifferences) {
  for (uint64_t i = 0; i < configs() && !HasFailure(); ++i)
    for (const Dims& event : events(i)) {
      const int64_t d = event.count(), context = (static_cast<int64_t>(i) + d) % 2 ? 3 : 0;
      const std::string spec = random_spec(kind(), 40000 + 100 * i + static_cast<uint64_t>(d), event, context);
      for (const bool inverted : directions(spec)) check(spec, inverted, i);
    }
}

NF_EVERY_LAYER(LayerGradient);

}  // namespace
}  // namespace libnf::test
