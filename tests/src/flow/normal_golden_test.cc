// Normalization layers against golden vectors of group 03 (nflows; PyTorch for the biased variance): initialization
// from data, values, log-determinants, inverses and gradients, training and scoring, in both dtypes.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/flow_case.h"
#include "tests/support/golden.h"

namespace libnf::test {
namespace {

template <class T>
class NormalGolden : public testing::Test {
 protected:
  static constexpr double kValue = golden_tolerance<T>, kGrad = golden_grad_tolerance<T>;

  void open(const std::string& name, const std::string& layer) {
    g_ = Golden::load(name);
    const std::string spec = R"({"event": )" + std::to_string(g_["x"].cols()) + R"(, "dtype": ")" +
                             name_of(dtype_of<T>) + R"(", "layers": [)" + layer + "]}";
    f_ = std::make_unique<FlowCase<T>>(parse_spec(spec));
  }
  void set(const char* name, const Values& v) {
    T* p = f_->param(slot(name));
    for (size_t k = 0; k < v.size(); ++k) p[k] = static_cast<T>(v[k]);
  }
  Values get(const char* name) { return values_of<T>(f_->model().params().view(slot(name))); }
  size_t slot(const char* name) {
    return static_cast<size_t>(f_->model().params().find("layers.0." + std::string(name)));
  }
  const Layer& layer() { return *f_->model().layers()[0].layer; }
  Rows2 rows() { return {g_["x"].rows(), g_["x"].data, {}}; }

  // Returns mean and sum of squared deviations of the rows.
  ColumnStats stats_of(const GoldenTensor& x) {
    const auto d = static_cast<size_t>(x.cols());
    stats_.assign(3 * d, 0.0);
    Values data = x.data;
    const View v = contiguous_view(data.data(), DType::f64, {x.rows(), x.cols()});
    column_sums(v, nullptr, stats_.data());
    for (size_t j = 0; j < d; ++j) stats_[j] /= static_cast<double>(x.rows());
    column_deviations(v, nullptr, stats_.data(), &stats_[d]);
    return {static_cast<double>(x.rows()), x.cols(), stats_.data(), &stats_[2 * d]};
  }

  // Checks scoring, with everything that a case of an elementwise layer has.
  void check(std::initializer_list<std::pair<const char*, const char*>> gradients) {
    const MappedGradients out = f_->gradients(false, rows(), {g_["cot_z"].data, g_["cot_log_det"].data});
    expect_close(out.value.y, g_["z"], kValue, "z");
    expect_close(out.value.log_det, g_["log_det"], kValue, "log_det");
    expect_close(f_->map(true, {g_["z"].rows(), g_["z"].data, {}}).y, g_["x_back"], kValue, "x_back");
    expect_close(out.x, g_["grad.x"], kGrad, "grad.x");
    for (const auto& [ours, theirs] : gradients) expect_close(out.params[slot(ours)], g_[theirs], kGrad, theirs);
  }

  // Training with one part that is the whole batch, with statistics and sums of gradients as the trainer computes them.
  struct Trained {
    Values z, log_det, gx, g_weight, g_bias;
  };
  Trained train() {
    const GoldenTensor& x = g_["x"];
    const auto d = static_cast<size_t>(x.cols());
    Tape t(system_allocator(), dtype_of<T>);
    t.training = true;
    std::vector<Node> params(f_->model().params().slots().size());
    Buffer grads(system_allocator(), static_cast<size_t>(f_->model().params().trainable_size()) * sizeof(T), "grads");
    f_->model().params().bind(params.data(), grads.data(), nullptr);
    Values totals(2 * d + 1);
    BatchPart part{stats_of(x), nullptr, totals.data(), nullptr};
    Var xv = t.empty({x.rows(), x.cols()});
    xv->needs_grad = true;
    for (size_t k = 0; k < x.data.size(); ++k) xv->out.template as<T>()[k] = static_cast<T>(x.data[k]);
    const Mapped m = layer().forward({t, params.data(), &part}, xv, nullptr);
    if (g_.has("cot_z")) {
      const auto seed = [&](Var v, const Values& c) {
        T* p = t.grad(*v).template as<T>();
        for (size_t k = 0; k < c.size(); ++k) p[k] = static_cast<T>(c[k]);
      };
      seed(m.y, g_["cot_z"].data);
      seed(m.log_det, g_["cot_log_det"].data);
      t.backward(t.head(), part.node);
      batch_grad_sums(t, *part.node, nullptr, totals.data());
      t.backward(part.node, nullptr);
    }
    const auto grad = [&](Node* n) { return values_of<T>(t.grad(*n)); };
    return {values_of<T>(m.y->out), values_of<T>(m.log_det->out), grad(xv), grad(&params[slot("unconstrained_weight")]),
            grad(&params[slot("bias")])};
  }
  // Updates the running statistics with one batch.
  void observe() { layer().observe(f_->model().params(), stats_of(g_["x"])); }

  Golden g_;
  std::unique_ptr<FlowCase<T>> f_;
  Values stats_;
};

