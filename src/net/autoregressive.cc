#include "src/net/autoregressive.h"

#include <algorithm>
#include <numeric>

#include "runtime/kernel/binary.h"
#include "runtime/kernel/gemm.h"
#include "runtime/kernel/random.h"
#include "runtime/kernel/reduce.h"
#include "runtime/kernel/unary.h"
#include "runtime/op/family.h"
#include "runtime/op/layout.h"
#include "src/part/order.h"

namespace nf {
namespace {

using Stage = Made::Stage;
enum { kZ, kContext, kParam };  // kParam: a trained parameter of the net, so that the node is known to need gradients

struct InverseAttr {
  const Autoregressive* net;
  Node* params;  // leaves, by ParamId
  bool dropping;
  uint32_t stream;  // of the first dropout
};
const Autoregressive& net_of(const Node& n) { return *n.attr<InverseAttr>().net; }
Node* param_of(const Node& n, ParamId id) { return n.attr<InverseAttr>().params + id; }
template <class T>
T* values_of(const Node& n, ParamId id) {
  return param_of(n, id)->out.as<T>();
}

// saved: all vectors of the net by unit, [units, n] (Stage::offset).
Shapes shape(const Node& n) {
  Shapes s;
  s.out = n.in[kZ]->out.shape;
  s.extra = {s.out[0]};
  s.has_extra = true;
  s.saved = {net_of(n).made().units(), s.out[0]};
  s.has_saved = true;
  return s;
}

// A block of rows on its way through the net: its vectors, or their gradients.
template <class T>
struct Vectors {
  const Made& made;
  bool dropping;
  int64_t n;
  T* base;
  const Stage& stage(int vector) const { return made.stages()[static_cast<size_t>(vector - 1)]; }
  T* operator()(int vector) const {
    while (vector > 0 && stage(vector).kind == Stage::dropout && !dropping) vector = stage(vector).in;
    return vector == 0 ? base : base + stage(vector).offset * n;
  }
  T* seen(size_t k) const { return base + (made.context() + static_cast<int64_t>(k)) * n; }
};

template <class T>
void drop_masks(Tape& t, const Node& node, const Vectors<T>& v) {
  uint32_t stream = node.attr<InverseAttr>().stream;
  const double keep = 1 - v.made.dropout_rate();
  for (const Stage& s : v.made.stages()) {
    if (s.kind != Stage::dropout) continue;
    const ScratchScope scope(t);
    T* by_row = t.scratch<T>(s.units * v.n);
    kernel::bernoulli<T>({t.random.seed, stream++}, t.random.first_row, v.n, s.units, keep, static_cast<T>(1 / keep),
                         by_row, s.units);
    T* mask = v.base + (s.offset + s.units) * v.n;
    for (int64_t j = 0; j < s.units; ++j)
      for (int64_t r = 0; r < v.n; ++r) mask[j * v.n + r] = by_row[r * s.units + j];
  }
}

// Completes the units of one stage that depend on inputs before `step` only.
template <class T>
void advance(const Node& node, const Vectors<T>& v, size_t index, int64_t step) {
  const Made& made = v.made;
  const Stage& s = made.stages()[index];
  const int64_t n = v.n, first = made.first_unit(s, step), count = (made.first_unit(s, step + 1) - first) * n;
  const T* in = v(s.in);
  T* y = v(static_cast<int>(index) + 1) + first * n;
  const Activation& act = made.activation();
  switch (s.kind) {
    case Stage::linear:
      if (step < s.mask.steps())
        kernel::staircase_forward_step<T>(s.mask, step, values_of<T>(node, s.weight), values_of<T>(node, s.bias),
                                          in + s.first * n, y - first * n, n);
      if (s.residual >= 0) kernel::accumulate<T>(v(s.residual) + first * n, y, count);
      if (s.activated) kernel::unary<T>(act.f, static_cast<T>(act.a), y, y, count);
      return;
    case Stage::activate:
      kernel::unary<T>(act.f, static_cast<T>(act.a), in + first * n, y, count);
      return;
    case Stage::dropout:
      if (v.dropping) kernel::binary<T>(kernel::Binary::mul, in + first * n, y + s.units * n, y, count);
      return;
    case Stage::film: {
      const T *x = in + first * n, *scale = v(s.scale) + first * n, *shift = v(s.shift) + first * n;
      for (int64_t i = 0; i < count; ++i) y[i] = x[i] * (1 + scale[i]) + shift[i];
      return;
    }
  }
}

template <class T>
void see(const Seen& seen, const T* x, T* y, int64_t n) {
  if (seen.kind == Seen::plain)
    kernel::copy<T>(x, y, n);
  else
    for (int64_t r = 0; r < n; ++r) y[r] = static_cast<T>(seen.of(x[r]));
}

template <class T>
void forward(Tape& t, Node& node) {
  const Autoregressive& net = net_of(node);
  const Made& made = net.made();
  const auto z = matrix_of<T>(node.view(kZ)), x = matrix_of<T>(node.out);
  const int64_t n = z.rows, event = made.event(), per = made.per();
  const Vectors<T> v{made, node.attr<InverseAttr>().dropping, n, static_cast<T*>(node.saved)};
  if (made.context()) {
    const auto context = matrix_of<T>(node.view(kContext));
    kernel::transpose(n, made.context(), context.p, context.ld, v.base, n);
  }
  if (v.dropping) drop_masks(t, node, v);
  const ScratchScope scope(t);
  T *by_unit = t.scratch<T>(event * n), *x_column = t.scratch<T>(n);
  kernel::transpose(n, event, z.p, z.ld, by_unit, n);
  T* scratch = t.scratch<T>(net.map().scratch() * n);
  T* log_det = node.extra->y<T>();
  kernel::fill<T>(0, log_det, n);
  const T* h = v(static_cast<int>(made.stages().size()));
  for (int64_t i = 0; i < event; ++i) {
    for (size_t k = 0; k < made.stages().size(); ++k) advance(node, v, k, i);
    const int64_t column = net.order()[static_cast<size_t>(i)];
    net.map().map(Column<T>{n, by_unit + column * n, h + i * per * n, x_column, log_det, scratch, column}, true);
    for (int64_t r = 0; r < n; ++r) x.row(r)[column] = x_column[r];
    for (size_t k = net.first_seen(i); k < net.first_seen(i + 1); ++k) see(net.seen()[k], x_column, v.seen(k), n);
  }
}

// gx += the gradient of `see`
template <class T>
void see_back(const Seen& seen, const T* x, const T* gy, T* gx, int64_t n) {
  if (seen.kind == Seen::plain)
    kernel::accumulate<T>(gy, gx, n);
  else
    for (int64_t r = 0; r < n; ++r) gx[r] += gy[r] * static_cast<T>(seen.slope(x[r]));
}

// The gradient of `advance`: those of the units that it completed are known, and go to where they came from.
template <class T>
void retreat(const Node& node, const Vectors<T>& v, const Vectors<T>& g, size_t index, int64_t step) {
  const Made& made = v.made;
  const Stage& s = made.stages()[index];
  const int64_t n = v.n, first = made.first_unit(s, step), count = (made.first_unit(s, step + 1) - first) * n;
  const int self = static_cast<int>(index) + 1;
  const T *in = v(s.in), *y = v(self) + first * n;
  T *g_in = g(s.in), *gy = g(self) + first * n;
  const Activation& act = made.activation();
  switch (s.kind) {
    case Stage::linear:
      if (s.activated) {
        kernel::unary_grad<T>(act.f, static_cast<T>(act.a), nullptr, y, gy, gy, count, true);
      }
      if (s.residual >= 0) kernel::accumulate<T>(gy, g(s.residual) + first * n, count);
      if (step < s.mask.steps())
        kernel::staircase_back_step<T>(s.mask, step, values_of<T>(node, s.weight), gy - first * n, g_in + s.first * n,
                                       n);
      return;
    case Stage::activate:
      kernel::unary_grad<T>(act.f, static_cast<T>(act.a), in + first * n, y, gy, g_in + first * n, count);
      return;
    case Stage::dropout:
      if (v.dropping) kernel::mul_add<T>(gy, y + s.units * n, g_in + first * n, count);
      return;
    case Stage::film: {
      const T* scale = v(s.scale) + first * n;
      T* gx = g_in + first * n;
      for (int64_t i = 0; i < count; ++i) gx[i] += gy[i] * (1 + scale[i]);
      kernel::mul_add<T>(gy, in + first * n, g(s.scale) + first * n, count);
      kernel::accumulate<T>(gy, g(s.shift) + first * n, count);
      return;
    }
  }
}

template <class T>
void vjp(Tape& t, Node& node, const InputGrads& grads) {
  const Autoregressive& net = net_of(node);
  const Made& made = net.made();
  const View gy_view = t.grad_out(node), gl_view = t.grad_out(*node.extra);
  const auto z = matrix_of<T>(node.view(kZ)), x = matrix_of<T>(node.out), gy = matrix_of<T>(gy_view);
  const int64_t n = z.rows, event = made.event(), per = made.per();
  Rows<T> gz{}, g_context{};
  if (grads.wants(kZ)) gz = matrix_of<T>(grads.add(kZ));
  if (made.context() && grads.wants(kContext)) g_context = matrix_of<T>(grads.add(kContext));
  for (const Stage& s : made.stages())
    for (const ParamId id : {s.weight, s.bias})
      if (s.kind == Stage::linear && param_of(node, id)->needs_grad) t.grad_storage(*param_of(node, id));
  const ScratchScope scope(t);
  const Vectors<T> v{made, node.attr<InverseAttr>().dropping, n, static_cast<T*>(node.saved)};
  const Vectors<T> g{made, v.dropping, n, t.scratch<T>(made.units() * n)};
  kernel::fill<T>(0, g.base, made.units() * n);
  T *z_units = t.scratch<T>(event * n), *x_units = t.scratch<T>(event * n);
  kernel::transpose(n, event, z.p, z.ld, z_units, n);
  kernel::transpose(n, event, x.p, x.ld, x_units, n);
  T *gz_column = t.scratch<T>(n), *gx_column = t.scratch<T>(n);
  int64_t most = net.map().scratch() * n;
  for (const Stage& s : made.stages()) most = std::max({most, s.units, s.mask.scratch(n)});
  T* scratch = t.scratch<T>(most);
  const int outputs = static_cast<int>(made.stages().size());
  for (int64_t i = event - 1; i >= 0; --i) {
    const int64_t column = net.order()[static_cast<size_t>(i)];
    const T* x_column = x_units + column * n;
    for (int64_t r = 0; r < n; ++r) gx_column[r] = gy.p ? gy.row(r)[column] : 0;
    for (size_t k = net.first_seen(i); k < net.first_seen(i + 1); ++k)
      see_back(net.seen()[k], x_column, g.seen(k), gx_column, n);
    net.map().vjp(ColumnGrad<T>{n, z_units + column * n, v(outputs) + i * per * n, x_column, gx_column, gl_view.as<T>(),
                                gz_column, g(outputs) + i * per * n, scratch, column},
                  true);
    if (gz.p)
      for (int64_t r = 0; r < n; ++r) gz.row(r)[column] += gz_column[r];
    for (size_t k = made.stages().size(); k-- > 0;) retreat(node, v, g, k, i);
  }
  for (size_t k = 0; k < made.stages().size(); ++k) {
    const Stage& s = made.stages()[k];
    if (s.kind != Stage::linear) continue;
    const T* gy_stage = g(static_cast<int>(k) + 1);
    if (Node* w = param_of(node, s.weight); w->needs_grad) {
      bool fresh;
      T* gw = t.grad_for_write(*w, &fresh).template as<T>();
      kernel::staircase_weights<T>(s.mask, v(s.in) + s.first * n, gy_stage, gw, n, !fresh, scratch);
    }
    if (Node* b = param_of(node, s.bias); b->needs_grad) {
      kernel::row_sum<T>(gy_stage, n, s.units, n, scratch);
      kernel::accumulate<T>(scratch, t.grad(*b).template as<T>(), s.units);
    }
  }
  if (g_context.p)
    for (int64_t r = 0; r < n; ++r)
      for (int64_t j = 0; j < made.context(); ++j) g_context.row(r)[j] += g.base[j * n + r];
}

const Op kInverse = {"autoregressive_inverse", Layout::rows, shape, NF_BOTH(forward), NF_BOTH(vjp), "TODO"};

std::vector<int32_t> order_of(const AutoregressiveConfig& c, const Declare& d) {
  if (c.order == OrderKind::random) return random_order(d.event, static_cast<uint64_t>(c.order_seed), d.ordinal);
  std::vector<int32_t> order(static_cast<size_t>(d.event));
  std::iota(order.begin(), order.end(), 0);
  if (c.order == OrderKind::reversed) std::reverse(order.begin(), order.end());
  return order;
}

}  // namespace

void AutoregressiveConfig::fields(Fields& f) {
  static constexpr const char* kOrders[] = {"natural", "reversed", "random"};
  f.choice("order", "the order of columns, each a function of those before it", order, kOrders);
  f.integer("order_seed", "seed of the random order; layers of one model differ for equal seeds", order_seed, 0,
            INT64_MAX);
  made.fields(f);
}

Autoregressive::Autoregressive(const AutoregressiveConfig& config, const Declare& d, const ColumnMap& map)
    : map_(map), order_(order_of(config, d)), made_(config.made, d.inside("net"), map.per(), see_all()) {}

// Features of every column, in order.
std::vector<int64_t> Autoregressive::see_all() {
  std::vector<int64_t> features;
  first_seen_.push_back(0);
  as_is_ = std::is_sorted(order_.begin(), order_.end());
  for (const int32_t column : order_) {
    map_.see(column, seen_);
    first_seen_.push_back(seen_.size());
    features.push_back(static_cast<int64_t>(seen_.size() - first_seen_[first_seen_.size() - 2]));
  }
  for (const Seen& s : seen_) as_is_ &= s.kind == Seen::plain;
  return features;
}

Mapped Autoregressive::forward(const Scope& s, Var x, Var context) const {
  Var seen = as_is_ ? x : see_columns(s.tape, seen_, x);
  return map_columns(s.tape, map_, order_.data(), x, made_(s, seen, context));
}

Mapped Autoregressive::inverse(const Scope& s, Var z, Var context) const {
  Tape& t = s.tape;
  InverseAttr a{this, s.params, t.training && made_.dropout_rate() > 0, 0};
  bool first = true;
  Var trained = nullptr;
  for (const Stage& stage : made_.stages()) {
    if (stage.kind == Stage::linear)
      for (const ParamId id : {stage.weight, stage.bias})
        if (s.param(id)->needs_grad) trained = s.param(id);
    if (stage.kind == Stage::dropout && a.dropping) {
      const uint32_t stream = next_random_stream(t);
      if (first) a.stream = stream;
      first = false;
    }
  }
  Var x = t.record(kInverse, {z, context, trained}, a);
  return {x, x->extra};
}

}  // namespace nf
