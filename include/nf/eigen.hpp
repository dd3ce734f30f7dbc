// nf/eigen.hpp - Eigen's matrices and arrays as nf::View and nf::Out, without copies. Optional: needs Eigen 3.3 or newer.
//
//   #include <nf/eigen.hpp>
//
//   Eigen::MatrixXd rows(1000, 2);             // one row of data per row, in either storage order
//   nf::Flow flow(spec);
//   flow.fit(rows);
//   Eigen::VectorXd scores(1000);
//   nf::Session(flow.model()).log_prob_into(scores, rows.leftCols(2));
//
// What is in memory can be viewed: matrices, arrays, Map, Ref, blocks, rows, columns, transposes, of float or double (bytes,
// too, where rows of data are read). Expressions that must be computed, such as a + b, cannot: evaluate them into a
// variable. Vectors have rank 1, [n]; matrices have rank 2, [rows, cols], also if one of them is 1 at run time.
#ifndef NF_EIGEN_HPP_
#define NF_EIGEN_HPP_
#include <Eigen/Core>
#include <nf/nf.hpp>

NF_HPP_BEGIN

namespace detail {
template <class D>
std::bool_constant<(D::Flags & Eigen::DirectAccessBit) != 0> in_memory(const Eigen::DenseBase<D> &);
}

template <class C>
struct Adapt<C, std::enable_if_t<decltype(detail::in_memory(std::declval<C &>()))::value>> {
  template <class M>
  static auto strided(M &m) {
    Strided<std::remove_pointer_t<decltype(m.data())>> s;
    s.data = m.data();
    if (C::IsVectorAtCompileTime) {
      s.rank = 1, s.shape[0] = m.size(), s.strides[0] = m.innerStride();
    } else {
      s.rank = 2, s.shape[0] = m.rows(), s.shape[1] = m.cols();
      s.strides[0] = m.rowStride(), s.strides[1] = m.colStride();
    }
    return s;
  }
};

// Temporaries of these refer to memory that somebody else keeps. Ref<const T> does not belong here: it may own a copy.
template <class T, int Options, class S>
struct is_borrowed<Eigen::Map<T, Options, S>> : std::true_type {};
template <class T, int Options, class S>
struct is_borrowed<Eigen::Ref<T, Options, S>> : std::bool_constant<!std::is_const_v<T>> {};
template <class T, int R, int C, bool Inner>
struct is_borrowed<Eigen::Block<T, R, C, Inner>> : std::true_type {};
template <class T, int N>
struct is_borrowed<Eigen::VectorBlock<T, N>> : std::true_type {};
template <class T, int Index>
struct is_borrowed<Eigen::Diagonal<T, Index>> : std::true_type {};
template <class T>
struct is_borrowed<Eigen::Transpose<T>> : std::true_type {};
template <class T>
struct is_borrowed<Eigen::ArrayWrapper<T>> : std::true_type {};
template <class T>
struct is_borrowed<Eigen::MatrixWrapper<T>> : std::true_type {};

NF_HPP_END
#endif  // NF_EIGEN_HPP_
