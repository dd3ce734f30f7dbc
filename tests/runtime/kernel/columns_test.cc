// Copies of columns: neighbors, every other one, repeated ones; no write outside.
#include "runtime/kernel/columns.h"

#include "tests/runtime/kernel/matrices.h"

namespace libnf::test {
namespace {

using List = std::vector<int32_t>;
constexpr int64_t kWide = 40;
const List kLists[] = {{}, {0}, {39}, {3, 4, 5}, {0, 2, 4, 6}, {5, 4, 3}, {7, 1, 30, 2}, {2, 3, 5, 6, 7, 8, 9, 10, 11}};

template <class T>
class ColumnsKernel : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(ColumnsKernel, Types);

TEST(ColumnStep, ConstantOrNone) {
  EXPECT_EQ(kernel::column_step(nullptr, 0), 1);
  EXPECT_EQ(kernel::column_step(List{7}.data(), 1), 1);
  EXPECT_EQ(kernel::column_step(List({3, 4, 5}).data(), 3), 1);
  EXPECT_EQ(kernel::column_step(List({3, 5, 7}).data(), 3), 2);
  EXPECT_EQ(kernel::column_step(List({3, 4, 6}).data(), 3), 0);
  EXPECT_EQ(kernel::column_step(List({4, 4, 4}).data(), 3), 0);
}

TYPED_TEST(ColumnsKernel, GatherAndScatterAreReverseMoves) {
  using T = TypeParam;
  for (const List& list : kLists)
    for (const Layout narrow : {Layout::whole, Layout::strided, Layout::shared})
      for (const Layout wide : {Layout::whole, Layout::strided}) {
        const auto m = static_cast<int64_t>(list.size());
        constexpr int64_t kRows = 5;
        const auto place = [&](int64_t c) {  // in the list, or -1
          for (int64_t j = 0; j < m; ++j)
            if (list[static_cast<size_t>(j)] == c) return j;
          return int64_t{-1};
        };
        const Matrix<T> x(kRows, m, narrow, 1);
        Matrix<T> y(kRows, kWide, wide, 2);
        kernel::scatter_columns<T>(x.rows(), list.data(), y.rows());
        y.expect([&](int64_t r, int64_t c, T old) { return place(c) < 0 ? old : x(r, place(c)); });
        kernel::scatter_add_columns<T>(x.rows(), list.data(), y.rows());
        y.expect([&](int64_t r, int64_t c, T old) { return place(c) < 0 ? old : old + x(r, place(c)); });
        if (narrow == Layout::shared) continue;
        Matrix<T> back(kRows, m, narrow, 3);
        kernel::gather_columns<T>(y.rows(), list.data(), back.rows());
        back.expect([&](int64_t r, int64_t c, T) { return y(r, list[static_cast<size_t>(c)]); });
      }
}

TYPED_TEST(ColumnsKernel, RepeatedColumnsAddUpInOrder) {
  using T = TypeParam;
  const List list = {1, 1, 0, 1};
  const Matrix<T> x(6, 4, Layout::whole, 1);
  Matrix<T> y(6, 3, Layout::whole, 2);
  kernel::scatter_add_columns<T>(x.rows(), list.data(), y.rows());
  y.expect([&](int64_t r, int64_t c, T old) {
    if (c == 0) return old + x(r, 2);
    return c == 1 ? old + x(r, 0) + x(r, 1) + x(r, 3) : old;
  });
}

TYPED_TEST(ColumnsKernel, CopiesOfEveryWidth) {
  using T = TypeParam;
  on_every_layout<T>(1, [](const std::vector<Matrix<T>>& in, Matrix<T>& y) {
    kernel::copy_rows<T>(in[0].rows(), y.rows());
    y.expect([&](int64_t r, int64_t c, T) { return in[0](r, c); });
  });
}

}  // namespace
}  // namespace libnf::test
