// Borrowed numbers: nf::View is read, nf::Out is written, nf::Batch is rows of data by name. Include <nf/nf.hpp>.
#ifndef NF_HPP_VIEW_HPP_
#define NF_HPP_VIEW_HPP_
#include <nf/hpp/error.hpp>

#include <cstring>
#include <initializer_list>
#include <iterator>
#include <vector>
#if __cplusplus >= 202002L
#include <ranges>
#include <span>
#endif

NF_HPP_BEGIN

// Specialize for a span of your own: a type whose temporaries may be viewed, because they do not own the numbers.
template <class C, class = void>
struct is_borrowed : std::false_type {};
#if __cplusplus >= 202002L
template <class T, size_t N>
struct is_borrowed<std::span<T, N>> : std::true_type {};
#endif

// Memory of a type that has strides: what Adapt<C>::strided returns.
template <class T>
struct Strided {
  T *data = nullptr;
  int rank = 0;  // 0..8
  int64_t shape[NF_MAX_RANK] = {};
  int64_t strides[NF_MAX_RANK] = {};  // in elements
};
// Specialize for a matrix type C of your own: `static Strided<T> strided(C &c)`, and another for const C if T differs. Views
// and Outs can be made from it then. nf/eigen.hpp and nf/mdspan.hpp do that for the types of these libraries.
template <class C, class = void>
struct Adapt {};

namespace detail {

template <class T>
constexpr nf_dtype dtype() {
  static_assert(std::is_same_v<T, float> || std::is_same_v<T, double> || std::is_same_v<T, uint8_t>,
                "data is float or double, or uint8_t where rows of data are read");
  return std::is_same_v<T, double> ? NF_F64 : std::is_same_v<T, float> ? NF_F32 : NF_U8;
}

inline const char *name_of(nf_dtype t) noexcept {
  return t == NF_F64 ? "double" : t == NF_F32 ? "float" : t == NF_U8 ? "uint8_t" : "none";
}
constexpr int64_t bytes_of(nf_dtype t) noexcept { return t == NF_F64 ? 8 : t == NF_U8 ? 1 : 4; }

template <class T>
constexpr bool is_number = std::is_same_v<std::remove_cv_t<T>, float> || std::is_same_v<std::remove_cv_t<T>, double> ||
                           std::is_same_v<std::remove_cv_t<T>, uint8_t>;
// A matrix has an order of its elements, which data() and size() do not say.
template <class C, class = void>
struct IsMatrix : std::false_type {};
template <class C>
struct IsMatrix<C, std::void_t<decltype(std::declval<C &>().rows()), decltype(std::declval<C &>().cols())>>
    : std::true_type {};
// What a contiguous container or range holds: float, const double, uint8_t, ...; void for other types.
template <class C, class = void>
struct Element {
  using type = void;
};
template <class C>
struct Element<C, std::void_t<decltype(std::data(std::declval<C &>())), decltype(std::size(std::declval<C &>()))>> {
  using pointee = std::remove_pointer_t<decltype(std::data(std::declval<C &>()))>;
  using type = std::conditional_t<is_number<pointee> && !IsMatrix<C>::value, pointee, void>;
};
template <class C>
using element = typename Element<std::remove_reference_t<C>>::type;
// The same for what Adapt knows.
template <class C, class = void>
struct AdaptedElement {
  using type = void;
};
template <class C>
struct AdaptedElement<C, std::void_t<decltype(Adapt<std::remove_cv_t<C>>::strided(std::declval<C &>()))>> {
  using pointee = std::remove_pointer_t<decltype(Adapt<std::remove_cv_t<C>>::strided(std::declval<C &>()).data)>;
  using type = std::conditional_t<is_number<pointee>, pointee, void>;
};
template <class C>
using adapted_element = typename AdaptedElement<std::remove_reference_t<C>>::type;

// C is deduced from a forwarding reference.
template <class C>
constexpr bool holds_numbers = !std::is_void_v<element<C>>;
template <class T>
constexpr bool writes = !std::is_const_v<T> && !std::is_same_v<T, uint8_t>;  // results are never bytes
template <class C>
constexpr bool writable = holds_numbers<C> &&writes<element<C>>;
template <class C>
constexpr bool adapted = !std::is_void_v<adapted_element<C>>;
template <class C>
constexpr bool writable_adapted = adapted<C> &&writes<adapted_element<C>>;
template <class C>
auto strided_of(C &c) {
  return Adapt<std::remove_cv_t<C>>::strided(c);
}
#if __cplusplus >= 202002L
template <class C>
constexpr bool borrowed = is_borrowed<std::remove_cv_t<std::remove_reference_t<C>>>::value ||
                          std::ranges::enable_borrowed_range<std::remove_cv_t<std::remove_reference_t<C>>>;
#else
template <class C>
constexpr bool borrowed = is_borrowed<std::remove_cv_t<std::remove_reference_t<C>>>::value;
#endif
// With a number behind it, an array is a pointer.
template <class C>
constexpr bool is_class = std::is_class_v<std::remove_reference_t<C>>;
template <class C>
constexpr bool outlives = std::is_lvalue_reference_v<C> || borrowed<C>;

// What View and Out have in common. Raw is nf_view or nf_out.
template <class Raw, bool Writes>
class Array {
 public:
  template <class T>
  using Pointer = std::conditional_t<Writes, T *, const T *>;

