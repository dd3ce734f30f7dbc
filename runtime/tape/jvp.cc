// Tangents of everything between x and y, by the tangent rules of ops: a walk from y back to x that stores results in
// the nodes. The rules record ordinary ops, so the result can be differentiated again in reverse.
#include <algorithm>

#include "runtime/tape/tape.h"

namespace libnf {
namespace {

// `v` is an alias of some elements of `from`. Returns the same elements of `to`, a contiguous view of from's shape. An
// offset in `from` is decomposed into its strides, from the largest one down, and recomposed with those of `to`.
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

}  // namespace

// One call of jvp(), or one call of InputTangents::along() inside a rule.
class TangentWalk {
 public:
  TangentWalk(Tape& t, std::span<const Motion> motions, TangentWalk* outer = nullptr, uint64_t since = 0)
      : t_(t), motions_(motions), outer_(outer), since_(since), epoch_(t.next_epoch()) {
    for (const Motion& m : motions) oldest_ = std::min(oldest_, m.x->order);
  }

  Var of(Node* n) {
    if (!n) return nullptr;
    for (const Motion& m : motions_)
      if (n == m.x) return m.direction;
    if (outer_ && n->order <= since_) return outer_->of(n);
    if (!outer_ && n->order <= oldest_) return nullptr;  // older than all that moves
    if (n->tangent_epoch != epoch_) keep(*n, compute(*n));
    return n->tangent;
  }

 private:
  void keep(Node& n, const OutputTangents& d) {
    n.tangent = d.y;
    n.tangent_epoch = epoch_;
    if (!n.extra) return;
    n.extra->tangent = d.extra;
    n.extra->tangent_epoch = epoch_;
  }

  OutputTangents compute(Node& n) {
    if (n.base) {
      Var d = of(n.in[0]);
      if (!d) return nullptr;
      if (!d->out.contiguous()) d = contiguous(t_, d);
      return t_.alias(d, translate(n.out, n.in[0]->out, d->out));
    }
    if (!n.op) {  // a leaf, or the second output of in[0]
      if (!n.in || !n.in[0] || moves(n.in[0])) return nullptr;
      of(n.in[0]);
      return n.tangent_epoch == epoch_ ? n.tangent : nullptr;
    }
    if (!depends(n)) return nullptr;
    if (!n.op->tangent.rule) {
      fail(Code::unsupported, "jvp: op '%s' has no tangent rule: %s", n.op->name, n.op->tangent.reason);
    }
    return n.op->tangent.rule(t_, n, InputTangents(*this, n, t_.node_count()));
  }

  bool moves(const Node* n) const {
    return std::any_of(motions_.begin(), motions_.end(), [n](const Motion& m) { return m.x == n; });
  }

  bool depends(Node& n) {
    bool any = false;
    for (int i = 0; i < n.n_in; ++i) any |= of(n.in[i]) != nullptr;
    return any;
  }

  friend class InputTangents;
  Tape& t_;
  std::span<const Motion> motions_;
  TangentWalk* outer_;
  uint64_t since_;
  uint64_t oldest_ = UINT64_MAX;  // order of what moves
  uint64_t epoch_;
};

Var InputTangents::of(Var v) const { return walk_.of(v); }

OutputTangents InputTangents::along(Var x, Var direction, Var y, Var extra) const {
  const Motion motion{x, direction};
  TangentWalk walk(walk_.t_, {&motion, 1}, &walk_, since_);
  Var dy = walk.of(y);
  return {dy, walk.of(extra)};
}

OutputTangents jvp(Tape& t, Var y, Var extra, Var x, Var direction) {
  const Motion motion{x, direction};
  return jvp(t, y, extra, {&motion, 1});
}

OutputTangents jvp(Tape& t, Var y, Var extra, std::span<const Motion> motions) {
  for (const auto& [x, direction] : motions)
    if (!(direction->out.shape == x->out.shape))
      fail(Code::shape, "jvp: direction has shape %s, expected that of x, %s", to_string(direction->out.shape).c_str(),
           to_string(x->out.shape).c_str());
  TangentWalk walk(t, motions);
  Var dy = walk.of(y);
  return {dy, walk.of(extra)};
}

Var jvp(Tape& t, Var y, Var x, Var direction) { return jvp(t, y, nullptr, x, direction).y; }

}  // namespace libnf
