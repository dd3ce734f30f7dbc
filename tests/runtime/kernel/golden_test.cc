// The element-wise kernels against PyTorch: golden 09_activations and 09_stable_extremes, values and gradients.
#include <cmath>

#include "runtime/kernel/unary.h"
#include "tests/support/golden.h"

namespace libnf::test {
namespace {

using kernel::Unary;

struct Named {
  const char* golden;
  Unary f;
  double a;
  bool positive_input = false;
  double grad_f64 = golden_grad_tolerance<double>;
};
constexpr Named kNamed[] = {
    {"relu", Unary::relu, 0},
    {"leaky_relu", Unary::leaky_relu, 0.2},
    {"leaky_relu", Unary::prelu, 0.2},
    {"elu", Unary::elu, 1},
    {"selu", Unary::selu, 0},
    // PyTorch 1.13 rounds alpha to float32 in celu's backward (relative 3.7e-8); unary_test.cc checks ours to 1 ulp.
    {"celu", Unary::celu, 1.3, false, 1e-7},
    {"tanh", Unary::tanh, 0},
    {"sigmoid", Unary::sigmoid, 0},
    // PyTorch's softplus is x above 20, where the exact gradient differs from 1 by at most e^-20 = 2.1e-9.
    {"softplus", Unary::softplus, 1, false, 2.1e-9},
    {"silu", Unary::silu, 0},
    {"gelu", Unary::gelu, 0},
    {"gelu_tanh", Unary::gelu_tanh, 0},
    {"mish", Unary::mish, 0},
    {"logsigmoid", Unary::log_sigmoid, 0},
    {"softsign", Unary::softsign, 0},
    {"hardtanh", Unary::hardtanh, 0},
    {"exp", Unary::exp, 0},
    {"expm1", Unary::expm1, 0},
    {"sin", Unary::sin, 0},
    {"cos", Unary::cos, 0},
    {"atan", Unary::atan, 0},
    {"sinh", Unary::sinh, 0},
    {"cosh", Unary::cosh, 0},
    {"erf", Unary::erf, 0},
    {"abs", Unary::abs, 0},
    {"square", Unary::square, 0},
    {"log", Unary::log, 0, true},
    {"log1p", Unary::log1p, 0, true},
    {"sqrt", Unary::sqrt, 0, true},
    {"rsqrt", Unary::rsqrt, 0, true},
    {"reciprocal", Unary::reciprocal, 0, true},
};

template <class T>
void expect_golden(const Golden& g, const Named& c, const std::vector<double>& input, const std::vector<double>& cot) {
  SCOPED_TRACE(c.golden);
  const std::vector<T> x(input.begin(), input.end()), gy(cot.begin(), cot.end());
  const int64_t n = static_cast<int64_t>(x.size());
  std::vector<T> y(x.size()), gx(x.size());
  const T a = static_cast<T>(c.a);
  kernel::unary(c.f, a, x.data(), y.data(), n);
  kernel::unary_grad(c.f, a, x.data(), y.data(), gy.data(), gx.data(), n);
  const std::vector<double>& out = g[std::string("out.") + c.golden].data;
  const std::vector<double>& grad = g[std::string("grad.") + c.golden].data;
  const double grad_tolerance = sizeof(T) == 8 ? c.grad_f64 : golden_grad_tolerance<T>;
  for (size_t i = 0; i < x.size(); ++i) {
    EXPECT_NEAR(y[i], out[i], golden_tolerance<T> * std::fmax(1, std::fabs(out[i]))) << "x = " << x[i];
    EXPECT_NEAR(gx[i], grad[i], grad_tolerance * std::fmax(1, std::fabs(grad[i]))) << "x = " << x[i];
  }
}

TEST(UnaryGolden, Activations) {
  const Golden g = Golden::load("09_activations");
  ASSERT_EQ(g.number("leaky_relu_slope"), 0.2);
  ASSERT_EQ(g.number("celu_alpha"), 1.3);
  for (const Named& c : kNamed) {
    const std::vector<double>& x = g[c.positive_input ? "x_pos" : "x"].data;
    expect_golden<double>(g, c, x, g["cot"].data);
    expect_golden<float>(g, c, x, g["cot"].data);
  }
  const Named beta = {"softplus_beta", Unary::softplus, g.number("softplus_beta")};
  expect_golden<double>(g, beta, g["x"].data, g["cot"].data);
}

TEST(UnaryGolden, StableExtremes) {
  const Golden g = Golden::load("09_stable_extremes");
  const std::vector<double> ones(g["x"].data.size(), 1.0);
  for (const Named& c : kNamed) {
    if (!g.has(std::string("out.") + c.golden)) continue;
    expect_golden<double>(g, c, g["x"].data, ones);
    expect_golden<float>(g, c, g["x"].data, ones);
  }
}

}  // namespace
}  // namespace libnf::test
