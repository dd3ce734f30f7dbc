// The gradient of x_i, which yields those of z_i and h_i, is complete once the features of x_i and all units that read
// them have propagated theirs. Columns are therefore visited from last to first, and stages from last to first within a
// column. Weight gradients are products over all rows at the end.
#include "runtime/op/autoregressive.h"

#include <algorithm>

#include "runtime/kernel/columns.h"
#include "runtime/kernel/gemm.h"
#include "runtime/kernel/random.h"
#include "runtime/kernel/reduce.h"
#include "runtime/kernel/rows.h"
#include "runtime/kernel/unary.h"
#include "runtime/op/affine_column.h"
#include "runtime/op/family.h"
#include "runtime/op/layout.h"
#include "runtime/op/restore.h"
#include "runtime/op/tangent.h"

namespace libnf {
namespace {

enum { kZ, kContext, kParams };

struct InverseAttr : AutoregressiveMap {
  bool dropping;
  uint32_t stream;   // of the first dropout layer
  RandomKey random;  // the key before the op
};

// saved: all vectors of the net, stored by unit, [units, n] (NetStage::offset).
Shapes shape(const Node& n) {
  const StagedNet& net = *n.attr<InverseAttr>().net;
  need_rank(n, kZ, 2);
  need_extent(n, kZ, 1, net.event);
  Shapes s;
  s.out = n.in[kZ]->out.shape;
  if (net.context) {
    need_rank(n, kContext, 2);
    need_extent(n, kContext, 0, s.out[0]);
    need_extent(n, kContext, 1, net.context);
  }
  for (const NetStage& stage : net.stages) {
    if (stage.kind != NetStage::linear) continue;
    const int w = kParams + stage.weight, b = kParams + stage.bias;
    if (n.in[w]->out.shape.count() != stage.mask.size()) wrong_extent(n, w, 0, stage.mask.size());
    need_rank(n, b, 1);
    need_extent(n, b, 0, stage.units);
  }
  s.extra = {s.out[0]};
  s.has_extra = true;
  s.saved = {net.units, s.out[0]};
  s.has_saved = true;
  return s;
}

// The vectors of the net, or their gradients, for one block of rows.
template <class T>
struct Vectors {
  const StagedNet& net;
  bool dropping;
  int64_t n;
  T* base;
  const NetStage& stage(int vector) const { return net.stages[static_cast<size_t>(vector - 1)]; }
  T* operator()(int vector) const {
    while (vector > 0 && stage(vector).kind == NetStage::dropout && !dropping) vector = stage(vector).in;
    return vector == 0 ? base : base + stage(vector).offset * n;
  }
  T* feature(size_t k) const { return base + (net.context + static_cast<int64_t>(k)) * n; }
};

template <class T>
void drop_masks(Tape& t, const Node& node, const Vectors<T>& v) {
  uint32_t stream = node.attr<InverseAttr>().stream;
  const double keep = 1 - v.net.dropout;
  for (const NetStage& s : v.net.stages) {
    if (s.kind != NetStage::dropout) continue;
    const ScratchScope scope(t);
    T* by_row = t.scratch<T>(s.units * v.n);
    kernel::bernoulli<T>({t.random.seed, stream++}, t.random.first_row, v.n, s.units, keep, static_cast<T>(1 / keep),
                         by_row, s.units);
    T* mask = v.base + (s.offset + s.units) * v.n;
    kernel::transpose(v.n, s.units, by_row, s.units, mask, v.n);
  }
}

// Computes the units of one stage that depend only on inputs before `step`.
template <class T>
void advance(const Node& node, const Vectors<T>& v, size_t index, int64_t step) {
  const StagedNet& net = v.net;
  const NetStage& s = net.stages[index];
  const int64_t n = v.n, first = net.first_unit(s, step), count = (net.first_unit(s, step + 1) - first) * n;
  const T* in = v(s.in);
  T* y = v(static_cast<int>(index) + 1) + first * n;
  const Activation& act = net.act;
  switch (s.kind) {
    case NetStage::linear:
      if (step < s.mask.steps())
        kernel::staircase_forward_step<T>(s.mask, step, node.x<T>(kParams + s.weight), node.x<T>(kParams + s.bias),
                                          in + s.first * n, y - first * n, n);
      if (s.residual >= 0) kernel::accumulate<T>(v(s.residual) + first * n, y, count);
      if (s.activated) kernel::unary<T>(act.f, static_cast<T>(act.a), y, y, count);
      return;
    case NetStage::activate:
      kernel::unary<T>(act.f, static_cast<T>(act.a), in + first * n, y, count);
      return;
    case NetStage::dropout:
      if (v.dropping) kernel::binary<T>(kernel::Binary::mul, in + first * n, y + s.units * n, y, count);
      return;
    case NetStage::film: {
      const T *x = in + first * n, *scale = v(s.scale) + first * n, *shift = v(s.shift) + first * n;
      kernel::affine_rows<T>(kernel::RowMap::film, {x, 1, count, count}, {scale, 1, count, count},
                             {shift, 1, count, count}, Rows<T>{y, 1, count, count});
      return;
    }
  }
}

template <class T>
void feature(const ColumnFeature& f, const T* x, T* y, int64_t n) {
  if (f.kind == ColumnFeature::value)
    kernel::copy<T>(x, y, n);
  else
    for (int64_t r = 0; r < n; ++r) y[r] = static_cast<T>(f.of(x[r]));
}

template <class T>
void forward(Tape& t, Node& node) {
  const auto& a = node.attr<InverseAttr>();
  const StagedNet& net = *a.net;
  const auto z = matrix_of<T>(node.view(kZ)), x = matrix_of<T>(node.out);
  const int64_t n = z.rows, event = net.event, per = net.per;
  const Vectors<T> v{net, a.dropping, n, static_cast<T*>(node.saved)};
  if (net.context) {
    const auto context = matrix_of<T>(node.view(kContext));
    kernel::transpose(n, net.context, context.p, context.ld, v.base, n);
  }
  if (v.dropping) drop_masks(t, node, v);
  for (const NetStage& s : net.stages) t.count_products(n * s.mask.size());
  const ScratchScope scope(t);
  T *by_unit = t.scratch<T>(event * n), *x_column = t.scratch<T>(n);
  kernel::transpose(n, event, z.p, z.ld, by_unit, n);
  T* log_det = node.extra->y<T>();
  kernel::fill<T>(0, log_det, n);
  const T* h = v(static_cast<int>(net.stages.size()));
  for (int64_t i = 0; i < event; ++i) {
    for (size_t k = 0; k < net.stages.size(); ++k) advance(node, v, k, i);
    const int64_t column = a.order[static_cast<size_t>(i)];
    a.map->map(t, Column<T>{n, by_unit + column * n, h + i * per * n, x_column, log_det, column}, true);
    kernel::copy_rows<T>({x_column, n, 1, 1}, x.columns_from(column, 1));
    for (size_t k = a.first_feature[static_cast<size_t>(i)]; k < a.first_feature[static_cast<size_t>(i) + 1]; ++k)
      feature(a.features[k], x_column, v.feature(k), n);
  }
}

// gx += gy f'(x)
template <class T>
void feature_back(const ColumnFeature& f, const T* x, const T* gy, T* gx, int64_t n) {
  if (f.kind == ColumnFeature::value)
    kernel::accumulate<T>(gy, gx, n);
  else
    for (int64_t r = 0; r < n; ++r) gx[r] += gy[r] * static_cast<T>(f.slope(x[r]));
}

// Backward of `advance`: propagates the gradients of the units that it computed to their inputs.
template <class T>
void retreat(const Node& node, const Vectors<T>& v, const Vectors<T>& g, size_t index, int64_t step) {
  const StagedNet& net = v.net;
  const NetStage& s = net.stages[index];
  const int64_t n = v.n, first = net.first_unit(s, step), count = (net.first_unit(s, step + 1) - first) * n;
  const int self = static_cast<int>(index) + 1;
  const T *in = v(s.in), *y = v(self) + first * n;
  T *g_in = g(s.in), *gy = g(self) + first * n;
  const Activation& act = net.act;
  switch (s.kind) {
    case NetStage::linear:
      if (s.activated) kernel::unary_grad<T>(act.f, static_cast<T>(act.a), nullptr, y, gy, gy, count, true);
      if (s.residual >= 0) kernel::accumulate<T>(gy, g(s.residual) + first * n, count);
      if (step < s.mask.steps())
        kernel::staircase_back_step<T>(s.mask, step, node.x<T>(kParams + s.weight), gy - first * n, g_in + s.first * n,
                                       n);
      return;
    case NetStage::activate:
      kernel::unary_grad<T>(act.f, static_cast<T>(act.a), in + first * n, y, gy, g_in + first * n, count);
      return;
    case NetStage::dropout:
      if (v.dropping) kernel::mul_add<T>(gy, y + s.units * n, g_in + first * n, count);
      return;
    case NetStage::film: {
      const T* scale = v(s.scale) + first * n;
      T* gx = g_in + first * n;
      kernel::update_rows<T>(kernel::RowUpdate::film, {gy, 1, count, count}, {scale, 1, count, count},
                             Rows<T>{gx, 1, count, count});
      kernel::mul_add<T>(gy, in + first * n, g(s.scale) + first * n, count);
      kernel::accumulate<T>(gy, g(s.shift) + first * n, count);
      return;
    }
  }
}

template <class T>
void vjp(Tape& t, Node& node, const InputGrads& grads) {
  const auto& a = node.attr<InverseAttr>();
  const StagedNet& net = *a.net;
  const View gy_view = t.grad_out(node), gl_view = t.grad_out(*node.extra);
  const auto z = matrix_of<T>(node.view(kZ)), x = matrix_of<T>(node.out), gy = matrix_of<T>(gy_view);
  const int64_t n = z.rows, event = net.event, per = net.per;
  Rows<T> gz{}, g_context{};
  if (grads.wants(kZ)) gz = matrix_of<T>(grads.add(kZ));
  if (net.context && grads.wants(kContext)) g_context = matrix_of<T>(grads.add(kContext));
  const ScratchScope scope(t);
  const Vectors<T> v{net, a.dropping, n, static_cast<T*>(node.saved)};
  const Vectors<T> g{net, v.dropping, n, t.scratch<T>(net.units * n)};
  kernel::fill<T>(0, g.base, net.units * n);
  T *z_units = t.scratch<T>(event * n), *x_units = t.scratch<T>(event * n);
  kernel::transpose(n, event, z.p, z.ld, z_units, n);
  kernel::transpose(n, event, x.p, x.ld, x_units, n);
  T *gz_column = t.scratch<T>(n), *gx_column = t.scratch<T>(n);
  int64_t most = 0;
  for (const NetStage& s : net.stages) most = std::max({most, s.units, s.mask.scratch(n)});
  T* scratch = t.scratch<T>(most);
  const int outputs = static_cast<int>(net.stages.size());
  for (int64_t i = event - 1; i >= 0; --i) {
    const int64_t column = a.order[static_cast<size_t>(i)];
    const T* x_column = x_units + column * n;
    if (gy.p)
      kernel::copy_rows<T>(gy.columns_from(column, 1), Rows<T>{gx_column, n, 1, 1});
    else
      kernel::fill<T>(0, gx_column, n);
    for (size_t k = a.first_feature[static_cast<size_t>(i)]; k < a.first_feature[static_cast<size_t>(i) + 1]; ++k)
      feature_back(a.features[k], x_column, g.feature(k), gx_column, n);
    a.map->vjp(t,
               ColumnGrad<T>{n, z_units + column * n, v(outputs) + i * per * n, x_column, gx_column, gl_view.as<T>(),
                             gz_column, g(outputs) + i * per * n, column},
               true);
    if (gz.p) {
      const Rows<T> to = gz.columns_from(column, 1);
      kernel::binary_rows<T>(kernel::Binary::add, to, {gz_column, n, 1, 1}, to);
    }
    for (size_t k = net.stages.size(); k-- > 0;) retreat(node, v, g, k, i);
  }
  for (size_t k = 0; k < net.stages.size(); ++k) {
    const NetStage& s = net.stages[k];
    if (s.kind != NetStage::linear) continue;
    const T* gy_stage = g(static_cast<int>(k) + 1);
    if (grads.wants(kParams + s.weight)) {
      bool fresh;
      T* gw = grads.write(kParams + s.weight, &fresh).as<T>();
      kernel::staircase_weights<T>(s.mask, v(s.in) + s.first * n, gy_stage, gw, n, !fresh, scratch);
    }
    if (grads.wants(kParams + s.bias)) {
      kernel::row_sum<T>(gy_stage, n, s.units, n, scratch);
      kernel::accumulate<T>(scratch, grads.add(kParams + s.bias).as<T>(), s.units);
    }
  }
  if (g_context.p) {
    const Rows<T> turned = {t.scratch<T>(net.context * n), n, net.context, net.context};
    kernel::transpose(net.context, n, g.base, n, turned.p, net.context);
    kernel::binary_rows<T>(kernel::Binary::add, g_context, turned, g_context);
  }
}

// Writes the map at its solution x as ordinary ops, and solves the triangular Jacobian for dx with D tangents of the
// net, one per column.
OutputTangents tangent(Tape& t, Node& n, const InputTangents& d) {
  const auto& a = n.attr<InverseAttr>();
  const Restore training(t.training);
  const Restore draws(t.random);
  t.training = a.dropping;
  t.random = a.random;
  const std::span<const Var> params(n.in + kParams, static_cast<size_t>(a.net->params));
  Var h = (*a.net)(t, params, column_features(t, a.features, &n), n.in[kContext]);
  const ColumnVars e = expand_columns(t, *a.map, a.order, &n, h, true);
  Var slope = in_place_of(t, unary(t, Unary::exp, e.log_slope), a.order.data());
  Var dx = solve_triangular(t, d, &n, in_place_of(t, e.z, a.order.data()), slope, d[kZ], a.order.data());
  Var dl = d.along(&n, dx, e.log_slope).y;
  return {dx, dl ? scale(t, sum_last(t, dl), -1) : nullptr};
}

const Op kInverse = {"autoregressive_inverse", Layout::rows, shape, NF_BOTH(forward), NF_BOTH(vjp), tangent};

// ---- cases -------------------------------------------------------------------------------------------------------

// Inputs and hidden units whose degrees make all tensor sizes products of single digits, as case shapes require.
struct Example {
  StagedNet net;
  AffineColumn map{ColumnScale::bounded_exp, 1};
  std::vector<int32_t> order;
  std::vector<ColumnFeature> features;
  std::vector<size_t> first_feature = {0};

