// affine_low in float32, of rows with a low part, against affine in float64 of their sums: values with their low parts, and
// gradients. Where all low parts are zero, the bits of affine.
#include "runtime/op/affine_low.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "runtime/kernel/low.h"
#include "runtime/op/ops.h"

namespace libnf {
namespace {

using Doubles = std::vector<double>;
constexpr int64_t kRows = 7, kCols = 3;

double x_at(size_t i) { return 4e5 + std::sin(static_cast<double>(i) * 1.3) + 1e-3 * static_cast<double>(i); }
double shift_at(size_t j) { return 4e5 + 0.1 * static_cast<double>(j + 1); }
float log_scale_at(size_t j) { return 0.25f * static_cast<float>(j) - 0.5f; }

struct Results {
  Doubles y, gx, g_scale, g_shift;
};
template <class T>
Doubles list_of(const View& v) {
  return Doubles(v.as<T>(), v.as<T>() + v.count());
}

template <class T>
Results run(bool inverse, bool with_low) {
  Tape t(system_allocator(), dtype_of<T>);
  Var x = t.empty({kRows, kCols}), l = t.empty({kCols}), b = t.empty({kCols}), b_low = t.zeros({kCols});
  if constexpr (std::is_same_v<T, float>) x->low = t.take_low(*x);
  for (size_t i = 0; i < static_cast<size_t>(kRows * kCols); ++i) {
    const double v = x_at(i);
    x->y<T>()[i] = static_cast<T>(v);
    if (x->low) x->low[i] = with_low ? static_cast<float>(v - static_cast<double>(x->y<T>()[i])) : 0;
  }
  for (size_t j = 0; j < static_cast<size_t>(kCols); ++j) {
    l->y<T>()[j] = static_cast<T>(log_scale_at(j));
    b->y<T>()[j] = static_cast<T>(shift_at(j));
    if (with_low) b_low->y<T>()[j] = static_cast<T>(shift_at(j) - static_cast<double>(b->y<T>()[j]));
  }
  for (Var v : {x, l, b}) v->needs_grad = true;
  t.keeps_low = with_low && std::is_same_v<T, float>;
  const Mapped m = with_low ? affine_low(t, x, l, b, b_low, inverse) : affine(t, x, l, b, inverse);
  const View g = t.grad(*m.y);
  for (int64_t i = 0; i < g.count(); ++i) g.as<T>()[i] = static_cast<T>(std::cos(static_cast<double>(i)));
  t.backward();
  Results r{list_of<T>(m.y->out), list_of<T>(t.grad_out(*x)), list_of<T>(t.grad_out(*l)), list_of<T>(t.grad_out(*b))};
  if (m.y->low)
    for (size_t i = 0; i < r.y.size(); ++i) r.y[i] += static_cast<double>(m.y->low[i]);
  return r;
}

void near(const Doubles& got, const Doubles& want, double tolerance) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < want.size(); ++i)
    EXPECT_NEAR(got[i], want[i], tolerance * std::max(1.0, std::abs(want[i]))) << i;
}

TEST(AffineLow, AgreesWithFloat64) {
  for (const bool inverse : {false, true}) {
    SCOPED_TRACE(inverse ? "inverse" : "forward");
    const Results got = run<float>(inverse, true), want = run<double>(inverse, false);
    near(got.y, want.y, inverse ? 1e-6 : 1e-12);
    near(got.gx, want.gx, 1e-6);
    near(got.g_scale, want.g_scale, 1e-5);
    near(got.g_shift, want.g_shift, 1e-6);
    const Results wide = run<double>(inverse, true);
    EXPECT_EQ(wide.y, want.y) << "the low part of a shift in float64 is 0 here";
  }
}

TEST(AffineLow, ZerosChangeNoBit) {
  for (const bool inverse : {false, true}) {
    Tape t(system_allocator(), DType::f32);
    Var x = t.empty({kRows, kCols}), l = t.empty({kCols}), b = t.empty({kCols}), b_low = t.zeros({kCols});
    for (size_t i = 0; i < static_cast<size_t>(kRows * kCols); ++i)
      x->y<float>()[i] = static_cast<float>(x_at(i) - 4e5);
    for (size_t j = 0; j < static_cast<size_t>(kCols); ++j) {
      l->y<float>()[j] = log_scale_at(j);
      b->y<float>()[j] = 0.3f * static_cast<float>(j);
    }
    for (Var v : {x, l, b}) v->needs_grad = true;
    const auto result = [&](bool low) {
      for (Var v : {x, l, b}) v->grad = nullptr;
      const Node* stop = t.head();
      x->low = low ? t.take_low(*x) : nullptr;
      if (low) std::fill_n(x->low, kRows * kCols, 0.0f);
      const Mapped m = low ? affine_low(t, x, l, b, b_low, inverse) : affine(t, x, l, b, inverse);
      const View g = t.grad(*m.y);
      for (int64_t i = 0; i < g.count(); ++i) g.as<float>()[i] = static_cast<float>(std::cos(static_cast<double>(i)));
      t.backward(stop);
      return std::vector<Doubles>{list_of<float>(m.y->out), list_of<float>(m.log_det->out),
                                  list_of<float>(t.grad_out(*x)), list_of<float>(t.grad_out(*l)),
                                  list_of<float>(t.grad_out(*b))};
    };
    EXPECT_EQ(result(true), result(false));
  }
}

}  // namespace
}  // namespace libnf
