// Random graphs of ops in float64: the gradient of a sum by the inputs, taken backward, against its tangent, taken forward,
// and against differences; and a second time through the tangent (reverse over forward).
#include <algorithm>

#include "fuzz/bytes.h"
#include "runtime/core/allocator.h"
#include "runtime/op/ops.h"

namespace fuzz {
namespace {

using namespace libnf;

constexpr int64_t kMost = 12;  // ops of a graph
constexpr Unary kSmooth[] = {Unary::tanh, Unary::sigmoid, Unary::softplus, Unary::sin,      Unary::cos,
                             Unary::atan, Unary::erf,     Unary::silu,     Unary::gelu,     Unary::log_sigmoid,
                             Unary::mish, Unary::neg,     Unary::square,   Unary::gelu_tanh};

// What the bytes say, drawn once and recorded any number of times.
struct Graph {
  explicit Graph(Bytes& b) : n(1 + b.below(3)), d(1 + b.below(4)) {
    for (int64_t k = 0; k < 2 + b.below(kMost); ++k) steps.push_back({b.byte(), b.byte(), b.byte()});
    for (std::vector<double>* v : {&x, &w, &dx, &dw}) {
      const auto count = static_cast<size_t>(v == &x || v == &dx ? n * d : d * d);
      for (size_t i = 0; i < count; ++i) v->push_back((b.byte() - 128) / 64.0);
    }
  }
  // The value at the end, [n, d], from x [n, d] and w [d, d]. Every op keeps numbers of ordinary size.
  Var record(Tape& t, Var in, Var matrix) const {
    std::vector<Var> made = {in};
    for (const auto& [op, first, second] : steps) {
      Var a = made[first % made.size()], c = made[second % made.size()], y;
      switch (op % 12) {
        case 0:
          y = add(t, a, c);
          break;
        case 1:
          y = sub(t, a, c);
          break;
        case 2:
          y = mul(t, unary(t, Unary::tanh, a), c);
          break;
        case 3:
          y = matmul(t, a, matrix);
          break;
        case 4:
          y = softmax(t, a);
          break;
        case 5:
          y = mul(t, a, reshape(t, logsumexp(t, c), {n, 1}));
          break;
        case 6:
          y = sub(t, a, mean_last(t, sum_first(t, reshape(t, c, {n, d}))));
          break;
        case 7:
          y = div(t, a, add_scalar(t, unary(t, Unary::square, c), 1));
          break;
        case 8:
          y = contiguous(t, transpose(t, contiguous(t, transpose(t, a))));
          break;
        case 9:
          y = cumsum(t, a);
          break;
        default:
          y = unary(t, kSmooth[second % std::size(kSmooth)], a);
      }
      made.push_back(unary(t, Unary::tanh, scale(t, y, 0.5)));
    }
    return made.back();
  }
  struct Step {
    uint8_t op, first, second;
  };
  int64_t n, d;
  std::vector<Step> steps;
  std::vector<double> x, w, dx, dw;
};

double dot(const std::vector<double>& a, const double* g) {
  double s = 0;
  for (size_t i = 0; i < a.size(); ++i) s += a[i] * g[i];
  return s;
}

// The value of sum(y) at x + h dx, w + h dw.
double value(const Graph& g, double h) {
  Tape t(system_allocator(), DType::f64);
  t.recording = false;
  std::vector<double> x = g.x, w = g.w;
  for (size_t i = 0; i < x.size(); ++i) x[i] += h * g.dx[i];
  for (size_t i = 0; i < w.size(); ++i) w[i] += h * g.dw[i];
  Var y = g.record(t, t.input(contiguous_view(x.data(), DType::f64, {g.n, g.d}), false),
                   t.input(contiguous_view(w.data(), DType::f64, {g.d, g.d}), false));
  return *sum(t, y)->out.as<double>();
}

void check(Bytes& b) {
  Graph g(b);
  Tape t(system_allocator(), DType::f64);
  const auto leaf = [&](std::vector<double>& v, int64_t rows, bool trained) {
    return t.input(contiguous_view(v.data(), DType::f64, {rows, g.d}), trained);
  };
  Var x = leaf(g.x, g.n, true), w = leaf(g.w, g.d, true);
  Var total = sum(t, g.record(t, x, w));
  // Along dx and dw.
  Var forward = nullptr;
  for (const auto& [at, v] : {std::pair{x, leaf(g.dx, g.n, false)}, {w, leaf(g.dw, g.d, false)}}) {
    Var tangent = jvp(t, total, at, v);
    if (tangent) forward = forward ? add(t, forward, tangent) : tangent;
  }
  *t.grad(*total).as<double>() = 1;
  t.backward();
  const View gx = t.grad_out(*x), gw = t.grad_out(*w);
  const double backward = (gx.data ? dot(g.dx, gx.as<double>()) : 0) + (gw.data ? dot(g.dw, gw.as<double>()) : 0);
  const double ahead = forward ? *forward->out.as<double>() : 0;
  if (!std::isfinite(backward) || !std::isfinite(ahead)) return;
  require(std::abs(backward - ahead) <= 1e-9 * std::max({1.0, std::abs(backward), std::abs(ahead)}));
  const double h = 1e-4;
  const double slope = (8 * (value(g, h) - value(g, -h)) - (value(g, 2 * h) - value(g, -2 * h))) / (12 * h);
  const double coarse = (value(g, h) - value(g, -h)) / (2 * h);
  // Where the two differences disagree, the function bends too much for them.
  if (std::abs(slope - coarse) > 1e-3 * std::max(1.0, std::abs(slope))) return;
  require(std::abs(backward - slope) <= 1e-5 * std::max(1.0, std::abs(slope)));
}

}  // namespace
}  // namespace fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Bytes b(data, size);
  try {
    fuzz::check(b);
  } catch (const libnf::Error&) {
    std::abort();  // no graph of these has wrong shapes
  }
  return 0;
}