using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(NormalGolden, Types);

TYPED_TEST(NormalGolden, ActNorm) {
  this->open("03_actnorm_vec", R"({"type": "actnorm"})");
  const Golden& g = this->g_;
  this->layer().start(this->f_->model().params(), this->stats_of(g["x_init"]), false);
  expect_close(this->get("log_scale"), g["param.log_scale"], this->kValue, "log_scale");
  expect_close(this->get("shift"), g["param.shift"], this->kValue, "shift");
  const MappedValues first = this->f_->map(false, {g["x_init"].rows(), g["x_init"].data, {}});
  expect_close(first.y, g["z_init"], this->kValue, "z_init");
  expect_close(first.log_det, g["log_det_init"], this->kValue, "log_det_init");
  this->check({{"log_scale", "grad.param.log_scale"}, {"shift", "grad.param.shift"}});
}

TYPED_TEST(NormalGolden, BatchNormScores) {
  this->open("03_batchnorm_eval", R"({"type": "batch_norm", "eps": 1e-5, "momentum": 0.1})");
  const Golden& g = this->g_;
  for (const char* name : {"unconstrained_weight", "bias", "running_mean", "running_var"})
    this->set(name, g[std::string("param.") + name].data);
  this->check({{"unconstrained_weight", "grad.param.unconstrained_weight"}, {"bias", "grad.param.bias"}});
}

TYPED_TEST(NormalGolden, BatchNormTrains) {
  this->open("03_batchnorm_train", R"({"type": "batch_norm", "eps": 1e-5, "momentum": 0.1})");
  const Golden& g = this->g_;
  for (const char* name : {"unconstrained_weight", "bias"}) this->set(name, g[std::string("param.") + name].data);
  this->set("running_mean", g["running_mean_before"].data);
  this->set("running_var", g["running_var_before"].data);
  const auto out = this->train();
  expect_close(out.z, g["z"], this->kValue, "z");
  expect_close(out.log_det, g["log_det"], this->kValue, "log_det");
  expect_close(out.gx, g["grad.x"], this->kGrad, "grad.x");
  expect_close(out.g_weight, g["grad.param.unconstrained_weight"], this->kGrad, "grad of the weight");
  expect_close(out.g_bias, g["grad.param.bias"], this->kGrad, "grad of the bias");
  this->observe();
  expect_close(this->get("running_mean"), g["running_mean_after"], this->kValue, "running_mean");
  expect_close(this->get("running_var"), g["running_var_after"], this->kValue, "running_var");
}

// PyTorch's weight is w itself, ours is softplus(u) + eps.
TYPED_TEST(NormalGolden, BatchNormWithTheBiasedVariance) {
  this->open("03_batchnorm_biased", R"({"type": "batch_norm", "eps": 1e-5, "momentum": 0.1, "variance": "biased"})");
  const Golden& g = this->g_;
  Values u = g["param.weight"].data;
  for (double& v : u) v = std::log(std::expm1(v - 1e-5));
  this->set("unconstrained_weight", u);
  this->set("bias", g["param.bias"].data);
  this->set("running_mean", g["running_mean_before"].data);
  this->set("running_var", g["running_var_before"].data);
  const auto out = this->train();
  expect_close(out.z, g["z_train"], this->kValue, "z_train");
  expect_close(out.log_det, g["log_det_train"], this->kValue, "log_det_train");
  this->observe();
  expect_close(this->get("running_mean"), g["running_mean_after"], this->kValue, "running_mean");
  expect_close(this->get("running_var"), g["running_var_after"], this->kValue, "running_var");
  const MappedValues scored = this->f_->map(false, this->rows());
  expect_close(scored.y, g["z_eval"], this->kValue, "z_eval");
  expect_close(scored.log_det, g["log_det_eval"], this->kValue, "log_det_eval");
}

}  // namespace
}  // namespace libnf::test
