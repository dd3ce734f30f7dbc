// Loops of runtime/kernel/norm.h. Sums over the pixels go channel by channel in vectors; then the channels of a group
// are added up, and their mean and scale are spread over the channels again. Layer norm has one pixel, so it goes
// through its row of channels directly.
#include "runtime/kernel/norm.h"

#include <algorithm>
#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernel/norm.cc"
#include "runtime/kernel/targets.h"
// foreach_target must come after targets.h, which narrows the list.
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "runtime/kernel/span-inl.h"

HWY_BEFORE_NAMESPACE();
namespace libnf::kernel::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Calls f(d, i, load, store) for every vector of [0, n), with loads and stores that stop at n.
template <class T, class F>
HWY_INLINE void Vectors(int64_t n, const F& f) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes)
    f(
        d, i, [d](const T* p) HWY_ATTR { return hn::LoadU(d, p); },
        [d](hn::Vec<decltype(d)> v, T* p) HWY_ATTR { hn::StoreU(v, d, p); });
  const auto rest = static_cast<size_t>(n - i);
  if (rest)
    f(
        d, i, [d, rest](const T* p) HWY_ATTR { return LoadTail(d, p, rest); },
        [d, rest](hn::Vec<decltype(d)> v, T* p) HWY_ATTR { StoreTail(v, d, p, rest); });
}

// Returns the sum of value(i) over [0, n), a function of a vector's worth of elements that is zero beyond n.
template <class T, class F>
HWY_INLINE T Sum(int64_t n, const F& value) {
  const hn::ScalableTag<T> d;
  auto s = hn::Zero(d);
  Vectors<T>(n, [&](auto, int64_t i, auto load, auto) HWY_ATTR { s = hn::Add(s, value(i, load)); });
  return hn::GetLane(hn::SumOfLanes(d, s));
}

// Zeroes the lanes of v from n on.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE hn::Vec<D> Keep(D d, hn::Vec<D> v, int64_t n) {
  return n >= static_cast<int64_t>(hn::Lanes(d)) ? v : hn::IfThenElseZero(hn::FirstN(d, static_cast<size_t>(n)), v);
}

// Replaces the sums in c [channels] by the means over each group, and copies them to out [groups], if there is one.
template <class T>
HWY_INLINE void GroupMeans(const NormSets& s, T* c, T* out) {
  const int64_t m = s.per_group();
  const T count = static_cast<T>(m * s.pixels);
  for (int64_t g = 0; g < s.groups; ++g) {
    const T mean = Sum<T>(m, [&](int64_t i, auto load) HWY_ATTR { return load(c + g * m + i); }) / count;
    std::fill_n(c + g * m, m, mean);
    if (out) out[g] = mean;
  }
}

// Spreads one number per group over its channels.
template <class T>
HWY_INLINE void Spread(const NormSets& s, const T* from, T* to) {
  const int64_t m = s.per_group();
  for (int64_t g = 0; g < s.groups; ++g) std::fill_n(to + g * m, m, from[g]);
}

template <class T>
HWY_INLINE void Layer(const NormSets& s, const T* x, const T* w, const T* b, T* y, T* mean, T* inverse) {
  const hn::ScalableTag<T> d;
  const int64_t n = s.channels;
  const T count = static_cast<T>(n), eps = static_cast<T>(s.eps);
  for (int64_t r = 0; r < s.sets; ++r, x += n, y += n) {
    const T average = Sum<T>(n, [&](int64_t i, auto load) HWY_ATTR { return load(x + i); }) / count;
    const auto m = hn::Set(d, average);
    const T square = Sum<T>(n, [&](int64_t i, auto load) HWY_ATTR {
      const auto v = Keep(d, hn::Sub(load(x + i), m), n - i);
      return hn::Mul(v, v);
    });
    mean[r] = average;
    inverse[r] = T(1) / std::sqrt(square / count + eps);
    const auto k = hn::Set(d, inverse[r]);
    Vectors<T>(n, [&](auto, int64_t i, auto load, auto store) HWY_ATTR {
      auto v = hn::Mul(hn::Sub(load(x + i), m), k);
      if (w) v = hn::Mul(v, load(w + i));
      if (b) v = hn::Add(v, load(b + i));
      store(v, y + i);
    });
  }
}

