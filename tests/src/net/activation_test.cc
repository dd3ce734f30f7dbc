// The activations of nets, by name: a net of one unit is the function.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/flow_case.h"
#include "tests/support/net_config.h"

namespace libnf::test {
namespace {

double of(const std::string& name, double x) {
  if (name == "relu") return std::max(x, 0.0);
  if (name == "tanh") return std::tanh(x);
  if (name == "elu" || name == "celu") return x > 0 ? x : std::expm1(x);
  if (name == "leaky_relu") return x > 0 ? x : 0.01 * x;
  if (name == "silu") return x / (1 + std::exp(-x));
  if (name == "gelu") return x / 2 * (1 + std::erf(x / std::sqrt(2)));
  if (name == "softplus") return std::log1p(std::exp(x));
  if (name == "selu") return 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * std::expm1(x));
  if (name == "mish") return x * std::tanh(std::log1p(std::exp(x)));
  if (name == "softsign") return x / (1 + std::abs(x));
  if (name == "hardtanh") return std::min(std::max(x, -1.0), 1.0);
  if (name == "sigmoid") return 1 / (1 + std::exp(-x));
  ADD_FAILURE() << name;
  return 0;
}

TEST(NetActivation, IsTheFunctionOfItsName) {
  for (const std::string name : {"relu", "tanh", "elu", "leaky_relu", "silu", "gelu", "softplus", "selu", "celu",
                                 "mish", "softsign", "hardtanh", "sigmoid"}) {
    SCOPED_TRACE(name);
    std::vector<ParamInfo> infos;
    const auto net = net_of(R"({"type": "mlp", "hidden": [1], "activation": ")" + name + "\"}")
                         .build(Declare(infos, "", Dims{1}, 0, 0), int64_t{1}, int64_t{1});
    std::vector<ParamSlot> slots;
    for (const ParamInfo& p : infos) slots.push_back({p.name, p.shape, p.trainable});
    ParamStore params(system_allocator(), DType::f64, std::move(slots));
    for (size_t i = 0; i < infos.size(); ++i)
      *params.view(i).as<double>() = infos[i].name.find("weight") != std::string::npos ? 1 : 0;
    std::vector<Node> nodes(infos.size());
    params.bind(nodes.data(), nullptr, nullptr);
    Tape t(system_allocator(), DType::f64);
    Values x = {-30, -2.5, -1, -0.3, 0, 0.7, 1, 4, 30};
    const Dims shape{static_cast<int64_t>(x.size()), 1};
    const Values y = values_of<double>(
        (*net)({t, nodes.data()}, t.input(contiguous_view(x.data(), DType::f64, shape), false), nullptr)->out);
    for (size_t k = 0; k < x.size(); ++k)
      EXPECT_NEAR(y[k], of(name, x[k]), 1e-14 * std::max(1.0, std::abs(x[k]))) << x[k];
  }
}

}  // namespace
}  // namespace libnf::test