  Example(std::vector<int32_t> columns, int64_t context, Activation act) : order(std::move(columns)) {
    for (const int32_t column : order) {
      map.features(column, features);
      first_feature.push_back(features.size());
    }
    net.event = net.features = static_cast<int64_t>(order.size());
    net.context = context;
    net.units = net.context + net.features;
    net.per = 2;
    net.act = act;
  }
  int linear(int in, int64_t first, std::vector<int32_t> from, std::vector<int32_t> to, bool activated = false,
             int residual = -1) {
    NetStage s;
    s.in = in;
    s.first = first;
    s.activated = activated;
    s.residual = residual;
    s.range = static_cast<int>(net.stages.size());
    s.mask = kernel::Staircase(from, to);
    s.weight = net.params++;
    s.bias = net.params++;
    return net.add(std::move(s), static_cast<int64_t>(to.size()));
  }
  int derived(NetStage::Kind kind, int in, int scale = -1, int shift = -1) {
    NetStage s;
    s.kind = kind;
    s.in = in;
    s.scale = scale;
    s.shift = shift;
    s.range = net.stages[static_cast<size_t>(in - 1)].range;
    return net.add(std::move(s), net.stages[static_cast<size_t>(in - 1)].units);
  }
  // in: z, the context, the parameters of the net.
  Var operator()(Tape& t, const Var* in) const {
    Var z = *in++, context = net.context ? *in++ : nullptr, params[8];
    for (int32_t i = 0; i < net.params; ++i)
      params[i] = scale(t, in[i], 0.25);  // small enough for finite differences to resolve
    return autoregressive_inverse(t, {&net, &map, order, features, first_feature}, z, context,
                                  {params, params + net.params})
        .y;
  }
};

// A hidden layer that reads the columns and the context.
Var concatenated(Tape& t, const Var* in) {
  static const Example example = [] {
    Example e({1, 2, 0}, 2, {false, Unary::tanh, 0});
    const int h = e.linear(0, 0, {0, 0, 1, 2, 3}, {0, 1, 2}, true);
    e.linear(h, 0, {0, 1, 2}, {0, 0, 1, 1, 2, 2});
    return e;
  }();
  return example(t, in);
}

// A block of a residual net with dropout.
Var residual(Tape& t, const Var* in) {
  static const Example example = [] {
    Example e({1, 0}, 0, {false, Unary::silu, 0});
    e.net.dropout = 0.3;
    const int x = e.linear(0, 0, {1, 2}, {1, 1});
    const int a = e.derived(NetStage::dropout, e.derived(NetStage::activate, x));
    const int h = e.linear(a, 0, {1, 1}, {1, 1}, false, x);
    e.linear(h, 0, {1, 1}, {0, 0, 1, 1});
    return e;
  }();
  const bool training = t.training;
  t.training = true;
  t.random = RandomKey{7, 3, t.random.first_row, 0};  // the same masks each time a test evaluates it
  Var x = example(t, in);
  t.training = training;
  return x;
}

// Hidden units that the context scales and shifts.
Var film_case(Tape& t, const Var* in) {
  static const Example example = [] {
    Example e({0, 1}, 1, {false, Unary::silu, 0});
    const int x = e.linear(0, 1, {1, 2}, {0, 1});
    const int by = e.linear(0, 0, {0}, {0, 0}), plus = e.linear(0, 0, {0}, {0, 0});
    const int h = e.derived(NetStage::activate, e.derived(NetStage::film, x, by, plus));
    e.linear(h, 0, {0, 1}, {0, 0, 1, 1});
    return e;
  }();
  return example(t, in);
}

const OpCase kCases[] = {
    {"autoregressive_inverse", {{"n3"}, {"n2"}, {"9"}, {"3"}, {"26"}, {"6"}}, concatenated},
    {"autoregressive_inverse_residual", {{"n2"}, {"2"}, {"2"}, {"4"}, {"2"}, {"4"}, {"4"}}, residual},
    {"autoregressive_inverse_film",
     {{"n2"}, {"n1"}, {"1"}, {"2"}, {"2"}, {"2"}, {"2"}, {"2"}, {"6"}, {"4"}},
     film_case},
};

}  // namespace

extern const OpFamily family_autoregressive;
const OpFamily family_autoregressive = {"autoregressive", kCases, std::size(kCases)};

Mapped autoregressive_inverse(Tape& t, const AutoregressiveMap& map, Var z, Var context, std::span<const Var> params) {
  const StagedNet& net = *map.net;
  if (params.size() != static_cast<size_t>(net.params))
    fail(Code::internal, "autoregressive_inverse: %zu parameters for a net of %d", params.size(), net.params);
  InverseAttr a{map, t.training && net.dropout > 0, 0, t.random};
  bool first = true;
  for (const NetStage& stage : net.stages) {
    if (stage.kind != NetStage::dropout || !a.dropping) continue;
    const uint32_t stream = next_random_stream(t);
    if (first) a.stream = stream;
    first = false;
  }
  Var* inputs = t.scratch<Var>(kParams + net.params);
  inputs[kZ] = z;
  inputs[kContext] = context;
  for (size_t i = 0; i < params.size(); ++i) inputs[kParams + i] = conform(t, params[i], Layout::contiguous);
  return mapped(t.record(kInverse, std::span<const Var>(inputs, params.size() + kParams), a));
}

}  // namespace libnf
