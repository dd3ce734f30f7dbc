// The logarithm of an indicator: log 1 = 0 for rows of which every number is in the support, log 0 for the rest. It is
// constant wherever it is finite, so its gradient and tangent are zero.
#include "runtime/op/support.h"

#include "runtime/op/family.h"
#include "runtime/op/layout.h"

namespace libnf {
namespace {

Shapes shape(const Node& n) {
  need_rank(n, 0, 2);
  Shapes s;
  s.out = {n.in[0]->out.shape[0]};
  return s;
}

template <class T>
void forward(Tape&, Node& n) {
  kernel::row_support<T>(n.attr<kernel::Support>(), matrix_of<T>(n.view(0)), n.y<T>());
}

template <class T>
void vjp(Tape&, Node&, const InputGrads&) {}

OutputTangents tangent(Tape&, Node&, const InputTangents&) { return {}; }

const Op kSupport = {"row_support", Layout::rows, shape, NF_BOTH(forward), NF_BOTH(vjp), tangent};

const OpCase kCases[] = {
    {"row_support",
     {{"nd"}},
     [](Tape& t, const Var* in) {
       return row_support(t, in[0], {-100, 100});
     }},
    {"row_support_levels",
     {{"nd", Domain::integer, false}},
     [](Tape& t, const Var* in) {
       return row_support(t, in[0], {0, 5, 1});
     }},
};

}  // namespace

extern const OpFamily family_support;
const OpFamily family_support = {"support", kCases, std::size(kCases)};

Var row_support(Tape& t, Var x, const kernel::Support& support) { return t.record(kSupport, {x}, support); }

}  // namespace libnf
