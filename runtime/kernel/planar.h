// The arithmetic around runtime/kernel/ridge.h in planar maps, on spans of n numbers (runtime/op/planar.cc has the
// formulas). Every operation is rounded on its own, in the order of the formulas: the same bits on every SIMD target.
#pragma once
#include <cstdint>

namespace libnf::kernel {

// From m = softplus(s) and k = softplus(-s), q = |w|^2: m is raised to `least` where it is smaller, and k by as much; then
// k = (k - 1) / q. Without a direction w (q below the smallest normal number) k = 0 and m = 1.
template <class T>
void planar_constrain(const T* q, T least, T* m, T* k, int64_t n);
// gk = gk / q and gs = gm sigma - gk other, where m is at `least` gs = -gk; both 0 without a direction.
template <class T>
void planar_constrain_grad(const T* q, const T* m, T least, const T* gm, const T* sigma, const T* other, T* gk, T* gs,
                           int64_t n);
// gw += k gu + gs u - 2 (k w) gk, then gu += gs w.
template <class T>
void planar_direction_grad(const T* k, const T* gs, const T* gk, const T* u, const T* w, T* gu, T* gw, int64_t n);

// ga = sign dh ga + gl dl, dm = gl dm and h = sign h0 with gl = sign times the gradient of log_det (nullptr: 0). With
// sign -1, the inverse, then ga = ga / det and dm += ga h.
template <class T>
void planar_grad(T sign, const T* gl, const T* dh, const T* det, const T* dl, const T* h0, T* ga, T* dm, T* h,
                 int64_t n);

}  // namespace libnf::kernel
