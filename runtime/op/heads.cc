// Attention of every head of every row as two products. With S = Q K^T / sqrt(size): dQ = dS K / sqrt(size) and
// dK = dS^T Q / sqrt(size), without the elements that causal attention hides. With Y = P V: dP = dY V^T, dV = P^T dY.
#include "runtime/op/heads.h"

#include <algorithm>
#include <cmath>

#include "runtime/kernel/binary.h"
#include "runtime/kernel/gemm.h"
#include "runtime/op/family.h"
#include "runtime/op/layout.h"
#include "runtime/op/ops.h"
#include "runtime/op/tangent.h"

namespace libnf {
namespace {

using kernel::Into;
enum { kQ, kK };
enum { kP, kV };

struct HeadsAttr {
  Heads heads;
  double hidden;  // what a score is that causal attention hides
};

// The sizes of a product: a head of a row is a matrix [tokens, size] whose rows are `width` apart.
struct Sizes {
  int64_t rows, tokens, heads, size, width;
  int64_t scores() const { return heads * tokens * tokens; }
  double scale() const { return 1 / std::sqrt(static_cast<double>(std::max<int64_t>(size, 1))); }
};

Sizes sizes_of(const Node& n, int tokens_input) {
  const Heads& h = n.attr<HeadsAttr>().heads;
  const Dims& d = n.in[tokens_input]->out.shape;
  const int64_t width = d[1] / h.tokens;
  return {d[0], h.tokens, h.heads, width / h.heads, width};
}

void check(const Node& n, int input) {
  need_rank(n, input, 2);
  const Heads& h = n.attr<HeadsAttr>().heads;
  if (h.tokens < 1 || h.heads < 1 || n.in[input]->out.shape[1] % checked_mul(h.tokens, h.heads))
    fail(Code::shape, "%s: input %d has %lld columns, which are not %lld tokens of %lld heads", n.op->name, input,
         static_cast<long long>(n.in[input]->out.shape[1]), static_cast<long long>(h.tokens),
         static_cast<long long>(h.heads));
}

// Calls f(offset of the head in tokens [rows, tokens * width], offset in scores) for every head of every row.
template <class F>
void each_head(const Sizes& s, const F& f) {
  for (int64_t r = 0; r < s.rows; ++r)
    for (int64_t h = 0; h < s.heads; ++h)
      f(r * s.tokens * s.width + h * s.size, r * s.scores() + h * s.tokens * s.tokens);
}

// ---- scores ---------------------------------------------------------------------------------------------------------

Shapes scores_shape(const Node& n) {
  check(n, kQ);
  check(n, kK);
  for (int axis : {0, 1}) need_extent(n, kK, axis, n.in[kQ]->out.shape[axis]);
  Shapes s;
  s.out = {n.in[kQ]->out.shape[0], sizes_of(n, kQ).scores()};
  return s;
}

template <class T>
void hide(const Sizes& s, double value, T* scores) {
  for (int64_t i = 0; i < s.tokens; ++i)
    kernel::fill<T>(static_cast<T>(value), scores + i * s.tokens + i + 1, s.tokens - i - 1);
}

template <class T>
void scores_forward(Tape& t, Node& n) {
  const auto& a = n.attr<HeadsAttr>();
  const Sizes s = sizes_of(n, kQ);
  t.count_products(checked_mul(s.rows, checked_mul(s.scores(), s.size)));
  const ScratchScope scope(t);
  T* kt = t.scratch<T>(s.tokens * s.size);
  const T *q = n.x<T>(kQ), *k = n.x<T>(kK);
  T* y = n.y<T>();
  each_head(s, [&](int64_t at, int64_t score) {
    kernel::transpose(s.tokens, s.size, k + at, s.width, kt, s.tokens);
    kernel::scale<T>(static_cast<T>(s.scale()), kt, kt, s.tokens * s.size);
    kernel::gemm<T>(s.tokens, s.tokens, s.size, q + at, s.width, 1, kt, s.tokens, y + score, s.tokens, Into::overwrite);
    if (a.heads.causal) hide(s, a.hidden, y + score);
  });
}

template <class T>
void scores_vjp(Tape& t, Node& n, const InputGrads& grads) {
  const auto& a = n.attr<HeadsAttr>();
  const Sizes s = sizes_of(n, kQ);
  const ScratchScope scope(t);
  T* g = t.scratch<T>(s.tokens * s.tokens);
  const T *gy = t.grad_out(n).as<T>(), *q = n.x<T>(kQ), *k = n.x<T>(kK);
  T* gq = grads.wants(kQ) ? grads.add(kQ).template as<T>() : nullptr;
  T* gk = grads.wants(kK) ? grads.add(kK).template as<T>() : nullptr;
  each_head(s, [&](int64_t at, int64_t score) {
    kernel::scale<T>(static_cast<T>(s.scale()), gy + score, g, s.tokens * s.tokens);
    if (a.heads.causal) hide(s, 0, g);
    if (gq)
      kernel::gemm<T>(s.tokens, s.size, s.tokens, g, s.tokens, 1, k + at, s.width, gq + at, s.width, Into::accumulate);
    if (gk)
      kernel::gemm<T>(s.tokens, s.size, s.tokens, g, 1, s.tokens, q + at, s.width, gk + at, s.width, Into::accumulate);
  });
}

Var scores(Tape& t, Var q, Var k, const Heads& heads, double hidden);

// dS = dQ K^T + Q dK^T; what is hidden does not move.
OutputTangents scores_tangent(Tape& t, Node& n, const InputTangents& d) {
  const Heads& h = n.attr<HeadsAttr>().heads;
  return plus(t, n.out.shape, d[kQ] ? scores(t, d[kQ], n.in[kK], h, 0) : nullptr,
              d[kK] ? scores(t, n.in[kQ], d[kK], h, 0) : nullptr);
}

// ---- mix ------------------------------------------------------------------------------------------------------------

Shapes mix_shape(const Node& n) {
  check(n, kV);
  need_rank(n, kP, 2);
  need_extent(n, kP, 0, n.in[kV]->out.shape[0]);
  need_extent(n, kP, 1, sizes_of(n, kV).scores());
  Shapes s;
  s.out = n.in[kV]->out.shape;
  return s;
}

template <class T>
void mix_forward(Tape& t, Node& n) {
  const Sizes s = sizes_of(n, kV);
  t.count_products(checked_mul(s.rows, checked_mul(s.scores(), s.size)));
  const T *p = n.x<T>(kP), *v = n.x<T>(kV);
  T* y = n.y<T>();
  each_head(s, [&](int64_t at, int64_t score) {
    kernel::gemm<T>(s.tokens, s.size, s.tokens, p + score, s.tokens, 1, v + at, s.width, y + at, s.width,
                    Into::overwrite);
  });
}

template <class T>
void mix_vjp(Tape& t, Node& n, const InputGrads& grads) {
  const Sizes s = sizes_of(n, kV);
  const ScratchScope scope(t);
  T* vt = t.scratch<T>(s.tokens * s.size);
  const T *gy = t.grad_out(n).as<T>(), *p = n.x<T>(kP), *v = n.x<T>(kV);
  T* gp = grads.wants(kP) ? grads.add(kP).template as<T>() : nullptr;
  T* gv = grads.wants(kV) ? grads.add(kV).template as<T>() : nullptr;
  each_head(s, [&](int64_t at, int64_t score) {
    if (gp) {
      kernel::transpose(s.tokens, s.size, v + at, s.width, vt, s.tokens);
      kernel::gemm<T>(s.tokens, s.tokens, s.size, gy + at, s.width, 1, vt, s.tokens, gp + score, s.tokens,
                      Into::accumulate);
    }
    if (gv)
      kernel::gemm<T>(s.tokens, s.size, s.tokens, p + score, 1, s.tokens, gy + at, s.width, gv + at, s.width,
                      Into::accumulate);
  });
}

OutputTangents mix_tangent(Tape& t, Node& n, const InputTangents& d) {
  const Heads& h = n.attr<HeadsAttr>().heads;
  return plus(t, n.out.shape, d[kP] ? head_mix(t, d[kP], n.in[kV], h) : nullptr,
              d[kV] ? head_mix(t, n.in[kP], d[kV], h) : nullptr);
}

const Op kScores = {"head_scores",           Layout::contiguous,  scores_shape,
                    NF_BOTH(scores_forward), NF_BOTH(scores_vjp), scores_tangent};
const Op kMix = {"head_mix", Layout::contiguous, mix_shape, NF_BOTH(mix_forward), NF_BOTH(mix_vjp), mix_tangent};

Var scores(Tape& t, Var q, Var k, const Heads& heads, double hidden) {
  return t.record(kScores, {q, k}, HeadsAttr{heads, hidden});
}

const OpCase kCases[] = {
    {"head_scores",
     {{"n8"}, {"n8"}},
     [](Tape& t, const Var* in) {
       return head_scores(t, in[0], in[1], {2, 2});
     }},
    {"head_scores_one",
     {{"n5"}, {"n5"}},
     [](Tape& t, const Var* in) {
       return head_scores(t, in[0], in[1], {1, 1});
     }},
    // Without what is hidden, whose size would drown the others.
    {"head_scores_causal",
     {{"n9"}, {"n9"}},
     [](Tape& t, const Var* in) {
       return maximum(t, head_scores(t, in[0], in[1], {3, 1, true}), add_scalar(t, t.zeros({1}), -100));
     }},
    {"head_mix",
     {{"n8"}, {"n8"}},
     [](Tape& t, const Var* in) {
       return head_mix(t, in[0], in[1], {2, 2});
     }},
    {"attention",
     {{"n8"}, {"n8"}, {"n8"}},
     [](Tape& t, const Var* in) {
       return attention(t, in[0], in[1], in[2], {2, 2});
     }},
    {"attention_causal",
     {{"n9"}, {"n9"}, {"n9"}},
     [](Tape& t, const Var* in) {
       return attention(t, in[0], in[1], in[2], {3, 1, true});
     }},
};

}  // namespace

extern const OpFamily family_heads;
const OpFamily family_heads = {"heads", kCases, std::size(kCases)};

Var head_scores(Tape& t, Var q, Var k, const Heads& heads) { return scores(t, q, k, heads, -1e30); }
Var head_mix(Tape& t, Var p, Var v, const Heads& heads) { return t.record(kMix, {p, v}, HeadsAttr{heads, 0}); }

Var attention(Tape& t, Var q, Var k, Var v, const Heads& heads) {
  Var s = head_scores(t, q, k, heads);
  const Dims flat = s->out.shape;
  Var p = softmax(t, reshape(t, s, {flat[0] * heads.heads * heads.tokens, heads.tokens}));
  return head_mix(t, reshape(t, p, flat), v, heads);
}

}  // namespace libnf