  bool none() const noexcept { return raw_.dtype == 0; }
  nf_dtype dtype() const noexcept { return raw_.dtype; }  // NF_F32, NF_F64 or, of a View, NF_U8
  int rank() const noexcept { return raw_.ndim; }
  int64_t extent(int i) const noexcept { return i >= 0 && i < raw_.ndim ? raw_.shape[i] : 1; }
  int64_t rows() const noexcept { return extent(0); }
  int64_t cols() const noexcept { return extent(1); }
  // Number of elements.
  int64_t size() const noexcept {
    int64_t n = none() ? 0 : 1;
    for (int i = 0; i < raw_.ndim; ++i) n *= raw_.shape[i];
    return n;
  }
  // Distance between neighbors along an axis, in elements.
  int64_t stride(int i) const noexcept {
    if (raw_.flags & NF_STRIDED) return raw_.strides[i];
    int64_t s = 1;
    for (int k = raw_.ndim - 1; k > i; --k) s *= raw_.shape[k];
    return s;
  }
  // Row-major without gaps, so that data() is the whole of it.
  bool contiguous() const noexcept {
    int64_t s = 1;
    for (int k = raw_.ndim - 1; k >= 0; --k) {
      if (raw_.shape[k] > 1 && stride(k) != s) return false;
      s *= raw_.shape[k];
    }
    return true;
  }
  // One number of a view of rank 1 or 2, whatever its type, strides and alignment. It must exist.
  double at(int64_t i, int64_t j = 0) const noexcept {
    return number(i * stride(0) + (raw_.ndim > 1 ? j * stride(1) : 0));
  }
  // The first element. Throws if the numbers are not of type T (without exceptions: nullptr).
  template <class T>
  Pointer<T> data() const {
    if (raw_.dtype != detail::dtype<T>()) {
#ifndef NF_NO_EXCEPTIONS
      throw Exception(error(NF_ERR_SHAPE, std::string("data<") + name_of(detail::dtype<T>()) +
                                              ">() on numbers of type " + name_of(raw_.dtype) +
                                              ": check dtype() first"));
#else
      return nullptr;
#endif
    }
    return static_cast<Pointer<T>>(raw_.data);
  }

  // For calling nf.h directly: NULL for none.
  const Raw *raw() const noexcept { return none() ? nullptr : &raw_; }

