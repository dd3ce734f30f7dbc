#include "runtime/kernel/gating.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernel/gating.cc"
#include "runtime/kernel/targets.h"
// foreach_target must come after targets.h, which narrows the list.
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "runtime/kernel/math-inl.h"
#include "runtime/kernel/span-inl.h"

HWY_BEFORE_NAMESPACE();
namespace libnf::kernel::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Calls f(d, row, i, load, store) for every vector of every row, with loads and stores that stop at n.
template <class T, class F>
HWY_INLINE void ForVectors(int64_t rows, int64_t n, const F& f) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto rest = static_cast<size_t>(n % lanes);
  const int64_t whole = n - static_cast<int64_t>(rest);
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t i = 0; i < whole; i += lanes)
      f(
          d, r, i, [d](const T* p) HWY_ATTR { return hn::LoadU(d, p); },
          [d](hn::Vec<decltype(d)> v, T* p) HWY_ATTR { hn::StoreU(v, d, p); });
    if (rest)
      f(
          d, r, whole, [d, rest](const T* p) HWY_ATTR { return LoadTail(d, p, rest); },
          [d, rest](hn::Vec<decltype(d)> v, T* p) HWY_ATTR { StoreTail(v, d, p, rest); });
  }
}

// One exponential serves both halves: e^-|x| - 1 belongs to the side where the argument is negative.
template <class T>
HWY_INLINE void ConcatElu(const T* x, int64_t rows, int64_t n, T* y) {
  ForVectors<T>(rows, n, [&](auto d, int64_t r, int64_t i, auto load, auto store) HWY_ATTR {
    const auto v = load(x + r * n + i);
    const auto e = Expm1(d, hn::Neg(hn::Abs(v)));
    const auto positive = hn::Gt(v, hn::Zero(d));
    store(hn::IfThenElse(positive, v, e), y + 2 * r * n + i);
    store(hn::IfThenElse(positive, e, hn::Neg(v)), y + (2 * r + 1) * n + i);
  });
}

template <class T>
HWY_INLINE void ConcatEluGrad(const T* y, const T* gy, int64_t rows, int64_t n, T* gx, bool fresh) {
  ForVectors<T>(rows, n, [&](auto d, int64_t r, int64_t i, auto load, auto store) HWY_ATTR {
    const int64_t left = 2 * r * n + i, right = left + n;
    const auto a = load(y + left), b = load(y + right), one = hn::Set(d, T(1));
    const auto positive = hn::Gt(a, hn::Zero(d));
    const auto ga = load(gy + left), gb = load(gy + right);
    const auto da = hn::IfThenElse(positive, one, hn::Add(a, one)), db = hn::IfThenElse(positive, hn::Add(b, one), one);
    const auto g = hn::NegMulAdd(gb, db, hn::Mul(ga, da));
    store(fresh ? g : hn::Add(load(gx + r * n + i), g), gx + r * n + i);
  });
}

template <class T>
HWY_INLINE void Gate(const T* x, const T* add, int64_t rows, int64_t n, T* y) {
  ForVectors<T>(rows, n, [&](auto d, int64_t r, int64_t i, auto load, auto store) HWY_ATTR {
    const auto v = hn::Mul(load(x + 2 * r * n + i), Sigmoid(d, load(x + (2 * r + 1) * n + i)));
    store(add ? hn::Add(load(add + r * n + i), v) : v, y + r * n + i);
  });
}

template <class T>
HWY_INLINE void GateGrad(const T* x, const T* gy, int64_t rows, int64_t n, T* gx, bool fresh) {
  ForVectors<T>(rows, n, [&](auto d, int64_t r, int64_t i, auto load, auto store) HWY_ATTR {
    const int64_t left = 2 * r * n + i, right = left + n;
    hn::Vec<decltype(d)> rest;  // 1 - sigmoid
    const auto s = Sigmoid(d, load(x + right), rest), g = load(gy + r * n + i);
    const auto ga = hn::Mul(g, s), gb = hn::Mul(hn::Mul(ga, rest), load(x + left));
    store(fresh ? ga : hn::Add(load(gx + left), ga), gx + left);
    store(fresh ? gb : hn::Add(load(gx + right), gb), gx + right);
  });
}

#define NF_TARGET(Suffix, T)                                                                           \
  void ConcatElu##Suffix(const T* x, int64_t rows, int64_t n, T* y) { ConcatElu(x, rows, n, y); }      \
  void ConcatEluGrad##Suffix(const T* y, const T* gy, int64_t rows, int64_t n, T* gx, bool fresh) {    \
    ConcatEluGrad(y, gy, rows, n, gx, fresh);                                                          \
  }                                                                                                    \
  void Gate##Suffix(const T* x, const T* r, int64_t rows, int64_t n, T* y) { Gate(x, r, rows, n, y); } \
  void GateGrad##Suffix(const T* x, const T* gy, int64_t rows, int64_t n, T* gx, bool fresh) {         \
    GateGrad(x, gy, rows, n, gx, fresh);                                                               \
  }
NF_TARGET(F32, float)
NF_TARGET(F64, double)
#undef NF_TARGET

}  // namespace libnf::kernel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace libnf::kernel {

#define NF_GATING(Suffix, T)                                                                            \
  HWY_EXPORT(ConcatElu##Suffix);                                                                        \
  HWY_EXPORT(ConcatEluGrad##Suffix);                                                                    \
  HWY_EXPORT(Gate##Suffix);                                                                             \
  HWY_EXPORT(GateGrad##Suffix);                                                                         \
  template <>                                                                                           \
  void concat_elu<T>(const T* x, int64_t rows, int64_t channels, T* y) {                                \
    HWY_DYNAMIC_DISPATCH(ConcatElu##Suffix)(x, rows, channels, y);                                      \
  }                                                                                                     \
  template <>                                                                                           \
  void concat_elu_grad<T>(const T* y, const T* gy, int64_t rows, int64_t channels, T* gx, bool fresh) { \
    HWY_DYNAMIC_DISPATCH(ConcatEluGrad##Suffix)(y, gy, rows, channels, gx, fresh);                      \
  }                                                                                                     \
  template <>                                                                                           \
  void gate<T>(const T* x, const T* r, int64_t rows, int64_t channels, T* y) {                          \
    HWY_DYNAMIC_DISPATCH(Gate##Suffix)(x, r, rows, channels, y);                                        \
  }                                                                                                     \
  template <>                                                                                           \
  void gate_grad<T>(const T* x, const T* gy, int64_t rows, int64_t channels, T* gx, bool fresh) {       \
    HWY_DYNAMIC_DISPATCH(GateGrad##Suffix)(x, gy, rows, channels, gx, fresh);                           \
  }
NF_GATING(F32, float)
NF_GATING(F64, double)
#undef NF_GATING

}  // namespace libnf::kernel
#endif
