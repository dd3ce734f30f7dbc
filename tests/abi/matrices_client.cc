// Eigen's matrices and mdspans as views: what they show, that they do not copy, and what must not compile. With NF_EIGEN
// or NF_MDSPAN (the header to include) defined; matrices_test.py builds and runs it.
#include <cstdio>

#ifdef NF_EIGEN
#include <nf/eigen.hpp>
#endif
#ifdef NF_MDSPAN
#include NF_MDSPAN
#include <nf/mdspan.hpp>
#endif

namespace {

using Numbers = std::vector<double>;
int passed = 0, failed = 0;

void same(const char *what, const nf::View &v, const Numbers &expected) {
  const Numbers is = v.to_vector<double>();
  if (is == expected) {
    ++passed;
    return;
  }
  ++failed;
  std::printf("%s:", what);
  for (const double d : is) std::printf(" %g", d);
  std::printf("\n");
}
void holds(const char *what, bool fine) {
  fine ? ++passed : ++failed;
  if (!fine) std::printf("%s\n", what);
}
template <class To, class From>
constexpr bool makes = std::is_constructible_v<To, From>;

#ifdef NF_EIGEN
using Eigen::MatrixXf;
template <class T>
using RowMajor = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Row = decltype(std::declval<MatrixXf &>().row(0));
using ConstRow = decltype(std::declval<const MatrixXf &>().row(0));
using Sum = decltype(std::declval<MatrixXf &>() + std::declval<MatrixXf &>());
using Bytes = Eigen::Matrix<uint8_t, Eigen::Dynamic, Eigen::Dynamic>;
static_assert(makes<nf::View, MatrixXf &> && makes<nf::Out, MatrixXf &> && makes<nf::View, const MatrixXf &>);
static_assert(!makes<nf::View, MatrixXf> && !makes<nf::Out, const MatrixXf &>);
static_assert(makes<nf::View, Row> && makes<nf::Out, Row> && makes<nf::View, ConstRow> && !makes<nf::Out, ConstRow>);
static_assert(makes<nf::Out, Eigen::Map<MatrixXf>> && !makes<nf::Out, Eigen::Map<const MatrixXf>>);
static_assert(makes<nf::Out, Eigen::Ref<MatrixXf>> && !makes<nf::View, Eigen::Ref<const MatrixXf>>);
static_assert(makes<nf::View, const Eigen::Ref<const MatrixXf> &>);
static_assert(!makes<nf::View, Sum> && !makes<nf::View, Sum &> && !makes<nf::View, Eigen::MatrixXi &>);
static_assert(makes<nf::View, Bytes &> && !makes<nf::Out, Bytes &>);

template <class M>
void matrix(const char *order) {
  M m(2, 3);
  m << 1, 2, 3, 4, 5, 6;
  same(order, m, {1, 2, 3, 4, 5, 6});
  same("transpose", m.transpose(), {1, 4, 2, 5, 3, 6});
  same("block", m.block(0, 1, 2, 2), {2, 3, 5, 6});
  same("row", m.row(1), {4, 5, 6});
  same("column", m.col(1), {2, 5});
  same("segment", m.row(0).segment(1, 2), {2, 3});
  same("diagonal", m.leftCols(2).diagonal(), {1, 5});
  same("array", m.array(), {1, 2, 3, 4, 5, 6});
  const Eigen::Ref<M> ref(m);
  same("reference", ref, {1, 2, 3, 4, 5, 6});
  const nf::View v(m);
  holds("no copy", v.raw()->data == m.data() && v.rank() == 2 && v.rows() == 2 && v.cols() == 3);
  holds("vectors have rank 1", nf::View(m.row(0)).rank() == 1 && nf::View(m.topRows(1)).rank() == 2);
  Eigen::Matrix<typename M::Scalar, Eigen::Dynamic, Eigen::Dynamic, M::Options> every(4, 6);
  every.setZero();
  Eigen::Map<M, 0, Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>> apart(every.data(), 2, 3,
                                                                        {M::IsRowMajor ? 12 : 8, 2});
  apart = m;
  same("map with strides", apart, {1, 2, 3, 4, 5, 6});

  nf::Model model(R"({"event": 3, "dtype": "float64", "layers": [{"type": "reverse"}]})", 1);
  nf::Session session(model);
  M z(2, 3);
  session.forward_into(z, {}, m);
  same("written", z, {3, 2, 1, 6, 5, 4});
  session.forward_into(z.topRows(1), {}, m.bottomRows(1));
  same("a row written", z, {6, 5, 4, 6, 5, 4});
  Eigen::VectorXd scores(2);
  session.log_prob_into(scores, m);
  const Numbers by_pointer = session.log_prob<double>(nf::View(Numbers{1, 2, 3, 4, 5, 6}.data(), 2, 3));
  same("scored", scores, by_pointer);
  nf::Flow flow(R"({"event": 3, "layers": [{"type": "affine_coupling"}]})");
  M rows = M::Random(200, 3);
  flow.fit(nf::Batch(rows), {{"fit.steps", 3}});
  holds("flow", flow.log_prob(rows).size() == 200);
}

void eigen() {
  matrix<Eigen::MatrixXf>("column-major");
  matrix<RowMajor<double>>("row-major");
  matrix<Eigen::Matrix<double, Eigen::Dynamic, 3>>("fixed columns");
}
#endif

#ifdef NF_MDSPAN
template <class E, class L>
using Span = NF_MDSPAN_NAMESPACE::mdspan<float, E, L>;
using NF_MDSPAN_NAMESPACE::dextents;
using NF_MDSPAN_NAMESPACE::extents;
using NF_MDSPAN_NAMESPACE::layout_left;
using NF_MDSPAN_NAMESPACE::layout_right;
using NF_MDSPAN_NAMESPACE::layout_stride;
using Constant = NF_MDSPAN_NAMESPACE::mdspan<const double, dextents<int, 2>>;
using Integers = NF_MDSPAN_NAMESPACE::mdspan<int, dextents<int, 2>>;
static_assert(makes<nf::View, Constant> && !makes<nf::Out, Constant> && !makes<nf::View, Integers>);
static_assert(makes<nf::Out, Span<dextents<int, 2>, layout_left>>);
// Numbers that are not what is in memory.
struct Doubled {
  using offset_policy = Doubled;
  using element_type = float;
  using reference = float;
  using data_handle_type = float *;
  reference access(float *p, size_t i) const { return 2 * p[i]; }
  float *offset(float *p, size_t i) const { return p + i; }
};
static_assert(!makes<nf::View, NF_MDSPAN_NAMESPACE::mdspan<float, dextents<int, 2>, layout_right, Doubled>>);

void mdspans() {
  std::vector<float> memory = {1, 2, 3, 4, 5, 6, 7, 8};
  float *p = memory.data();
  same("right", Span<dextents<int, 2>, layout_right>(p, 2, 3), {1, 2, 3, 4, 5, 6});
  same("left", Span<dextents<int, 2>, layout_left>(p, 2, 3), {1, 3, 5, 2, 4, 6});
  same("static", Span<extents<size_t, 3, 2>, layout_right>(p), {1, 2, 3, 4, 5, 6});
  const std::array<int, 2> strides{1, 3};
  const layout_stride::mapping<dextents<int, 2>> apart(dextents<int, 2>(2, 2), strides);
  same("strided", Span<dextents<int, 2>, layout_stride>(p, apart), {1, 4, 2, 5});
  same("rank 3", Span<dextents<int, 3>, layout_left>(p, 2, 2, 2), {1, 5, 3, 7, 2, 6, 4, 8});
  same("rank 0", Span<extents<int>, layout_right>(p), {1});
  const Span<dextents<int, 2>, layout_left> rows(p, 2, 3);
  holds("no copy", nf::View(rows).raw()->data == p && nf::View(rows).rank() == 2);
  nf::Model model(R"({"event": 3, "layers": [{"type": "reverse"}]})", 1);
  std::vector<float> to(6);
  nf::Session(model).forward_into(Span<dextents<int, 2>, layout_left>(to.data(), 2, 3), {}, rows);
  same("written", nf::View(to), {5, 6, 3, 4, 1, 2});
}
#endif

}  // namespace

int main() {
#ifdef NF_EIGEN
  eigen();
#endif
#ifdef NF_MDSPAN
  mdspans();
#endif
  std::printf("# cases: %d %d 0\n", passed, failed);
  return failed != 0;
}
