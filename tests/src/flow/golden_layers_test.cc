// Layers with few parameters against golden vectors of groups 02 and 04 (nflows, normflows, PyTorch; float64): values,
// log-determinants, inverses and all gradients, in both dtypes. An image case is split into its pixels: rows of C
// columns, whose log-dets sum to that of the image.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>

#include "tests/support/flow_case.h"
#include "tests/support/golden.h"

namespace libnf::test {
namespace {

using Json = nlohmann::ordered_json;

// Returns [n, C, H, W] as rows of C columns, pixel by pixel; [n, D] is returned as it is.
Values pixels(const GoldenTensor& g) {
  if (g.shape.size() == 2) return g.data;
  const int64_t n = g.shape[0], c = g.shape[1], p = g.shape[2] * g.shape[3];
  Values v;
  for (int64_t i = 0; i < n; ++i)
    for (int64_t k = 0; k < p; ++k)
      for (int64_t j = 0; j < c; ++j) v.push_back(g.data[static_cast<size_t>((i * c + j) * p + k)]);
  return v;
}

// Returns the entries of a matrix [d, d] that `keep` selects, row by row.
Values entries(const Values& m, int64_t d, const std::function<bool(int64_t, int64_t)>& keep) {
  Values v;
  for (int64_t i = 0; i < d; ++i)
    for (int64_t j = 0; j < d; ++j)
      if (keep(i, j)) v.push_back(m[static_cast<size_t>(i * d + j)]);
  return v;
}
Values below(const Values& m, int64_t d) {
  return entries(m, d, [](int64_t i, int64_t j) { return j < i; });
}
Values above(const Values& m, int64_t d) {
  return entries(m, d, [](int64_t i, int64_t j) { return j > i; });
}
Values transposed(const Values& m, int64_t d) {
  Values v(m.size());
  for (int64_t i = 0; i < d; ++i)
    for (int64_t j = 0; j < d; ++j) v[static_cast<size_t>(j * d + i)] = m[static_cast<size_t>(i * d + j)];
  return v;
}

// A tensor of our model: its value in the file, and its gradient if it is trained.
struct Param {
  std::string name;
  Values value, grad;
};

template <class T>
class LayerGolden : public testing::Test {
 protected:
  static FlowCase<T> make(const Json& layer, int64_t event) {
    const Json spec = {{"event", {event}}, {"dtype", name_of(dtype_of<T>)}, {"layers", {layer}}};
    return FlowCase<T>(parse_spec(spec.dump()));
  }

  void check(const std::string& file, const Json& layer, const std::vector<Param>& params = {}) {
    const Golden g = Golden::load(file);
    SCOPED_TRACE(file);
    const int64_t event = g["x"].shape[1], per_row = g["x"].cols() / event, rows = g["x"].rows() * per_row;
    FlowCase<T> f = make(layer, event);
    ParamStore& store = f.model().params();
    ASSERT_EQ(store.slots().size(), params.size());
    for (const Param& p : params) {
      const int64_t slot = store.find("layers.0." + p.name);
      ASSERT_GE(slot, 0) << p.name;
      ASSERT_EQ(store.view(static_cast<size_t>(slot)).count(), static_cast<int64_t>(p.value.size())) << p.name;
      for (size_t k = 0; k < p.value.size(); ++k) f.param(static_cast<size_t>(slot))[k] = static_cast<T>(p.value[k]);
    }
    // The log-det of an image is the sum over its pixels, so each pixel has the image's cotangent.
    Values cot_log_det;
    for (double c : g["cot_log_det"].data) cot_log_det.insert(cot_log_det.end(), static_cast<size_t>(per_row), c);
    const auto image_log_det = [&](const Values& v) {
      Values sums(g["log_det"].data.size(), 0.0);
      for (size_t k = 0; k < v.size(); ++k) sums[k / static_cast<size_t>(per_row)] += v[k];
      return sums;
    };
    const Values x = pixels(g["x"]), z = pixels(g["z"]);
    const MappedGradients out = f.gradients(false, {rows, x, {}}, {pixels(g["cot_z"]), cot_log_det});
    expect_close(out.value.y, z, tolerance, "z");
    expect_close(image_log_det(out.value.log_det), g["log_det"].data, tolerance, "log_det");
    const MappedValues back = f.map(true, {rows, z, {}});
    expect_close(back.y, pixels(g["x_back"]), inverse_tolerance, "x_back");
    Values opposite = g["log_det"].data;
    for (double& v : opposite) v = -v;
    expect_close(image_log_det(back.log_det), opposite, inverse_tolerance, "log_det of the inverse");
    expect_close(out.x, pixels(g["grad.x"]), grad_tolerance, "grad.x");
    for (const Param& p : params) {
      const auto slot = static_cast<size_t>(store.find("layers.0." + p.name));
      if (store.slots()[slot].trainable) expect_close(out.params[slot], p.grad, grad_tolerance, "grad of " + p.name);
    }
  }