template <class T>
HWY_INLINE void Groups(const NormSets& s, const T* x, const T* w, const T* b, T* y, T* mean, T* inverse, T* scratch) {
  const int64_t n = s.channels, size = s.pixels * n;
  T *m = scratch, *k = scratch + n;
  for (int64_t r = 0; r < s.sets; ++r, x += size, y += size, mean += s.groups, inverse += s.groups) {
    std::fill_n(m, n, T(0));
    for (int64_t p = 0; p < s.pixels; ++p)
      Vectors<T>(n, [&](auto, int64_t i, auto load, auto store)
                        HWY_ATTR { store(hn::Add(load(m + i), load(x + p * n + i)), m + i); });
    GroupMeans(s, m, mean);
    std::fill_n(k, n, T(0));
    for (int64_t p = 0; p < s.pixels; ++p)
      Vectors<T>(n, [&](auto, int64_t i, auto load, auto store) HWY_ATTR {
        const auto v = hn::Sub(load(x + p * n + i), load(m + i));
        store(hn::MulAdd(v, v, load(k + i)), k + i);
      });
    GroupMeans(s, k, inverse);
    for (int64_t g = 0; g < s.groups; ++g) inverse[g] = T(1) / std::sqrt(inverse[g] + static_cast<T>(s.eps));
    Spread(s, inverse, k);
    for (int64_t p = 0; p < s.pixels; ++p)
      Vectors<T>(n, [&](auto, int64_t i, auto load, auto store) HWY_ATTR {
        auto v = hn::Mul(hn::Sub(load(x + p * n + i), load(m + i)), load(k + i));
        if (w) v = hn::Mul(v, load(w + i));
        if (b) v = hn::Add(v, load(b + i));
        store(v, y + p * n + i);
      });
  }
}

// With u = (x - mean) inverse and h = gy w:  gx = inverse (h - mean(h) - u mean(h u)),  gw = sum gy u,  gb = sum gy.
template <class T>
HWY_INLINE void LayerGrad(const NormSets& s, const T* x, const T* w, const T* mean, const T* inverse, const T* gy,
                          T* gx, bool fresh, T* gw, T* gb) {
  const hn::ScalableTag<T> d;
  const int64_t n = s.channels;
  const T count = static_cast<T>(n);
  for (int64_t r = 0; r < s.sets; ++r, x += n, gy += n, gx += gx ? n : 0) {
    const auto m = hn::Set(d, mean[r]), k = hn::Set(d, inverse[r]);
    const auto unit = [&](int64_t i, auto load) HWY_ATTR { return hn::Mul(hn::Sub(load(x + i), m), k); };
    if (gw || gb)
      Vectors<T>(n, [&](auto, int64_t i, auto load, auto store) HWY_ATTR {
        const auto g = load(gy + i);
        if (gw) store(hn::MulAdd(g, unit(i, load), load(gw + i)), gw + i);
        if (gb) store(hn::Add(load(gb + i), g), gb + i);
      });
    if (!gx) continue;
    const auto h = [&](int64_t i, auto load) HWY_ATTR { return w ? hn::Mul(load(gy + i), load(w + i)) : load(gy + i); };
    const auto a = hn::Set(d, Sum<T>(n, [&](int64_t i, auto load) HWY_ATTR { return h(i, load); }) / count);
    const T dot =
        Sum<T>(n, [&](int64_t i, auto load) HWY_ATTR { return Keep(d, hn::Mul(h(i, load), unit(i, load)), n - i); });
    const auto c = hn::Set(d, dot / count);
    Vectors<T>(n, [&](auto, int64_t i, auto load, auto store) HWY_ATTR {
      const auto v = hn::Mul(k, hn::NegMulAdd(unit(i, load), c, hn::Sub(h(i, load), a)));
      store(fresh ? v : hn::Add(load(gx + i), v), gx + i);
    });
  }
}

