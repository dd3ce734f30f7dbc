// Conditioner nets against golden vectors of group 09 (nflows, float64): values and gradients of sum(cot out) in both
// dtypes, and the names and shapes of their parameters.
#include "tests/support/golden.h"

#include <gtest/gtest.h>

#include "runtime/tape/params.h"
#include "src/net/net.h"
#include "tests/support/golden_net.h"
#include "tests/support/net_config.h"
#include "tests/support/op_check.h"

namespace libnf::test {
namespace {

template <class T>
class NetGolden : public testing::Test {
 protected:
  Tape t{system_allocator(), dtype_of<T>};

  Var leaf(const GoldenTensor& g) {
    Var v = t.empty({g.rows(), g.cols()});
    for (size_t k = 0; k < g.data.size(); ++k) v->out.as<T>()[k] = static_cast<T>(g.data[k]);
    v->needs_grad = true;
    return v;
  }

  void check(const Golden& g, const std::string& activation) {
    SCOPED_TRACE(g.name());
    const auto number = [&](const char* name) { return std::to_string(static_cast<int64_t>(g.number(name))); };
    const NetChoice choice = net_of(R"({"type": "residual", "hidden": )" + number("hidden") + R"(, "blocks": )" +
                                    number("num_blocks") + R"(, "activation": ")" + activation + "\"}");
    std::vector<ParamInfo> infos;
    const int64_t context = g.has("context") ? g["context"].cols() : 0;
    const auto net = choice.build(Declare(infos, "", g["x"].cols(), context, 0), g["x"].cols(), g["out"].cols());

    std::vector<ParamSlot> slots;
    for (const ParamInfo& p : infos) slots.push_back({p.name, p.shape, p.trainable});
    ParamStore params(system_allocator(), dtype_of<T>, std::move(slots));
    Buffer grads(system_allocator(), static_cast<size_t>(params.trainable_size()) * sizeof(T), "gradients");
    std::vector<Node> nodes(params.slots().size());
    params.bind(nodes.data(), grads.data(), nullptr);
    for (const auto& [name, tensor] : g.tensors()) {
      if (name.rfind("param.", 0) != 0) continue;
      const int64_t slot = params.find(our_net_name(name.substr(6)));
      ASSERT_GE(slot, 0) << name;
      const Values v = in_our_order(tensor);
      ASSERT_EQ(params.view(static_cast<size_t>(slot)).count(), tensor.count()) << name;
      for (size_t k = 0; k < v.size(); ++k)
        params.view(static_cast<size_t>(slot)).template as<T>()[k] = static_cast<T>(v[k]);
    }

    Var x = leaf(g["x"]), c = context ? leaf(g["context"]) : nullptr;
    Var out = (*net)({t, nodes.data()}, x, c);
    expect_close(values_of<T>(out->out), g["out"], golden_tolerance<T>, "out");
    for (size_t k = 0; k < g["cot"].data.size(); ++k)
      t.grad(*out).template as<T>()[k] = static_cast<T>(g["cot"].data[k]);
    t.backward();
    size_t checked = 0;
    for (const auto& [name, tensor] : g.tensors()) {
      if (name.rfind("grad.", 0) != 0) continue;
      const std::string of = name.substr(5);
      const bool input = of == "x" || of == "context";
      Var v = of == "x"         ? x
              : of == "context" ? c
                                : &nodes[static_cast<size_t>(params.find(our_net_name(of.substr(6))))];
      expect_close(values_of<T>(t.grad(*v)), input ? tensor.data : in_our_order(tensor), golden_grad_tolerance<T>,
                   name);
      ++checked;
    }
    EXPECT_EQ(checked, nodes.size() + 1 + (context > 0));
  }
};

using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(NetGolden, Types);

TYPED_TEST(NetGolden, Residual) { this->check(Golden::load("09_net_residual"), "relu"); }
TYPED_TEST(NetGolden, ResidualContext) { this->check(Golden::load("09_net_residual_context"), "tanh"); }

}  // namespace
}  // namespace libnf::test
