// y = g(e^l) (runtime/kernel/gamma_ratio.h) as a function of the logarithm l of its argument, and its derivative with
// respect to l, which tangents of Student's t need.
#include "runtime/op/gamma_ratio.h"

#include <cmath>

#include "runtime/kernel/gamma_ratio.h"
#include "runtime/op/family.h"
#include "runtime/op/layout.h"
#include "runtime/op/ops.h"

namespace libnf {
namespace {

using kernel::GammaRatio;

template <double GammaRatio::*part, class T>
void forward(Tape&, Node& n) {
  for_runs<const T, T>(n.view(0), n.out, [](const T* l, T* y, int64_t count) {
    for (int64_t i = 0; i < count; ++i)
      y[i] = static_cast<T>(kernel::gamma_ratio(std::exp(static_cast<double>(l[i]))).*part);
  });
}

template <double GammaRatio::*derivative, class T>
void vjp(Tape& t, Node& n, const InputGrads& grads) {
  const auto l = matrix_of<T>(n.view(0)), g = matrix_of<T>(t.grad_out(n)), gl = matrix_of<T>(grads.add(0));
  for (int64_t r = 0; r < l.rows; ++r)
    for (int64_t c = 0; c < l.cols; ++c) {
      const GammaRatio at = kernel::gamma_ratio(std::exp(static_cast<double>(l.row(r)[c])));
      gl.row(r)[c] += static_cast<T>(static_cast<double>(g.row(r)[c]) * at.*derivative);
    }
}

const Op kSlope = {"log_gamma_ratio_slope",
                   Layout::contiguous,
                   same_as_first,
                   {forward<&GammaRatio::slope, float>, forward<&GammaRatio::slope, double>},
                   {vjp<&GammaRatio::curve, float>, vjp<&GammaRatio::curve, double>},
                   "third derivatives of log-gamma are not implemented"};

OutputTangents tangent(Tape& t, Node& n, const InputTangents& d) { return mul(t, d[0], t.record(kSlope, {n.in[0]})); }

const Op kRatio = {"log_gamma_ratio",
                   Layout::contiguous,
                   same_as_first,
                   {forward<&GammaRatio::log, float>, forward<&GammaRatio::log, double>},
                   {vjp<&GammaRatio::slope, float>, vjp<&GammaRatio::slope, double>},
                   tangent};

const OpCase kCases[] = {
    {"log_gamma_ratio", {{"nd"}}, [](Tape& t, const Var* in) { return log_gamma_ratio(t, scale(t, in[0], 3)); }},
};

}  // namespace

extern const OpFamily family_gamma_ratio;
const OpFamily family_gamma_ratio = {"gamma_ratio", kCases, std::size(kCases)};

Var log_gamma_ratio(Tape& t, Var log_x) { return t.record(kRatio, {log_x}); }

}  // namespace libnf
