// Every op, by family. Shapes: n rows, d columns; "row" results have shape [n]. All differentiable in every Var input
// unless noted. Each family's file has the formulas; layouts and broadcasting are checked there and reported as
// Error{shape} naming the op and the input.
#pragma once
#include <cstdint>

#include "runtime/kernel/bijection.h"
#include "runtime/kernel/binary.h"
#include "runtime/kernel/staircase.h"
#include "runtime/kernel/unary.h"
#include "runtime/op/mapped.h"
#include "runtime/tape/tape.h"

namespace nf {

using kernel::Bijection;
using kernel::Unary;

// columns.cc: moving data (contiguous, a copy in row-major order, is in tape.h)
Var reshape(Tape& t, Var x, const Dims& shape);                   // same elements, shared memory
Var slice_columns(Tape& t, Var x, int64_t first, int64_t count);  // [n, d] -> [n, count], shared memory
// y[:, j] = x[:, index[j]]; indices may repeat. `index` is borrowed and must outlive the graph.
Var gather_columns(Tape& t, Var x, const int32_t* index, int64_t count);
Var concat_columns(Tape& t, Var a, Var b);  // [n, d], [n, e] -> [n, d + e]
// Axis i of the result is axis order[i] of x; shared memory. transpose: a matrix, or the last two axes.
Var permute(Tape& t, Var x, std::initializer_list<int> order);
Var transpose(Tape& t, Var x);

// dropout.cc: in training, zeroes a share `rate` and divides the rest by 1 - rate, as a function of (seed, step, row);
// x itself unless t.training
Var dropout(Tape& t, Var x, double rate);
// Its masks are drawn from this stream: distinct for every random op of a step.
uint32_t next_random_stream(Tape& t);

// activation.cc: y = f(x; a), elementwise, any shape (runtime/kernel/unary.h has the list)
Var unary(Tape& t, Unary f, Var x, double a = 0);
Var unary_derivative(Tape& t, Unary f, Var x, double a = 0);  // f'(x; a)
// The activation of nets by name: relu, tanh, elu, leaky_relu, silu, gelu, softplus, sigmoid, identity.
struct Activation {
  bool identity = true;
  Unary f = Unary::relu;
  double a = 0;
};
Var activate(Tape& t, const Activation& act, Var x);
Var glu(Tape& t, Var x);  // a sigmoid(b) of the halves x = [a | b]: [n, 2 d] -> [n, d]

// arithmetic.cc: elementwise with broadcasting of b over a: b has a's shape, or its extents without leading and
// trailing ones are a run of a's: [d] or [n, 1] against [n, d], [c, 1, 1] against [n, c, h, w], a scalar [] or [1].
Var add(Tape& t, Var a, Var b);
Var sub(Tape& t, Var a, Var b);
Var mul(Tape& t, Var a, Var b);
Var div(Tape& t, Var a, Var b);
Var maximum(Tape& t, Var a, Var b);  // no jvp; at ties the gradient goes to a
Var minimum(Tape& t, Var a, Var b);
Var scale(Tape& t, Var x, double factor);
Var add_scalar(Tape& t, Var x, double c);

// reduce.cc: over all elements -> [], over the last axis [..., d] -> [...], over the first [n, ...] -> [...]
Var sum(Tape& t, Var x);
Var sum_last(Tape& t, Var x);
Var sum_first(Tape& t, Var x);
Var mean(Tape& t, Var x);
Var mean_last(Tape& t, Var x);
Var mean_first(Tape& t, Var x);
Var max_last(Tape& t, Var x);        // no jvp; the gradient goes to the first maximum
Var logsumexp(Tape& t, Var x);       // last axis
Var row_dot(Tape& t, Var a, Var b);  // [..., d], [..., d] -> [...]

// softmax.cc, cumsum.cc: over the last axis, any shape
Var softmax(Tape& t, Var x);
Var log_softmax(Tape& t, Var x);
Var cumsum(Tape& t, Var x);

// gather.cc: y[..., j] = x[..., index[..., j]], `count` borrowed indices for every row
Var gather_last(Tape& t, Var x, const int32_t* index, int64_t count);

// linear.cc: y = x W + b; x [n, d], W [d, m] (in x out), b [m] or nullptr
Var linear(Tape& t, Var x, Var w, Var b);
// y = x W + b + r, for residual connections; r [n, m]
Var linear_add(Tape& t, Var x, Var w, Var b, Var residual);
// y = act(x W + b), as one node when the activation's derivative is a function of y
Var linear_activated(Tape& t, Var x, Var w, Var b, const Activation& act);
Var matmul(Tape& t, Var a, Var b);  // [n, d], [d, m] -> [n, m]

// masked_linear.cc: y = act(W^T x + b) + r, by unit: x [d, n], y and r [m, n] for n rows of the batch, b [m] or nullptr;
// w holds the entries of a staircase of d rows and m columns, which is borrowed. Not both an activation and r.
Var masked_linear(Tape& t, const kernel::Staircase& s, Var x, Var w, Var b, Var residual, const Activation& act);

// affine.cc: elementwise affine with parameters shared by rows: z = x exp(log_scale) + shift, log_det = sum(log_scale);
// inverse: x = (z - shift) exp(-log_scale), log_det = -sum. x [n, d]; log_scale, shift [d].
Mapped affine(Tape& t, Var x, Var log_scale, Var shift, bool inverse);

// elementwise_flow.cc: y_j = f(x_j; a, b) for x [n, d]; log_det = sum_j log f'(x_j).
Mapped bijection(Tape& t, Bijection f, Var x, double a = 1, double b = 0);
// y_j = x_j exp(l_j) where x_j < 0, else x_j, log_slope l [d]. inverse: with -l.
Mapped prelu(Tape& t, Var x, Var log_slope, bool inverse);

// triangular.cc: y = A x for every row of x [n, d], A [d, d] triangular: entries [d (d - 1)/2] beside the diagonal, row
// by row (nullptr for d = 1), and its diagonal [d] (nullptr: ones). triangular_solve: x with A x = y.
enum class Triangle : uint8_t { lower, upper };
Var triangular_product(Tape& t, Triangle part, Var x, Var entries, Var diagonal);
Var triangular_solve(Tape& t, Triangle part, Var y, Var entries, Var diagonal);

// solve.cc: [..., d, d] -> [...], log |det w|; no jvp. Factored in float64; -inf for a singular matrix.
Var slogdet(Tape& t, Var w);
// y W = x for every row of x [n, d], W [d, d]: the inverse of matmul(y, W), with log_det = -log |det W|. Factored and
// solved in float64. A singular W gives infinities and NaN.
Mapped solve(Tape& t, Var x, Var w);

// householder.cc: reflects every row x [n, d] in turn by the k rows of v [k, d], x <- x - 2 v (v.x)/(v.v): the first
// row of v comes first, or last when reversed.
Var householder(Tape& t, Var x, Var v, bool reversed);

// coupling.cc: the transformed part of a coupling layer
enum class ScaleMap : uint8_t {
  bounded_exp,    // s = exp(cap tanh(raw / cap))
  exp,            // s = exp(raw)
  sigmoid,        // s = sigmoid(raw + 2) + 1e-3
  softplus,       // s = min(softplus(raw) + 1e-3, 3)
  soft_exp,       // s = exp(raw / (1 + |raw| / log(1000)))
  softplus_open,  // s = softplus(raw) + 1e-3
};
// z[:, index[j]] = x[:, index[j]] s_j + t_j with (t | raw) = h [n, 2 m] (shift columns first), other columns pass;
// log_det = sum_j log s_j. inverse: the map z -> x and minus the log_det.
Mapped affine_coupling(Tape& t, Var x, Var h, const int32_t* index, int64_t m, ScaleMap map, double cap, bool inverse);
// z[:, index[j]] = x[:, index[j]] + h_j, h [n, m]; no log_det.
Var additive_coupling(Tape& t, Var x, Var h, const int32_t* index, int64_t m, bool inverse);

// density.cc: row log-densities [n]
Var normal_log_prob(Tape& t, Var z);                          // standard normal
Var normal_log_prob(Tape& t, Var z, Var loc, Var log_scale);  // diagonal; loc, log_scale [d] or [n, d]

}  // namespace nf
