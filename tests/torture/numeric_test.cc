// Numbers that break arithmetic. Training on rows that are not finite, constant, repeated, huge, single or heavy-tailed never
// leaves a parameter that is not finite: a step that cannot be taken is refused. (tests/src/model/support_test.cc has the
// scores of such rows.)
#include <cfloat>
#include <functional>
#include <nlohmann/json.hpp>

#include "tests/abi/abi_support.h"

namespace abi_test {
namespace {

using Json = nlohmann::json;

std::string chain(const std::string& layers, const char* event = "2") {
  return std::string("{\"event\": ") + event + ", \"layers\": [" + layers + "]}";
}
std::string alternating(const std::string& layer) {
  return chain(R"({"type": "standardize"}, {"repeat": 3, "layers": [)" + layer + R"(, {"type": "reverse"}]})");
}

struct Architecture {
  const char* name;
  std::string spec;
};

const std::vector<Architecture>& architectures() {
  static const std::vector<Architecture> all = {
      {"affine coupling", alternating(R"({"type": "affine_coupling", "hidden": [8]})")},
      {"affine coupling, exp", alternating(R"({"type": "affine_coupling", "hidden": [8], "scale": "exp"})")},
      {"autoregressive", alternating(R"({"type": "masked_autoregressive", "hidden": [8]})")},
      {"autoregressive, gate", alternating(R"({"type": "masked_autoregressive", "hidden": [8], "scale": "gate"})")},
      {"inverse autoregressive", alternating(R"({"type": "masked_autoregressive", "hidden": [8], "invert": true})")},
      {"inverse autoregressive, gate",
       alternating(R"({"type": "masked_autoregressive", "hidden": [8], "scale": "gate", "invert": true})")},
      {"splines", alternating(R"({"type": "spline_coupling", "hidden": [8]})")},
      {"autoregressive splines", alternating(R"({"type": "spline_autoregressive", "hidden": [8]})")},
      {"planar", alternating(R"({"type": "planar"})")},
      {"planar, leaky_relu", alternating(R"({"type": "planar", "function": "leaky_relu"})")},
      {"planar, elu", alternating(R"({"type": "planar", "function": "elu"})")},
      {"planar, leaky_relu, inverse", alternating(R"({"type": "planar", "function": "leaky_relu", "invert": true})")},
      {"planar, elu, inverse", alternating(R"({"type": "planar", "function": "elu", "invert": true})")},
      {"batch_norm", alternating(R"({"type": "batch_norm"}, {"type": "affine_coupling", "hidden": [8]})")},
      {"glow", chain(R"({"type": "squeeze"}, {"repeat": 2, "layers": [{"type": "actnorm"}, {"type": "plu_linear"},
                        {"type": "affine_coupling", "mask": "channel", "net": {"type": "conv", "hidden": [4]}}]})",
                     "[2, 2, 1]")},
      {"vae", R"({"kind": "vae", "event": 4, "latent": 2, "likelihood": "gaussian"})"},
  };
  return all;
}

int64_t columns_of(const std::string& spec) {
  const Json event = Json::parse(spec)["event"];
  if (event.is_number()) return event;
  int64_t n = 1;
  for (const auto& d : event) n *= d.get<int64_t>();
  return n;
}

struct Rows {
  const char* name;
  std::function<Tensor(int64_t columns)> make;
};

Tensor normal(int64_t n, int64_t columns, uint64_t seed = 1) {
  const Tensor pairs = banana((n * columns + 1) / 2, seed);
  return {{n, columns}, {pairs.v.begin(), pairs.v.begin() + n * columns}};
}
template <class F>
Rows changed(const char* name, F f) {
  return {name, [f](int64_t columns) {
            Tensor t = normal(64, columns);
            for (size_t i = 0; i < t.v.size(); ++i) t.v[i] = f(i, t.v[i], static_cast<size_t>(columns));
            return t;
          }};
}

