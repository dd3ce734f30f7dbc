// Loops of runtime/kernel/binary.h: one instruction per element, so memory traffic dominates.
#include "runtime/kernel/binary.h"

#include <cstring>

#include "runtime/kernel/dispatch.h"
#include "runtime/kernel/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernel/binary.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h
#include "runtime/kernel/binary-inl.h"
#include "runtime/kernel/span-inl.h"

HWY_BEFORE_NAMESPACE();
namespace libnf::kernel::HWY_NAMESPACE {

// One argument held fixed.
template <class Op, class T>
struct Right {
  T b;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return Op()(d, x, hn::Set(d, b));
  }
};
template <class Op, class T>
struct Left {
  T a;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return Op()(d, hn::Set(d, a), x);
  }
};
template <class T>
struct Axpy {
  T a;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x, V y) const {
    return hn::MulAdd(hn::Set(d, a), x, y);
  }
};
struct MulAddOp {
  template <class D, class V>
  HWY_INLINE V operator()(D, V a, V b, V y) const {
    return hn::MulAdd(a, b, y);
  }
};
struct MulSubOp {
  template <class D, class V>
  HWY_INLINE V operator()(D, V a, V b, V y) const {
    return hn::NegMulAdd(a, b, y);
  }
};
template <class T>
struct Clamp {
  T low, high;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    const V l = hn::Set(d, low), h = hn::Set(d, high);
    const V above = hn::IfThenElse(hn::Lt(x, l), l, x);
    return hn::IfThenElse(hn::Gt(above, h), h, above);
  }
};

// The table of loops of one target and type, fetched once per call.
template <class T>
struct Loops {
  static void Both(Binary f, const T* x, const T* b, T* y, size_t n) {
#define NF_CASE(Op) Map2(Op(), x, b, y, n)
    NF_FOR_EACH_OP(f, NF_CASE)
#undef NF_CASE
  }
  static void ScalarRight(Binary f, const T* x, T b, T* y, size_t n) {
#define NF_CASE(Op) Map(Right<Op, T>{b}, x, y, n)
    NF_FOR_EACH_OP(f, NF_CASE)
#undef NF_CASE
  }
  static void ScalarLeft(Binary f, T a, const T* x, T* y, size_t n) {
#define NF_CASE(Op) Map(Left<Op, T>{a}, x, y, n)
    NF_FOR_EACH_OP(f, NF_CASE)
#undef NF_CASE
  }
  static void Plus(T a, const T* x, T* y, size_t n) { Map2(Axpy<T>{a}, x, y, y, n); }
  static void PlusProduct(const T* a, const T* b, T* y, size_t n) { Update(MulAddOp(), a, b, y, n); }
  static void MinusProduct(const T* a, const T* b, T* y, size_t n) { Update(MulSubOp(), a, b, y, n); }
  static void Clip(T low, T high, const T* x, T* y, size_t n) { Map(Clamp<T>{low, high}, x, y, n); }
  static void AddRow(const T* b, T* y, size_t ld, size_t rows, size_t cols) {
    for (size_t r = 0; r < rows; ++r) Map2(AddOp(), y + r * ld, b, y + r * ld, cols);
  }
  static void MulRow(const T* b, T* y, size_t ld, size_t rows, size_t cols) {
    for (size_t r = 0; r < rows; ++r) Map2(MulOp(), y + r * ld, b, y + r * ld, cols);
  }
  static void AddCol(const T* b, T* y, size_t ld, size_t rows, size_t cols) {
    for (size_t r = 0; r < rows; ++r) Map(Right<AddOp, T>{b[r]}, y + r * ld, y + r * ld, cols);
  }
  static void MulCol(const T* b, T* y, size_t ld, size_t rows, size_t cols) {
    for (size_t r = 0; r < rows; ++r) Map(Right<MulOp, T>{b[r]}, y + r * ld, y + r * ld, cols);
  }
};

