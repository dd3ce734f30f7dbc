// Tangents by the jvp rules of ops, for everything between x and y: a walk from y back to x that remembers results in
// the nodes. The rules record ordinary ops, so what comes out can be differentiated again (forward over reverse).
#include "runtime/tape/tape.h"

namespace nf {
namespace {

// Where `v`, a look at the elements of `from`, finds the same elements in `to`, a contiguous view of from's shape.
// An offset in `from` is a sum of its strides: taken apart from the largest one down, put together with those of `to`.
View translate(const View& v, const View& from, const View& to) {
  const auto move = [&](int64_t offset) {
    int64_t moved = 0;
    while (offset > 0) {
      int best = -1;
      for (int i = 0; i < from.shape.rank; ++i) {
        const bool fits = from.shape[i] > 1 && from.stride[i] > 0 && from.stride[i] <= offset;
        if (fits && (best < 0 || from.stride[i] > from.stride[best])) best = i;
      }
      if (best < 0) break;
      moved += offset / from.stride[best] * to.stride[best];
      offset %= from.stride[best];
    }
    return moved;
  };
  const int64_t size = size_of(from.dtype);
  View r = v;
  r.data = to.as<char>() + move((v.as<char>() - from.as<char>()) / size) * size;
  for (int i = 0; i < v.shape.rank; ++i) r.stride[i] = v.shape[i] > 1 ? move(v.stride[i]) : v.stride[i];
  return r;
}

struct Walk {
  Tape& t;
  Var x, direction;
  uint64_t epoch;

  Var of(Node* n) {
    if (!n || n == x) return n ? direction : nullptr;
    if (n->order <= x->order) return nullptr;  // older than x
    if (n->tangent_epoch != epoch) {
      Var d = compute(*n);
      n->tangent = d;
      n->tangent_epoch = epoch;
    }
    return n->tangent;
  }

  Var compute(Node& n) {
    if (n.base) {
      Var d = of(n.in[0]);
      if (!d) return nullptr;
      if (!d->out.contiguous()) d = contiguous(t, d);
      return t.alias(d, translate(n.out, n.in[0]->out, d->out));
    }
    if (!n.op) {  // a leaf, or the second output of in[0]
      if (n.in[0] && depends(*n.in[0]))
        fail(Code::unsupported, "jvp: the second output of op '%s' has no tangent rule", n.in[0]->op->name);
      return nullptr;
    }
    if (!depends(n)) return nullptr;
    if (!n.op->jvp) fail(Code::unsupported, "jvp: op '%s' has no tangent rule", n.op->name);
    Var* d = t.scratch<Var>(n.n_in);
    for (int i = 0; i < n.n_in; ++i) d[i] = of(n.in[i]);
    return n.op->jvp(t, n, d);
  }

  bool depends(Node& n) {
    bool any = false;
    for (int i = 0; i < n.n_in; ++i) any |= of(n.in[i]) != nullptr;
    return any;
  }
};

}  // namespace

Var jvp(Tape& t, Var y, Var x, Var direction) {
  if (!(direction->out.shape == x->out.shape))
    fail(Code::shape, "jvp: direction has shape %s, expected that of x, %s", to_string(direction->out.shape).c_str(),
         to_string(x->out.shape).c_str());
  return Walk{t, x, direction, t.next_epoch()}.of(y);
}

}  // namespace nf
