// Statistics over rows: sums in row order, to the bit, of the rows that count, on every SIMD target; and what uses them.
#include "runtime/kernel/batch.h"

#include "tests/runtime/kernel/matrices.h"

namespace libnf::test {
namespace {

using kernel::ColumnTerm;

template <class T>
class BatchKernel : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(BatchKernel, Types);

std::vector<double> numbers(int64_t n, double start) {
  std::vector<double> v(static_cast<size_t>(n));
  for (size_t i = 0; i < v.size(); ++i) v[i] = start + static_cast<double>(i * 37 % 19) / 7;
  return v;
}

// The sum over the rows that count of f(r, c) for every column, after `v`.
template <class A, class F>
std::vector<A> summed(std::vector<A> v, int64_t rows, const double* weight, const F& f) {
  for (int64_t r = 0; r < rows; ++r)
    for (size_t c = 0; c < v.size() && (!weight || weight[r] > 0); ++c) v[c] += f(r, static_cast<int64_t>(c));
  return v;
}

TYPED_TEST(BatchKernel, SumsOfRowsThatCount) {
  using T = TypeParam;
  on_every_layout<T>(2, [](const std::vector<Matrix<T>>& in, Matrix<T>& y) {
    const int64_t rows = y.rows().rows, cols = y.rows().cols;
    const std::vector<double> mean = numbers(cols, -1), start = numbers(cols, 0.1);
    std::vector<double> weights(static_cast<size_t>(rows));
    for (size_t r = 0; r < weights.size(); ++r) weights[r] = r % 3 == 1 ? 0 : 0.5;
    for (const double* weight : {static_cast<const double*>(nullptr), static_cast<const double*>(weights.data())}) {
      std::vector<double> a = start, b = start;
      const auto x = [&](int64_t r, int64_t c) -> double { return in[0](r, c); };
      kernel::column_sums<T>(weight, in[0].rows(), a.data());
      EXPECT_EQ(a, summed(start, rows, weight, x));

      a = start;
      kernel::column_deviations<T>(weight, in[0].rows(), mean.data(), a.data(), b.data());
      const auto away = [&](int64_t r, int64_t c) { return x(r, c) - mean[static_cast<size_t>(c)]; };
      EXPECT_EQ(a, summed(start, rows, weight, away));
      EXPECT_EQ(b, summed(start, rows, weight, [&](int64_t r, int64_t c) { return rounded(away(r, c) * away(r, c)); }));

      a = b = start;
      kernel::column_dots<T>(weight, in[0].rows(), in[1].rows(), a.data(), b.data());
      EXPECT_EQ(a, summed(start, rows, weight, x));
      EXPECT_EQ(b, summed(start, rows, weight, [&](int64_t r, int64_t c) { return rounded(x(r, c) * in[1](r, c)); }));
    }
  });
}

TYPED_TEST(BatchKernel, Terms) {
  using T = TypeParam;
  on_every_layout<T>(3, [](const std::vector<Matrix<T>>& in, Matrix<T>& y) {
    const int64_t rows = y.rows().rows;
    const std::vector<T> start(static_cast<size_t>(y.rows().cols), T(0.3));
    for (const ColumnTerm f : {ColumnTerm::value, ColumnTerm::minus, ColumnTerm::product}) {
      std::vector<T> out = start;
      kernel::column_terms<T>(f, in[0].rows(), in[1].rows(), in[2].rows(), out.data());
      EXPECT_EQ(out, summed(start, rows, nullptr, [&](int64_t r, int64_t c) {
                  const T x = in[0](r, c);
                  if (f == ColumnTerm::value) return x;
                  if (f == ColumnTerm::minus) return rounded(-x * in[1](r, c));
                  return rounded(rounded(x * in[1](r, c)) * in[2](r, c));
                }));
    }
  });
}

TYPED_TEST(BatchKernel, NormalizesInDouble) {
  using T = TypeParam;
  on_every_layout<T>(2, [](const std::vector<Matrix<T>>& in, Matrix<T>& y) {
    const int64_t rows = y.rows().rows, cols = y.rows().cols;
    const std::vector<double> mean = numbers(cols, -1), rate = numbers(cols, 0.1);
    const auto at = [](const auto& v, int64_t c) { return v[static_cast<size_t>(c)]; };
    kernel::normalize_rows<T>(in[0].rows(), mean.data(), rate.data(), y.rows());
    y.expect([&](int64_t r, int64_t c, T) {
      return static_cast<T>(rounded(static_cast<double>(in[0](r, c)) - at(mean, c)) * at(rate, c));
    });

    const std::vector<T> rates(rate.begin(), rate.end()), shift(mean.begin(), mean.end()), slope = rates;
    std::vector<double> weights(static_cast<size_t>(rows));
    for (size_t r = 0; r < weights.size(); ++r) weights[r] = r % 3 == 1 ? 0 : 0.5;
    for (const double* weight : {static_cast<const double*>(nullptr), static_cast<const double*>(weights.data())}) {
      kernel::normalize_grad_rows<T>(weight, in[0].rows(), in[1].rows(), rates.data(), shift.data(), slope.data(),
                                     y.rows());
      y.expect([&](int64_t r, int64_t c, T old) {
        if (weight && !(weight[r] > 0)) return old;
        const T inner = rounded(rounded(in[0](r, c) - at(shift, c)) - rounded(in[1](r, c) * at(slope, c)));
        return old + rounded(at(rates, c) * inner);
      });
    }
  });
}

}  // namespace
}  // namespace libnf::test
