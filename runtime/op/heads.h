// Attention between the tokens of a row (Vaswani et al. 2017, section 3.2), as two bilinear ops around a softmax. q, k and v
// are [n, tokens * heads * size], tokens outermost; a row of a result is a function of that row alone, to the bit.
#pragma once
#include "runtime/tape/tape.h"

namespace libnf {

struct Heads {
  int64_t tokens = 1, heads = 1;
  bool causal = false;  // a token sees itself and those before it
};

// Computes s[h, i, j] = <q_i^h, k_j^h> / sqrt(size), [n, heads * tokens * tokens]; with heads.causal -1e30 where j > i, which
// a softmax over j turns into 0.
Var head_scores(Tape& t, Var q, Var k, const Heads& heads);
// Computes y_i^h = sum over j of p[h, i, j] v_j^h, [n, tokens * heads * size].
Var head_mix(Tape& t, Var p, Var v, const Heads& heads);
// Computes head_mix(softmax(head_scores(q, k)), v).
Var attention(Tape& t, Var q, Var k, Var v, const Heads& heads);

}  // namespace libnf
