// The root solver on functions that are difficult in different ways, with and without brackets: roots to the last
// digits, the same bits alone and in a batch, and unreachable tolerances.
#include "runtime/op/root.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/support/expect_error.h"
#include "tests/support/op_check.h"

namespace libnf::test {
namespace {

// Increasing functions, each difficult in its own way.
template <class T>
struct Function {
  const char* name;
  T (*f)(T);
  T (*slope)(T);
};
template <class T>
const Function<T> kFunctions[] = {
    {"line", [](T x) { return 3 * x; }, [](T) { return T(3); }},
    {"flat at 0", [](T x) { return x * x * x; }, [](T x) { return 3 * x * x; }},
    {"steep at 0", [](T x) { return std::cbrt(x); }, [](T x) { return 1 / (3 * std::cbrt(x) * std::cbrt(x)); }},
    {"exponential", [](T x) { return std::exp(x) + x; }, [](T x) { return std::exp(x) + 1; }},
    {"a step", [](T x) { return x + 1000 * std::tanh(50 * x); },
     [](T x) { return 1 + 50000 * (1 - std::tanh(50 * x) * std::tanh(50 * x)); }},
    {"a terrace", [](T x) { return x - std::tanh(x) * T(1 - 1e-6); },
     [](T x) { return 1 - (1 - std::tanh(x) * std::tanh(x)) * T(1 - 1e-6); }},
    {"a kink", [](T x) { return x < 0 ? x / 100 : 100 * x; }, [](T x) { return x < 0 ? T(0.01) : T(100); }},
    {"a slope that lies", [](T x) { return std::atan(x); }, [](T) { return T(1e-3); }},
};

template <class T>
class Evaluate final : public RootFunction<T> {
 public:
  explicit Evaluate(const Function<T>& f) : f_(f) {}
  void evaluate(int64_t count, const int32_t*, const T* x, T* y, T* slope) const override {
    for (int64_t k = 0; k < count; ++k) {
      y[k] = f_.f(x[k]);
      slope[k] = f_.slope(x[k]);
    }
    evaluations += count;
  }
  mutable int64_t evaluations = 0;

 private:
  const Function<T>& f_;
};

template <class T>
class RootTest : public testing::Test {
 protected:
  static constexpr T kInf = std::numeric_limits<T>::infinity();
  // Finds the roots of f(x) = y from x = start, with open brackets.
  std::vector<T> roots(const Evaluate<T>& f, const std::vector<T>& y, T start = 0, const RootLimits& limits = {}) {
    const auto n = static_cast<int64_t>(y.size());
    std::vector<T> x(y.size(), start), low(y.size(), -kInf), high(y.size(), kInf);
    find_roots<T>(tape, limits, f, {n, y.data(), x.data(), low.data(), high.data()});
    return x;
  }
  Tape tape{system_allocator(), dtype_of<T>};
};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(RootTest, Types);

TYPED_TEST(RootTest, FindsThem) {
  using T = TypeParam;
  constexpr T eps = std::numeric_limits<T>::epsilon();
  std::vector<T> want;
  for (double v : {0.0, 1e-9, -1e-9, 0.01, -0.01, 0.3, -0.7, 1.0, 2.5, -2.5, 11.0, -11.0})
    want.push_back(static_cast<T>(v));
  for (const Function<T>& f : kFunctions<T>) {
    SCOPED_TRACE(f.name);
    for (T start : {T(0), T(1), T(-30)}) {
      const Evaluate<T> e(f);
      std::vector<T> y;
      for (T x : want) y.push_back(f.f(x));
      const std::vector<T> x = this->roots(e, y, start);
      for (size_t i = 0; i < x.size(); ++i) {
        // Rounding of y and the tolerance of 1e-12 may shift x by this much; where the slope is 0, by the cube root of
        // it. A wrong slope makes the last step inaccurate.
        const T hidden = (&f == &kFunctions<T>[7] ? 400 : 40) * eps * (std::abs(y[i]) + std::abs(want[i])) + T(4e-12);
        EXPECT_LE(std::abs(f.f(x[i]) - y[i]), hidden * std::max(T(1), f.slope(want[i]))) << want[i];
        if (f.slope(want[i]) > T(0.1)) {
          EXPECT_NEAR(x[i], want[i], hidden * 2 / std::min(T(1), f.slope(want[i]))) << want[i];
        }
      }
      EXPECT_LT(e.evaluations, 40 * static_cast<int64_t>(want.size()));
    }
  }
}

TYPED_TEST(RootTest, BitsDoNotDependOnOthers) {
  using T = TypeParam;
  std::vector<T> y;
  for (int i = 0; i < 40; ++i) y.push_back(static_cast<T>(std::sin(i) * 7));
  for (const Function<T>& f : kFunctions<T>) {
    if (std::string(f.name) == "a slope that lies") continue;  // 7 is out of its range
    const std::vector<T> all = this->roots(Evaluate<T>(f), y);
    for (size_t i = 0; i < y.size(); ++i) EXPECT_EQ(this->roots(Evaluate<T>(f), {y[i]})[0], all[i]) << f.name;
  }
}

TYPED_TEST(RootTest, NoNumbersGiveNan) {
  using T = TypeParam;
  const Evaluate<T> f(kFunctions<T>[0]);
  const std::vector<T> x = this->roots(f, {std::numeric_limits<T>::quiet_NaN(), this->kInf, -this->kInf, 6});
  EXPECT_TRUE(std::isnan(x[0]) && std::isnan(x[1]) && std::isnan(x[2]));
  EXPECT_EQ(x[3], 2);
}

TYPED_TEST(RootTest, MissesNameTheFirstRow) {
  using T = TypeParam;
  const Evaluate<T> f(kFunctions<T>[3]);
  this->tape.random.first_row = 1000;
  const std::vector<T> y = {1, 1, 50, 1, 70};  // 1 is solved at x = 0, where the search starts
  EXPECT_ERROR(this->roots(f, y, 0, {1e-12, 1}), Code::not_inverted, "row 1002");
  EXPECT_ERROR(this->roots(f, y, 0, {1e-12, 1}), Code::not_inverted, "max_iterations");
  EXPECT_NO_THROW(this->roots(f, y, 0, {1e-12, 100}));
  EXPECT_NO_THROW(this->roots(f, y, 0, {1e3, 1})) << "loose enough for a single evaluation";
  this->tape.measuring = true;
  EXPECT_NO_THROW(this->roots(f, y, 0, {1e-12, 1}));
}

TYPED_TEST(RootTest, OutOfRangeIsAMiss) {
  using T = TypeParam;
  const Function<T> atan = {"atan", [](T x) { return std::atan(x); }, [](T x) { return 1 / (1 + x * x); }};
  EXPECT_ERROR(this->roots(Evaluate<T>(atan), {2}), Code::not_inverted, "row 0");
}

}  // namespace
}  // namespace libnf::test
