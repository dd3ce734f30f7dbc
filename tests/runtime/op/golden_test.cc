// Ops against golden vectors of group 09 (PyTorch, float64): values and gradients of sum(cot out), in both dtypes.
// A file has in.NAME, out, cot and grad.NAME; permute moves axes other than the last.
#include "tests/support/golden.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "runtime/op/batch_columns.h"
#include "runtime/op/conv2d.h"
#include "runtime/op/norm.h"
#include "runtime/op/ops.h"
#include "runtime/op/row_matrix.h"
#include "tests/support/op_check.h"

namespace libnf::test {
namespace {

Dims dims_of(const GoldenTensor& g) {
  Dims d;
  for (int64_t e : g.shape) d.d[d.rank++] = e;
  return d;
}

template <class T>
class OpGolden : public testing::Test {
 protected:
  Tape t{system_allocator(), dtype_of<T>};
  std::map<std::string, Var> leaves;
  std::vector<std::vector<T>> memory;

  Var leaf(const GoldenTensor& g, bool needs_grad) {
    memory.push_back(g.as<T>());
    return t.input(contiguous_view(memory.back().data(), dtype_of<T>, dims_of(g)), needs_grad);
  }

  // Reads the differentiable inputs of a file; the test reads the others.
  Golden load(const std::string& name) {
    Golden g = Golden::load(name);
    for (const auto& [key, tensor] : g.tensors())
      if (key.rfind("grad.", 0) == 0) leaves[key.substr(5)] = leaf(g["in." + key.substr(5)], true);
    return g;
  }

  void check(const Golden& g, Var y) {
    EXPECT_EQ(y->out.shape, dims_of(g["out"]));
    expect_close(values_of<T>(y->out), g["out"], golden_tolerance<T>, g.name());
    const Values& cot = g["cot"].data;
    Var weights = leaf(g["cot"], false);
    ASSERT_EQ(cot.size(), static_cast<size_t>(y->out.count()));
    Var loss = sum(t, mul(t, y, weights));
    *t.grad(*loss).template as<T>() = 1;
    t.backward();
    EXPECT_FALSE(leaves.empty());
    for (const auto& [key, var] : leaves)
      expect_close(values_of<T>(t.grad(*var)), g["grad." + key], golden_grad_tolerance<T>, g.name() + " " + key);
  }

