// Every base distribution in several configurations, as a model without layers.
#pragma once
#include <string>
#include <vector>

#include "src/base/base.h"
#include "src/model/flow_model.h"
#include "tests/support/flow_case.h"

namespace libnf::test {

struct BaseSetup {
  const char* json;
  int64_t context = 0;
  enum Labels { none, index, one_hot } labels = none;  // content of the context, for three classes
  bool learned = true;
  bool smooth = true;     // the density is smooth, so quadrature converges fast
  bool implicit = false;  // sample gradients are those of another map (mixtures)
};

inline constexpr BaseSetup kBaseSetups[] = {
    {.json = R"({"type": "normal"})", .learned = false},
    {.json = R"({"type": "diagonal_normal"})"},
    {.json = R"({"type": "diagonal_normal", "parameters": "fixed"})", .learned = false},
    {.json = R"({"type": "diagonal_normal", "parameters": "context", "hidden": [5]})", .context = 2},
    {.json = R"({"type": "full_normal"})"},
    {.json = R"({"type": "full_normal", "parameters": "fixed"})", .learned = false},
    {.json = R"({"type": "full_normal", "parameters": "context", "hidden": [5]})", .context = 2},
    {.json = R"({"type": "full_normal", "parameters": "context", "net": "residual", "hidden": [4]})", .context = 1},
    {.json = R"({"type": "uniform"})", .learned = false, .smooth = false},
    {.json = R"({"type": "uniform", "low": [-2.5], "high": [0.75]})", .learned = false, .smooth = false},
    {.json = R"({"type": "logistic"})"},
    {.json = R"({"type": "logistic", "parameters": "context", "hidden": [5]})", .context = 1},
    {.json = R"({"type": "laplace"})", .smooth = false},
    {.json = R"({"type": "laplace", "parameters": "context", "net": "residual", "hidden": [5]})",
     .context = 2,
     .smooth = false},
    {.json = R"({"type": "student_t"})"},
    {.json = R"({"type": "student_t", "dof": 0.7, "parameters": "fixed"})", .learned = false},
    {.json = R"({"type": "student_t", "parameters": "context", "hidden": []})", .context = 1},
    {.json = R"({"type": "gaussian_mixture", "components": 3})", .implicit = true},
    {.json = R"({"type": "gaussian_mixture", "components": 1})", .implicit = true},
    {.json = R"({"type": "gaussian_mixture", "components": 4, "parameters": "context", "hidden": [5]})",
     .context = 2,
     .implicit = true},
    {.json = R"({"type": "flow_mixture", "members": 3, "base": "laplace", "layers": [{"type": "masked_autoregressive",
                 "order": "random", "hidden": [5]}, {"type": "noise"}, {"type": "elementwise_affine"}]})",
     .smooth = false},
    {.json = R"({"type": "flow_mixture", "members": 2, "fit": "together", "base": {"type": "logistic",
                 "parameters": "context", "hidden": [4]}, "layers": [{"repeat": 2, "layers": [{"type": "affine_coupling",
                 "mask": "random", "net": {"type": "mlp", "hidden": [4], "activation": "tanh"}}], "invert": true},
                 {"type": "reverse"}]})",
     .context = 2},
    {.json = R"({"type": "class_normal", "classes": 3, "column": 1})", .context = 2, .labels = BaseSetup::index},
    {.json = R"({"type": "class_normal", "classes": 3, "labels": "one_hot"})",
     .context = 3,
     .labels = BaseSetup::one_hot},
};

inline ModelSpec base_spec(const BaseSetup& b, DType dtype, int64_t event) {
  return parse_spec("{\"event\": [" + std::to_string(event) + "], \"context\": [" + std::to_string(b.context) +
                    "], \"dtype\": \"" + name_of(dtype) + "\", \"layers\": [], \"base\": " + b.json + "}");
}

inline Values draw_context(const BaseSetup& b, int64_t rows, uint64_t seed) {
  std::mt19937_64 random(seed);
  Values c = draw_normal(rows * b.context, random);
  for (int64_t r = 0; r < rows && b.labels != BaseSetup::none; ++r) {
    double* row = &c[static_cast<size_t>(r * b.context)];
    const auto label = static_cast<int64_t>(random() % 3);
    if (b.labels == BaseSetup::index) row[1] = static_cast<double>(label);
    for (int64_t k = 0; k < 3 && b.labels == BaseSetup::one_hot; ++k) row[k] = k == label;
  }
  return c;
}

// Draws samples number `first` ... of a seed.
template <class T>
Values sample_base(FlowCase<T>& f, uint64_t seed, int64_t first, int64_t rows, const Values& context) {
  Tape t(system_allocator(), dtype_of<T>);
  t.recording = false;
  t.random.seed = seed;
  t.random.first_row = first;
  std::vector<Node> nodes(f.model().params().slots().size());
  f.model().params().bind(nodes.data(), nullptr, nullptr);
  Var c = nullptr;
  if (f.model().context()) {
    c = t.empty({rows, f.model().context()});
    for (int64_t k = 0; k < c->out.count(); ++k) c->out.as<T>()[k] = static_cast<T>(context[static_cast<size_t>(k)]);
  }
  return values_of<T>(f.model().base().sample({t, nodes.data()}, rows, c)->out);
}

}  // namespace libnf::test
