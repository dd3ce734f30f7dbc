// conv2d and its transpose against loops over every element, at random geometries, and at sizes that take several
// blocks.
#include "runtime/op/conv2d.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "runtime/op/ops.h"
#include "runtime/tape/params.h"
#include "tests/runtime/kernel/every_target.h"
#include "tests/support/brief.h"
#include "tests/support/expect_error.h"

namespace libnf::test {
namespace {

using Values = std::vector<double>;

struct Sizes {
  Conv2d c;
  int64_t n, kernel_h, kernel_w, in, out;  // in, out: channels of the convolution, not of its transpose
  ImageSize to() const { return conv2d_size(c, kernel_h, kernel_w); }
  int64_t pixels() const { return c.height * c.width; }
  int64_t positions() const { return to().height * to().width; }
  Dims weights() const { return {kernel_h, kernel_w, in / c.groups, out}; }
  std::string text() const {
    std::string s;
    for (int64_t v : {n, c.height, c.width, in, out, c.groups, kernel_h, kernel_w, c.stride_h, c.stride_w, c.dilation_h,
                      c.dilation_w, c.top, c.left, c.bottom, c.right, static_cast<int64_t>(c.circular)})
      s += std::to_string(v) + " ";
    return "n, height, width, in, out, groups, kernel, stride, dilation, padding, circular: " + s;
  }
};

// Calls f(element of x, element of w, element of y) for every multiply-add of the convolution x -> y.
template <class F>
void for_products(const Sizes& s, const F& f) {
  const Conv2d& c = s.c;
  const int64_t gi = s.in / c.groups, go = s.out / c.groups;
  const auto wrap = [](int64_t i, int64_t size) { return ((i % size) + size) % size; };
  for (int64_t r = 0; r < s.n; ++r)
    for (int64_t y = 0; y < s.to().height; ++y)
      for (int64_t x = 0; x < s.to().width; ++x)
        for (int64_t i = 0; i < s.kernel_h; ++i)
          for (int64_t j = 0; j < s.kernel_w; ++j) {
            int64_t line = y * c.stride_h + i * c.dilation_h - c.top, col = x * c.stride_w + j * c.dilation_w - c.left;
            if (c.circular) line = wrap(line, c.height), col = wrap(col, c.width);
            if (line < 0 || line >= c.height || col < 0 || col >= c.width) continue;
            for (int64_t o = 0; o < s.out; ++o)
              for (int64_t k = 0; k < gi; ++k)
                f(((r * c.height + line) * c.width + col) * s.in + o / go * gi + k,
                  ((i * s.kernel_w + j) * gi + k) * s.out + o,
                  ((r * s.to().height + y) * s.to().width + x) * s.out + o);
          }
}

template <class T>
void expect_near(const View& got, const Values& want, double scale, const char* what) {
  const double tolerance = sizeof(T) == 8 ? 1e-13 : 1e-6;
  ASSERT_EQ(got.count(), static_cast<int64_t>(want.size())) << what;
  for (size_t k = 0; k < want.size(); ++k)
    ASSERT_NEAR(static_cast<double>(got.as<T>()[k]), want[k], tolerance * scale) << what << " " << k;
}

template <class T>
std::vector<T> normal(int64_t count, std::mt19937_64& random) {
  std::normal_distribution<double> d;
  std::vector<T> v(static_cast<size_t>(count));
  for (T& e : v) e = static_cast<T>(static_cast<float>(d(random)));
  return v;
}

template <class T>
Var leaf(Tape& t, std::vector<T>& v, const Dims& shape) {
  return t.input(contiguous_view(v.data(), dtype_of<T>, shape), true);
}

// Runs one direction with bias, residual and relu, and compares outputs and all gradients with loops.
template <class T>
void compare(const Sizes& s, bool transposed, bool bare, std::mt19937_64& random) {
  SCOPED_TRACE(s.text() + (transposed ? " transposed" : "") + (bare ? " bare" : ""));
  const int64_t nx = s.n * s.pixels() * s.in, ny = s.n * s.positions() * s.out;
  const int64_t from = transposed ? ny : nx, to = transposed ? nx : ny, channels = transposed ? s.in : s.out;
  auto x = normal<T>(from, random), w = normal<T>(s.weights().count(), random), b = normal<T>(channels, random),
       r = normal<T>(to, random), cot = normal<T>(to, random);
  Tape t(system_allocator(), dtype_of<T>);
  const auto flat = [&](int64_t count) { return Dims{s.n, s.n ? count / s.n : 0}; };
  Var vx = leaf(t, x, flat(from)), vw = leaf(t, w, s.weights()), vb = bare ? nullptr : leaf(t, b, {channels}),
      vr = bare ? nullptr : leaf(t, r, flat(to));
  const Activation act{bare, Unary::relu, 0};
  Var y = transposed ? conv2d_transposed(t, vx, vw, vb, s.c, vr, act) : conv2d(t, vx, vw, vb, s.c, vr, act);

  Values want(static_cast<size_t>(to)), g(cot.begin(), cot.end()), gx(x.size()), gw(w.size()), gb(b.size());
  for (size_t k = 0; k < want.size() && !bare; ++k) want[k] = r[k] + b[k % b.size()];
  for_products(s, [&](int64_t i, int64_t j, int64_t o) {
    if (transposed) std::swap(i, o);
    want[static_cast<size_t>(o)] += double(x[static_cast<size_t>(i)]) * w[static_cast<size_t>(j)];
  });
  if (!bare) {
    for (size_t k = 0; k < want.size(); ++k) {
      if (y->out.as<T>()[k] <= 0) g[k] = 0;
      want[k] = std::max(want[k], 0.0);
      gb[k % b.size()] += g[k];
    }
  }
  for_products(s, [&](int64_t i, int64_t j, int64_t o) {
    if (transposed) std::swap(i, o);
    gx[static_cast<size_t>(i)] += g[static_cast<size_t>(o)] * w[static_cast<size_t>(j)];
    gw[static_cast<size_t>(j)] += g[static_cast<size_t>(o)] * x[static_cast<size_t>(i)];
  });
  const double taps = static_cast<double>(s.kernel_h * s.kernel_w);
  const double scale = 10 * std::sqrt(taps * static_cast<double>(s.in + s.out)) + 10;
  expect_near<T>(y->out, want, scale, "y");
  std::memcpy(t.grad(*y).data, cot.data(), cot.size() * sizeof(T));
  t.backward();
  expect_near<T>(t.grad(*vx), gx, scale, "gradient of x");
  expect_near<T>(t.grad(*vw), gw, 10 * std::sqrt(static_cast<double>(s.n * (s.pixels() + s.positions()))) + 10,
                 "gradient of w");
  if (bare) return;
  expect_near<T>(t.grad(*vb), gb, 10 * std::sqrt(static_cast<double>(to)) + 10, "gradient of b");
  expect_near<T>(t.grad(*vr), g, 1, "gradient of r");
}

Sizes draw(std::mt19937_64& random) {
  const auto pick = [&](int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  };
  for (;;) {
    Sizes s;
    s.c.height = pick(1, 9), s.c.width = pick(1, 9);
    s.c.stride_h = pick(1, 3), s.c.stride_w = pick(0, 1) ? s.c.stride_h : pick(1, 3);
    if (pick(0, 1)) s.c.stride_h = s.c.stride_w = 1;
    s.c.dilation_h = pick(1, 2), s.c.dilation_w = pick(1, 2);
    s.c.top = pick(0, 3), s.c.left = pick(0, 3), s.c.bottom = pick(0, 3), s.c.right = pick(0, 3);
    s.c.circular = pick(0, 2) == 0;
    s.kernel_h = pick(1, 5), s.kernel_w = pick(1, 5);
    if (pick(0, 3) == 0) {
      const Conv2d same = Conv2d::same(s.c.height, s.c.width, s.kernel_h, s.kernel_w);
      const bool circular = s.c.circular;
      s.c = same;
      s.c.circular = circular;
    }
    s.c.groups = pick(0, 2) == 0 ? pick(1, 4) : 1;
    s.in = s.c.groups * pick(1, 1 + 19 * pick(0, 1)), s.out = s.c.groups * pick(1, 1 + 19 * pick(0, 1));
    s.n = pick(1, 4);
    const int64_t reach_h = (s.kernel_h - 1) * s.c.dilation_h + 1, reach_w = (s.kernel_w - 1) * s.c.dilation_w + 1;
    if (reach_h <= s.c.height + s.c.top + s.c.bottom && reach_w <= s.c.width + s.c.left + s.c.right) return s;
  }
}

TEST(Conv2d, RandomGeometriesMatchLoops) {
  std::mt19937_64 random(11);
  for (int k = 0; k < 120 && !testing::Test::HasFatalFailure(); ++k) {
    const Sizes s = draw(random);
    compare<double>(s, k % 2, k % 3 == 0, random);
    compare<float>(s, k % 2, k % 3 == 0, random);
  }
}

TEST(Conv2d, EveryTargetMatchesLoops) {
  on_every_target([](int64_t) {
    std::mt19937_64 random(5);
    for (int k = 0; k < 20 && !testing::Test::HasFatalFailure(); ++k)
      compare<float>(draw(random), k % 2, false, random);
  });
}

// Images and kernels of several blocks of positions and of taps.
const Sizes kLarge[] = {
    {Conv2d::same(5, 6, 3, 3), 2, 3, 3, 300, 20},   // one tap per product
    {Conv2d::same(5, 6, 3, 3), 2, 3, 3, 20, 300},   // and for the transpose
    {Conv2d::same(24, 24, 3, 3), 1, 3, 3, 60, 32},  // parts of an image
    {Conv2d::same(8, 8, 3, 3), 9, 3, 3, 70, 33},    // a few images per block
};

TEST(Conv2d, SeveralBlocksMatchLoops) {
  std::mt19937_64 random(3);
  for (Sizes s : kLarge) {
    for (bool circular : {false, true}) {
      if (circular && test::brief()) continue;
      s.c.circular = circular;
      compare<float>(s, false, false, random);
      compare<float>(s, true, true, random);
    }
    s.c.stride_h = s.c.stride_w = 2;
    compare<float>(s, false, true, random);
    compare<float>(s, true, false, random);
  }
}

// A row alone has the bits that it has in a batch, and so has its gradient.
template <class T>
void rows_alone(const Sizes& s, bool transposed, std::mt19937_64& random) {
  SCOPED_TRACE(s.text());
  const int64_t ny = s.positions() * s.out, nx = s.pixels() * s.in;
  const int64_t from = transposed ? ny : nx, to = transposed ? nx : ny;
  auto x = normal<T>(s.n * from, random), w = normal<T>(s.weights().count(), random), cot = normal<T>(s.n * to, random);
  const auto run = [&](int64_t first, int64_t rows, std::vector<T>* y, std::vector<T>* gx) {
    Tape t(system_allocator(), dtype_of<T>);
    Var vx = t.input(contiguous_view(x.data() + first * from, dtype_of<T>, {rows, from}), true);
    Var vw = leaf(t, w, s.weights());
    Var v = transposed ? conv2d_transposed(t, vx, vw, nullptr, s.c) : conv2d(t, vx, vw, nullptr, s.c);
    std::memcpy(t.grad(*v).data, cot.data() + first * to, static_cast<size_t>(rows * to) * sizeof(T));
    t.backward();
    y->assign(v->out.as<T>(), v->out.as<T>() + rows * to);
    gx->assign(t.grad(*vx).template as<T>(), t.grad(*vx).template as<T>() + rows * from);
  };
  std::vector<T> y, gx, y1, gx1;
  run(0, s.n, &y, &gx);
  for (int64_t r = 0; r < s.n; ++r) {
    run(r, 1, &y1, &gx1);
    EXPECT_EQ(std::memcmp(y1.data(), y.data() + r * to, y1.size() * sizeof(T)), 0) << "row " << r;
    EXPECT_EQ(std::memcmp(gx1.data(), gx.data() + r * from, gx1.size() * sizeof(T)), 0) << "gradient, row " << r;
  }
}

TEST(Conv2d, RowsAreIndependentToTheBit) {
  std::mt19937_64 random(9);
  for (int k = 0; k < 60; ++k) rows_alone<float>(draw(random), k % 2, random);
  for (Sizes s : kLarge) {
    s.n = 7;
    rows_alone<float>(s, false, random);
    rows_alone<double>(s, true, random);
  }
}

TEST(Conv2d, BadGeometriesAreErrors) {
  Tape t(system_allocator(), DType::f32);
  std::vector<float> data(4096);
  Var x = leaf(t, data, {2, 16}), w = leaf(t, data, {3, 3, 1, 2}), b = leaf(t, data, {2});
  Conv2d c = Conv2d::same(4, 4, 3, 3);
  EXPECT_EQ(conv2d(t, x, w, b, c)->out.shape, (Dims{2, 32}));
  const auto with = [&](auto change) {
    Conv2d d = c;
    change(d);
    return conv2d(t, x, w, b, d);
  };
  EXPECT_ERROR(with([](Conv2d& d) { d.stride_h = 0; }), Code::shape, "conv2d: stride_h is 0, expected 1 to 16777216");
  EXPECT_ERROR(with([](Conv2d& d) { d.left = -1; }), Code::shape, "conv2d: left is -1, expected 0 to 16777216");
  EXPECT_ERROR(with([](Conv2d& d) { d.bottom = INT64_MAX; }), Code::shape, "bottom is 9223372036854775807");
  EXPECT_ERROR(with([](Conv2d& d) { d.height = 0; }), Code::shape, "conv2d: height is 0");
  EXPECT_ERROR(with([](Conv2d& d) { d.dilation_w = 5; }), Code::shape,
               "conv2d: the kernel reaches over 11 pixels, more than the padded width of 6");
  EXPECT_ERROR(with([](Conv2d& d) { d.groups = 2; }), Code::shape,
               "conv2d: input 0 has shape [2, 16], expected [2, 32] for weights [3, 3, 1, 2]");
  EXPECT_ERROR(with([](Conv2d& d) { d.groups = 3; }), Code::shape, "is not a multiple of 3 groups");
  EXPECT_ERROR(conv2d(t, x, w, x, c), Code::shape, "input 2 has shape [2, 16], expected rank 1");
  EXPECT_ERROR(conv2d(t, x, w, leaf(t, data, {3}), c), Code::shape, "expected extent 2 on axis 0");
  EXPECT_ERROR(conv2d(t, x, w, b, c, x), Code::shape, "input 3 has shape [2, 16], expected [2, 32]");
  EXPECT_ERROR(conv2d(t, leaf(t, data, {2, 4, 4}), w, b, c), Code::shape, "expected rank 4");
  EXPECT_ERROR(conv2d(t, x, leaf(t, data, {0, 3, 1, 2}), b, c), Code::shape, "conv2d: kernel height is 0");
  Conv2d huge = c;
  huge.top = huge.bottom = huge.left = huge.right = int64_t{1} << 24;
  EXPECT_ERROR(conv2d(t, x, leaf(t, data, {1, 1, 1, 4096}), nullptr, huge), Code::nomem, "size overflow");
  EXPECT_ERROR(conv2d_transposed(t, x, w, b, c), Code::shape, "conv2d_transposed: input 0 has shape [2, 16]");
}

// The weights of a store are mirrored for gradients, which have the same bits as without.
template <class T>
void mirrored(int64_t in, int64_t out, int64_t kernel) {
  SCOPED_TRACE(std::to_string(in) + " to " + std::to_string(out) + ", kernel " + std::to_string(kernel));
  constexpr int64_t n = 3, size = 6;
  std::mt19937_64 random(7);
  ParamStore store(system_allocator(), dtype_of<T>, {{"w", {kernel, kernel, in, out}, true}});
  auto w = normal<T>(kernel * kernel * in * out, random), x = normal<T>(n * size * size * in, random),
       cot = normal<T>(n * size * size * out, random);
  std::copy(w.begin(), w.end(), static_cast<T*>(store.data()));
  std::vector<T> mirror(static_cast<size_t>(store.mirror_size()), T(-7));
  store.refresh_mirror(0, mirror.data());
  const auto gradient = [&](void* m) {
    Node weights;
    store.bind(&weights, nullptr, m);
    EXPECT_EQ(weights.mirror, m);
    Tape t(system_allocator(), dtype_of<T>);
    Var v = t.input(contiguous_view(x.data(), dtype_of<T>, {n, size, size, in}), true);
    Var y = conv2d(t, v, &weights, nullptr, Conv2d::same(size, size, kernel, kernel));
    std::memcpy(t.grad(*y).data, cot.data(), cot.size() * sizeof(T));
    t.backward();
    const T* g = t.grad(*v).template as<T>();
    return std::vector<T>(g, g + x.size());
  };
  EXPECT_EQ(gradient(mirror.data()), gradient(nullptr));
}

TEST(Conv2d, MirroredWeightsGiveTheSameBits) {
  for (const int64_t kernel : {1, 3})
    for (const auto& [in, out] : {std::pair<int64_t, int64_t>{5, 40}, {40, 5}, {16, 16}, {1, 1}}) {
      mirrored<float>(in, out, kernel);
      mirrored<double>(in, out, kernel);
    }
}

}  // namespace
}  // namespace libnf::test
