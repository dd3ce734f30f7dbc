// y = g(e^l) (runtime/kernel/gamma_ratio.h) as a function of the logarithm l of its argument, and its derivatives with
// respect to l, which tangents of Student's t need.
#include "runtime/op/gamma_ratio.h"

#include <cmath>

#include "runtime/kernel/gamma_ratio.h"
#include "runtime/op/family.h"
#include "runtime/op/layout.h"
#include "runtime/op/ops.h"

namespace libnf {
namespace {

struct OrderAttr {
  int order;
};

template <class T>
void forward(Tape&, Node& n) {
  const int order = n.attr<OrderAttr>().order;
  for_runs<const T, T>(n.view(0), n.out, [order](const T* l, T* y, int64_t count) {
    for (int64_t i = 0; i < count; ++i)
      y[i] = static_cast<T>(kernel::gamma_ratio_derivative(std::exp(static_cast<double>(l[i])), order));
  });
}

template <class T>
void vjp(Tape& t, Node& n, const InputGrads& grads) {
  const int order = n.attr<OrderAttr>().order + 1;
  const auto l = matrix_of<T>(n.view(0)), g = matrix_of<T>(t.grad_out(n)), gl = matrix_of<T>(grads.add(0));
  for (int64_t r = 0; r < l.rows; ++r)
    for (int64_t c = 0; c < l.cols; ++c) {
      const double at = kernel::gamma_ratio_derivative(std::exp(static_cast<double>(l.row(r)[c])), order);
      gl.row(r)[c] += static_cast<T>(static_cast<double>(g.row(r)[c]) * at);
    }
}

OutputTangents tangent(Tape& t, Node& n, const InputTangents& d) {
  return mul(t, d[0], log_gamma_ratio(t, n.in[0], n.attr<OrderAttr>().order + 1));
}

const Op kRatio = {"log_gamma_ratio", Layout::contiguous, same_as_first, NF_BOTH(forward), NF_BOTH(vjp), tangent};

const OpCase kCases[] = {
    {"log_gamma_ratio", {{"nd"}}, [](Tape& t, const Var* in) { return log_gamma_ratio(t, scale(t, in[0], 3)); }},
    {"log_gamma_ratio_slope",
     {{"nd"}},
     [](Tape& t, const Var* in) { return log_gamma_ratio(t, scale(t, in[0], 3), 1); }},
    {"log_gamma_ratio_fourth", {{"nd"}}, [](Tape& t, const Var* in) { return log_gamma_ratio(t, in[0], 4); }},
};

}  // namespace

extern const OpFamily family_gamma_ratio;
const OpFamily family_gamma_ratio = {"gamma_ratio", kCases, std::size(kCases)};

Var log_gamma_ratio(Tape& t, Var log_x, int order) {
  if (order >= kernel::kMaxGammaRatioOrder)
    fail(Code::unsupported, "log_gamma_ratio: derivatives of order %d and their gradients are not implemented", order);
  return t.record(kRatio, {log_x}, OrderAttr{order});
}

}  // namespace libnf
