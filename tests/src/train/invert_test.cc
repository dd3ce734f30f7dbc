// Training with memory = invert: the steps of the whole graph, the same bits for any number of threads and after a restart,
// and inputs that cannot be rebuilt are kept from then on.
#include <gtest/gtest.h>

#include "src/io/byte_sink.h"
#include "src/train/checkpoint.h"
#include "tests/src/train/training.h"

namespace libnf::test {
namespace {

constexpr char kDeep[] = R"({"event": [3], "context": 1, "layers": [{"repeat": 6, "layers": [
  {"type": "actnorm"}, {"type": "lu_linear"},
  {"type": "affine_coupling", "net": {"type": "mlp", "hidden": [16], "dropout": 0.1}},
  {"type": "spline_coupling", "net": {"type": "mlp", "hidden": [16]}}, {"type": "reverse"}]}]})";

// Of numbers around 12 a sigmoid in float32 keeps three digits, and none of those above 17.
constexpr char kFlat[] = R"({"event": [3], "context": 1, "layers": [
  {"type": "elementwise_affine"}, {"type": "lu_linear"}, {"type": "sigmoid"}, {"type": "logit"},
  {"type": "affine_coupling", "net": {"type": "mlp", "hidden": [8]}}, {"type": "reverse"}]})";

std::string spec_of(const char* spec, const char* dtype) {
  std::string s = spec;
  return s.insert(1, std::string("\"dtype\": \"") + dtype + "\", ");
}

TrainerConfig with(Memory memory, TrainerConfig c = adam()) {
  c.memory = memory;
  return c;
}

TEST(InvertTraining, StepsAreThoseOfTheWholeGraph) {
  for (const char* dtype : {"float64", "float32"}) {
    const std::string spec = spec_of(kDeep, dtype);
    Training full(spec.c_str(), with(Memory::full)), again(spec.c_str(), with(Memory::invert));
    Data data(400);
    const double tolerance = dtype == std::string("float64") ? 1e-9 : 1e-4;
    full.steps(data, 5, 200);
    again.steps(data, 5, 200);
    EXPECT_NEAR(again.last.loss, full.last.loss, tolerance);
    EXPECT_NEAR(again.last.grad_norm, full.last.grad_norm, tolerance * std::max(1.0, full.last.grad_norm));
    EXPECT_GT(again.last.drift.worst, 0);
    EXPECT_LT(again.last.drift.worst, dtype == std::string("float64") ? 1e-9 : 1e-4);
    EXPECT_EQ(again.last.kept_inputs, 0u);
    EXPECT_EQ(full.last.drift.worst, 0);
    EXPECT_LT(again.trainer.bytes(), full.trainer.bytes());
  }
}

// One step of plain descent shows the gradient itself.
TEST(InvertTraining, GradientsInFloat32AreThoseOfTheWholeGraph) {
  const std::string spec = spec_of(kDeep, "float32");
  Data data(400);
  const auto gradient = [&](Memory memory) {
    Training before(spec.c_str(), with(memory, descent())), after(spec.c_str(), with(memory, descent()));
    before.steps(data, 1, 200);  // initializes from data, and leaves the identity
    after.steps(data, 2, 200);
    const Values from = before.params(), to = after.params();
    Values g;
    for (size_t k = 0; k < from.size(); ++k) g.push_back(to[k] - from[k]);
    return g;
  };
  const Values full = gradient(Memory::full), again = gradient(Memory::invert);
  const double size = largest(full);
  EXPECT_GT(size, 1e-3);
  for (size_t k = 0; k < full.size(); ++k) EXPECT_NEAR(again[k], full[k], 1e-4 * size) << k;
}

TEST(InvertTraining, ThreadsDoNotChangeBits) {
  Data data(900);
  for (const char* spec : {kDeep, kFlat}) {
    const auto run = [&](uint32_t threads) {
      Training t(spec, with(Memory::invert), threads);
      for (double& v : data.x) v = std::round(v * 1024) / 1024;
      t.steps(data, 4, 700);
      return std::pair(t.hash(), t.trainer.kept_inputs());
    };
    EXPECT_EQ(run(1), run(3));
  }
}

// Rows far out, where the sigmoid is flat.
struct Far : Data {
  explicit Far(int64_t n) : Data(n) {
    for (double& v : x) v = 6 * v + 12;
  }
};

TEST(InvertTraining, InputsThatDriftAreKept) {
  Far data(300);
  const TrainerConfig plain = with(Memory::full, descent());
  Training full(kFlat, plain), again(kFlat, with(Memory::invert, plain));
  full.steps(data, 1, 300);
  again.steps(data, 1, 300);
  // The sigmoid's input is kept; what lies before it is rebuilt from there.
  EXPECT_EQ(again.trainer.kept_inputs(), std::vector<int64_t>{2});
  EXPECT_EQ(again.last.kept_inputs, 1u);
  EXPECT_LT(again.last.drift.worst, 1e-4);
  const Values a = full.params(), b = again.params();
  for (size_t k = 0; k < a.size(); ++k) EXPECT_NEAR(b[k], a[k], 1e-4 * std::max(1.0, std::abs(a[k]))) << k;
  // With a bound that nothing keeps, every input but the first is.
  TrainerConfig strict = with(Memory::invert);
  strict.drift = 1e-30;
  Training all(kDeep, strict);
  Data near(100);
  all.steps(near, 1, 100);
  EXPECT_GT(all.trainer.kept_inputs().size(), 20u);
}

TEST(InvertTraining, ARestartKeepsTheSameInputs) {
  Far data(400);
  Training straight(kFlat, with(Memory::invert)), first(kFlat, with(Memory::invert)),
      second(kFlat, with(Memory::invert));
  straight.steps(data, 6, 100);
  first.steps(data, 3, 100);
  MemorySink file;
  write_checkpoint(file, first.model, {}, first.trainer);
  Notes notes;
  read_checkpoint(file.bytes(), second.model, notes, second.trainer);
  EXPECT_EQ(second.trainer.kept_inputs(), first.trainer.kept_inputs());
  EXPECT_FALSE(second.trainer.kept_inputs().empty());
  second.steps(data, 3, 100);
  EXPECT_EQ(second.hash(), straight.hash());
}

// All ranks run a step again if one of them has to.
TEST(InvertTraining, RanksStayTogether) {
  Data near(200);
  Far far(200);
  Meeting meeting(2);
  Training one(kFlat, with(Memory::invert), 1, meeting.rank(0)), two(kFlat, with(Memory::invert), 1, meeting.rank(1));
  std::thread other([&] { two.steps(far, 3, 100); });
  one.steps(near, 3, 100);
  other.join();
  EXPECT_EQ(one.hash(), two.hash());
  EXPECT_FALSE(two.trainer.kept_inputs().empty());
}

}  // namespace
}  // namespace libnf::test
