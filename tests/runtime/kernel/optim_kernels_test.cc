// Every update rule on every SIMD target of the machine, against the formulas of optim_kernels.h in scalar double
// arithmetic; also on every target: splitting a range changes no bit, NaN stays in its element, and the state has no
// denormals.
#include "runtime/kernel/optim_kernels.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "gtest/gtest.h"
#include "runtime/kernel/targets.h"
// after targets.h
#include "hwy/targets.h"

namespace libnf::kernel {
namespace {

constexpr int kRules = static_cast<int>(UpdateRule::average) + 1;

// Runs `body` once per target; failure messages name the target.
template <class F>
void on_every_target(F&& body) {
  for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
    SCOPED_TRACE(hwy::TargetName(target));
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    body();
    hwy::SetSupportedTargetsForTest(0);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  }
}

Update update_with(UpdateRule rule) {
  Update u;
  u.rule = rule;
  u.grad_scale = 0.7;
  u.l2 = 0.02;
  u.rate = 0.01;
  u.keep = 0.999;
  u.beta1 = 0.9, u.mix1 = 0.1;
  u.beta2 = 0.95, u.mix2 = 0.05;
  u.root_scale = 1.3;
  u.eps = 1e-6;
  u.floor = 0.01;
  return u;
}

void reference(const Update& u, double& p, double grad, double s[3]) {
  const double g = u.grad_scale * grad + u.l2 * p;
  const auto mean = [&](double& s, double beta, double mix, double x) { s = beta * s + mix * x; };
  switch (u.rule) {
    case UpdateRule::sgd:
      p -= u.rate * g;
      break;
    case UpdateRule::momentum:
      mean(s[0], u.beta1, u.mix1, g);
      p -= u.rate * s[0];
      break;
    case UpdateRule::nesterov:
      mean(s[0], u.beta1, u.mix1, g);
      p -= u.rate * (g + u.beta1 * s[0]);
      break;
    case UpdateRule::adam:
    case UpdateRule::amsgrad:
      mean(s[0], u.beta1, u.mix1, g);
      mean(s[1], u.beta2, u.mix2, g * g);
      if (u.rule == UpdateRule::amsgrad) s[2] = std::max(s[2], s[1]);
      p = u.keep * p - u.rate * s[0] / (u.root_scale * std::sqrt(s[u.rule == UpdateRule::amsgrad ? 2 : 1]) + u.eps);
      break;
    case UpdateRule::adamax:
      mean(s[0], u.beta1, u.mix1, g);
      s[1] = std::max(u.beta2 * s[1], std::abs(g) + u.eps);
      p -= u.rate * s[0] / s[1];
      break;
    case UpdateRule::rmsprop:
    case UpdateRule::rmsprop_momentum:
    case UpdateRule::rmsprop_centered:
    case UpdateRule::rmsprop_centered_momentum: {
      const bool centered = u.rule == UpdateRule::rmsprop_centered || u.rule == UpdateRule::rmsprop_centered_momentum;
      mean(s[0], u.beta2, u.mix2, g * g);
      if (centered) mean(s[1], u.beta2, u.mix2, g);
      double step = g / (std::sqrt(centered ? s[0] - s[1] * s[1] : s[0]) + u.eps);
      if (u.rule == UpdateRule::rmsprop_momentum) step = s[1] = u.beta1 * s[1] + step;
      if (u.rule == UpdateRule::rmsprop_centered_momentum) step = s[2] = u.beta1 * s[2] + step;
      p -= u.rate * step;
      break;
    }
    case UpdateRule::adagrad:
      s[0] += g * g;
      p -= u.rate * g / (std::sqrt(s[0] + u.floor) + u.eps);
      break;
    case UpdateRule::adadelta: {
      mean(s[0], u.beta2, u.mix2, g * g);
      const double step = std::sqrt(s[1] + u.eps) / std::sqrt(s[0] + u.eps) * g;
      mean(s[1], u.beta2, u.mix2, step * step);
      p -= u.rate * step;
      break;
    }
    case UpdateRule::average:
      p += u.rate * (grad - p);
      break;
  }
}

template <class T>
struct Buffers {
  explicit Buffers(int64_t n) : p(n), grad(n), s(3, std::vector<T>(n)), slots{s[0].data(), s[1].data(), s[2].data()} {
    for (int64_t i = 0; i < n; ++i) p[i] = static_cast<T>(2 * std::sin(0.7 * static_cast<double>(i)));
  }
  Buffers(const Buffers&) = delete;
  void set_grad(int t) {
    for (size_t i = 0; i < grad.size(); ++i) grad[i] = static_cast<T>(std::cos(0.3 * static_cast<double>(i) + t));
  }
  void run(const Update& u, int64_t begin, int64_t end) { update<T>(u, p.data(), grad.data(), slots, begin, end); }
  std::vector<T> p, grad;
  std::vector<std::vector<T>> s;
  T* slots[3];
};

template <class T>
void expect_formula() {
  const int64_t n = 35;
  for (int r = 0; r < kRules; ++r) {
    const Update u = update_with(static_cast<UpdateRule>(r));
    Buffers<T> b(n);
    std::vector<double> p(b.p.begin(), b.p.end());
    std::vector<std::vector<double>> s(n, std::vector<double>(3));
    for (int t = 1; t <= 5; ++t) {
      b.set_grad(t);
      b.run(u, 0, n);
      for (int64_t i = 0; i < n; ++i) reference(u, p[i], static_cast<double>(b.grad[i]), s[i].data());
    }
    // Five steps of about ten roundings; the subtraction in a centered variance amplifies the errors of its terms.
    const double tolerance = 200 * static_cast<double>(std::numeric_limits<T>::epsilon());
    for (int64_t i = 0; i < n; ++i) {
      EXPECT_NEAR(static_cast<double>(b.p[i]), p[i], tolerance) << "rule " << r << " element " << i;
      for (int k = 0; k < update_slots(u.rule); ++k)
        EXPECT_NEAR(static_cast<double>(b.s[k][i]), s[i][k], tolerance * std::max(1.0, std::abs(s[i][k])))
            << "rule " << r << " slot " << k << " element " << i;
      for (int k = update_slots(u.rule); k < 3; ++k) EXPECT_EQ(b.s[k][i], 0) << "rule " << r << " slot " << k;
    }
  }
}

TEST(OptimKernels, FormulaF32) { on_every_target(expect_formula<float>); }
TEST(OptimKernels, FormulaF64) { on_every_target(expect_formula<double>); }

template <class T>
void expect_split_invariant() {
  const int64_t n = 67;
  for (int r = 0; r < kRules; ++r) {
    const Update u = update_with(static_cast<UpdateRule>(r));
    Buffers<T> whole(n), parts(n);
    for (int t = 1; t <= 3; ++t) {
      whole.set_grad(t);
      parts.set_grad(t);
      whole.run(u, 0, n);
      for (int64_t cut[] = {0, 1, 3, 20, 20, 53, n}, *c = cut; c < cut + 6; ++c) parts.run(u, c[0], c[1]);
    }
    EXPECT_EQ(whole.p, parts.p) << "rule " << r;
    EXPECT_EQ(whole.s, parts.s) << "rule " << r;
  }
}

TEST(OptimKernels, SplitF32) { on_every_target(expect_split_invariant<float>); }
TEST(OptimKernels, SplitF64) { on_every_target(expect_split_invariant<double>); }

template <class T>
void expect_nan_stays() {
  for (int r = 0; r < kRules; ++r) {
    const Update u = update_with(static_cast<UpdateRule>(r));
    Buffers<T> b(37);
    for (int t = 1; t <= 2; ++t) {
      b.set_grad(t);
      b.grad[4] = b.grad[36] = std::numeric_limits<T>::quiet_NaN();
      b.run(u, 0, 37);
    }
    for (int i = 0; i < 37; ++i) EXPECT_EQ(std::isnan(b.p[i]), i == 4 || i == 36) << "rule " << r << " element " << i;
    // Saturation must not hide the NaN in the state.
    if (u.rule == UpdateRule::rmsprop || u.rule == UpdateRule::adagrad || u.rule == UpdateRule::adadelta) {
      EXPECT_TRUE(std::isnan(b.s[0][4])) << "rule " << r;
    }
  }
}

TEST(OptimKernels, NanStaysWhereItIsF32) { on_every_target(expect_nan_stays<float>); }
TEST(OptimKernels, NanStaysWhereItIsF64) { on_every_target(expect_nan_stays<double>); }

// Gradients and parameters at the ends of the range, at the highest rates.
template <class T>
void expect_finite() {
  constexpr T most = std::numeric_limits<T>::max();
  for (int r = 0; r < kRules; ++r)
    for (const double scale : {1.0, 1e-3})
      for (const double l2 : {0.0, 10.0}) {
        Update u = update_with(static_cast<UpdateRule>(r));
        u.rate = u.rule == UpdateRule::average ? 0.5 : 1000;
        u.l2 = u.rule == UpdateRule::average ? 0 : l2;
        u.grad_scale = scale;
        Buffers<T> b(37);
        for (size_t i = 0; i < 37; ++i) b.p[i] = i % 4 < 2 ? most : -most;
        for (int t = 1; t <= 8; ++t) {
          for (size_t i = 0; i < 37; ++i) b.grad[i] = (i + static_cast<size_t>(t) / 3) % 2 ? most : -most;
          b.run(u, 0, 37);
          for (size_t i = 0; i < 37; ++i) {
            EXPECT_TRUE(std::isfinite(b.p[i])) << "rule " << r << " step " << t << " element " << i;
            for (const auto& s : b.s) EXPECT_FALSE(std::isnan(s[i])) << "rule " << r << " step " << t;
          }
        }
      }
}

TEST(OptimKernels, ExtremesStayFiniteF32) { on_every_target(expect_finite<float>); }
TEST(OptimKernels, ExtremesStayFiniteF64) { on_every_target(expect_finite<double>); }

TEST(OptimKernels, SecondMomentsSaturateAndDenormalsVanish) {
  on_every_target([] {
    for (UpdateRule rule : {UpdateRule::adam, UpdateRule::rmsprop, UpdateRule::adagrad, UpdateRule::adadelta}) {
      const Update u = update_with(rule);
      const int v = rule == UpdateRule::adam ? 1 : 0;
      Buffers<float> b(19);
      b.grad.assign(19, 1e30f);
      b.run(u, 0, 19);
      EXPECT_EQ(b.s[v], std::vector<float>(19, std::numeric_limits<float>::max())) << static_cast<int>(rule);
      for (float p : b.p) EXPECT_TRUE(std::isfinite(p)) << static_cast<int>(rule);
    }
    Update u = update_with(UpdateRule::adam);
    u.l2 = 0;
    Buffers<float> b(19);
    b.s[0].assign(19, -1e-39f);
    b.s[1].assign(19, 1e-39f);
    b.run(u, 0, 19);
    EXPECT_EQ(b.s[0], std::vector<float>(19, 0));
    EXPECT_EQ(b.s[1], std::vector<float>(19, 0));
  });
}

}  // namespace
}  // namespace libnf::kernel
