// Loops over spans: whole vectors, then one partial vector through the same code, so that the bits of an element never
// depend on its position. Included once per SIMD target.
#if defined(NF_KERNEL_SPAN_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef NF_KERNEL_SPAN_INL_H_
#undef NF_KERNEL_SPAN_INL_H_
#else
#define NF_KERNEL_SPAN_INL_H_
#endif

#include <cstring>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace libnf::kernel::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Loads the first n < Lanes(d) elements followed by zeros; reads nothing past the end.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE hn::Vec<D> LoadTail(D d, const T* p, size_t n) {
#if HWY_MEM_OPS_MIGHT_FAULT
  HWY_ALIGN T buffer[HWY_MAX_BYTES / sizeof(T)] = {};
  std::memcpy(buffer, p, n * sizeof(T));
  return hn::Load(d, buffer);
#else
  return hn::MaskedLoad(hn::FirstN(d, n), d, p);
#endif
}

// Stores the first n < Lanes(d) elements and nothing past them.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE void StoreTail(hn::Vec<D> v, D d, T* p, size_t n) {
#if HWY_MEM_OPS_MIGHT_FAULT
  HWY_ALIGN T buffer[HWY_MAX_BYTES / sizeof(T)];
  hn::Store(v, d, buffer);
  std::memcpy(p, buffer, n * sizeof(T));
#else
  hn::BlendedStore(v, hn::FirstN(d, n), d, p);
#endif
}

// Sets y[i] = f(x[i]); F has a member Vec operator()(d, x).
template <class F, class T>
HWY_INLINE void Map(const F& f, const T* x, T* y, size_t n) {
  const hn::ScalableTag<T> d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(f(d, hn::LoadU(d, x + i)), d, y + i);
  if (i < n) StoreTail(f(d, LoadTail(d, x + i, n - i)), d, y + i, n - i);
}

// Sets z[i] = f(x[i], y[i]).
template <class F, class T>
HWY_INLINE void Map2(const F& f, const T* x, const T* y, T* z, size_t n) {
  const hn::ScalableTag<T> d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(f(d, hn::LoadU(d, x + i), hn::LoadU(d, y + i)), d, z + i);
  if (i < n) StoreTail(f(d, LoadTail(d, x + i, n - i), LoadTail(d, y + i, n - i)), d, z + i, n - i);
}

// Sets z[i] = f(x[i], y[i], z[i]), an update in place.
template <class F, class T>
HWY_INLINE void Update(const F& f, const T* x, const T* y, T* z, size_t n) {
  const hn::ScalableTag<T> d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    hn::StoreU(f(d, hn::LoadU(d, x + i), hn::LoadU(d, y + i), hn::LoadU(d, z + i)), d, z + i);
  }
  if (i < n) {
    const size_t rest = n - i;
    StoreTail(f(d, LoadTail(d, x + i, rest), LoadTail(d, y + i, rest), LoadTail(d, z + i, rest)), d, z + i, rest);
  }
}

}  // namespace libnf::kernel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
