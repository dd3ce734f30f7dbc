// Element-wise arithmetic on matrices: the bits of the scalar formulas on every SIMD target, in every layout (whole,
// narrow, strided, one row for all), and no write outside.
#include "runtime/kernel/rows.h"

#include <cmath>
#include <functional>

#include "tests/runtime/kernel/every_target.h"
#include "tests/runtime/kernel/matrices.h"

namespace libnf::test {
namespace {

using kernel::Binary;
using kernel::RowMap;
using kernel::RowUpdate;

template <class T>
class RowsKernel : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(RowsKernel, Types);

TYPED_TEST(RowsKernel, BinaryHasTheBitsOfTheOperation) {
  using T = TypeParam;
  on_every_layout<T>(2, [](const std::vector<Matrix<T>>& in, Matrix<T>& y) {
    for (const Binary f : {Binary::add, Binary::sub, Binary::mul, Binary::div, Binary::max, Binary::min}) {
      kernel::binary_rows<T>(f, in[0].rows(), in[1].rows(), y.rows());
      y.expect([&](int64_t r, int64_t c, T) {
        const T x = in[0](r, c), b = in[1](r, c);
        switch (f) {
          case Binary::add:
            return x + b;
          case Binary::sub:
            return x - b;
          case Binary::mul:
            return x * b;
          case Binary::div:
            return x / b;
          case Binary::max:
            return b > x ? b : x;
          case Binary::min:
            return b < x ? b : x;
        }
        return T(0);
      });
    }
  });
}

TYPED_TEST(RowsKernel, MapsRoundEveryOperation) {
  using T = TypeParam;
  on_every_layout<T>(3, [](const std::vector<Matrix<T>>& in, Matrix<T>& y) {
    for (const RowMap f : {RowMap::forward, RowMap::inverse, RowMap::divide, RowMap::film}) {
      kernel::affine_rows<T>(f, in[0].rows(), in[1].rows(), in[2].rows(), y.rows());
      y.expect([&](int64_t r, int64_t c, T) {
        const T x = in[0](r, c), a = in[1](r, c), b = in[2](r, c);
        if (f == RowMap::forward) return rounded(x * a) + b;
        if (f == RowMap::inverse) return rounded(x - b) * a;
        if (f == RowMap::divide) return rounded(x - b) / a;
        return rounded(x * rounded(1 + a)) + b;
      });
    }
  });
}

TYPED_TEST(RowsKernel, Updates) {
  using T = TypeParam;
  on_every_layout<T>(2, [](const std::vector<Matrix<T>>& in, Matrix<T>& y, int64_t target) {
    for (const RowUpdate f : {RowUpdate::fused, RowUpdate::minus, RowUpdate::film}) {
      kernel::update_rows<T>(f, in[0].rows(), in[1].rows(), y.rows());
      y.expect([&](int64_t r, int64_t c, T old) {
        const T x = in[0](r, c), a = in[1](r, c);
        if (f == RowUpdate::fused) return multiply_add(target, x, a, old);
        if (f == RowUpdate::minus) return old - rounded(x / a);
        return old + rounded(x * rounded(1 + a));
      });
    }
  });
}

TYPED_TEST(RowsKernel, UpdatesWithANumberForEveryRow) {
  using T = TypeParam;
  on_every_layout<T>(4, [](const std::vector<Matrix<T>>& in, Matrix<T>& y, int64_t target) {
    std::vector<T> g(static_cast<size_t>(y.rows().rows));
    for (size_t r = 0; r < g.size(); ++r) g[r] = static_cast<T>(r) / 3 - 1;
    const auto of = [&](int64_t r) { return g[static_cast<size_t>(r)]; };
    for (const T sign : {T(1), T(-1)}) {
      kernel::axpy_rows<T>(sign, g.data(), in[0].rows(), y.rows());
      y.expect([&](int64_t r, int64_t c, T old) { return multiply_add(target, sign * of(r), in[0](r, c), old); });
      kernel::slope_rows<T>(sign, g.data(), in[0].rows(), in[1].rows(), y.rows());
      y.expect([&](int64_t r, int64_t c, T old) {
        return old + rounded(sign * of(r) * rounded(rounded(in[0](r, c) * in[1](r, c)) - sign));
      });
    }
    for (const bool with_gl : {true, false}) {
      const T* gl = with_gl ? g.data() : nullptr;
      const auto added = [&](int64_t r) { return gl ? of(r) : T(0); };
      kernel::log_scale_rows<T>(RowMap::forward, in[0].rows(), in[1].rows(), in[2].rows(), gl, in[3].rows(), y.rows());
      y.expect([&](int64_t r, int64_t c, T old) {
        const T slope = rounded(rounded(rounded(in[0](r, c) * in[1](r, c)) * in[2](r, c)) + added(r));
        return old + rounded(slope * in[3](r, c));
      });
      kernel::log_scale_rows<T>(RowMap::divide, in[0].rows(), in[1].rows(), in[2].rows(), gl, in[3].rows(), y.rows());
      y.expect([&](int64_t r, int64_t c, T old) {
        return old - rounded(rounded(rounded(in[0](r, c) * in[1](r, c)) + added(r)) * in[3](r, c));
      });
    }
  });
}

// An output that all rows share collects them from the first to the last.
TYPED_TEST(RowsKernel, SharedOutputAddsUpRowsInOrder) {
  using T = TypeParam;
  on_every_target([](int64_t target) {
    for (const int64_t cols : {1, 2, 3, 7, 16, 33}) {
      constexpr int64_t kRows = 9;
      const Matrix<T> a(kRows, cols, Layout::whole, 1), b(kRows, cols, Layout::whole, 2);
      std::vector<T> g(kRows), y(static_cast<size_t>(cols), T(0.5)), want = y;
      for (size_t r = 0; r < g.size(); ++r) g[r] = static_cast<T>(r) / 3 - 1;
      const Rows<T> out = {y.data(), kRows, cols, 0};
      kernel::axpy_rows<T>(1, g.data(), a.rows(), out);
      kernel::update_rows<T>(RowUpdate::fused, a.rows(), b.rows(), out);
      for (int64_t c = 0; c < cols; ++c) {
        T& w = want[static_cast<size_t>(c)];
        for (int64_t r = 0; r < kRows; ++r) w = multiply_add(target, g[static_cast<size_t>(r)], a(r, c), w);
        for (int64_t r = 0; r < kRows; ++r) w = multiply_add(target, a(r, c), b(r, c), w);
      }
      EXPECT_EQ(y, want) << cols;
    }
  });
}

}  // namespace
}  // namespace libnf::test
