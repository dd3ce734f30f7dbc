// Neighboring taps of one row of a kernel read one run of memory where the dilation is 1 and all channels are wanted,
// so most of a patch is copied in long runs; the border of the image goes tap by tap.
#include "runtime/kernel/patches.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernel/patches.cc"
#include "runtime/kernel/targets.h"
// foreach_target must come after targets.h, which narrows the list.
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "runtime/kernel/span-inl.h"

#ifndef NF_PATCHES_WRAP  // this file is read once per target
#define NF_PATCHES_WRAP
namespace libnf::kernel {
// Returns i modulo n, never negative.
inline int64_t wrap(int64_t i, int64_t n) {
  if (i >= 0 && i < n) return i;
  const int64_t r = i % n;
  return r < 0 ? r + n : r;
}
}  // namespace libnf::kernel
#endif

HWY_BEFORE_NAMESPACE();
namespace libnf::kernel::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Calls inside(offset in the image, offset in the patches, elements) for every run of pixels in the image, and
// outside(offset in the patches, elements) for the others.
template <class Inside, class Outside>
HWY_INLINE void ForRuns(const PatchMap& m, const PatchRange& r, const Inside& inside, const Outside& outside) {
  if (r.count <= 0 || r.size() <= 0) return;
  const int64_t c = r.channels;
  const bool joined = m.dilation_w == 1 && c == r.pitch;
  const int64_t row0 = r.tap0 / m.kernel_w, column0 = r.tap0 % m.kernel_w;
  int64_t y = r.first / m.out_w, x = r.first % m.out_w, at = 0;
  for (int64_t p = 0; p < r.count; ++p) {
    const int64_t left = x * m.stride_w - m.left;
    int64_t line = y * m.stride_h - m.top + row0 * m.dilation_h, column = column0;
    for (int64_t rest = r.tap1 - r.tap0; rest > 0; line += m.dilation_h, column = 0) {
      const int64_t taps = std::min(rest, m.kernel_w - column);
      rest -= taps;
      int64_t from = m.circular ? wrap(line, m.height) : line, at_x = left + column * m.dilation_w;
      if (from < 0 || from >= m.height) {
        outside(at, taps * c);
        at += taps * c;
        continue;
      }
      from *= m.width;
      if (joined && at_x >= 0 && at_x + taps <= m.width) {
        inside((from + at_x) * r.pitch, at, taps * c);
        at += taps * c;
        continue;
      }
      for (int64_t j = 0; j < taps; ++j, at += c, at_x += m.dilation_w) {
        const int64_t pixel = m.circular ? wrap(at_x, m.width) : at_x;
        if (pixel >= 0 && pixel < m.width)
          inside((from + pixel) * r.pitch, at, c);
        else
          outside(at, c);
      }
    }
    if (++x == m.out_w) x = 0, ++y;
  }
}

template <class T>
HWY_INLINE void Gather(const PatchMap& m, const PatchRange& r, const T* HWY_RESTRICT image, T* HWY_RESTRICT out) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  ForRuns(
      m, r,
      [&](int64_t from, int64_t to, int64_t n) HWY_ATTR {
        const T* a = image + from;
        T* b = out + to;
        int64_t i = 0;
        for (; i + lanes <= n; i += lanes) hn::StoreU(hn::LoadU(d, a + i), d, b + i);
        if (i < n) StoreTail(LoadTail(d, a + i, static_cast<size_t>(n - i)), d, b + i, static_cast<size_t>(n - i));
      },
      [&](int64_t to, int64_t n) HWY_ATTR { std::fill_n(out + to, n, T(0)); });
}

template <class T>
HWY_INLINE void Scatter(const PatchMap& m, const PatchRange& r, const T* HWY_RESTRICT patches, T* HWY_RESTRICT image) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  ForRuns(
      m, r,
      [&](int64_t to, int64_t from, int64_t n) HWY_ATTR {
        const T* a = patches + from;
        T* b = image + to;
        int64_t i = 0;
        for (; i + lanes <= n; i += lanes) hn::StoreU(hn::Add(hn::LoadU(d, b + i), hn::LoadU(d, a + i)), d, b + i);
        const auto rest = static_cast<size_t>(n - i);
        if (i < n) StoreTail(hn::Add(LoadTail(d, b + i, rest), LoadTail(d, a + i, rest)), d, b + i, rest);
      },
      [](int64_t, int64_t) {});
}

void GatherF32(const PatchMap& m, const PatchRange& r, const float* image, float* out) { Gather(m, r, image, out); }
void GatherF64(const PatchMap& m, const PatchRange& r, const double* image, double* out) { Gather(m, r, image, out); }
void ScatterF32(const PatchMap& m, const PatchRange& r, const float* p, float* image) { Scatter(m, r, p, image); }
void ScatterF64(const PatchMap& m, const PatchRange& r, const double* p, double* image) { Scatter(m, r, p, image); }

}  // namespace libnf::kernel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace libnf::kernel {

#define NF_PATCHES(function, Name, T)                                             \
  HWY_EXPORT(Name);                                                               \
  template <>                                                                     \
  void function<T>(const PatchMap& m, const PatchRange& r, const T* in, T* out) { \
    HWY_DYNAMIC_DISPATCH(Name)(m, r, in, out);                                    \
  }
NF_PATCHES(gather_patches, GatherF32, float)
NF_PATCHES(gather_patches, GatherF64, double)
NF_PATCHES(scatter_patches, ScatterF32, float)
NF_PATCHES(scatter_patches, ScatterF64, double)
#undef NF_PATCHES

}  // namespace libnf::kernel
#endif
