// The incremental inverse against the net run in one pass: forward(inverse(z)) is z, so the gradient of c . z through
// both is c for z, and zero for the context and every parameter. Also in training, where both drop the same units, and
// at sizes with many groups of columns.
#include "src/net/autoregressive.h"

#include <gtest/gtest.h>

#include "runtime/op/ops.h"
#include "tests/support/flow_case.h"

namespace libnf::test {
namespace {

void check(const std::string& fields, int64_t event, int64_t context, bool training) {
  SCOPED_TRACE(fields + ", " + std::to_string(event) + " columns, " + std::to_string(context) + " of context");
  const std::string spec = R"({"event": )" + std::to_string(event) + R"(, "context": )" + std::to_string(context) +
                           R"(, "dtype": "float64", "layers": [{"type": )" + fields + "}]}";
  FlowCase<double> f(parse_spec(spec));
  std::mt19937_64 random(3);
  const auto& slots = f.model().params().slots();
  for (size_t i = 0; i < slots.size(); ++i) {
    // Small enough that activations stay of order one in wide nets, too.
    const Values v = draw_normal(slots[i].shape.count(), random);
    const bool weight = slots[i].name.ends_with("weight");
    for (size_t k = 0; k < v.size(); ++k) f.param(i)[k] = v[k] * (weight ? 0.1 : 0.3);
  }
  Buffer grads(system_allocator(), static_cast<size_t>(f.model().params().trainable_size()) * sizeof(double),
               "gradients");
  std::vector<Node> nodes(slots.size());
  f.model().params().bind(nodes.data(), grads.data(), nullptr);
  Tape t(system_allocator(), DType::f64);
  t.training = training;
  constexpr int64_t rows = 19;
  const auto leaf = [&](int64_t cols) {
    Var v = t.empty({rows, cols});
    const Values values = draw_normal(rows * cols, random);
    std::copy(values.begin(), values.end(), v->y<double>());
    v->needs_grad = true;
    return v;
  };
  Var z = leaf(event), c = context ? leaf(context) : nullptr;
  const Scope s{t, nodes.data()};
  t.random.first_row = 1000;
  const Mapped x = f.model().inverse(s, z, c);
  t.random.stream = 0;  // so that the same units are dropped
  const Mapped back = f.model().forward(s, x.y, c);
  EXPECT_TRUE(same(values_of<double>(back.y->out), values_of<double>(z->out), 1e-9));
  Var sum = add(t, x.log_det, back.log_det);
  EXPECT_TRUE(same(values_of<double>(sum->out), Values(static_cast<size_t>(rows)), 1e-9));
  const Values cot = draw_normal(rows * event, random);
  std::copy(cot.begin(), cot.end(), t.grad(*back.y).as<double>());
  const Values cot_sum = draw_normal(rows, random);
  std::copy(cot_sum.begin(), cot_sum.end(), t.grad(*sum).as<double>());
  t.backward();
  EXPECT_TRUE(same(values_of<double>(t.grad(*z)), cot, 1e-8));
  if (c) {
    EXPECT_TRUE(same(values_of<double>(t.grad(*c)), Values(static_cast<size_t>(rows * context)), 1e-8));
  }
  for (size_t i = 0; i < nodes.size(); ++i)
    EXPECT_TRUE(same(values_of<double>(t.grad(nodes[i])), Values(static_cast<size_t>(slots[i].shape.count())), 1e-7))
        << slots[i].name;
}

TEST(Autoregressive, ForwardUndoesTheInverseWithItsGradients) {
  for (const bool training : {false, true})
    for (const int64_t context : {0, 3})
      for (const char* dropout : {"0", "0.4"})
        for (const char* net :
             {R"("hidden": [90, 140], "activation": "tanh")", R"("hidden": [70], "activation": "silu")",
              R"("net": "residual", "hidden": [100], "activation": "elu")",
              R"("net": "residual", "hidden": [30], "blocks": 1, "activation": "gelu")",
              R"("context_by": "film", "hidden": [40, 30], "activation": "tanh")",
              R"("context_by": "film", "net": "residual", "hidden": [30], "blocks": 1, "activation": "silu")"})
          for (const int64_t event : {1, 2, 40})
            for (const char* type : {R"("masked_autoregressive", "scale": "softplus", )",
                                     R"("spline_autoregressive", "bins": 3, "tails": "circular", )"})
              check(std::string(type) + net + R"(, "order": "random", "dropout": )" + dropout, event, context,
                    training);
}

}  // namespace
}  // namespace libnf::test
