// Loops of runtime/kernel/batch.h.
#include "runtime/kernel/batch.h"

#include "runtime/kernel/dispatch.h"
#include "runtime/kernel/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernel/batch.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h
#include "runtime/kernel/column_sums-inl.h"
#include "runtime/kernel/rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace libnf::kernel::HWY_NAMESPACE {

template <class T>
using In = Rows<const T>;

// s += one term; t is the second sum.
struct AddValue {
  template <class D, class V>
  HWY_INLINE void operator()(D, V& s, V&, V x) const {
    s = hn::Add(s, x);
  }
};
struct AddMinusProduct {
  template <class D, class V>
  HWY_INLINE void operator()(D, V& s, V&, V x, V a) const {
    s = hn::Sub(s, hn::Mul(x, a));
  }
};
struct AddTripleProduct {
  template <class D, class V>
  HWY_INLINE void operator()(D, V& s, V&, V x, V a, V b) const {
    s = hn::Add(s, hn::Mul(hn::Mul(x, a), b));
  }
};
struct AddDeviation {
  template <class D, class V>
  HWY_INLINE void operator()(D, V& s, V& t, V x, V mean) const {
    const V away = hn::Sub(x, mean);
    s = hn::Add(s, away);
    t = hn::Add(t, hn::Mul(away, away));
  }
};
struct AddDot {
  template <class D, class V>
  HWY_INLINE void operator()(D, V& s, V& t, V g, V z) const {
    s = hn::Add(s, g);
    t = hn::Add(t, hn::Mul(g, z));
  }
};

template <class T>
void SumsOf(const double* weight, const In<T>& x, double* out) {
  SumColumns(AddValue(), weight, x.rows, x.cols, out, static_cast<double*>(nullptr), x);
}
template <class T>
void DeviationsOf(const double* weight, const In<T>& x, const double* mean, double* out, double* squares) {
  SumColumns(AddDeviation(), weight, x.rows, x.cols, out, squares, x, In<double>{mean, x.rows, x.cols, 0});
}
template <class T>
void DotsOf(const double* weight, const In<T>& g, const In<T>& z, double* out, double* dots) {
  SumColumns(AddDot(), weight, z.rows, z.cols, out, dots, g, z);
}

template <class T>
void TermsOf(ColumnTerm f, const In<T>& x, const In<T>& a, const In<T>& b, T* out) {
  T* const none = nullptr;
  switch (f) {
    case ColumnTerm::value:
      return SumColumns(AddValue(), nullptr, x.rows, x.cols, out, none, x);
    case ColumnTerm::minus:
      return SumColumns(AddMinusProduct(), nullptr, x.rows, x.cols, out, none, x, a);
    case ColumnTerm::product:
      return SumColumns(AddTripleProduct(), nullptr, x.rows, x.cols, out, none, x, a, b);
  }
}

template <class D, class T>
HWY_INLINE void StoreAs(hn::Vec<D> v, D d, T* p) {
  if constexpr (std::is_same_v<T, hn::TFromD<D>>)
    hn::StoreU(v, d, p);
  else
    hn::StoreU(hn::DemoteTo(hn::Rebind<T, D>(), v), hn::Rebind<T, D>(), p);
}
template <class D, class T>
HWY_INLINE void NormalizeSpan(D d, int64_t& c, int64_t cols, const T* x, const double* mean, const double* rate, T* z) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (; c + lanes <= cols; c += lanes)
    StoreAs(hn::Mul(hn::Sub(LoadAs(d, x + c), hn::LoadU(d, mean + c)), hn::LoadU(d, rate + c)), d, z + c);
}
template <class T>
void NormalizeOf(const In<T>& x, const double* mean, const double* rate, const Rows<T>& z) {
  const hn::ScalableTag<double> d;
  const hn::CappedTag<double, 1> one;
  for (int64_t r = 0; r < z.rows; ++r) {
    int64_t c = 0;
    NormalizeSpan(d, c, z.cols, x.row(r), mean, rate, z.row(r));
    NormalizeSpan(one, c, z.cols, x.row(r), mean, rate, z.row(r));
  }
}