 protected:
  Array() noexcept {
    raw_ = {};
    raw_.struct_size = static_cast<uint32_t>(sizeof(Raw));
  }
  explicit Array(const Raw &raw) : Array() {
    if (raw.ndim < 0 || raw.ndim > NF_MAX_RANK) {
      reject("the rank is outside of 0..8");
      return;
    }
    raw_.dtype = raw.dtype, raw_.ndim = raw.ndim, raw_.flags = raw.flags, raw_.data = raw.data;
    for (int i = 0; i < raw.ndim; ++i) raw_.shape[i] = raw.shape[i];
    if (raw.flags & NF_STRIDED)
      for (int i = 0; i < raw.ndim; ++i) raw_.strides[i] = raw.strides[i];
  }
  template <class P>
  Array(nf_dtype dtype, P *data, std::initializer_list<int64_t> shape) : Array() {
    fill(dtype, data, shape.begin(), shape.size());
  }
  template <class P>
  Array(nf_dtype dtype, P *data, size_t n, int64_t cols) : Array() {
    const auto numbers = static_cast<int64_t>(n);
    if (cols <= 0 || numbers % cols != 0) {
      reject(std::to_string(numbers) + " numbers are not rows of " + std::to_string(cols) +
             (cols == 1 ? " column" : " columns"));
      return;
    }
    const int64_t shape[2] = {numbers / cols, cols};
    fill(dtype, data, shape, 2);
  }
  template <class P>
  void fill(nf_dtype dtype, P *data, const int64_t *shape, size_t rank) {
    if (rank > NF_MAX_RANK) return reject("the rank is above 8");
    raw_.dtype = dtype, raw_.ndim = static_cast<int32_t>(rank), raw_.data = data;
    for (size_t i = 0; i < rank; ++i) raw_.shape[i] = shape[i];
  }
  template <class T>
  explicit Array(const Strided<T> &m) : Array() {
    fill(detail::dtype<std::remove_cv_t<T>>(), m.data, m.shape, static_cast<size_t>(m.rank));
    raw_.flags |= NF_STRIDED;
    for (int i = 0; i < raw_.ndim; ++i) raw_.strides[i] = m.strides[i];
  }
  void set_strides(std::initializer_list<int64_t> strides) {
    if (static_cast<int64_t>(strides.size()) != raw_.ndim) return reject("there are not as many strides as extents");
    raw_.flags |= NF_STRIDED;
    int i = 0;
    for (const int64_t s : strides) raw_.strides[i++] = s;
  }
  // Without exceptions the call that is given the view fails with NF_ERR_SHAPE, because -1 is not a dtype.
  void reject(const std::string &why) {
#ifndef NF_NO_EXCEPTIONS
    throw Exception(error(NF_ERR_SHAPE, "nf::" + std::string(Writes ? "Out: " : "View: ") + why));
#else
    static_cast<void>(why);
    raw_.dtype = -1;
#endif
  }
  double number(int64_t offset) const noexcept {
    const auto *from = static_cast<const char *>(raw_.data) + offset * bytes_of(raw_.dtype);
    if (raw_.dtype == NF_U8) return static_cast<double>(static_cast<unsigned char>(*from));
    double d = 0;
    float f = 0;
    if (raw_.dtype == NF_F64)
      std::memcpy(&d, from, sizeof d);
    else
      std::memcpy(&f, from, sizeof f);
    return raw_.dtype == NF_F64 ? d : static_cast<double>(f);
  }
  // Rows first .. first + n - 1, which must exist.
  Raw slice_of(int64_t first, int64_t n) const noexcept {
    Raw v = raw_;
    v.shape[0] = n;
    const int64_t skip = first * stride(0) * bytes_of(raw_.dtype);
    if (v.data) v.data = static_cast<Pointer<char>>(v.data) + skip;
    return v;
  }

  Raw raw_;
};

}  // namespace detail

// Numbers that a call reads, of rank up to 8 and with any strides: float or double, and where rows of data are read also
// uint8_t, such as View(pixels, {n, 28, 28, 1}). It borrows them, so it cannot be made from a temporary container. A
// default-constructed View is none: NULL.
class View : public detail::Array<nf_view, false> {
  using Base = detail::Array<nf_view, false>;

 public:
  View() = default;
  // [n], [rows, cols], or any shape, row-major.
  template <class T>
  View(const T *data, int64_t n) : Base(detail::dtype<T>(), data, {n}) {}
  template <class T>
  View(const T *data, int64_t rows, int64_t cols) : Base(detail::dtype<T>(), data, {rows, cols}) {}
  template <class T>
  View(const T *data, std::initializer_list<int64_t> shape) : Base(detail::dtype<T>(), data, shape) {}
  // Strides in elements.
  template <class T>
  View(const T *data, std::initializer_list<int64_t> shape, std::initializer_list<int64_t> strides)
      : Base(detail::dtype<T>(), data, shape) {
    set_strides(strides);
  }
  // All numbers of a vector, array, span or other contiguous range: [n], or rows of `cols` numbers.
  template <class C, std::enable_if_t<detail::holds_numbers<C> && detail::outlives<C>, int> = 0>
  View(C &&c) : View(std::data(c), static_cast<int64_t>(std::size(c))) {}
  template <class C, std::enable_if_t<detail::holds_numbers<C> && detail::is_class<C> && detail::outlives<C>, int> = 0>
  View(C &&c, int64_t cols)
      : Base(detail::dtype<std::remove_cv_t<detail::element<C>>>(), std::data(c), std::size(c), cols) {}
  // The numbers of a temporary would be gone: keep the container in a variable.
  template <class C, std::enable_if_t<detail::holds_numbers<C> && !detail::outlives<C>, int> = 0>
  View(C &&c) = delete;
  template <class C, std::enable_if_t<detail::holds_numbers<C> && detail::is_class<C> && !detail::outlives<C>, int> = 0>
  View(C &&c, int64_t cols) = delete;
  // A matrix or array for which there is an Adapt: its shape and strides.
  template <class C, std::enable_if_t<detail::adapted<C> && detail::outlives<C>, int> = 0>
  View(C &&c) : Base(detail::strided_of(c)) {}
  template <class C, std::enable_if_t<detail::adapted<C> && !detail::outlives<C>, int> = 0>
  View(C &&c) = delete;
  // From a view of nf.h: copies the shape, borrows the data.
  explicit View(const nf_view &v) : Base(v) {}

