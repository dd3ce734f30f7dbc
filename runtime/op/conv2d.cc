// y = act(conv(x, W) + b + r), and the same with the transposed convolution. With g = gy act'(y): the gradient of x is
// the transposed map of g, that of W the correlation of x with g, db sums over rows and pixels, dr = g.
// runtime/op/conv_product.h says how they are computed. Accuracy: a chain of multiply-adds per element, or a sum of
// one per tap.
#include "runtime/op/conv2d.h"

#include "runtime/kernel/binary.h"
#include "runtime/kernel/reduce.h"
#include "runtime/kernel/unary.h"
#include "runtime/op/conv_product.h"
#include "runtime/op/family.h"
#include "runtime/op/layout.h"
#include "runtime/op/ops.h"
#include "runtime/op/tangent.h"

namespace libnf {
namespace {

using kernel::Into;
enum { kX, kW, kB, kResidual };

struct ConvAttr {
  Conv2d c;
  Activation act;  // the identity, or one whose derivative is a function of y
};

constexpr int64_t kLargest = int64_t{1} << 24;  // of a number in Conv2d: sums and products stay in range

void need_range(const char* what, int64_t value, int64_t low) {
  if (value < low || value > kLargest)
    fail(Code::shape, "conv2d: %s is %lld, expected %lld to %lld", what, static_cast<long long>(value),
         static_cast<long long>(low), static_cast<long long>(kLargest));
}

int64_t positions_along(const char* axis, int64_t size, int64_t padding, int64_t kernel, int64_t stride,
                        int64_t dilation) {
  const int64_t reach = (kernel - 1) * dilation + 1;
  if (reach > size + padding)
    fail(Code::shape, "conv2d: the kernel reaches over %lld pixels, more than the padded %s of %lld",
         static_cast<long long>(reach), axis, static_cast<long long>(size + padding));
  return (size + padding - reach) / stride + 1;
}

ConvPlan plan_of(const Node& n) {
  const Conv2d& c = n.attr<ConvAttr>().c;
  const Dims& w = n.in[kW]->out.shape;
  ConvPlan p;
  const ImageSize size = conv2d_size(c, w[0], w[1]);
  p.map = {c.height,   c.width,      size.height,  size.width, w[0],   w[1],      c.stride_h,
           c.stride_w, c.dilation_h, c.dilation_w, c.top,      c.left, c.circular};
  p.groups = c.groups;
  p.in = checked_mul(w[2], c.groups);
  p.out = w[3];
  return p;
}

template <bool transposed>
Shapes shape(const Node& n) {
  const Dims &x = n.in[kX]->out.shape, &w = n.in[kW]->out.shape;
  const Conv2d& c = n.attr<ConvAttr>().c;
  need_rank(n, kW, 4);
  if (x.rank != 2) need_rank(n, kX, 4);
  const ConvPlan p = plan_of(n);
  if (w[3] % c.groups)
    fail(Code::shape, "%s: input %d has shape %s, whose last extent is not a multiple of %lld groups", n.op->name, kW,
         to_string(w).c_str(), static_cast<long long>(c.groups));
  const Dims image = {x[0], p.map.height, p.map.width, p.in}, position = {x[0], p.map.out_h, p.map.out_w, p.out};
  const Dims &from = transposed ? position : image, &to = transposed ? image : position;
  const auto flat = [](const Dims& d) { return Dims{d[0], Dims{d[1], d[2], d[3]}.count()}; };
  if (!(x == (x.rank == 2 ? flat(from) : from)))
    fail(Code::shape, "%s: input %d has shape %s, expected %s for weights %s", n.op->name, kX, to_string(x).c_str(),
         to_string(x.rank == 2 ? flat(from) : from).c_str(), to_string(w).c_str());
  if (n.in[kB]) {
    need_rank(n, kB, 1);
    need_extent(n, kB, 0, to[3]);
  }
  Shapes s;
  s.out = x.rank == 2 ? flat(to) : to;
  if (n.in[kResidual] && !(n.in[kResidual]->out.shape == s.out))
    fail(Code::shape, "%s: input %d has shape %s, expected %s", n.op->name, kResidual,
         to_string(n.in[kResidual]->out.shape).c_str(), to_string(s.out).c_str());
  return s;
}

template <bool transposed, class T>
void forward(Tape& t, Node& n) {
  const ConvPlan p = plan_of(n);
  const int64_t rows = n.out.shape[0];
  t.count_products(rows * p.map.positions() * p.depth() * p.out);
  const Activation& act = n.attr<ConvAttr>().act;
  ConvInto<T> to;
  to.y = n.y<T>();
  to.bias = n.x<T>(kB);
  to.into = to.bias ? Into::bias : Into::overwrite;
  to.add = n.x<T>(kResidual);
  to.relu = !act.identity && act.f == Unary::relu;
  conv_apply<T>(t, p, transposed, rows, n.x<T>(kX), n.x<T>(kW), to);
  if (!act.identity && !to.relu) kernel::unary<T>(act.f, static_cast<T>(act.a), to.y, to.y, n.out.count());
}

template <bool transposed, class T>
void vjp(Tape& t, Node& n, const InputGrads& grads) {
  const ConvPlan p = plan_of(n);
  const int64_t rows = n.out.shape[0], count = n.out.count();
  const T* g = t.grad_out(n).template as<T>();
  const ScratchScope scope(t);
  if (const Activation& act = n.attr<ConvAttr>().act; !act.identity) {
    T* before = t.scratch<T>(count);
    kernel::unary_grad<T>(act.f, static_cast<T>(act.a), nullptr, n.y<T>(), g, before, count, true);
    g = before;
  }
  bool fresh;
  if (grads.wants(kX)) {
    ConvInto<T> to;
    to.y = grads.write(kX, &fresh).template as<T>();
    to.into = fresh ? Into::overwrite : Into::accumulate;
    conv_apply<T>(t, p, !transposed, rows, g, n.x<T>(kW), to, static_cast<const T*>(n.in[kW]->mirror));
  }
  if (grads.wants(kW)) {
    T* gw = grads.write(kW, &fresh).template as<T>();
    conv_weights<T>(t, p, rows, transposed ? g : n.x<T>(kX), transposed ? n.x<T>(kX) : g, gw, !fresh);
  }
  if (grads.wants(kB)) {
    const int64_t channels = transposed ? p.in : p.out;
    kernel::col_sum_add(g, channels, channels ? count / channels : 0, channels, grads.add(kB).template as<T>());
  }
  if (grads.wants(kResidual)) {
    T* gr = grads.write(kResidual, &fresh).template as<T>();
    fresh ? kernel::copy(g, gr, count) : kernel::accumulate(g, gr, count);
  }
}

// d(conv(x, W) + b + r) = conv(dx, W) + conv(x, dW) + db + dr, times act' of the sum.
template <bool transposed>
OutputTangents tangent(Tape& t, Node& n, const InputTangents& d) {
  const auto& attr = n.attr<ConvAttr>();
  const auto conv = [&](Var x, Var w, Var b, Var r) {
    return transposed ? conv2d_transposed(t, x, w, b, attr.c, r) : conv2d(t, x, w, b, attr.c, r);
  };
  Var y = d[kResidual];
  if (d[kX]) y = conv(d[kX], n.in[kW], nullptr, y);
  if (d[kW]) y = conv(n.in[kX], d[kW], nullptr, y);
  if (d[kB]) {
    const int64_t channels = d[kB]->out.shape[0];
    const Dims pixels = {channels ? n.out.count() / channels : 0, channels};
    y = reshape(t, plus(t, pixels, y ? reshape(t, y, pixels) : nullptr, d[kB]), n.out.shape);
  }
  if (attr.act.identity) return y;
  Var before = conv(n.in[kX], n.in[kW], n.in[kB], n.in[kResidual]);
  return mul(t, unary_derivative(t, attr.act.f, before, attr.act.a), y);
}

const Op kConv2d = {"conv2d",
                    Layout::contiguous,
                    shape<false>,
                    {forward<false, float>, forward<false, double>},
                    {vjp<false, float>, vjp<false, double>},
                    tangent<false>};
const Op kTransposed = {"conv2d_transposed",
                        Layout::contiguous,
                        shape<true>,
                        {forward<true, float>, forward<true, double>},
                        {vjp<true, float>, vjp<true, double>},
                        tangent<true>};

Var record(Tape& t, const Op& op, Var x, Var w, Var b, const Conv2d& c, Var residual, const Activation& act) {
  if (!act.identity && !kernel::grad_from_output(act.f))
    return activate(t, act, t.record(op, {x, w, b, residual}, ConvAttr{c, {}}));
  return t.record(op, {x, w, b, residual}, ConvAttr{c, act});
}

// Geometries of the cases.
constexpr Conv2d geometry(int64_t height, int64_t width, int64_t padding = 0, int64_t stride = 1, int64_t dilation = 1,
                          int64_t groups = 1, bool circular = false) {
  Conv2d c;
  c.height = height, c.width = width;
  c.stride_h = c.stride_w = stride;
  c.dilation_h = c.dilation_w = dilation;
  c.top = c.left = c.bottom = c.right = padding;
  c.groups = groups;
  c.circular = circular;
  return c;
}
constexpr Conv2d kSame = geometry(3, 4, 1), kCircular = geometry(3, 4, 1, 1, 1, 1, true), kPixel = geometry(2, 3),
                 kStrided = geometry(5, 3, 1, 2), kDilated = geometry(4, 5, 2, 1, 2),
                 kGroups = geometry(3, 3, 1, 1, 1, 2), kDepthwise = geometry(3, 2, 1, 1, 1, 4),
                 kCircularStrided = geometry(4, 4, 1, 2, 1, 1, true), kOne = geometry(1, 1);

template <const Conv2d& c>
Var apply(Tape& t, const Var* in) {
  return conv2d(t, in[0], in[1], in[2], c);
}
template <const Conv2d& c>
Var apply_transposed(Tape& t, const Var* in) {
  return conv2d_transposed(t, in[0], in[1], in[2], c);
}

const OpCase kCases[] = {
    {"conv2d_same", {{"n34d"}, {"33dm"}, {"m"}}, apply<kSame>},
    {"conv2d_circular", {{"n34d"}, {"33dm"}, {"m"}}, apply<kCircular>},
    {"conv2d_pixel", {{"n23d"}, {"11dm"}, {"m"}}, apply<kPixel>},
    {"conv2d_one", {{"n11d"}, {"11dm"}, {"m"}}, apply<kOne>},
    {"conv2d_strided", {{"n53c"}, {"32cm"}, {"m"}}, apply<kStrided>},
    {"conv2d_circular_strided", {{"n44c"}, {"33cm"}, {"m"}}, apply<kCircularStrided>},
    {"conv2d_dilated", {{"n45c"}, {"33cm"}, {"m"}}, apply<kDilated>},
    {"conv2d_groups", {{"n334"}, {"3326"}, {"6"}}, apply<kGroups>},
    {"conv2d_depthwise", {{"n324"}, {"3314"}, {"4"}}, apply<kDepthwise>},
    {"conv2d_tanh",
     {{"n34c"}, {"33cm"}, {"m"}},
     [](Tape& t, const Var* in) {
       return conv2d(t, in[0], in[1], in[2], kSame, nullptr, {false, Unary::tanh, 0});
     }},
    {"conv2d_flat_no_bias",
     {{"n6"}, {"221m"}},
     [](Tape& t, const Var* in) { return conv2d(t, in[0], in[1], nullptr, kPixel); }},
    {"conv2d_residual",
     {{"n34d"}, {"33dm"}, {"m"}, {"n34m"}},
     [](Tape& t, const Var* in) { return conv2d(t, in[0], in[1], in[2], kSame, in[3]); }},
    {"conv2d_transposed", {{"n34m"}, {"33dm"}, {"d"}}, apply_transposed<kSame>},
    {"conv2d_transposed_circular", {{"n34m"}, {"33dm"}, {"d"}}, apply_transposed<kCircular>},
    {"conv2d_transposed_strided", {{"n32m"}, {"32cm"}, {"c"}}, apply_transposed<kStrided>},
    {"conv2d_transposed_groups", {{"n336"}, {"3326"}, {"4"}}, apply_transposed<kGroups>},
    {"conv2d_transposed_residual",
     {{"n32m"}, {"32cm"}, {"c"}, {"n53c"}},
     [](Tape& t, const Var* in) {
       return conv2d_transposed(t, in[0], in[1], in[2], kStrided, in[3], {false, Unary::softplus, 1});
     }},
};

}  // namespace

extern const OpFamily family_conv2d;
const OpFamily family_conv2d = {"conv2d", kCases, std::size(kCases)};

Conv2d Conv2d::same(int64_t height, int64_t width, int64_t kernel_h, int64_t kernel_w) {
  Conv2d c;
  c.height = height, c.width = width;
  c.top = (kernel_h - 1) / 2, c.bottom = kernel_h - 1 - c.top;
  c.left = (kernel_w - 1) / 2, c.right = kernel_w - 1 - c.left;
  return c;
}

ImageSize conv2d_size(const Conv2d& c, int64_t kernel_h, int64_t kernel_w) {
  const struct {
    const char* what;
    int64_t value, low;
  } numbers[] = {{"height", c.height, 1},
                 {"width", c.width, 1},
                 {"kernel height", kernel_h, 1},
                 {"kernel width", kernel_w, 1},
                 {"stride_h", c.stride_h, 1},
                 {"stride_w", c.stride_w, 1},
                 {"dilation_h", c.dilation_h, 1},
                 {"dilation_w", c.dilation_w, 1},
                 {"top", c.top, 0},
                 {"left", c.left, 0},
                 {"bottom", c.bottom, 0},
                 {"right", c.right, 0},
                 {"groups", c.groups, 1}};
  for (const auto& n : numbers) need_range(n.what, n.value, n.low);
  return {positions_along("height", c.height, c.top + c.bottom, kernel_h, c.stride_h, c.dilation_h),
          positions_along("width", c.width, c.left + c.right, kernel_w, c.stride_w, c.dilation_w)};
}

Var conv2d(Tape& t, Var x, Var w, Var b, const Conv2d& c, Var residual, const Activation& act) {
  return record(t, kConv2d, x, w, b, c, residual, act);
}

Var conv2d_transposed(Tape& t, Var x, Var w, Var b, const Conv2d& c, Var residual, const Activation& act) {
  return record(t, kTransposed, x, w, b, c, residual, act);
}

}  // namespace libnf