  double tolerance = golden_tolerance<T>, grad_tolerance = golden_grad_tolerance<T>, inverse_tolerance = tolerance;
};

using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(LayerGolden, Types);

TYPED_TEST(LayerGolden, LeakyRelu) {
  const double slope = Golden::load("02_leaky_relu").number("negative_slope");
  this->check("02_leaky_relu", {{"type", "leaky_relu"}, {"slope", slope}});
  const Golden g = Golden::load("02_leaky_relu");
  Values grad(4, 0.0);  // of the logarithm of the slope: sum cot_z z + cot_log_det over negative x
  for (size_t k = 0; k < g["x"].data.size(); ++k)
    if (g["x"].data[k] < 0) grad[k % 4] += g["cot_z"].data[k] * g["z"].data[k] + g["cot_log_det"].data[k / 4];
  this->check("02_leaky_relu", {{"type", "prelu"}}, {{"log_slope", Values(4, std::log(slope)), grad}});
}

TYPED_TEST(LayerGolden, Sigmoid) {
  const Golden g = Golden::load("02_sigmoid");
  this->check("02_sigmoid", {{"type", "sigmoid"}, {"temperature", g.number("temperature")}});
}

TYPED_TEST(LayerGolden, SigmoidAndLogitWithAlpha) {
  const double alpha = Golden::load("02_logit_alpha").number("alpha");
  this->check("02_sigmoid_alpha", {{"type", "sigmoid"}, {"alpha", alpha}});
  EXPECT_EQ(alpha, 1e-5) << "the default of logit";
  if (sizeof(TypeParam) == 8) return this->check("02_logit_alpha", {{"type", "logit"}});
  // One x is 1e-7 below 1, where rounding it to float32 already moves z by 2e-3, which is also the error that the file
  // states for the float32 run of its source. So float32 is compared with float64 at the rounded x.
  const Golden g = Golden::load("02_logit_alpha");
  Rows2 in{g["x"].rows(), g["x"].data, {}};
  for (double& v : in.x) v = static_cast<float>(v);
  const MappedValues cot{g["cot_z"].data, g["cot_log_det"].data};
  FlowCase<float> f32(parse_spec(R"({"event": 4, "layers": [{"type": "logit"}]})"));
  FlowCase<double> f64(parse_spec(R"({"event": 4, "dtype": "float64", "layers": [{"type": "logit"}]})"));
  const MappedGradients got = f32.gradients(false, in, cot), want = f64.gradients(false, in, cot);
  expect_close(got.value.y, want.value.y, kGoldenF32, "z");
  expect_close(got.value.log_det, want.value.log_det, kGoldenF32, "log_det");
  expect_close(got.x, want.x, kGoldenGradF32, "grad.x");
}

TYPED_TEST(LayerGolden, Softplus) { this->check("02_softplus", {{"type", "softplus"}}); }

TYPED_TEST(LayerGolden, Tanh) { this->check("02_tanh", {{"type", "tanh"}}); }

TYPED_TEST(LayerGolden, LuLinear) {
  const Golden g = Golden::load("04_lu_linear");
  const auto param = [&](const char* ours, const std::string& theirs) {
    return Param{ours, g["param." + theirs].data, g["grad.param." + theirs].data};
  };
  this->check("04_lu_linear", {{"type", "lu_linear"}, {"eps", g.number("eps")}},
              {param("lower", "lower_entries"), param("upper", "upper_entries"),
               param("diagonal", "unconstrained_upper_diag"), param("bias", "bias")});
}

TYPED_TEST(LayerGolden, PluLinear) {
  const Golden g = Golden::load("04_conv1x1_plu");
  const int64_t c = g["param.L"].shape[0];
  // Finds the seed whose permutation is that of the file.
  Json layer = {{"type", "plu_linear"}, {"init", "permutation"}, {"bias", false}};
  Values unit(static_cast<size_t>(c * c), 0.0);
  for (int64_t i = 0; i < c; ++i) unit[static_cast<size_t>(i * c + i)] = 1;
  int seed = 0;
  for (; seed < 1000; ++seed) {
    layer["seed"] = seed;
    if (this->make(layer, c).map(false, {c, unit, {}}).y == transposed(g["param.P"].data, c)) break;
  }
  ASSERT_LT(seed, 1000);
  Values order;  // as the model has it from the seed
  {
    FlowCase<TypeParam> f = this->make(layer, c);
    const auto slot = static_cast<size_t>(f.model().params().find("layers.0.permutation"));
    order.assign(f.param(slot), f.param(slot) + c);
  }
  const auto param = [&](const char* ours, const std::string& theirs, const auto& part) {
    return Param{ours, part(g["param." + theirs].data, c), part(g["grad.param." + theirs].data, c)};
  };
  const auto whole = [](const Values& v, int64_t) { return v; };
  this->check("04_conv1x1_plu", layer,
              {param("lower", "L", below), param("upper", "U", above), param("log_s", "log_S", whole),
               Param{"sign", g["param.sign_S"].data, {}}, Param{"permutation", order, {}}});
}

TYPED_TEST(LayerGolden, Linear) {
  const Golden g = Golden::load("04_conv1x1_full");
  const int64_t c = g["param.W"].shape[0];
  this->check("04_conv1x1_full", {{"type", "linear"}, {"bias", false}},
              {{"weight", transposed(g["param.W"].data, c), transposed(g["grad.param.W"].data, c)}});
}

TYPED_TEST(LayerGolden, Householder) {
  const Golden g = Golden::load("04_householder");
  this->check("04_householder", {{"type", "householder"}, {"reflections", g["param.q_vectors"].shape[0]}},
              {{"vectors", g["param.q_vectors"].data, g["grad.param.q_vectors"].data}});
}

}  // namespace
}  // namespace libnf::test