const std::vector<Rows>& bad_rows() {
  static const std::vector<Rows> all = {
      changed("a NaN", [](size_t i, float v, size_t) { return i == 5 ? std::nanf("") : v; }),
      changed("all NaN", [](size_t, float, size_t) { return std::nanf(""); }),
      changed("an infinity", [](size_t i, float v, size_t) { return i == 5 ? INFINITY : v; }),
      changed("infinities of both signs", [](size_t i, float, size_t) { return i % 3 ? INFINITY : -INFINITY; }),
      changed("a constant column", [](size_t i, float v, size_t d) { return i % d == 0 ? 3.0f : v; }),
      changed("all rows zero", [](size_t, float, size_t) { return 0.0f; }),
      changed("one row repeated", [](size_t i, float, size_t d) { return static_cast<float>(i % d) + 0.5f; }),
      changed("a scale of 1e30", [](size_t, float v, size_t) { return v * 1e30f; }),
      changed("a scale of 1e-38", [](size_t, float v, size_t) { return v * 1e-38f; }),
      changed("one column at 1e30", [](size_t i, float v, size_t d) { return i % d ? v : v * 1e30f; }),
      changed("the largest floats", [](size_t i, float, size_t) { return i % 3 ? FLT_MAX : -FLT_MAX; }),
      changed("an outlier of 1e38", [](size_t i, float v, size_t) { return i == 5 ? 1e38f : v; }),
      changed("denormal numbers", [](size_t i, float, size_t) { return i % 2 ? FLT_TRUE_MIN : -FLT_TRUE_MIN; }),
      changed("heavy tails", [](size_t, float v, size_t) { return std::tan(v * 1.2f); }),
      {"a single row", [](int64_t columns) { return normal(1, columns); }},
      {"two rows of 1e30",
       [](int64_t columns) {
         return Tensor({2, columns}, 1e30f);
       }},
  };
  return all;
}

testing::AssertionResult parameters_are_finite(nf_runtime* rt, const nf_model* m) {
  const std::vector<unsigned char> file = bytes_of(m);  // a model with a parameter that is not finite does not load
  nf_model* again = nullptr;
  Err e;
  const nf_status status = nf_model_load_memory(rt, file.data(), file.size(), nullptr, &again, &e);
  nf_model_free(again);
  return ok(status, e);
}

class Numeric : public Counted {};

TEST_F(Numeric, TrainingLeavesFiniteParameters) {
  const Options ways[] = {
      options({{"trainer.lr", "0.01"}}), options({{"trainer.optimizer", "sgd"}, {"trainer.lr", "1"}}),
      options({{"trainer.optimizer", "sgd"}, {"trainer.lr", "1000"}, {"trainer.momentum", "0.99"}}),
      options({{"trainer.optimizer", "rmsprop"}, {"trainer.centered", "true"}, {"trainer.lr", "1000"}})};
  for (const Architecture& a : architectures())
    for (const Rows& rows : bad_rows())
      for (const Options& how : ways) {
        SCOPED_TRACE(std::string(a.name) + " on " + rows.name + ", way " + std::to_string(&how - ways));
        const Model m = model(rt.get(), a.spec);
        const Trainer t = trainer(m.get(), how.get());
        const int64_t columns = columns_of(a.spec);
        Tensor x = rows.make(columns), usual = normal(64, columns);
        Err e;
        for (int k = 0; k < 6; ++k) {
          const uint64_t before = nf_model_hash(m.get());
          const nf_status status = nf_train_step(t.get(), Batch((k % 3 == 2 ? usual : x).view()), nullptr, &e);
          ASSERT_TRUE(status == NF_OK || status == NF_ERR_NUMERIC || status == NF_ERR_NOT_INVERTED ||
                      status == NF_ERR_ARGUMENT)
              << nf_status_name(status) << ": " << e.message;
          EXPECT_TRUE(status == NF_OK || k == 0 || nf_model_hash(m.get()) == before)
              << "a refused step changed the model";
          const auto finite = parameters_are_finite(rt.get(), m.get());
          EXPECT_TRUE(finite) << "after step " << k;
          if (!finite) break;
        }
      }
}

}  // namespace
}  // namespace abi_test
