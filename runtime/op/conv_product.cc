#include "runtime/op/conv_product.h"

#include <algorithm>

#include "runtime/kernel/binary.h"
#include "runtime/kernel/columns.h"
#include "runtime/kernel/rows.h"
#include "runtime/kernel/unary.h"
#include "runtime/op/product.h"

namespace libnf {
namespace {

using kernel::Into;
using kernel::PatchMap;

constexpr int64_t kPatchBytes = 512 << 10;  // of a block of patches: a quarter of a common L2 cache
constexpr int64_t kPatchWidth = 256;        // elements of a patch in one product, at most, unless one tap has more
constexpr int64_t kPositions = 4096;        // of a block, at most

// Returns the map of the opposite direction at stride 1: what position (y, x) reads by tap (i, j), pixel (y, x) reads by
// the opposite tap.
PatchMap opposite(const PatchMap& m) {
  PatchMap r = m;
  std::swap(r.height, r.out_h);
  std::swap(r.width, r.out_w);
  r.top = (m.kernel_h - 1) * m.dilation_h - m.top;
  r.left = (m.kernel_w - 1) * m.dilation_w - m.left;
  return r;
}
// With circular padding, only if there are as many positions as pixels, or one pixel would be read by several of them.
bool has_opposite(const PatchMap& m) {
  return m.stride_h == 1 && m.stride_w == 1 && (!m.circular || (m.out_h == m.height && m.out_w == m.width));
}

// Estimates of work per position, in thirty-seconds of a cycle of AVX-512: `depth` numbers from which `width` columns
// are computed, and moving patches, which takes more when they are added up.
constexpr int64_t kLanes = 16, kGatherWork = 4, kScatterWork = 6;
int64_t lanes_of(int64_t width) { return (width + kLanes - 1) / kLanes * kLanes; }
int64_t gather_work(int64_t taps, int64_t in, int64_t out) { return taps * in * (lanes_of(out) + kGatherWork); }
int64_t scatter_work(int64_t taps, int64_t in, int64_t out) {
  return in * lanes_of(taps * out) + kScatterWork * taps * out;
}

// How patches are cut: taps per product, and positions per block.
struct Cut {
  int64_t taps, positions;
  Cut(int64_t all_taps, int64_t channels, int64_t bytes)
      : taps(std::clamp<int64_t>(kPatchWidth / std::max<int64_t>(channels, 1), 1, std::max<int64_t>(all_taps, 1))),
        positions(std::clamp<int64_t>(kPatchBytes / std::max<int64_t>(taps * channels * bytes, 1), 64, kPositions)) {
    const int64_t parts = (all_taps + taps - 1) / taps;  // of about one size
    if (parts > 0) taps = (all_taps + parts - 1) / parts;
  }
};

// Calls f(first image, images, first position, positions) for blocks of whole images, or for parts of each image.
template <class F>
void for_blocks(int64_t n, int64_t per_image, int64_t limit, const F& f) {
  if (per_image <= 0) return;
  if (per_image <= limit) {
    const int64_t step = limit / per_image;
    for (int64_t i = 0; i < n; i += step) f(i, std::min(step, n - i), 0, per_image);
    return;
  }
  for (int64_t i = 0; i < n; ++i)
    for (int64_t p = 0; p < per_image; p += limit) f(i, 1, p, std::min(limit, per_image - p));
}

// A matrix per group for one of the two forms: element (0, 0) of group g is p[g step].
template <class T>
struct Weights {
  const T* p;
  int64_t ld, step;
};

// The weights of plan.groups groups [taps, group_in, out] in the order that a product needs. `flipped`: taps reversed.
//   gather, forward       [taps group_in, group_out]          as stored
//   gather, transposed    [taps flipped, group_out, group_in]
//   scatter, forward      [group_in, taps flipped, group_out]
//   scatter, transposed   [group_out, taps, group_in]
template <class T>
Weights<T> arrange(Tape& t, const ConvPlan& c, bool transposed, bool gather, const T* w, const T* mirror) {
  const int64_t taps = c.map.taps(), in = c.group_in(), out = c.group_out(), size = taps * in * out;
  if (gather && !transposed) return {w, c.out, out};
  // With one tap both forms of the transpose are the same.
  if (mirror && c.groups == 1 && transposed && (gather || taps == 1)) return {mirror, in, size};
  T* all = t.scratch<T>(c.groups * size);
  for (int64_t g = 0; g < c.groups; ++g) {
    T* to = all + g * size;
    const T* from = w + g * out;
    if (!gather && transposed) {
      kernel::transpose(taps * in, out, from, c.out, to, taps * in);
      continue;
    }
    for (int64_t k = 0; k < taps; ++k, from += in * c.out) {
      if (gather)
        kernel::transpose(in, out, from, c.out, to + (taps - 1 - k) * in * out, in);
      else
        kernel::copy_rows<T>({from, in, out, c.out}, {to + (taps - 1 - k) * out, in, out, taps * out});
    }
  }
  if (gather) return {all, in, size};
  return {all, transposed ? taps * in : taps * out, size};
}

// One direction of a convolution: from `pixels` of `a` channels each, in groups of a / groups, to b channels.
template <class T>
struct Side {
  const PatchMap& map;
  int64_t groups, a, b;
  int64_t group_a() const { return a / groups; }
  int64_t group_b() const { return b / groups; }
};

template <class T>
void gather_form(Tape& t, const Side<T>& s, int64_t n, const T* x, const Weights<T>& w, const ConvInto<T>& to) {
  const PatchMap& m = s.map;
  const int64_t taps = m.taps(), a = s.group_a(), b = s.group_b(), positions = m.positions();
  const auto product = [&](int64_t row, int64_t rows, int64_t g, int64_t tap, int64_t tap_end, const T* in,
                           int64_t lda) {
    kernel::Finish<T> finish;
    const int64_t at = row * s.b + g * b;
    if (tap_end == taps) {
      if (to.add) finish.add = to.add + at, finish.ld_add = s.b;
      finish.relu = to.relu;
    }
    multiply<T>(t, rows, b, (tap_end - tap) * a, in, lda, 1, w.p + g * w.step + tap * a * w.ld, w.ld,
                Rows<T>{to.y + at, rows, b, s.b}, tap ? Into::accumulate : to.into, to.bias ? to.bias + g * b : nullptr,
                finish);
  };
  if (m.identity()) {
    for (int64_t g = 0; g < s.groups; ++g) product(0, n * positions, g, 0, 1, x + g * a, s.a);
    return;
  }
  const Cut cut(taps, a, sizeof(T));
  T* patches = t.scratch<T>(std::min(n * positions, cut.positions) * cut.taps * a);
  for_blocks(n, positions, cut.positions, [&](int64_t image, int64_t images, int64_t first, int64_t count) {
    for (int64_t g = 0; g < s.groups; ++g) {
      for (int64_t tap = 0; tap < taps; tap += cut.taps) {
        const int64_t tap_end = std::min(taps, tap + cut.taps), width = (tap_end - tap) * a;
        for (int64_t i = 0; i < images; ++i)
          kernel::gather_patches<T>(m, {first, count, tap, tap_end, a, s.a}, x + (image + i) * m.pixels() * s.a + g * a,
                                    patches + i * count * width);
        product(image * positions + first, images * count, g, tap, tap_end, patches, width);
      }
    }
  });
}

// Sets the result to what the patches are added to.
template <class T>
void start_sum(const ConvInto<T>& to, int64_t rows, int64_t cols) {
  const int64_t count = rows * cols;
  if (to.into != Into::accumulate) {
    if (to.add)
      kernel::copy(to.add, to.y, count);
    else
      kernel::fill(T(0), to.y, count);
    if (to.into == Into::bias) kernel::add_row(to.bias, to.y, cols, rows, cols);
  } else if (to.add) {
    kernel::accumulate(to.add, to.y, count);
  }
}

template <class T>
void scatter_form(Tape& t, const Side<T>& s, int64_t n, const T* x, const Weights<T>& w, const ConvInto<T>& to) {
  const PatchMap& m = s.map;
  const int64_t taps = m.taps(), a = s.group_a(), b = s.group_b(), positions = m.positions();
  start_sum(to, n * m.pixels(), s.b);
  const Cut cut(taps, b, sizeof(T));
  T* patches = t.scratch<T>(std::min(n * positions, cut.positions) * cut.taps * b);
  for_blocks(n, positions, cut.positions, [&](int64_t image, int64_t images, int64_t first, int64_t count) {
    for (int64_t g = 0; g < s.groups; ++g) {
      for (int64_t tap = 0; tap < taps; tap += cut.taps) {
        const int64_t tap_end = std::min(taps, tap + cut.taps), width = (tap_end - tap) * b;
        multiply<T>(t, images * count, width, a, x + (image * positions + first) * s.a + g * a, s.a, 1,
                    w.p + g * w.step + tap * b, w.ld, Rows<T>{patches, images * count, width, width}, Into::overwrite);
        for (int64_t i = 0; i < images; ++i)
          kernel::scatter_patches<T>(m, {first, count, tap, tap_end, b, s.b}, patches + i * count * width,
                                     to.y + (image + i) * m.pixels() * s.b + g * b);
      }
    }
  });
  if (to.relu) kernel::unary<T>(kernel::Unary::relu, T(0), to.y, to.y, n * m.pixels() * s.b);
}

// Computes the gradient of the weights [taps, group_a, b] of one group from patches of x with a channels and y [n,
// positions, b channels].
template <class T>
void weight_form(Tape& t, const Side<T>& s, int64_t n, const T* x, const T* y, int64_t g, T* gw, int64_t ldw,
                 bool accumulate) {
  const PatchMap& m = s.map;
  const int64_t taps = m.taps(), a = s.group_a(), b = s.group_b(), positions = m.positions();
  Into into = accumulate ? Into::accumulate : Into::overwrite;
  x += g * a, y += g * b;
  if (m.identity() || n * positions == 0)
    return multiply_turned<T>(t, {x, n * positions, taps * a, s.a}, {y, n * positions, b, s.b}, {gw, taps * a, b, ldw},
                              into);
  const Cut cut(taps, a, sizeof(T));
  T* patches = t.scratch<T>(std::min(n * positions, cut.positions) * cut.taps * a);
  for_blocks(n, positions, cut.positions, [&](int64_t image, int64_t images, int64_t first, int64_t count) {
    for (int64_t tap = 0; tap < taps; tap += cut.taps) {
      const int64_t tap_end = std::min(taps, tap + cut.taps), width = (tap_end - tap) * a;
      for (int64_t i = 0; i < images; ++i)
        kernel::gather_patches<T>(m, {first, count, tap, tap_end, a, s.a}, x + (image + i) * m.pixels() * s.a,
                                  patches + i * count * width);
      multiply_turned<T>(t, {patches, images * count, width, width},
                         {y + (image * positions + first) * s.b, images * count, b, s.b},
                         {gw + tap * a * ldw, width, b, ldw}, into);
    }
    into = Into::accumulate;
  });
}

}  // namespace

template <class T>
void conv_apply(Tape& t, const ConvPlan& c, bool transposed, int64_t n, const T* x, const T* w, const ConvInto<T>& to,
                const T* mirror) {
  const ScratchScope scope(t);
  const int64_t taps = c.map.taps(), in = transposed ? c.group_out() : c.group_in(),
                out = transposed ? c.group_in() : c.group_out();
  const int64_t positions = c.map.positions(), pixels = c.map.pixels();
  const bool both = has_opposite(c.map);
  bool gather = !transposed;
  if (both)
    gather = (transposed ? pixels : positions) * gather_work(taps, in, out) <=
             (transposed ? positions : pixels) * scatter_work(taps, in, out);
  const PatchMap map = gather != transposed ? c.map : opposite(c.map);
  const Weights<T> weights = arrange(t, c, transposed, gather, w, mirror);
  const Side<T> side{map, c.groups, transposed ? c.out : c.in, transposed ? c.in : c.out};
  if (gather)
    gather_form(t, side, n, x, weights, to);
  else
    scatter_form(t, side, n, x, weights, to);
}

template <class T>
void conv_weights(Tape& t, const ConvPlan& c, int64_t n, const T* x, const T* g, T* gw, bool accumulate) {
  const int64_t taps = c.map.taps(), in = c.group_in(), out = c.group_out();
  const bool from_x = !has_opposite(c.map) ||
                      c.map.positions() * gather_work(taps, in, out) <= c.map.pixels() * gather_work(taps, out, in);
  for (int64_t k = 0; k < c.groups; ++k) {
    const ScratchScope scope(t);
    if (from_x) {
      weight_form(t, Side<T>{c.map, c.groups, c.in, c.out}, n, x, g, k, gw + k * out, c.out, accumulate);
      continue;
    }
    // Patches of g, for every pixel of x: [taps flipped, out, in].
    const PatchMap map = opposite(c.map);
    T* flipped = t.scratch<T>(taps * out * in);
    weight_form(t, Side<T>{map, c.groups, c.out, c.in}, n, g, x, k, flipped, in, false);
    T* turned = t.scratch<T>(in * out);
    for (int64_t tap = 0; tap < taps; ++tap) {
      T* to = gw + tap * in * c.out + k * out;
      const T* from = flipped + (taps - 1 - tap) * out * in;
      if (!accumulate) {
        kernel::transpose(out, in, from, in, to, c.out);
        continue;
      }
      kernel::transpose(out, in, from, in, turned, out);
      kernel::binary_rows<T>(kernel::Binary::add, {to, in, out, c.out}, {turned, in, out, out}, {to, in, out, c.out});
    }
  }
}

#define NF_DEFINE(T)                                                                                         \
  template void conv_apply<T>(Tape&, const ConvPlan&, bool, int64_t, const T*, const T*, const ConvInto<T>&, \
                              const T*);                                                                     \
  template void conv_weights<T>(Tape&, const ConvPlan&, int64_t, const T*, const T*, T*, bool);
NF_DEFINE(float)
NF_DEFINE(double)
#undef NF_DEFINE

}  // namespace libnf
