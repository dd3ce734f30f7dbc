// Layers against golden vectors of groups 04 and 06 (nflows, float64): values, log-determinants, inverses and all
// gradients, in both dtypes. The mask of the files, [1, 0, 1, 0, ...] = transformed columns, is our "alternating".
#include "tests/support/golden.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/flow_case.h"
#include "tests/support/golden_net.h"

namespace libnf::test {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kNetPrefix[] = "param.transform_net.";

std::vector<double> numbers(const Golden& g, const std::string& name) { return g.has(name) ? g[name].data : Values{}; }

Json net_fields(const Golden& g, const char* type) {
  const auto transformed = g["param.transform_features"].as<int64_t>();
  for (size_t i = 0; i < transformed.size(); ++i) EXPECT_EQ(transformed[i], static_cast<int64_t>(2 * i));
  return {{"type", type},
          {"mask", "alternating"},
          {"net", "residual"},
          {"hidden", {static_cast<int64_t>(g.number("hidden"))}},
          {"blocks", static_cast<int64_t>(g.number("num_blocks"))},
          {"activation", g.meta("activation")}};
}

template <class T>
class FlowGolden : public testing::Test {
 protected:
  void check(const Golden& g, const Json& layer) {
    SCOPED_TRACE(g.name());
    const int64_t rows = g["x"].rows(), context = static_cast<int64_t>(g.number("context_features", 0));
    const Json spec = {
        {"event", {g["x"].cols()}}, {"context", {context}}, {"dtype", name_of(dtype_of<T>)}, {"layers", {layer}}};
    FlowCase<T> f(parse_spec(spec.dump()));
    ParamStore& params = f.model().params();
    size_t loaded = 0;
    for (const auto& [name, tensor] : g.tensors()) {
      if (name.rfind(kNetPrefix, 0) != 0) continue;
      const int64_t slot = slot_of(f, name.substr(sizeof kNetPrefix - 1));
      ASSERT_GE(slot, 0) << name;
      const Values v = in_our_order(tensor);
      ASSERT_EQ(params.view(static_cast<size_t>(slot)).count(), static_cast<int64_t>(v.size())) << name;
      for (size_t k = 0; k < v.size(); ++k) f.param(static_cast<size_t>(slot))[k] = static_cast<T>(v[k]);
      ++loaded;
    }
    ASSERT_EQ(loaded, params.slots().size());

    const Rows2 in{rows, g["x"].data, numbers(g, "context")};
    const MappedGradients out = f.gradients(false, in, {g["cot_z"].data, g["cot_log_det"].data});
    close(out.value.y, g["z"].data, golden_tolerance<T>, "z");
    close(out.value.log_det, g["log_det"].data, golden_tolerance<T>, "log_det");
    const MappedValues back = f.map(true, {rows, g["z"].data, in.context});
    close(back.y, g["x_back"].data, golden_tolerance<T>, "x_back");
    Values opposite = g["log_det"].data;
    for (double& v : opposite) v = -v;
    close(back.log_det, opposite, golden_tolerance<T>, "log_det of the inverse");

    size_t grads = 0;
    for (const auto& [name, tensor] : g.tensors()) {
      if (name.rfind("grad.", 0) != 0) continue;
      const std::string of = name.substr(5);
      ++grads;
      if (of == "x" || of == "context") {
        close(of == "x" ? out.x : out.context, tensor.data, golden_grad_tolerance<T>, name);
        continue;
      }
      ASSERT_EQ(of.rfind(kNetPrefix, 0), 0u) << name;
      const auto slot = static_cast<size_t>(slot_of(f, of.substr(sizeof kNetPrefix - 1)));
      close(out.params[slot], in_our_order(tensor), golden_grad_tolerance<T>, name);
    }
    EXPECT_EQ(grads, loaded + 1 + (context > 0));
  }

  static int64_t slot_of(FlowCase<T>& f, const std::string& theirs) {
    return f.model().params().find("layers.0.net." + our_net_name(theirs));
  }
  static void close(const Values& got, const Values& want, double tolerance, const std::string& what) {
    expect_close(got, want, tolerance, what);
  }
};

using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(FlowGolden, Types);

TYPED_TEST(FlowGolden, AdditiveCoupling) {
  const Golden g = Golden::load("06_additive_coupling");
  this->check(g, net_fields(g, "additive_coupling"));
}

TYPED_TEST(FlowGolden, AffineCoupling) {
  for (const char* name : {"06_affine_coupling", "06_affine_coupling_context"}) {
    const Golden g = Golden::load(name);
    Json layer = net_fields(g, "affine_coupling");
    ASSERT_EQ(g.meta("scale_activation"), "sigmoid(s+2)+1e-3");
    layer["scale"] = "sigmoid";
    this->check(g, layer);
  }
}

TYPED_TEST(FlowGolden, AffineCouplingGeneral) {
  const Golden g = Golden::load("06_affine_coupling_general");
  Json layer = net_fields(g, "affine_coupling");
  ASSERT_EQ(g.meta("scale_activation"), "clamp(softplus(s)+1e-3,0,3)");
  layer["scale"] = "softplus";
  this->check(g, layer);
}

TYPED_TEST(FlowGolden, Permutation) {
  for (const char* name : {"04_permutation_vec", "04_permutation_reverse"}) {
    const Golden g = Golden::load(name);
    this->check(g, {{"type", "permutation"}, {"order", g["param._permutation"].template as<int64_t>()}});
  }
  this->check(Golden::load("04_permutation_reverse"), {{"type", "reverse"}});
}

}  // namespace
}  // namespace libnf::test
