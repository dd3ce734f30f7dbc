// y = (x - mean) / sqrt(var + eps) w + b over runs of channels (layer norm), or over groups of channels of an image
// (group norm). runtime/kernel/norm.h has formulas and gradients. Forward keeps the means and the scales.
#include "runtime/op/norm.h"

#include "runtime/kernel/norm.h"
#include "runtime/op/family.h"
#include "runtime/op/layout.h"
#include "runtime/op/ops.h"
#include "runtime/op/tangent.h"

namespace libnf {
namespace {

enum { kX, kW, kB };

struct NormAttr {
  int64_t channels, groups;
  bool images;  // a set has all pixels of a row, otherwise one
  double eps;
};

kernel::NormSets sets_of(const Node& n) {
  const auto& a = n.attr<NormAttr>();
  const Dims& x = n.in[kX]->out.shape;
  const int64_t count = x.count(), rows = x.rank ? x[0] : 1;
  kernel::NormSets s{0, 1, a.channels, a.groups, a.eps};
  if (a.images && rows > 0) s.pixels = count / rows / a.channels;
  if (s.pixels > 0) s.sets = count / a.channels / s.pixels;
  return s;
}

Shapes shape(const Node& n) {
  const auto& a = n.attr<NormAttr>();
  const Dims& x = n.in[kX]->out.shape;
  if (x.rank < 2)
    fail(Code::shape, "%s: input %d has shape %s, expected two or more axes", n.op->name, kX, to_string(x).c_str());
  if (a.channels < 1 || a.groups < 1 || a.channels % a.groups)
    fail(Code::shape, "%s: %lld groups of %lld channels: expected positive numbers, the second a multiple of the first",
         n.op->name, static_cast<long long>(a.groups), static_cast<long long>(a.channels));
  const int64_t cols = x.rank == 2 ? x[1] : x.last();
  if (x.rank == 2 ? cols % a.channels : cols != a.channels)
    fail(Code::shape, "%s: input %d has shape %s, whose rows are not pixels of %lld channels", n.op->name, kX,
         to_string(x).c_str(), static_cast<long long>(a.channels));
  if (!(a.eps > 0)) fail(Code::shape, "%s: eps is %g, expected a positive number", n.op->name, a.eps);
  for (int i : {kW, kB}) {
    if (!n.in[i]) continue;
    need_rank(n, i, 1);
    need_extent(n, i, 0, a.channels);
  }
  Shapes s = same_as_first(n);
  s.has_saved = true;
  s.saved = {2, sets_of(n).count()};
  return s;
}

template <class T>
void forward(Tape& t, Node& n) {
  const kernel::NormSets s = sets_of(n);
  const ScratchScope scope(t);
  T *mean = static_cast<T*>(n.saved), *inverse = mean + s.count();
  kernel::norm<T>(s, n.x<T>(kX), n.x<T>(kW), n.x<T>(kB), n.y<T>(), mean, inverse, t.scratch<T>(s.scratch()));
}

template <class T>
void vjp(Tape& t, Node& n, const InputGrads& grads) {
  const kernel::NormSets s = sets_of(n);
  const ScratchScope scope(t);
  const T *mean = static_cast<const T*>(n.saved), *inverse = mean + s.count();
  const auto target = [&](int i) { return grads.wants(i) ? grads.add(i).template as<T>() : nullptr; };
  bool fresh = false;
  T* gx = grads.wants(kX) ? grads.write(kX, &fresh).template as<T>() : nullptr;
  kernel::norm_grad<T>(s, n.x<T>(kX), n.x<T>(kW), mean, inverse, t.grad_out(n).template as<T>(), gx, fresh, target(kW),
                       target(kB), t.scratch<T>(s.scratch()));
}

// Rewrites the op in other ops: the sets become rows of a matrix.
OutputTangents tangent(Tape& t, Node& n, const InputTangents& d) {
  const auto& a = n.attr<NormAttr>();
  const kernel::NormSets s = sets_of(n);
  const int64_t m = s.per_group(), pixels = s.sets * s.pixels;
  Var x = reshape(t, n.in[kX], {s.sets, s.pixels, s.groups, m});
  x = reshape(t, contiguous(t, permute(t, x, {0, 2, 1, 3})), {s.count(), s.pixels * m});
  Var centered = sub(t, x, as_column(t, mean_last(t, x)));
  Var variance = mean_last(t, unary(t, Unary::square, centered));
  Var y = mul(t, centered, as_column(t, unary(t, Unary::rsqrt, add_scalar(t, variance, a.eps))));
  y = contiguous(t, permute(t, reshape(t, y, {s.sets, s.groups, s.pixels, m}), {0, 2, 1, 3}));
  y = reshape(t, y, {pixels, a.channels});
  if (n.in[kW]) y = mul(t, y, n.in[kW]);
  if (n.in[kB]) y = add(t, y, n.in[kB]);
  return d.of(reshape(t, y, n.out.shape));
}

const Op kNorm = {"norm", Layout::contiguous, shape, NF_BOTH(forward), NF_BOTH(vjp), tangent};

const OpCase kCases[] = {
    {"layer_norm",
     {{"n6"}, {"6"}, {"6"}},
     [](Tape& t, const Var* in) { return layer_norm(t, in[0], 6, in[1], in[2]); }},
    {"layer_norm_pixels",
     {{"n6"}, {"3"}, {"3"}},
     [](Tape& t, const Var* in) { return layer_norm(t, in[0], 3, in[1], in[2], 0.01); }},
    {"layer_norm_bare", {{"nc5"}}, [](Tape& t, const Var* in) { return layer_norm(t, in[0], 5, nullptr, nullptr); }},
    {"group_norm",
     {{"n6"}, {"6"}, {"6"}},
     [](Tape& t, const Var* in) { return group_norm(t, in[0], 6, 2, in[1], in[2]); }},
    {"group_norm_images",
     {{"n234"}, {"4"}, {"4"}},
     [](Tape& t, const Var* in) { return group_norm(t, in[0], 4, 2, in[1], in[2]); }},
    {"group_norm_one",
     {{"n8"}, {"4"}},
     [](Tape& t, const Var* in) { return group_norm(t, in[0], 4, 1, in[1], nullptr, 0.1); }},
    {"instance_norm",
     {{"nd33"}, {"3"}, {"3"}},
     [](Tape& t, const Var* in) { return group_norm(t, in[0], 3, 3, in[1], in[2]); }},
};

}  // namespace

extern const OpFamily family_norm;
const OpFamily family_norm = {"norm", kCases, std::size(kCases)};

Var layer_norm(Tape& t, Var x, int64_t channels, Var w, Var b, double eps) {
  return t.record(kNorm, {x, w, b}, NormAttr{channels, 1, false, eps});
}

Var group_norm(Tape& t, Var x, int64_t channels, int64_t groups, Var w, Var b, double eps) {
  return t.record(kNorm, {x, w, b}, NormAttr{channels, groups, true, eps});
}

}  // namespace libnf
