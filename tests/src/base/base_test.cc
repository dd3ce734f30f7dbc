// Base distributions: log-densities against closed forms in double, moments and independence of samples, the same
// samples for the same key however rows are split, and gradients against five-point differences, of samples too.
#include <gtest/gtest.h>

#include <cmath>

#include "src/base/base.h"
#include "src/model/flow_model.h"
#include "tests/support/flow_case.h"

namespace nf::test {
namespace {

std::string spec(const char* base, DType dtype, int64_t event) {
  return "{\"event\": [" + std::to_string(event) + "], \"base\": \"" + base + "\", \"dtype\": \"" + name_of(dtype) +
         "\", \"layers\": []}";
}

constexpr double kLoc[] = {0.5, -2, 3}, kLogScale[] = {-1, 0, 0.7};

// log N(z; loc, exp(log_scale)) summed over the columns of row r.
double normal_density(const Values& z, size_t r, size_t d, bool standard) {
  double sum = 0;
  for (size_t j = 0; j < d; ++j) {
    const double scale = standard ? 0 : kLogScale[j], u = (z[r * d + j] - (standard ? 0 : kLoc[j])) * std::exp(-scale);
    sum += -0.5 * u * u - scale - 0.5 * std::log(2 * M_PI);
  }
  return sum;
}

template <class T>
class BaseTest : public testing::Test {
 protected:
  static constexpr int64_t kEvent = 3;
  // A model without layers: only the base is left. Columns of "diagonal_normal" get kLoc and kLogScale.
  static FlowCase<T> make(const char* base) {
    FlowCase<T> f(parse_spec(spec(base, dtype_of<T>, kEvent)));
    const ParamStore& params = f.model().params();
    for (int64_t j = 0; j < kEvent && !params.slots().empty(); ++j) {
      f.param(static_cast<size_t>(params.find("base.loc")))[j] = static_cast<T>(kLoc[j]);
      f.param(static_cast<size_t>(params.find("base.log_scale")))[j] = static_cast<T>(kLogScale[j]);
    }
    return f;
  }
  static Values sample(FlowCase<T>& f, uint64_t seed, int64_t first, int64_t rows) {
    Tape t(system_allocator(), dtype_of<T>);
    t.recording = false;
    t.random.seed = seed;
    t.random.first_row = first;
    std::vector<Node> nodes(f.model().params().slots().size());
    f.model().params().bind(nodes.data(), nullptr, nullptr);
    return values_of<T>(f.model().base().sample({t, nodes.data()}, rows, nullptr)->out);
  }
};

using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(BaseTest, Types);

TYPED_TEST(BaseTest, DensityIsTheClosedForm) {
  std::mt19937_64 random(1);
  const Rows2 in{50, draw_normal(150, random), {}};
  for (const char* base : {"normal", "diagonal_normal"}) {
    auto f = this->make(base);
    const Values got = f.log_prob(in);
    for (size_t r = 0; r < 50; ++r) {
      const double want = normal_density(in.x, r, 3, std::string(base) == "normal");
      EXPECT_NEAR(got[r], want, (sizeof(TypeParam) == 8 ? 1e-12 : 1e-5) * std::max(1.0, std::abs(want))) << base;
    }
  }
}

// Within five standard errors of mean, variance and correlation: fixed seeds, so this passes always or never.
TYPED_TEST(BaseTest, SamplesHaveTheRightMoments) {
  constexpr int64_t n = 20000;
  const double root = std::sqrt(static_cast<double>(n));
  for (const char* base : {"normal", "diagonal_normal"}) {
    auto f = this->make(base);
    const Values v = this->sample(f, 11, 0, n);
    Values u(v.size());
    for (size_t k = 0; k < v.size(); ++k) {
      const bool standard = std::string(base) == "normal";
      u[k] = standard ? v[k] : (v[k] - kLoc[k % 3]) * std::exp(-kLogScale[k % 3]);
    }
    for (size_t a = 0; a < 3; ++a) {
      double mean = 0, cube = 0, cross[3] = {0, 0, 0};
      for (size_t r = 0; r < n; ++r) {
        mean += u[r * 3 + a];
        cube += std::pow(u[r * 3 + a], 3);
        for (size_t b = 0; b < 3; ++b) cross[b] += u[r * 3 + a] * u[r * 3 + b];
      }
      EXPECT_LT(std::abs(mean) / root, 5) << base << " column " << a;
      EXPECT_LT(std::abs(cube) / root, 5 * std::sqrt(15.0)) << base << " column " << a;
      for (size_t b = 0; b < 3; ++b)
        EXPECT_LT(std::abs(cross[b] - (a == b ? n : 0)) / root, a == b ? 5 * std::sqrt(2.0) : 5) << base << a << b;
    }
  }
}

TYPED_TEST(BaseTest, SamplesDependOnSeedAndIndexOnly) {
  for (const BaseKind* kind : base_kinds()) {
    auto f = this->make(kind->name);
    const Values all = this->sample(f, 5, 0, 100);
    EXPECT_TRUE(same_bits(this->sample(f, 5, 0, 100), all)) << kind->name;
    EXPECT_FALSE(same_bits(this->sample(f, 6, 0, 100), all)) << kind->name;
    for (const auto& [first, rows] : {std::pair<int64_t, int64_t>{0, 1}, {1, 99}, {37, 20}, {99, 1}, {50, 0}})
      EXPECT_TRUE(same_bits(this->sample(f, 5, first, rows), (Rows2{100, all, {}}.part(first, rows).x))) << kind->name;
    const Values far = this->sample(f, 5, int64_t{1} << 40, 2);
    EXPECT_TRUE(same_bits(this->sample(f, 5, (int64_t{1} << 40) + 1, 1), (Rows2{2, far, {}}.part(1, 1).x)));
  }
}

// Of sum(cot log p(z)) and of sum(cot sample), with respect to z and every parameter.
TEST(BaseGradients, AgreeWithDifferences) {
  constexpr int64_t rows = 4, event = 3;
  for (const BaseKind* kind : base_kinds())
    for (const bool sampling : {false, true}) {
      SCOPED_TRACE(std::string(kind->name) + (sampling ? " sample" : " log_prob"));
      FlowCase<double> f(parse_spec(spec(kind->name, DType::f64, event)));
      f.randomise(3, 0.4);
      ParamStore& params = f.model().params();
      std::mt19937_64 random(4);
      Values z = draw_normal(rows * event, random);
      const Values cot = draw_normal(rows * event, random);
      Buffer grads(system_allocator(), static_cast<size_t>(params.trainable_size()) * sizeof(double) + 64, "gradients");
      std::vector<Node> nodes(params.slots().size());
      Tape t(system_allocator(), DType::f64);
      Var x = nullptr;
      const auto run = [&] {
        params.bind(nodes.data(), grads.data(), nullptr);
        t.random = {};
        x = t.input(contiguous_view(z.data(), DType::f64, {rows, event}), true);
        const Scope s{t, nodes.data()};
        return sampling ? f.model().base().sample(s, rows, nullptr) : f.model().base().log_prob(s, x, nullptr);
      };
      const auto loss = [&] {
        const TapeScope scope(t);
        const Values v = values_of<double>(run()->out);
        double sum = 0;
        for (size_t k = 0; k < v.size(); ++k) sum += cot[k] * v[k];
        return Values{sum};
      };
      const auto difference = [&](double& p) {
        const double start = p;
        const double d = five_point(1e-3, {1.0}, [&](double h) {
          p = start + h;
          return loss();
        });
        p = start;
        return d;
      };
      Var y = run();
      if (!y->needs_grad) continue;  // samples of a base without parameters
      const View g = t.grad(*y);
      for (int64_t k = 0; k < g.count(); ++k) g.as<double>()[k] = cot[static_cast<size_t>(k)];
      t.backward();
      std::vector<Values> got;
      for (Node& n : nodes) got.push_back(values_of<double>(t.grad(n)));
      if (!sampling) {
        const Values gx = values_of<double>(t.grad(*x));
        for (size_t k = 0; k < z.size(); ++k) EXPECT_NEAR(gx[k], difference(z[k]), 1e-6) << "z " << k;
      }
      for (size_t i = 0; i < got.size(); ++i)
        for (size_t k = 0; k < got[i].size(); ++k)
          EXPECT_NEAR(got[i][k], difference(f.param(i)[k]), 1e-6) << params.slots()[i].name << " " << k;
    }
}

}  // namespace
}  // namespace nf::test