// HWY_EXPORT needs plain function names.
#define NF_DEFINE(Name, T)                                                                                    \
  void Both##Name(Binary f, const T* x, const T* b, T* y, size_t n) { Loops<T>::Both(f, x, b, y, n); }        \
  void ScalarRight##Name(Binary f, const T* x, T b, T* y, size_t n) { Loops<T>::ScalarRight(f, x, b, y, n); } \
  void ScalarLeft##Name(Binary f, T a, const T* x, T* y, size_t n) { Loops<T>::ScalarLeft(f, a, x, y, n); }   \
  void Plus##Name(T a, const T* x, T* y, size_t n) { Loops<T>::Plus(a, x, y, n); }                            \
  void PlusProduct##Name(const T* a, const T* b, T* y, size_t n) { Loops<T>::PlusProduct(a, b, y, n); }       \
  void MinusProduct##Name(const T* a, const T* b, T* y, size_t n) { Loops<T>::MinusProduct(a, b, y, n); }     \
  void Clip##Name(T low, T high, const T* x, T* y, size_t n) { Loops<T>::Clip(low, high, x, y, n); }          \
  void AddRow##Name(const T* b, T* y, size_t l, size_t r, size_t c) { Loops<T>::AddRow(b, y, l, r, c); }      \
  void MulRow##Name(const T* b, T* y, size_t l, size_t r, size_t c) { Loops<T>::MulRow(b, y, l, r, c); }      \
  void AddCol##Name(const T* b, T* y, size_t l, size_t r, size_t c) { Loops<T>::AddCol(b, y, l, r, c); }      \
  void MulCol##Name(const T* b, T* y, size_t l, size_t r, size_t c) { Loops<T>::MulCol(b, y, l, r, c); }
NF_DEFINE(F32, float)
NF_DEFINE(F64, double)
#undef NF_DEFINE

}  // namespace libnf::kernel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace libnf::kernel {

#define NF_N static_cast<size_t>(n)
#define NF_MATRIX static_cast<size_t>(ld), static_cast<size_t>(rows), static_cast<size_t>(cols)

#define NF_P(T) (Binary f, const T* x, const T* b, T* y, int64_t n)
NF_DISPATCH(binary, Both, NF_P, (f, x, b, y, NF_N))
#undef NF_P
#define NF_P(T) (Binary f, const T* x, T b, T* y, int64_t n)
NF_DISPATCH(binary_scalar, ScalarRight, NF_P, (f, x, b, y, NF_N))
#undef NF_P
#define NF_P(T) (Binary f, T a, const T* x, T* y, int64_t n)
NF_DISPATCH(scalar_binary, ScalarLeft, NF_P, (f, a, x, y, NF_N))
#undef NF_P
#define NF_P(T) (T a, const T* x, T* y, int64_t n)
NF_DISPATCH(axpy, Plus, NF_P, (a, x, y, NF_N))
#undef NF_P
#define NF_P(T) (const T* a, const T* b, T* y, int64_t n)
NF_DISPATCH(mul_add, PlusProduct, NF_P, (a, b, y, NF_N))
NF_DISPATCH(mul_sub, MinusProduct, NF_P, (a, b, y, NF_N))
#undef NF_P
#define NF_P(T) (T low, T high, const T* x, T* y, int64_t n)
NF_DISPATCH(clamp, Clip, NF_P, (low, high, x, y, NF_N))
#undef NF_P
#define NF_P(T) (const T* b, T* y, int64_t ld, int64_t rows, int64_t cols)
NF_DISPATCH(add_row, AddRow, NF_P, (b, y, NF_MATRIX))
NF_DISPATCH(mul_row, MulRow, NF_P, (b, y, NF_MATRIX))
NF_DISPATCH(add_col, AddCol, NF_P, (b, y, NF_MATRIX))
NF_DISPATCH(mul_col, MulCol, NF_P, (b, y, NF_MATRIX))
#undef NF_P

template <class T>
void fill(T a, T* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = a;
}
template <class T>
void copy(const T* x, T* y, int64_t n) {
  if (n > 0) std::memmove(y, x, NF_N * sizeof(T));
}
template <class T>
void scale(T a, const T* x, T* y, int64_t n) {
  scalar_binary(Binary::mul, a, x, y, n);
}
template <class T>
void accumulate(const T* x, T* y, int64_t n) {
  binary(Binary::add, y, x, y, n);
}
template void fill(float, float*, int64_t);
template void fill(double, double*, int64_t);
template void copy(const float*, float*, int64_t);
template void copy(const double*, double*, int64_t);
template void scale(float, const float*, float*, int64_t);
template void scale(double, const double*, double*, int64_t);
template void accumulate(const float*, float*, int64_t);
template void accumulate(const double*, double*, int64_t);

}  // namespace libnf::kernel
#endif
