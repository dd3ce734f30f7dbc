// The layer "noise": nothing outside of training; in training normal noise of the given size, whose scale varies by row
// with "spread", new in every step and a function of the row's number alone.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/flow_case.h"

namespace libnf::test {
namespace {

constexpr int64_t kRows = 4000, kColumns = 5;

ModelSpec spec_of(const std::string& fields) {
  return parse_spec(R"({"event": [5], "dtype": "float64", "layers": [{"type": "noise")" + fields + "}]}");
}

// What a training step makes of rows of zeros: the noise itself.
Values noise_of(const std::string& fields, uint64_t step, int64_t first = 0, int64_t rows = kRows, uint64_t seed = 3) {
  const FlowModel model(system_allocator(), spec_of(fields), 1);
  Tape t(system_allocator(), DType::f64, size_t{1} << 22);
  t.training = true;
  t.random = RandomKey{seed, step, first, 0};
  std::vector<Node> nodes(model.params().slots().size() + 1);
  model.params().bind(nodes.data(), nullptr, nullptr);
  const Mapped m = model.forward({t, nodes.data()}, t.zeros({rows, kColumns}), nullptr);
  EXPECT_EQ(m.log_det, nullptr);
  return values_of<double>(m.y->out);
}

struct Moments {
  double mean = 0, std = 0;
};
Moments moments_of(const Values& v) {
  Moments m;
  for (double x : v) m.mean += x / static_cast<double>(v.size());
  for (double x : v) m.std += (x - m.mean) * (x - m.mean) / static_cast<double>(v.size());
  m.std = std::sqrt(m.std);
  return m;
}

TEST(NoiseLayer, LeavesRowsAloneOutsideOfTraining) {
  FlowCase<double> f(spec_of(R"(, "std": 2, "spread": 1)"));
  const Rows2 in{2, {1, 2, 3, 4, 5, -1, 0, 1e6, 1e-6, 7}, {}};
  for (const bool inverse : {false, true}) {
    const MappedValues out = f.map(inverse, in);
    EXPECT_TRUE(same_bits(out.y, in.x));
    EXPECT_EQ(out.log_det, Values(2, 0.0));
  }
}

TEST(NoiseLayer, HasTheGivenSize) {
  const Moments m = moments_of(noise_of(R"(, "std": 0.5)", 1));
  EXPECT_NEAR(m.mean, 0, 0.02);  // 0.5 / sqrt(20,000) = 0.0035
  EXPECT_NEAR(m.std, 0.5, 0.02);
}

// log of |row| = log s + log of a chi variable with 5 degrees of freedom, whose logarithm has deviation 0.350.
TEST(NoiseLayer, SpreadVariesTheSizeByRow) {
  for (const double spread : {0.0, 1.0}) {
    const Values v = noise_of(R"(, "std": 0.3, "spread": )" + std::to_string(spread), 1);
    Values logs;
    for (int64_t r = 0; r < kRows; ++r) {
      double square = 0;
      for (int64_t j = 0; j < kColumns; ++j) square += std::pow(v[static_cast<size_t>(r * kColumns + j)], 2);
      logs.push_back(std::log(square) / 2);
    }
    const Moments m = moments_of(logs);
    EXPECT_NEAR(m.mean, std::log(0.3) + 0.698, 0.06);  // (psi(5/2) + log 2) / 2
    EXPECT_NEAR(m.std, std::hypot(spread, 0.350), 0.03);
  }
}

TEST(NoiseLayer, IsNewInEveryStepAndAFunctionOfTheRowsNumber) {
  const std::string fields = R"(, "std": 0.3, "spread": 1)";
  const Values all = noise_of(fields, 7, 0, 20);
  const Values part = noise_of(fields, 7, 10, 5);
  EXPECT_TRUE(same_bits(part, Values(all.begin() + 10 * kColumns, all.begin() + 15 * kColumns)));
  EXPECT_FALSE(same_bits(all, noise_of(fields, 8, 0, 20)));
  EXPECT_FALSE(same_bits(all, noise_of(fields, 7, 0, 20, 4)));
}

TEST(NoiseLayer, GradientsPassThrough) {
  FlowCase<double> f(spec_of(R"(, "std": 2)"));
  const Rows2 in{1, {1, 2, 3, 4, 5}, {}};
  EXPECT_EQ(f.gradients(false, in, {{1, 2, 3, 4, 5}, {0}}).x, Values({1, 2, 3, 4, 5}));
}

}  // namespace
}  // namespace libnf::test