struct NormalizeGrad {
  template <class D, class V>
  HWY_INLINE V operator()(D, V gz, V z, V rate, V shift, V slope, V gx) const {
    return hn::Add(gx, hn::Mul(rate, hn::Sub(hn::Sub(gz, shift), hn::Mul(z, slope))));
  }
};
template <class T>
void NormalizeGradOf(const double* weight, const In<T>& gz, const In<T>& z, const T* rate, const T* shift,
                     const T* slope, const Rows<T>& gx) {
  const auto over = [&](int64_t first, int64_t n) HWY_ATTR {
    const auto shared = [&](const T* p) { return In<T>{p, n, z.cols, 0}; };
    const Rows<T> out = gx.rows_from(first, n);
    MapRows(NormalizeGrad(), out, gz.rows_from(first, n), z.rows_from(first, n), shared(rate), shared(shift),
            shared(slope), In<T>(out));
  };
  if (!weight) return over(0, z.rows);
  for (int64_t r = 0; r < z.rows; ++r)
    if (Counts(weight, r)) over(r, 1);
}

#define NF_DEFINE(Name, T)                                                                                            \
  void Sums##Name(const double* w, In<T> x, double* out) { SumsOf(w, x, out); }                                       \
  void Deviations##Name(const double* w, In<T> x, const double* mean, double* out, double* squares) {                 \
    DeviationsOf(w, x, mean, out, squares);                                                                           \
  }                                                                                                                   \
  void Dots##Name(const double* w, In<T> g, In<T> z, double* out, double* dots) { DotsOf(w, g, z, out, dots); }       \
  void Terms##Name(ColumnTerm f, In<T> x, In<T> a, In<T> b, T* out) { TermsOf(f, x, a, b, out); }                     \
  void Normalize##Name(In<T> x, const double* mean, const double* rate, Rows<T> z) { NormalizeOf(x, mean, rate, z); } \
  void NormalizeGrad##Name(const double* w, In<T> gz, In<T> z, const T* rate, const T* shift, const T* slope,         \
                           Rows<T> gx) {                                                                              \
    NormalizeGradOf(w, gz, z, rate, shift, slope, gx);                                                                \
  }
NF_DEFINE(F32, float)
NF_DEFINE(F64, double)
#undef NF_DEFINE

}  // namespace libnf::kernel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace libnf::kernel {

#define NF_P(T) (const double* w, Rows<const T> x, double* out)
NF_DISPATCH(column_sums, Sums, NF_P, (w, x, out))
#undef NF_P
#define NF_P(T) (const double* w, Rows<const T> x, const double* mean, double* out, double* squares)
NF_DISPATCH(column_deviations, Deviations, NF_P, (w, x, mean, out, squares))
#undef NF_P
#define NF_P(T) (const double* w, Rows<const T> g, Rows<const T> z, double* out, double* dots)
NF_DISPATCH(column_dots, Dots, NF_P, (w, g, z, out, dots))
#undef NF_P
#define NF_P(T) (Rows<const T> x, const double* mean, const double* rate, Rows<T> z)
NF_DISPATCH(normalize_rows, Normalize, NF_P, (x, mean, rate, z))
#undef NF_P
#define NF_P(T) \
  (const double* w, Rows<const T> gz, Rows<const T> z, const T* rate, const T* shift, const T* slope, Rows<T> gx)
NF_DISPATCH(normalize_grad_rows, NormalizeGrad, NF_P, (w, gz, z, rate, shift, slope, gx))
#undef NF_P
#define NF_P(T) (ColumnTerm f, Rows<const T> x, Rows<const T> a, Rows<const T> b, T * out)
NF_DISPATCH(column_terms, Terms, NF_P, (f, x, a, b, out))
#undef NF_P

}  // namespace libnf::kernel
#endif
