// nf/mdspan.hpp - mdspans as nf::View and nf::Out, without copies. Optional: for std::mdspan of C++23 and for the reference
// implementation, whatever namespace it is in; this header includes neither.
//
//   #include <mdspan>
//   #include <nf/mdspan.hpp>
//
//   std::mdspan rows(memory, 1000, 2);
//   flow.fit(nf::View(rows));
//
// Ranks 0 to 8, any extents, and layouts that are always strided: layout_right, layout_left, layout_stride and the padded
// ones. Elements are float or double (const or not; uint8_t where rows of data are read), behind an accessor that hands out
// plain references.
#ifndef NF_MDSPAN_HPP_
#define NF_MDSPAN_HPP_
#include <nf/nf.hpp>

NF_HPP_BEGIN

namespace detail {
template <class M, class = void>
struct IsMdspan : std::false_type {};
template <class M>
struct IsMdspan<M, std::void_t<typename M::extents_type, typename M::layout_type, typename M::accessor_type>>
    : std::bool_constant<M::is_always_strided() && M::rank() <= NF_MAX_RANK &&
                         std::is_same_v<typename M::data_handle_type, typename M::element_type *> &&
                         std::is_same_v<typename M::reference, typename M::element_type &>> {};
}  // namespace detail

template <class M>
struct Adapt<M, std::enable_if_t<detail::IsMdspan<M>::value>> {
  static Strided<typename M::element_type> strided(const M &m) {
    Strided<typename M::element_type> s;
    s.data = m.data_handle();
    s.rank = static_cast<int>(M::rank());
    for (size_t i = 0; i < M::rank(); ++i) {
      s.shape[i] = static_cast<int64_t>(m.extent(i));
      s.strides[i] = static_cast<int64_t>(m.stride(i));
    }
    return s;
  }
};

template <class M>
struct is_borrowed<M, std::enable_if_t<detail::IsMdspan<M>::value>> : std::true_type {};

NF_HPP_END
#endif  // NF_MDSPAN_HPP_
