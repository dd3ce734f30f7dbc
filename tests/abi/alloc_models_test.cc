// Running out of memory in the lives of all kinds of models and objectives: create, steps, checkpoints, scores, samples.
// NF_LONG=1 fails every allocation, otherwise every eleventh of them fails.
#include <nlohmann/json.hpp>

#include "tests/abi/alloc_hooks.h"

namespace abi_test {
namespace {

using Memory = Counted;

constexpr char kFlow[] = R"({"event": 2, "layers": [{"type": "actnorm"}, {"type": "affine_coupling", "hidden": [4]}]})";
constexpr char kVae[] = R"({"kind": "vae", "event": 2, "latent": 2, "encoder": {"type": "mlp", "hidden": [3]},
  "decoder": {"type": "mlp", "hidden": [3]}, "likelihood": "gaussian", "posterior": {"features": 1, "layers": [{"type": "planar"}]}})";
constexpr char kGlow[] = R"({"event": [2, 2, 1], "layers": [{"type": "dequantize", "levels": 256}, {"type": "logit"},
  {"type": "squeeze"}, {"type": "actnorm"}, {"type": "plu_linear"},
  {"type": "affine_coupling", "mask": "channel", "net": {"type": "conv", "hidden": [2]}},
  {"type": "split", "layers": [{"type": "actnorm"}]}]})";

int64_t stride() { return std::getenv("NF_LONG") ? 1 : 11; }

// The life of a model. All that the test itself needs is allocated before the library runs out of memory.
struct Life {
  Life(const char* model, const std::string& objective_name, const nf_target* u1, Tensor data, const TempDir& dir)
      : spec(model),
        objective(objective_name),
        path(dir / "c.safetensors"),
        x(std::move(data)),
        lp({x.view()->shape[0]}),
        drawn({5, x.view()->shape[1]}) {
    const bool variational = objective == "elbo" || objective == "iwae";
    if (!variational && objective != "nll") target = u1;
    rows = objective == "nll" || objective == "symmetric" || objective == "fisher" || variational;
  }
  nf_status operator()(nf_runtime* rt, nf_error* err) {
    nf_options* o = nullptr;
    nf_model *m = nullptr, *loaded = nullptr;
    nf_trainer* t = nullptr;
    nf_session* s = nullptr;
    nf_status status = nf_options_create(&o, err);
    if (status == NF_OK) status = nf_options_set(o, "trainer.objective", objective.c_str(), err);
    if (status == NF_OK) status = nf_model_create(rt, spec, NF_TEXT, 1, &m, err);
    if (status == NF_OK) status = nf_trainer_create(m, o, nullptr, &t, err);
    if (status == NF_OK && target) status = nf_trainer_set_target(t, target, err);
    for (int k = 0; k < 2; ++k)
      if (status == NF_OK) status = nf_train_step(t, Batch(rows ? &x.borrowed() : nullptr), nullptr, err);
    if (status == NF_OK) status = nf_trainer_save(t, path.c_str(), err);
    if (status == NF_OK) status = nf_trainer_restore(t, path.c_str(), err);
    if (status == NF_OK) status = nf_model_load(rt, path.c_str(), nullptr, &loaded, err);
    if (status == NF_OK) status = nf_session_create(loaded, nullptr, &s, err);
    if (status == NF_OK) status = nf_log_prob(s, x.borrowed(), nullptr, lp.view(), err);
    if (status == NF_OK) status = nf_sample(s, nullptr, nullptr, drawn.view(), nullptr, err);
    nf_session_free(s);
    nf_trainer_free(t);
    nf_model_free(loaded);
    nf_model_free(m);
    nf_options_free(o);
    return status;
  }
  const char* spec;
  std::string objective, path;
  const nf_target* target = nullptr;
  bool rows = true;
  Tensor x, lp, drawn;
};

TEST_F(Memory, RunningOutWithEveryObjective) {
  const TempDir dir;
  const Target u1 = target(rt.get(), "u1");
  int objectives = 0;
  for (const auto& option : nlohmann::json::parse(nf_options_describe())) {
    if (option["name"] != "trainer.objective") continue;
    for (const std::string objective : option["choices"]) {
      ++objectives;
      Life life(objective == "elbo" || objective == "iwae" ? kVae : kFlow, objective, u1.get(), banana(20), dir);
      out_of_memory(
          objective.c_str(), allocator, [&](nf_error* err) { return life(rt.get(), err); }, stride());
    }
  }
  EXPECT_GE(objectives, 7);
}

TEST_F(Memory, RunningOutWithImages) {
  const TempDir dir;
  Tensor x({20, 4});
  for (size_t i = 0; i < x.v.size(); ++i) x.v[i] = static_cast<float>(i * 37 % 256);
  Life life(kGlow, "nll", nullptr, x, dir);
  out_of_memory(
      "an image model", allocator, [&](nf_error* err) { return life(rt.get(), err); }, stride());
}

}  // namespace
}  // namespace abi_test
