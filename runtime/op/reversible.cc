// With x_0 the input, x_k+1 = f_k(x_k) and g_k the gradient of x_k: the backward pass holds x_k+1 and g_k+1, rebuilds
// x_k = f_k^-1(x_k+1), records f_k(x_k) and pulls g_k+1 through it. x_0 is there. Gradients of the parameters and of the
// context arrive directly, map by map.
#include "runtime/op/reversible.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/kernel/binary.h"
#include "runtime/op/add_runs.h"
#include "runtime/op/family.h"
#include "runtime/op/layout.h"
#include "runtime/op/ops.h"
#include "runtime/op/restore.h"

namespace libnf {
namespace {

constexpr int64_t kProbes = 128;  // numbers of each input that are kept
enum { kX, kContext };

struct ReversibleAttr {
  MapOfSequence map;
  const void* what;
  int64_t maps;
  Places places;
  bool training;
  RandomKey* random;  // state before each map
};

// The number of probes of each input, and the distance between them.
int64_t probes(int64_t count) { return std::min(kProbes, count); }
int64_t stride(int64_t count) { return std::max<int64_t>(1, count / kProbes); }

Shapes shape(const Node& n) {
  need_rank(n, kX, 2);
  Shapes s;
  s.out = n.in[kX]->out.shape;
  s.extra = {s.out[0]};
  s.has_extra = true;
  s.saved = {n.attr<ReversibleAttr>().maps, probes(s.out.count())};
  s.has_saved = true;
  return s;
}

template <class T>
void copy_rows_of(const View& from, T* to, const Dims& shape) {
  for_runs<const T, T>(from, contiguous_view(to, dtype_of<T>, shape),
                       [](const T* x, T* y, int64_t k) { kernel::copy(x, y, k); });
}

// y = f_k(x) or its inverse, values only, in contiguous memory. Adds to log_det unless it is nullptr.
template <class T>
void values(Tape& t, const Node& n, int64_t k, bool back, Var x, T* y, T* log_det) {
  const auto& a = n.attr<ReversibleAttr>();
  const TapeScope nodes(t);
  const Restore recording(t.recording);
  t.recording = false;
  const Mapped m = a.map(t, a.what, k, back, x, n.in[kContext]);
  if (!(m.y->out.shape == n.out.shape))
    fail(Code::shape, "%s: map %lld gives shape %s, expected %s", n.op->name, static_cast<long long>(k),
         to_string(m.y->out.shape).c_str(), to_string(n.out.shape).c_str());
  copy_rows_of(m.y->out, y, n.out.shape);
  if (log_det && m.log_det) kernel::accumulate<T>(m.log_det->out.as<T>(), log_det, n.extra->out.count());
}

template <class T>
void forward(Tape& t, Node& n) {
  const auto& a = n.attr<ReversibleAttr>();
  const int64_t count = n.out.count();
  const TapeScope scope(t);
  T* turn[2] = {n.y<T>(), t.scratch<T>(count)};
  kernel::fill<T>(0, n.extra->y<T>(), n.extra->out.count());
  Var x = n.in[kX];
  for (int64_t k = 0; k < a.maps; ++k) {
    a.random[k] = t.random;
    if (k > 0) {
      T* probe = static_cast<T*>(n.saved) + k * probes(count);
      for (int64_t i = 0; i < probes(count); ++i) probe[i] = x->out.as<T>()[i * stride(count)];
    }
    T* y = turn[(a.maps - 1 - k) % 2];  // the last one is n.out
    values(t, n, k, false, x, y, n.extra->y<T>());
    x = t.input(contiguous_view(y, dtype_of<T>, n.out.shape), false);
  }
}

// Returns how far x_k is from what it was, relative to its largest number.
template <class T>
double drift_of(const Node& n, int64_t k, const T* x) {
  const int64_t count = n.out.count();
  const T* probe = static_cast<const T*>(n.saved) + k * probes(count);
  double error = 0, size = 0;
  for (int64_t i = 0; i < probes(count); ++i) {
    const auto was = static_cast<double>(probe[i]), is = static_cast<double>(x[i * stride(count)]);
    if (was == is) continue;
    const double off = std::abs(is - was);
    error = off <= error ? error : off;  // a NaN stays
  }
  for (int64_t i = 0; i < probes(count); ++i) size = std::max(size, std::abs(static_cast<double>(probe[i])));
  const double drift = error / std::max(size, 1e-30);
  return std::isnan(drift) ? std::numeric_limits<double>::infinity() : drift;
}

template <class T>
void rebuild(Tape& t, const Node& n, int64_t k, T* y, T* x) {
  const auto& a = n.attr<ReversibleAttr>();
  t.random = a.random[k];
  double drift = std::numeric_limits<double>::infinity();
  try {
    const TapeScope nodes(t);
    values<T>(t, n, k, true, t.input(contiguous_view(y, dtype_of<T>, n.out.shape), false), x, nullptr);
    drift = drift_of(n, k, x);
  } catch (const Error& e) {
    if (e.code() != Code::not_inverted) throw;
    kernel::fill<T>(0, x, n.out.count());
  }
  if (!t.measuring) t.drift.see({drift, a.places.first + k * a.places.step});
}

template <class T>
void vjp(Tape& t, Node& n, const InputGrads& grads) {
  const auto& a = n.attr<ReversibleAttr>();
  const View gy = t.grad_out(n), gl = t.grad_out(*n.extra);
  const TapeScope nodes(t);
  const Restore training(t.training);
  const Restore draws(t.random);
  t.training = a.training;
  const Dims& shape = n.out.shape;
  const int64_t count = n.out.count();
  T *turn[2] = {t.scratch<T>(count), t.scratch<T>(count)}, *g = t.scratch<T>(count);
  const auto take = [&](const View& from) { from.data ? copy_rows_of(from, g, shape) : kernel::fill<T>(0, g, count); };
  take(gy);
  T* y = n.y<T>();
  for (int64_t k = a.maps - 1; k >= 0; --k) {
    const TapeScope map(t);
    Var x = nullptr;
    if (k == 0) {
      x = t.leaf_of(*n.in[kX], grads.wants(kX));
    } else {
      rebuild(t, n, k, y, turn[k % 2]);
      x = t.input(contiguous_view(turn[k % 2], dtype_of<T>, shape), true);
    }
    Var context = n.in[kContext] ? t.leaf_of(*n.in[kContext], grads.wants(kContext)) : nullptr;
    t.random = a.random[k];
    const Node* stop = t.head();
    const Mapped m = a.map(t, a.what, k, false, x, context);
    const Var out = conform(t, m.y, Layout::rows);
    if (out->needs_grad) add_runs<T>(contiguous_view(g, dtype_of<T>, shape), t.grad(*out));
    if (gl.data && m.log_det && m.log_det->needs_grad) add_runs<T>(gl, t.grad(*m.log_det));
    t.backward(stop);
    take(x->needs_grad ? t.grad_out(*x) : View{});
    if (context && context->needs_grad)
      if (const View gc = t.grad_out(*context); gc.data) add_runs<T>(gc, grads.add(kContext));
    y = turn[k % 2];
  }
  if (grads.wants(kX)) add_runs<T>(contiguous_view(g, dtype_of<T>, shape), grads.add(kX));
}

// Records all maps, so tangents lose the memory that the node saves.
OutputTangents tangent(Tape& t, Node& n, const InputTangents& d) {
  const auto& a = n.attr<ReversibleAttr>();
  const Restore training(t.training);
  const Restore draws(t.random);
  t.training = a.training;
  Mapped all{n.in[kX], nullptr};
  for (int64_t k = 0; k < a.maps; ++k) {
    t.random = a.random[k];
    const Mapped m = a.map(t, a.what, k, false, all.y, n.in[kContext]);
    all.y = m.y;
    if (m.log_det) all.log_det = all.log_det ? add(t, all.log_det, m.log_det) : m.log_det;
  }
  return {d.of(all.y), all.log_det ? d.of(all.log_det) : nullptr};
}

// Params are strided, because a copy in another layout would get their gradients.
const Op kReversible = {"reversible", Layout::strided, shape, NF_BOTH(forward), NF_BOTH(vjp), tangent};

// Affine maps and a shift by the context, in turn, and one that only reorders columns.
Mapped maps_case(Tape& t, const Var* in) {
  struct {
    Var log_scale, shift;
    Mapped operator()(Tape& tape, int64_t k, bool back, Var x, Var c) const {
      if (k % 3 == 1) return {back ? sub(tape, x, c) : add(tape, x, c), nullptr};
      if (k % 3 == 2) return {scale(tape, x, back ? -0.5 : -2), nullptr};
      return affine(tape, x, log_scale, shift, back);
    }
  } maps{in[2], in[3]};
  return reversible(t, 5, {}, in[0], in[1], {in + 2, 2}, maps);
}

const OpCase kCases[] = {
    {"reversible", {{"nd"}, {"nd"}, {"d"}, {"d"}}, [](Tape& t, const Var* in) { return maps_case(t, in).y; }},
    {"reversible_log_det",
     {{"nd"}, {"nd"}, {"d"}, {"d"}},
     [](Tape& t, const Var* in) {
       const Mapped m = maps_case(t, in);
       return add(t, sum_last(t, m.y), m.log_det);
     }},
};

}  // namespace

extern const OpFamily family_reversible;
const OpFamily family_reversible = {"reversible", kCases, std::size(kCases)};

Mapped reversible(Tape& t, int64_t maps, const Places& places, Var x, Var context, std::span<const Var> params,
                  MapOfSequence map, const void* what) {
  const size_t count = 2 + params.size();
  Var* inputs = t.scratch<Var>(static_cast<int64_t>(count));
  inputs[kX] = conform(t, x, Layout::contiguous);
  inputs[kContext] = context ? conform(t, context, Layout::rows) : nullptr;
  std::copy(params.begin(), params.end(), inputs + 2);
  const ReversibleAttr a{map, what, maps, places, t.training, t.scratch<RandomKey>(maps)};
  return mapped(t.record(kReversible, std::span<const Var>(inputs, count), a));
}

}  // namespace libnf
