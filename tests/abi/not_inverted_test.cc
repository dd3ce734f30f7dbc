// Inverses that miss their tolerance: NF_ERR_NOT_INVERTED with the layer and the row, from sessions and trainers, which
// remain usable.
#include <cmath>

#include "tests/abi/abi_support.h"

namespace abi_test {
namespace {

// `direction` selects the direction found by iteration: "" is sampling, "\"invert\": true, " is scoring.
std::string spec(const std::string& direction, const char* limits) {
  return R"({"event": [2], "layers": [{"type": "reverse"}, {"type": "planar", )" + direction + limits + "}]}";
}
constexpr char kHard[] = R"("max_iterations": 1)";
constexpr char kInverted[] = R"("invert": true, )";

class NotInverted : public testing::Test {
 protected:
  // With b = 0, one iteration solves for zeros but not for (1.7, 2.1).
  Model planar(const std::string& direction) {
    Model m = model(rt.get(), spec(direction, R"("max_iterations": 1, "tolerance": 1e-3)"));
    Tensor p({5}, {3, 1, 0.8f, -0.6f, 0});
    EXPECT_TRUE(ok(nf_model_set_tensor(m.get(), "layers.1.parameters", p.view(), &e), e));
    return m;
  }
  static void put(Tensor& x, size_t row, float a, float b) {
    x.v[2 * row] = a;
    x.v[2 * row + 1] = b;
  }
  Runtime rt = runtime();
  Err e;
};

TEST_F(NotInverted, ScoringNamesLayerAndRow) {
  const Model m = model(rt.get(), spec(kInverted, kHard));
  const Session s = session(m.get());
  Tensor x = banana(300), out({300}), z({300, 2});
  for (float& v : x.v) v = 0;  // w.0 + b is not 0 after a single step
  const nf_status status = nf_log_prob(s.get(), x.view(), nullptr, out.view(), &e);
  EXPECT_TRUE(failed(NF_ERR_NOT_INVERTED, status, e, "spec.layers[1] (planar)"));
  EXPECT_TRUE(failed(NF_ERR_NOT_INVERTED, status, e, "row "));
  EXPECT_TRUE(failed(NF_ERR_NOT_INVERTED, status, e, "max_iterations"));
  EXPECT_TRUE(ok(nf_inverse(s.get(), x.view(), nullptr, z.view(), nullptr, &e), e)) << "the other direction is closed";
  EXPECT_TRUE(ok(nf_sample(s.get(), Sampling(1, 0), nullptr, z.view(), out.view(), &e), e));
  for (float v : z.v) EXPECT_TRUE(std::isfinite(v));
}

// Only some rows miss the tolerance; the row that is named is one of them, whatever block it is in.
TEST_F(NotInverted, TheRowIsThatOfTheCall) {
  const Model m = planar(kInverted);
  const Session s = session(m.get());
  Tensor x({300, 2}), out({300});
  ASSERT_TRUE(ok(nf_log_prob(s.get(), x.view(), nullptr, out.view(), &e), e)) << "zeros are solved in one iteration";
  const std::vector<float> good = out.v;
  put(x, 217, 1.7f, 2.1f);
  EXPECT_TRUE(failed(NF_ERR_NOT_INVERTED, nf_log_prob(s.get(), x.view(), nullptr, out.view(), &e), e, "row 217 "));
  put(x, 217, 0, 0);
  ASSERT_TRUE(ok(nf_log_prob(s.get(), x.view(), nullptr, out.view(), &e), e));
  EXPECT_TRUE(same_bits(out.v, good)) << "the session is unchanged";
}

TEST_F(NotInverted, SamplingNamesTheSample) {
  const Model m = model(rt.get(), spec("", kHard));
  const Session s = session(m.get());
  Tensor x({5, 2}), out({5});
  EXPECT_TRUE(
      failed(NF_ERR_NOT_INVERTED, nf_sample(s.get(), Sampling(1, 1000), nullptr, x.view(), nullptr, &e), e, "row 100"));
  EXPECT_TRUE(ok(nf_log_prob(s.get(), x.view(), nullptr, out.view(), &e), e));
}

TEST_F(NotInverted, SylvesterNamesItTheSameWay) {
  for (const char* basis : {"orthogonal", "householder", "triangular"}) {
    const std::string layer = R"({"type": "sylvester", "max_iterations": 1, "basis": ")" + std::string(basis) + "\"}";
    const Model m = model(rt.get(), R"({"event": [3], "layers": [)" + layer + "]}");
    const Session s = session(m.get());
    Tensor x({300, 3}, 0.7f), z({300, 3});
    EXPECT_TRUE(ok(nf_forward(s.get(), x.view(), nullptr, z.view(), nullptr, &e), e));
    const nf_status status = nf_inverse(s.get(), z.view(), nullptr, x.view(), nullptr, &e);
    EXPECT_TRUE(failed(NF_ERR_NOT_INVERTED, status, e, "spec.layers[0] (sylvester): row ")) << basis;
  }
}

// The same where the error passes through a layer that runs for its values only.
TEST_F(NotInverted, TrainingChangesNothing) {
  for (const char* memory : {"full", "recompute"}) {
    const Model m = planar(kInverted);
    const Trainer t = trainer(m.get(), options({{"trainer.memory", memory}}).get());
    Tensor x({200, 2});
    const uint64_t before = nf_model_hash(m.get());
    put(x, 150, 1.7f, 2.1f);
    nf_step_info step = NF_STEP_INFO_INIT;
    EXPECT_TRUE(failed(NF_ERR_NOT_INVERTED, nf_train_step(t.get(), Batch(x.view()), &step, &e), e, "row 150 "));
    EXPECT_EQ(nf_model_hash(m.get()), before) << "the refused step was applied";
    EXPECT_EQ(nf_trainer_step_count(t.get()), 0u);
    put(x, 150, 0, 0);
    ASSERT_TRUE(ok(nf_train_step(t.get(), Batch(x.view()), &step, &e), e));
    EXPECT_EQ(step.step, 1u);
    EXPECT_NE(nf_model_hash(m.get()), before) << "gradients are recorded again";
  }
}

TEST_F(NotInverted, LimitsAreKeptInTheFile) {
  const Model m = model(rt.get(), spec("", R"("max_iterations": 7, "tolerance": 1e-5)"));
  const std::string text = nf_model_spec(m.get());
  EXPECT_NE(text.find("\"max_iterations\":7"), std::string::npos) << text;
  EXPECT_NE(text.find("\"tolerance\":1e-"), std::string::npos) << text;
}

}  // namespace
}  // namespace abi_test
