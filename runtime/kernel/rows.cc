// Loops of runtime/kernel/rows.h: memory traffic is what they cost.
#include "runtime/kernel/rows.h"

#include "runtime/kernel/dispatch.h"
#include "runtime/kernel/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernel/rows.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h
#include "runtime/kernel/binary-inl.h"
#include "runtime/kernel/rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace libnf::kernel::HWY_NAMESPACE {

template <class D>
HWY_INLINE hn::Vec<D> One(D d) {
  return hn::Set(d, hn::TFromD<D>(1));
}

struct ForwardRule {
  template <class D, class V>
  HWY_INLINE V operator()(D, V x, V a, V b) const {
    return hn::Add(hn::Mul(x, a), b);
  }
};
struct InverseRule {
  template <class D, class V>
  HWY_INLINE V operator()(D, V x, V a, V b) const {
    return hn::Mul(hn::Sub(x, b), a);
  }
};
struct DivideRule {
  template <class D, class V>
  HWY_INLINE V operator()(D, V x, V a, V b) const {
    return hn::Div(hn::Sub(x, b), a);
  }
};
struct FilmRule {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x, V a, V b) const {
    return hn::Add(hn::Mul(x, hn::Add(One(d), a)), b);
  }
};

struct AddFused {
  template <class D, class V>
  HWY_INLINE V operator()(D, V x, V a, V y) const {
    return hn::MulAdd(x, a, y);
  }
};
struct MinusQuotient {
  template <class D, class V>
  HWY_INLINE V operator()(D, V x, V a, V y) const {
    return hn::Sub(y, hn::Div(x, a));
  }
};
struct AddFilm {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x, V a, V y) const {
    return hn::Add(y, hn::Mul(x, hn::Add(One(d), a)));
  }
};

template <class T>
struct AxpyRow {
  T g;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V a, V y) const {
    return hn::MulAdd(hn::Set(d, g), a, y);
  }
};
template <class T>
struct SlopeRow {
  T g, sign;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V a, V b, V y) const {
    return hn::Add(y, hn::Mul(hn::Set(d, g), hn::Sub(hn::Mul(a, b), hn::Set(d, sign))));
  }
};
template <class T>
struct ForwardLogScale {
  T gl;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V g, V x, V a, V slope, V y) const {
    return hn::Add(y, hn::Mul(hn::Add(hn::Mul(hn::Mul(g, x), a), hn::Set(d, gl)), slope));
  }
};
template <class T>
struct InverseLogScale {
  T gl;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V g, V x, V slope, V y) const {
    return hn::Sub(y, hn::Mul(hn::Add(hn::Mul(g, x), hn::Set(d, gl)), slope));
  }
};

template <class T>
using In = Rows<const T>;

template <class T>
void BinaryOf(Binary f, const In<T>& x, const In<T>& b, const Rows<T>& y) {
#define NF_CASE(Op) MapRows(Op(), y, x, b)
  NF_FOR_EACH_OP(f, NF_CASE)
#undef NF_CASE
}

template <class T>
void AffineOf(RowMap f, const In<T>& x, const In<T>& a, const In<T>& b, const Rows<T>& y) {
  switch (f) {
    case RowMap::forward:
      return MapRows(ForwardRule(), y, x, a, b);
    case RowMap::inverse:
      return MapRows(InverseRule(), y, x, a, b);
    case RowMap::divide:
      return MapRows(DivideRule(), y, x, a, b);
    case RowMap::film:
      return MapRows(FilmRule(), y, x, a, b);
  }
}

template <class T>
void UpdateOf(RowUpdate f, const In<T>& x, const In<T>& a, const Rows<T>& y) {
  const In<T> old = y;
  switch (f) {
    case RowUpdate::fused:
      return MapRows(AddFused(), y, x, a, old);
    case RowUpdate::minus:
      return MapRows(MinusQuotient(), y, x, a, old);
    case RowUpdate::film:
      return MapRows(AddFilm(), y, x, a, old);
  }
}