  // Rows first .. first + n - 1, which must exist.
  View slice(int64_t first, int64_t n) const { return View(slice_of(first, n)); }
  // A rank-1 view as rows of `cols` numbers; other views are returned as they are.
  View as_rows(int64_t cols) const {
    if (rank() != 1 || cols <= 0 || rows() % cols != 0) return *this;
    View v = *this;
    const int64_t s = stride(0);
    v.raw_.ndim = 2, v.raw_.shape[0] = rows() / cols, v.raw_.shape[1] = cols;
    v.raw_.strides[0] = s * cols, v.raw_.strides[1] = s;
    return v;
  }
  // Copies the numbers, row-major.
  template <class T>
  std::vector<T> to_vector() const {
    std::vector<T> out;
    out.reserve(static_cast<size_t>(size() > 0 ? size() : 0));
    if (size() > 0) append(out, 0, 0);
    return out;
  }

 private:
  template <class T>
  void append(std::vector<T> &out, int axis, int64_t offset) const {
    if (axis == rank()) return out.push_back(static_cast<T>(number(offset)));
    for (int64_t i = 0; i < extent(axis); ++i) append(out, axis + 1, offset + i * stride(axis));
  }
};

// Numbers that a call writes. None: the call does not write them.
class Out : public detail::Array<nf_out, true> {
  using Base = detail::Array<nf_out, true>;

 public:
  Out() = default;
  template <class T, std::enable_if_t<detail::writes<T>, int> = 0>
  Out(T *data, int64_t n) : Base(detail::dtype<T>(), data, {n}) {}
  template <class T, std::enable_if_t<detail::writes<T>, int> = 0>
  Out(T *data, int64_t rows, int64_t cols) : Base(detail::dtype<T>(), data, {rows, cols}) {}
  template <class T, std::enable_if_t<detail::writes<T>, int> = 0>
  Out(T *data, std::initializer_list<int64_t> shape) : Base(detail::dtype<T>(), data, shape) {}
  template <class T, std::enable_if_t<detail::writes<T>, int> = 0>
  Out(T *data, std::initializer_list<int64_t> shape, std::initializer_list<int64_t> strides)
      : Base(detail::dtype<T>(), data, shape) {
    set_strides(strides);
  }
  template <class C, std::enable_if_t<detail::writable<C> && detail::outlives<C>, int> = 0>
  Out(C &&c) : Out(std::data(c), static_cast<int64_t>(std::size(c))) {}
  template <class C, std::enable_if_t<detail::writable<C> && detail::is_class<C> && detail::outlives<C>, int> = 0>
  Out(C &&c, int64_t cols) : Base(detail::dtype<detail::element<C>>(), std::data(c), std::size(c), cols) {}
  template <class C, std::enable_if_t<detail::writable<C> && !detail::outlives<C>, int> = 0>
  Out(C &&c) = delete;
  template <class C, std::enable_if_t<detail::writable<C> && detail::is_class<C> && !detail::outlives<C>, int> = 0>
  Out(C &&c, int64_t cols) = delete;
  template <class C, std::enable_if_t<detail::writable_adapted<C> && detail::outlives<C>, int> = 0>
  Out(C &&c) : Base(detail::strided_of(c)) {}
  template <class C, std::enable_if_t<detail::writable_adapted<C> && !detail::outlives<C>, int> = 0>
  Out(C &&c) = delete;
  explicit Out(const nf_out &v) : Base(v) {}

  Out slice(int64_t first, int64_t n) const { return Out(slice_of(first, n)); }
};

// Rows of data by name; streams that are none are not given.
struct Batch {
  Batch() = default;
  Batch(const View &rows, const View &context = {}, const View &weights = {}, const View &gradients = {})
      : x(rows), ctx(context), weight(weights), scores(gradients) {}
  explicit Batch(const nf_batch &b) {
    if (b.x) x = View(*b.x);
    if (b.ctx) ctx = View(*b.ctx);
    if (b.weight) weight = View(*b.weight);
    if (b.scores) scores = View(*b.scores);
    if (b.part) part = View(*b.part);
  }
  bool none() const noexcept { return x.none() && ctx.none() && weight.none() && scores.none() && part.none(); }
  // For calling nf.h directly; points to the views of this object.
  nf_batch raw() const noexcept {
    nf_batch b = NF_BATCH_INIT;
    b.x = x.raw(), b.ctx = ctx.raw(), b.weight = weight.raw(), b.scores = scores.raw(), b.part = part.raw();
    return b;
  }

  View x;       // [n, event_size] or [n, height, width, channels]
  View ctx;     // [n or 1, context_size], for models with a context
  View weight;  // [n]
  View scores;  // as x: gradients of the target's log-density, for objective "fisher"
  View part;    // [n], for fit: 0 = row to train on, 1 = to validate with, others = neither
};

NF_HPP_END
#endif  // NF_HPP_VIEW_HPP_