template <class T>
HWY_INLINE void GroupsGrad(const NormSets& s, const T* x, const T* w, const T* mean, const T* inverse, const T* gy,
                           T* gx, bool fresh, T* gw, T* gb, T* scratch) {
  const int64_t n = s.channels, size = s.pixels * n;
  T *m = scratch, *k = scratch + n, *a = scratch + 2 * n, *c = scratch + 3 * n;
  for (int64_t r = 0; r < s.sets;
       ++r, x += size, gy += size, gx += gx ? size : 0, mean += s.groups, inverse += s.groups) {
    Spread(s, mean, m);
    Spread(s, inverse, k);
    const auto unit = [&](int64_t at, int64_t i, auto load)
                          HWY_ATTR { return hn::Mul(hn::Sub(load(x + at + i), load(m + i)), load(k + i)); };
    std::fill_n(a, n, T(0));
    std::fill_n(c, n, T(0));
    for (int64_t p = 0; p < s.pixels; ++p)
      Vectors<T>(n, [&](auto, int64_t i, auto load, auto store) HWY_ATTR {
        const auto g = load(gy + p * n + i);
        store(hn::Add(load(a + i), g), a + i);
        store(hn::MulAdd(g, unit(p * n, i, load), load(c + i)), c + i);
      });
    Vectors<T>(n, [&](auto, int64_t i, auto load, auto store) HWY_ATTR {
      const auto sum = load(a + i), dot = load(c + i);
      if (gb) store(hn::Add(load(gb + i), sum), gb + i);
      if (gw) store(hn::Add(load(gw + i), dot), gw + i);
      if (!w) return;
      store(hn::Mul(sum, load(w + i)), a + i);
      store(hn::Mul(dot, load(w + i)), c + i);
    });
    if (!gx) continue;
    GroupMeans<T>(s, a, nullptr);
    GroupMeans<T>(s, c, nullptr);
    for (int64_t p = 0; p < s.pixels; ++p)
      Vectors<T>(n, [&](auto, int64_t i, auto load, auto store) HWY_ATTR {
        auto h = load(gy + p * n + i);
        if (w) h = hn::Mul(h, load(w + i));
        const auto v = hn::Mul(load(k + i), hn::NegMulAdd(unit(p * n, i, load), load(c + i), hn::Sub(h, load(a + i))));
        store(fresh ? v : hn::Add(load(gx + p * n + i), v), gx + p * n + i);
      });
  }
}

template <class T>
HWY_INLINE void Norm(const NormSets& s, const T* x, const T* w, const T* b, T* y, T* mean, T* inverse, T* scratch) {
  if (s.pixels == 1 && s.groups == 1) return Layer(s, x, w, b, y, mean, inverse);
  Groups(s, x, w, b, y, mean, inverse, scratch);
}
template <class T>
HWY_INLINE void NormGrad(const NormSets& s, const T* x, const T* w, const T* mean, const T* inverse, const T* gy, T* gx,
                         bool fresh, T* gw, T* gb, T* scratch) {
  if (s.pixels == 1 && s.groups == 1) return LayerGrad(s, x, w, mean, inverse, gy, gx, fresh, gw, gb);
  GroupsGrad(s, x, w, mean, inverse, gy, gx, fresh, gw, gb, scratch);
}

#define NF_TARGET(Suffix, T)                                                                                        \
  void Norm##Suffix(const NormSets& s, const T* x, const T* w, const T* b, T* y, T* mean, T* inverse, T* scratch) { \
    Norm(s, x, w, b, y, mean, inverse, scratch);                                                                    \
  }                                                                                                                 \
  void NormGrad##Suffix(const NormSets& s, const T* x, const T* w, const T* mean, const T* inverse, const T* gy,    \
                        T* gx, bool fresh, T* gw, T* gb, T* scratch) {                                              \
    NormGrad(s, x, w, mean, inverse, gy, gx, fresh, gw, gb, scratch);                                               \
  }
NF_TARGET(F32, float)
NF_TARGET(F64, double)
#undef NF_TARGET

}  // namespace libnf::kernel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace libnf::kernel {

#define NF_NORM(Suffix, T)                                                                                          \
  HWY_EXPORT(Norm##Suffix);                                                                                         \
  HWY_EXPORT(NormGrad##Suffix);                                                                                     \
  template <>                                                                                                       \
  void norm<T>(const NormSets& s, const T* x, const T* w, const T* b, T* y, T* mean, T* inverse, T* scratch) {      \
    HWY_DYNAMIC_DISPATCH(Norm##Suffix)(s, x, w, b, y, mean, inverse, scratch);                                      \
  }                                                                                                                 \
  template <>                                                                                                       \
  void norm_grad<T>(const NormSets& s, const T* x, const T* w, const T* mean, const T* inverse, const T* gy, T* gx, \
                    bool fresh, T* gw, T* gb, T* scratch) {                                                         \
    HWY_DYNAMIC_DISPATCH(NormGrad##Suffix)(s, x, w, mean, inverse, gy, gx, fresh, gw, gb, scratch);                 \
  }
NF_NORM(F32, float)
NF_NORM(F64, double)
#undef NF_NORM

}  // namespace libnf::kernel
#endif