template <class T>
void AxpyOf(T sign, const T* g, const In<T>& a, const Rows<T>& y) {
  MapEachRow([=](int64_t r) { return AxpyRow<T>{sign * g[r]}; }, y, a, In<T>(y));
}
template <class T>
void SlopeOf(T sign, const T* g, const In<T>& a, const In<T>& b, const Rows<T>& y) {
  MapEachRow([=](int64_t r) { return SlopeRow<T>{sign * g[r], sign}; }, y, a, b, In<T>(y));
}
template <class T>
void LogScaleOf(RowMap f, const In<T>& g, const In<T>& x, const In<T>& a, const T* gl, const In<T>& slope,
                const Rows<T>& y) {
  if (f == RowMap::forward)
    MapEachRow([=](int64_t r) { return ForwardLogScale<T>{gl ? gl[r] : T(0)}; }, y, g, x, a, slope, In<T>(y));
  else
    MapEachRow([=](int64_t r) { return InverseLogScale<T>{gl ? gl[r] : T(0)}; }, y, g, x, slope, In<T>(y));
}

// HWY_EXPORT wants plain function names.
#define NF_DEFINE(Name, T)                                                                         \
  void Binary##Name(Binary f, In<T> x, In<T> b, Rows<T> y) { BinaryOf(f, x, b, y); }               \
  void Affine##Name(RowMap f, In<T> x, In<T> a, In<T> b, Rows<T> y) { AffineOf(f, x, a, b, y); }   \
  void Update##Name(RowUpdate f, In<T> x, In<T> a, Rows<T> y) { UpdateOf(f, x, a, y); }            \
  void Axpy##Name(T sign, const T* g, In<T> a, Rows<T> y) { AxpyOf(sign, g, a, y); }               \
  void Slope##Name(T sign, const T* g, In<T> a, In<T> b, Rows<T> y) { SlopeOf(sign, g, a, b, y); } \
  void LogScale##Name(RowMap f, In<T> g, In<T> x, In<T> a, const T* gl, In<T> slope, Rows<T> y) {  \
    LogScaleOf(f, g, x, a, gl, slope, y);                                                          \
  }
NF_DEFINE(F32, float)
NF_DEFINE(F64, double)
#undef NF_DEFINE

}  // namespace libnf::kernel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace libnf::kernel {

#define NF_P(T) (Binary f, Rows<const T> x, Rows<const T> b, Rows<T> y)
NF_DISPATCH(binary_rows, Binary, NF_P, (f, x, b, y))
#undef NF_P
#define NF_P(T) (RowMap f, Rows<const T> x, Rows<const T> a, Rows<const T> b, Rows<T> y)
NF_DISPATCH(affine_rows, Affine, NF_P, (f, x, a, b, y))
#undef NF_P
#define NF_P(T) (RowUpdate f, Rows<const T> x, Rows<const T> a, Rows<T> y)
NF_DISPATCH(update_rows, Update, NF_P, (f, x, a, y))
#undef NF_P
#define NF_P(T) (T sign, const T* g, Rows<const T> a, Rows<T> y)
NF_DISPATCH(axpy_rows, Axpy, NF_P, (sign, g, a, y))
#undef NF_P
#define NF_P(T) (T sign, const T* g, Rows<const T> a, Rows<const T> b, Rows<T> y)
NF_DISPATCH(slope_rows, Slope, NF_P, (sign, g, a, b, y))
#undef NF_P
#define NF_P(T) \
  (RowMap f, Rows<const T> g, Rows<const T> x, Rows<const T> a, const T* gl, Rows<const T> slope, Rows<T> y)
NF_DISPATCH(log_scale_rows, LogScale, NF_P, (f, g, x, a, gl, slope, y))
#undef NF_P

}  // namespace libnf::kernel
#endif
