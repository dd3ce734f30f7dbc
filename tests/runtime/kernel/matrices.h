// Matrices in the layouts that kernels take, with margins that nobody may write to.
#pragma once
#include <cmath>
#include <limits>
#include <vector>

#include "runtime/core/rows.h"
#include "tests/runtime/kernel/every_target.h"

namespace libnf::test {

enum class Layout { whole, strided, shared };  // rows side by side, apart, or one row for all

// A value that the compiler may not fuse into the next operation.
template <class T>
T rounded(T x) {
  volatile T v = x;
  return v;
}

// What hn::MulAdd gives: fused where the target has it.
template <class T>
T multiply_add(int64_t target, T a, T b, T c) {
  const bool fused = target != HWY_SCALAR && target != HWY_SSE4 && target != HWY_SSSE3;
  return fused ? std::fma(a, b, c) : rounded(a * b) + c;
}

template <class T>
class Matrix {
 public:
  Matrix(int64_t rows, int64_t cols, Layout layout, size_t seed)
      : rows_(rows), cols_(cols), ld_(layout == Layout::shared ? 0 : cols + (layout == Layout::strided ? 3 : 0)) {
    const int64_t size = kMargin + (ld_ ? rows * ld_ : cols) + kMargin;
    for (int64_t i = 0; i < size; ++i) {
      const size_t h = (static_cast<size_t>(i) + 31 * seed) * 2654435761u % 1009;
      values_.push_back(static_cast<T>(h + 1) / 97 - (h % 2 ? T(0) : T(11)));  // no zeros: they divide
    }
    old_ = values_;
  }
  Rows<T> rows() { return {values_.data() + kMargin, rows_, cols_, ld_}; }
  Rows<const T> rows() const { return {values_.data() + kMargin, rows_, cols_, ld_}; }
  T operator()(int64_t r, int64_t c) const { return rows().row(r)[c]; }

  // Every element is f(r, c, what it was at the last call), bit by bit, and everything else as it was.
  template <class F>
  void expect(const F& f) {
    std::vector<T> want = old_;
    for (int64_t r = 0; r < rows_; ++r)
      for (int64_t c = 0; c < cols_; ++c) {
        T& w = want[static_cast<size_t>(kMargin + r * ld_ + c)];
        w = f(r, c, w);
      }
    EXPECT_EQ(values_, want) << rows_ << " x " << cols_ << ", rows " << ld_ << " apart";
    values_ = want;
    old_ = want;
  }

 private:
  static constexpr int64_t kMargin = 20;
  int64_t rows_, cols_, ld_;
  std::vector<T> values_, old_;
};

// body(inputs, output[, target]) for sizes around those of vectors, with every combination of layouts of the output and
// the inputs, on every target.
template <class T, class Body>
void on_every_layout(size_t inputs, const Body& body) {
  on_every_target([&](int64_t target) {
    for (int64_t cols = 0; cols <= 70; cols += cols < 20 ? 1 : 7)
      for (const int64_t rows : {0, 1, 5, 70}) {
        if (rows * cols > 1500) continue;
        size_t all = 2;
        for (size_t i = 0; i < inputs; ++i) all *= 3;
        for (size_t k = 0; k < all; k += 1 + (all > 20 ? 3 : 0)) {
          std::vector<Matrix<T>> in;
          for (size_t i = 0, rest = k / 2; i < inputs; ++i, rest /= 3)
            in.emplace_back(rows, cols, static_cast<Layout>(rest % 3), i + 1);
          Matrix<T> y(rows, cols, static_cast<Layout>(k % 2), 9);
          if constexpr (std::is_invocable_v<Body, std::vector<Matrix<T>>&, Matrix<T>&, int64_t>)
            body(in, y, target);
          else
            body(in, y);
          if (testing::Test::HasFailure()) return;
        }
      }
  });
}

}  // namespace libnf::test