  Var swap_last(Var x) { return permute(t, x, {0, 2, 1}); }
};

using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(OpGolden, Types);

struct Function {
  const char* name;
  Unary f;
  const char* parameter = nullptr;  // key in the file's metadata
};
constexpr Function kFunctions[] = {
    {"relu", Unary::relu},
    {"leaky_relu", Unary::leaky_relu, "leaky_relu_slope"},
    {"elu", Unary::elu},
    {"selu", Unary::selu},
    {"celu", Unary::celu, "celu_alpha"},
    {"tanh", Unary::tanh},
    {"sigmoid", Unary::sigmoid},
    {"softplus", Unary::softplus},
    {"softplus_beta", Unary::softplus, "softplus_beta"},
    {"silu", Unary::silu},
    {"gelu", Unary::gelu},
    {"gelu_tanh", Unary::gelu_tanh},
    {"mish", Unary::mish},
    {"logsigmoid", Unary::log_sigmoid},
    {"softsign", Unary::softsign},
    {"hardtanh", Unary::hardtanh},
    {"exp", Unary::exp},
    {"expm1", Unary::expm1},
    {"sin", Unary::sin},
    {"cos", Unary::cos},
    {"atan", Unary::atan},
    {"sinh", Unary::sinh},
    {"cosh", Unary::cosh},
    {"erf", Unary::erf},
    {"abs", Unary::abs},
    {"square", Unary::square},
    {"log", Unary::log},
    {"log1p", Unary::log1p},
    {"sqrt", Unary::sqrt},
    {"rsqrt", Unary::rsqrt},
    {"reciprocal", Unary::reciprocal},
};

TYPED_TEST(OpGolden, Activations) {
  const Golden g = Golden::load("09_activations");
  Tape& t = this->t;
  size_t checked = 0;
  for (const Function& fn : kFunctions) {
    const bool positive = fn.f == Unary::log || fn.f == Unary::log1p || fn.f == Unary::sqrt || fn.f == Unary::rsqrt ||
                          fn.f == Unary::reciprocal;
    Var x = this->leaf(g[positive ? "x_pos" : "x"], true);
    Var y = unary(t, fn.f, x, fn.parameter ? g.number(fn.parameter) : 1.0);
    expect_close(values_of<TypeParam>(y->out), g[std::string("out.") + fn.name], golden_tolerance<TypeParam>, fn.name);
    Var loss = sum(t, mul(t, y, this->leaf(g["cot"], false)));
    *t.grad(*loss).template as<TypeParam>() = 1;
    t.backward();
    GoldenTensor grad = g[std::string("grad.") + fn.name];
    // PyTorch 1.13 rounds alpha to float32 in the backward of celu; the exact gradient is 1 + out/alpha below zero.
    if (fn.f == Unary::celu)
      for (size_t k = 0; k < grad.data.size(); ++k)
        grad.data[k] = g["cot"].data[k] * (g["x"].data[k] > 0 ? 1 : 1 + g["out.celu"].data[k] / g.number("celu_alpha"));
    expect_close(values_of<TypeParam>(t.grad(*x)), grad, golden_grad_tolerance<TypeParam>, fn.name);
    ++checked;
  }
  EXPECT_EQ(checked, 31u);  // all except lgamma, which is not a unary kernel
}

TYPED_TEST(OpGolden, StableExtremes) {
  const Golden g = Golden::load("09_stable_extremes");
  Tape& t = this->t;
  for (const char* name : {"softplus", "logsigmoid", "sigmoid", "tanh", "elu", "silu"}) {
    const auto* fn = std::find_if(std::begin(kFunctions), std::end(kFunctions),
                                  [&](const Function& f) { return f.name == std::string(name); });
    Var x = this->leaf(g["x"], true);
    Var y = unary(t, fn->f, x, 1.0);
    const std::string out = std::string("out.") + name;
    expect_close(values_of<TypeParam>(y->out), g[g.has(out + "_exact") ? out + "_exact" : out],
                 golden_tolerance<TypeParam>, name);
    *t.grad(*sum(t, y)).template as<TypeParam>() = 1;
    t.backward();
    // PyTorch's softplus is x above 20, with gradient 1; the exact gradient is sigmoid everywhere.
    const std::string grad = fn->f == Unary::softplus ? "out.sigmoid" : std::string("grad.") + name;
    expect_close(values_of<TypeParam>(t.grad(*x)), g[grad], golden_grad_tolerance<TypeParam>, name);
  }
}

TYPED_TEST(OpGolden, Linear) {
  const Golden g = this->load("09_linear");
  this->check(g, linear(this->t, this->leaves["x"], transpose(this->t, this->leaves["weight"]), this->leaves["bias"]));
}

TYPED_TEST(OpGolden, Matmul) {
  const Golden g = this->load("09_matmul");
  this->check(g, matmul(this->t, this->leaves["a"], this->leaves["b"]));
}

TYPED_TEST(OpGolden, LogsumexpLast) {
  const Golden g = this->load("09_logsumexp_dim2");
  this->check(g, logsumexp(this->t, this->leaves["x"]));
}

TYPED_TEST(OpGolden, LogsumexpMiddle) {
  const Golden g = this->load("09_logsumexp_dim1");
  this->check(g, logsumexp(this->t, this->swap_last(this->leaves["x"])));
}

TYPED_TEST(OpGolden, SoftmaxLast) {
  const Golden g = this->load("09_softmax_dim2");
  this->check(g, softmax(this->t, this->leaves["x"]));
}

TYPED_TEST(OpGolden, SoftmaxMiddle) {
  const Golden g = this->load("09_softmax_dim1");
  this->check(g, this->swap_last(softmax(this->t, this->swap_last(this->leaves["x"]))));
}

TYPED_TEST(OpGolden, LogSoftmaxLast) {
  const Golden g = this->load("09_log_softmax_dim2");
  this->check(g, log_softmax(this->t, this->leaves["x"]));
}

TYPED_TEST(OpGolden, LogSoftmaxMiddle) {
  const Golden g = this->load("09_log_softmax_dim1");
  this->check(g, this->swap_last(log_softmax(this->t, this->swap_last(this->leaves["x"]))));
}

TYPED_TEST(OpGolden, CumsumLast) {
  const Golden g = this->load("09_cumsum_dim2");
  this->check(g, cumsum(this->t, this->leaves["x"]));
}

TYPED_TEST(OpGolden, CumsumMiddle) {
  const Golden g = this->load("09_cumsum_dim1");
  this->check(g, this->swap_last(cumsum(this->t, this->swap_last(this->leaves["x"]))));
}

TYPED_TEST(OpGolden, Gather) {
  const Golden g = this->load("09_gather");
  const auto index = g["in.index"].as<int32_t>();
  this->check(g, gather_last(this->t, this->leaves["x"], index.data(), 2));
}

TYPED_TEST(OpGolden, IndexSelect) {
  const Golden g = this->load("09_index_select");
  const auto index = g["in.index"].as<int32_t>();
  Var rows = reshape(this->t, this->swap_last(this->leaves["x"]), {15, 4});
  Var chosen = gather_columns(this->t, rows, index.data(), 6);
  this->check(g, this->swap_last(reshape(this->t, chosen, {3, 5, 6})));
}

TYPED_TEST(OpGolden, Glu) {
  const Golden g = this->load("09_glu");
  Var rows = reshape(this->t, this->swap_last(this->leaves["x"]), {15, 8});
  this->check(g, this->swap_last(reshape(this->t, glu(this->t, rows), {3, 5, 4})));
}

TYPED_TEST(OpGolden, BroadcastMulAdd) {
  const Golden g = this->load("09_broadcast_mul_add");
  auto& in = this->leaves;
  this->check(g, add(this->t, mul(this->t, in["a"], in["b"]), in["c"]));
}

TYPED_TEST(OpGolden, Slogdet) {
  const Golden g = this->load("09_slogdet");
  this->check(g, slogdet(this->t, this->leaves["x"]));
}

TYPED_TEST(OpGolden, LayerNorm) {
  const Golden g = this->load("09_layer_norm");
  auto& in = this->leaves;
  this->check(g, layer_norm(this->t, in["x"], 5, in["weight"], in["bias"], g.number("eps")));
}

// Of a whole batch; their scale is a factor, ours the logarithm of one.
TYPED_TEST(OpGolden, BatchNormTrains) {
  const Golden g = this->load("09_batch_norm_train");
  Tape& t = this->t;
  auto& in = this->leaves;
  const Mapped z = batch_normalize(t, in["x"], nullptr, g.number("eps"), true);
  this->check(g, add(t, mul(t, z.y, in["weight"]), in["bias"]));
}

TYPED_TEST(OpGolden, BinaryCrossEntropyWithLogits) {
  const Golden g = this->load("09_bce_with_logits");
  Tape& t = this->t;
  Var logits = this->leaves["logits"];
  this->check(g, sub(t, unary(t, Unary::softplus, logits, 1), mul(t, logits, this->leaf(g["in.y"], false))));
}

TYPED_TEST(OpGolden, CrossEntropy) {
  const Golden g = this->load("09_cross_entropy");
  const auto labels = g["in.y"].template as<int32_t>();
  Tape& t = this->t;
  Var picked = gather_last(t, log_softmax(t, this->leaves["logits"]), labels.data(), 1);
  this->check(g, scale(t, reshape(t, picked, {static_cast<int64_t>(labels.size())}), -1));
}

// A product of matrices per row: each row of a is a vector that the row's b, transposed, multiplies.
TYPED_TEST(OpGolden, BatchedMatmul) {
  const Golden g = this->load("09_bmm");
  Tape& t = this->t;
  const int64_t n = g["in.a"].shape[0], m = g["in.a"].shape[1], k = g["in.a"].shape[2], d = g["in.b"].shape[2];
  Var a = reshape(t, this->leaves["a"], {n, m * k}), b = reshape(t, this->leaves["b"], {n, k * d}), y = nullptr;
  for (int64_t i = 0; i < m; ++i) {
    Var row = row_matrix(t, slice_columns(t, a, i * k, k), b, k, true);
    y = y ? concat_columns(t, y, row) : row;
  }
  this->check(g, reshape(t, y, {n, m, d}));
}

// The files have images [n, c, h, w], and weights [out, in, h, w] (transposed: [in, out, h, w]).
Var channels_last(Tape& t, Var x) { return contiguous(t, permute(t, x, {0, 2, 3, 1})); }
Var channels_first(Tape& t, Var y) { return permute(t, y, {0, 3, 1, 2}); }
Var taps_first(Tape& t, Var w) { return permute(t, w, {2, 3, 1, 0}); }

Conv2d geometry_of(const Golden& g, const Dims& image) {
  Conv2d c;
  c.height = image[2], c.width = image[3];
  c.stride_h = c.stride_w = static_cast<int64_t>(g.number("stride"));
  c.dilation_h = c.dilation_w = static_cast<int64_t>(g.number("dilation", 1));
  c.top = c.left = c.bottom = c.right = static_cast<int64_t>(g.number("padding"));
  c.groups = static_cast<int64_t>(g.number("groups", 1));
  return c;
}

TYPED_TEST(OpGolden, Conv2d) {
  Tape& t = this->t;
  auto& in = this->leaves;
  for (const char* name :
       {"09_conv2d_1x1", "09_conv2d_dilated_grouped", "09_conv2d_s1p1", "09_conv2d_s2p2", "09_conv2d_valid"}) {
    in.clear();
    const Golden g = this->load(name);
    const Conv2d c = geometry_of(g, dims_of(g["in.x"]));
    Var y = conv2d(t, channels_last(t, in["x"]), taps_first(t, in["weight"]), in["bias"], c);
    this->check(g, channels_first(t, y));
  }
}

TYPED_TEST(OpGolden, Conv2dTransposed) {
  Tape& t = this->t;
  auto& in = this->leaves;
  for (const char* name : {"09_conv_transpose2d_s1p2", "09_conv_transpose2d_s2p2op1", "09_conv_transpose2d_valid"}) {
    in.clear();
    const Golden g = this->load(name);
    const Conv2d c = geometry_of(g, dims_of(g["out"]));
    Var y = conv2d_transposed(t, channels_last(t, in["x"]), taps_first(t, in["weight"]), in["bias"], c);
    this->check(g, channels_first(t, y));
  }
}

TYPED_TEST(OpGolden, GatedConv2d) {
  Tape& t = this->t;
  auto& in = this->leaves;
  for (const char* name : {"09_gated_conv2d", "09_gated_conv_transpose2d"}) {
    in.clear();
    const Golden g = this->load(name);
    const bool transposed = std::string(name) == "09_gated_conv_transpose2d";
    const Conv2d c = geometry_of(g, dims_of(g[transposed ? "out" : "in.x"]));
    Var x = channels_last(t, in["x"]);
    const auto conv = transposed ? conv2d_transposed : conv2d;
    Var h = conv(t, x, taps_first(t, in["h_weight"]), in["h_bias"], c, nullptr, {});
    Var gate = conv(t, x, taps_first(t, in["g_weight"]), in["g_bias"], c, nullptr, {});
    this->check(g, channels_first(t, mul(t, h, unary(t, Unary::sigmoid, gate))));
  }
}

// Solves (strictly lower part of l + I) X = b row by row, with X and b transposed. The gradient of l is zero elsewhere.
TYPED_TEST(OpGolden, SolveTriangularLower) {
  const Golden g = Golden::load("09_solve_triangular_lower");
  Tape& t = this->t;
  const Values &l = g["in.l"].data, &gl = g["grad.l"].data;
  GoldenTensor entries{{10}, {}}, grad{{10}, {}};
  for (size_t i = 0; i < 5; ++i)
    for (size_t j = 0; j < 5; ++j) {
      if (j < i) entries.data.push_back(l[5 * i + j]), grad.data.push_back(gl[5 * i + j]);
      EXPECT_TRUE(j < i || gl[5 * i + j] == 0);
    }
  Var e = this->leaf(entries, true);
  this->leaves["b"] = this->leaf(g["in.b"], true);
  this->check(g, transpose(t, triangular_solve(t, Triangle::lower, transpose(t, this->leaves["b"]), e, nullptr)));
  expect_close(values_of<TypeParam>(t.grad(*e)), grad, golden_grad_tolerance<TypeParam>, "entries");
}

// Reductions over the batch (sum, mean, max, 2-norm), and the sum of products along the last axis.
TYPED_TEST(OpGolden, Reduce) {
  const Golden g = this->load("09_reduce");
  Tape& t = this->t;
  Var x = this->leaves["x"], rows = reshape(t, x, {3, 20}), fives = reshape(t, x, {12, 5});
  Var product = slice_columns(t, fives, 0, 1);
  for (int64_t c = 1; c < 5; ++c) product = mul(t, product, slice_columns(t, fives, c, 1));
  const Var parts[] = {sum_last(t, rows), mean_last(t, rows), max_last(t, rows),
                       unary(t, Unary::sqrt, row_dot(t, rows, rows)), sum_last(t, reshape(t, product, {3, 4}))};
  Var all = reshape(t, parts[0], {1, 3});
  for (int i = 1; i < 5; ++i) all = concat_columns(t, all, reshape(t, parts[i], {1, 3}));
  this->check(g, reshape(t, all, {15}));
}

}  // namespace
}  // namespace libnf::test
