// y = x m with m = 1/(1 - rate) with probability 1 - rate, else 0 (inverted dropout, Srivastava et al. 2014); y = x if
// the tape is not training. m is a function of the tape's seed and step, the number of random ops before this one in
// the graph, the global row and the column, but not of lanes or blocks. The first axis is the rows.
#include "runtime/kernel/binary.h"
#include "runtime/kernel/random.h"
#include "runtime/op/family.h"
#include "runtime/op/layout.h"
#include "runtime/op/ops.h"

namespace libnf {
namespace {

// Streams within a step are distinct; those of different steps are unrelated (finalizer of SplitMix64, Steele et al.
// 2014).
uint32_t stream_of(uint64_t step, uint32_t stream) {
  uint64_t z = step + 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return static_cast<uint32_t>(z ^ (z >> 31)) + stream;
}

struct DropoutAttr {
  double rate;
  uint32_t stream;
};

Shapes shape(const Node& n) {
  Shapes s = same_as_first(n);
  s.saved = s.out;
  s.has_saved = true;
  return s;
}

template <class T>
void forward(Tape& t, Node& n) {
  const auto& a = n.attr<DropoutAttr>();
  const double keep = 1 - a.rate;
  const int64_t rows = n.out.rows(), cols = rows ? n.out.count() / rows : 0;
  T* mask = static_cast<T*>(n.saved);
  const kernel::RandomKey key = {t.random.seed, a.stream};
  kernel::bernoulli<T>(key, t.random.first_row, rows, cols, keep, static_cast<T>(1 / keep), mask, cols);
  const auto x = runs_of<T>(n.view(0));
  for (int64_t r = 0; r < x.rows; ++r)
    kernel::binary(kernel::Binary::mul, x.row(r), mask + r * x.cols, n.y<T>() + r * x.cols, x.cols);
}

template <class T>
void vjp(Tape& t, Node& n, const InputGrads& grads) {
  const auto gx = runs_of<T>(grads.add(0));
  const T *gy = t.grad_out(n).template as<T>(), *mask = static_cast<const T*>(n.saved);
  for (int64_t r = 0; r < gx.rows; ++r) kernel::mul_add(gy + r * gx.cols, mask + r * gx.cols, gx.row(r), gx.cols);
}

OutputTangents tangent(Tape& t, Node& n, const InputTangents& d) {
  return mul(t, d[0], t.input(contiguous_view(n.saved, n.out.dtype, n.out.shape), false));
}

const Op kDropout = {"dropout", Layout::rows, shape, NF_BOTH(forward), NF_BOTH(vjp), tangent};

// Uses the same mask each time a test evaluates it.
Var training_case(Tape& t, const Var* in) {
  const bool training = t.training;
  t.training = true;
  t.random = RandomKey{7, 3, t.random.first_row, 0};
  Var y = dropout(t, in[0], 0.3);
  t.training = training;
  return y;
}

const OpCase kCases[] = {
    {"dropout", {{"nd"}}, training_case},
    {"dropout_off", {{"nd"}}, [](Tape& t, const Var* in) { return dropout(t, in[0], 0.3); }},
};

}  // namespace

extern const OpFamily family_dropout;
const OpFamily family_dropout = {"dropout", kCases, std::size(kCases)};

uint32_t next_random_stream(Tape& t) { return stream_of(t.random.step, t.random.stream++); }

Var dropout(Tape& t, Var x, double rate) {
  if (!(rate >= 0 && rate < 1)) fail(Code::argument, "dropout: rate is %g, expected a number in [0, 1)", rate);
  if (!t.training || rate == 0) return x;
  return t.record(kDropout, {x}, DropoutAttr{rate, next_random_stream(t)});
}

}  // namespace libnf
