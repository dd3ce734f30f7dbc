// The specs of images that come with the library: sizes, round trips in float32 of whole models, new, with random
// parameters and with steep ones, samples that score as they are drawn, and temperature through all scales.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "src/model/session.h"
#include "tests/support/brief.h"
#include "tests/support/flow_case.h"
#include "tests/support/golden.h"

namespace libnf::test {
namespace {

using SpecJson = nlohmann::ordered_json;

constexpr const char* kSpecs[] = {"mnist_simple",  "mnist_multiscale",       "glow_mnist", "glow_cifar",
                                  "realnvp_mnist", "glow_conditional_mnist", "jet_mnist",  "nsf_image"};

// Labels, where a model has a context.
Values labels(const FlowModel& m, int64_t rows) {
  Values c;
  for (int64_t i = 0; i < rows * m.context(); ++i) c.push_back(static_cast<double>(i % 10));
  return c;
}

SpecJson read_spec(const std::string& name) {
  std::ifstream in(std::string(NF_SPEC_DIR) + "/" + name + ".json");
  std::stringstream text;
  text << in.rdbuf();
  EXPECT_TRUE(in) << name;
  return SpecJson::parse(text.str());
}

// Images of two levels with soft edges, a hint of real ones, as levels 0 ... 255.
Values images(int64_t count, int64_t columns) {
  std::mt19937_64 random(11);
  std::uniform_real_distribution<double> phase(0, 6);
  Values x;
  for (int64_t i = 0; i < count; ++i) {
    const double a = phase(random), b = phase(random);
    for (int64_t j = 0; j < columns; ++j) {
      const double v = 300 * std::sin(a + 0.05 * static_cast<double>(j)) * std::cos(b + 0.3 * static_cast<double>(j));
      x.push_back(std::round(std::min(255.0, std::max(0.0, v))));
    }
  }
  return x;
}

TEST(ImageSpecs, HaveTheSizesOfTheirSources) {
  const auto trained = [](const char* name) {
    const FlowModel m(system_allocator(), parse_spec(read_spec(name).dump()), 0);
    int64_t count = 0;
    for (const ParamSlot& s : m.params().slots()) count += s.trainable ? s.shape.count() : 0;
    return count;
  };
  EXPECT_EQ(trained("mnist_simple"), 556312) << "UvA deep learning tutorial 11";
  // That of the tutorial has 1,711,818: its channel masks feed the channels that move, as zeros, and drop half of the
  // outputs. These are the weights of both.
  EXPECT_LT(trained("mnist_multiscale"), 1711818);
}

// The model without its first layer, which turns levels into numbers in (0, 1).
template <class T>
FlowCase<T> continuous(const std::string& name) {
  SpecJson spec = read_spec(name);
  spec["layers"].erase(0);
  spec["dtype"] = name_of(dtype_of<T>);
  return FlowCase<T>(parse_spec(spec.dump()));
}

TEST(ImageSpecs, InvertInFloat32) {
  int number = 0;
  for (const char* name : kSpecs)
    for (const double spread : {0.0, 0.02, 0.05}) {
      if (brief() && (spread != 0.02 || number++ % 3)) continue;
      SCOPED_TRACE(std::string(name) + ", parameters of size " + std::to_string(spread));
      FlowCase<float> f = continuous<float>(name);
      if (spread > 0) f.randomize(5, spread);
      const int64_t n = 2, d = f.model().columns();
      Values x = images(n, d);
      for (double& v : x) v = (v + 0.5) / 256;
      const Values c = labels(f.model(), n);
      const MappedValues z = f.map(false, {n, x, c});
      const MappedValues back = f.map(true, {n, z.y, c});
      double error = 0;
      for (size_t k = 0; k < x.size(); ++k) error = std::max(error, std::abs(back.y[k] - x[k]));
      EXPECT_LT(error, 1e-4);
      for (int64_t r = 0; r < n; ++r) {
        const auto k = static_cast<size_t>(r);
        EXPECT_NEAR(back.log_det[k], -z.log_det[k], 1e-4 * std::max(1.0, std::abs(z.log_det[k])));
      }
    }
}

// Levels come back exactly, and what a session samples it scores the same again.
TEST(ImageSpecs, LevelsComeBackAndSamplesScoreTheSame) {
  int number = 0;
  for (const char* name : {"mnist_simple", "mnist_multiscale", "glow_mnist", "jet_mnist"}) {
    if (brief() && number++ % 2 == 0) continue;
    SCOPED_TRACE(name);
    FlowCase<float> f(parse_spec(read_spec(name).dump()));
    f.randomize(3, 0.02);
    const int64_t n = 2, d = f.model().columns();
    const Values x = images(n, d);
    EXPECT_EQ(f.map(true, {n, f.map(false, {n, x, {}}).y, {}}).y, x);

    Executor two(2);
    Session s(system_allocator(), two, f.model(), {NonFinite::propagate, 2, 0});
    Values drawn(static_cast<size_t>(n * d)), lp(static_cast<size_t>(n)), again = lp, cold = drawn, mean = drawn;
    const auto view = [](Values& v, const Dims& shape) { return contiguous_view(v.data(), DType::f64, shape); };
    s.sample({9, 0}, View{}, view(drawn, {n, d}), view(lp, {n}));
    for (const double v : drawn) ASSERT_TRUE(v == std::round(v) && v >= 0 && v <= 255) << v;
    s.log_prob(view(drawn, {n, d}), View{}, view(again, {n}));
    EXPECT_TRUE(same_bits(again, lp));
    // Samples at temperature 0 are what the latents' mean decodes to, at every scale.
    Session::Sampling how{9, 0};
    how.temperature = 0;
    s.sample(how, View{}, view(cold, {n, d}), View{});
    Values zero(static_cast<size_t>(n * d));
    s.map(true, view(zero, {n, d}), View{}, view(mean, {n, d}), View{});
    EXPECT_EQ(cold, mean);
  }
}

}  // namespace
}  // namespace libnf::test
