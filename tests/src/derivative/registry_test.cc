// Derivatives by rows and contexts of every layer of the registry in random configurations, every base, and every spec
// that comes with the library: nf_log_prob_grad and nf_vjp against differences, nf_vjp and nf_jvp against each other, and
// rows independent to the bit.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "tests/src/base/base_case.h"
#include "tests/support/derivative_check.h"
#include "tests/support/layer_suite.h"

namespace libnf::test {
namespace {

const uint64_t kSome = brief() ? 4 : 12;  // configurations per layer
constexpr int64_t kRows = 4;
const int64_t kManyRows = brief() ? 9 : 19;

bool finite(const Values& v) {
  return std::all_of(v.begin(), v.end(), [](double x) { return std::isfinite(x); });
}

class LayerDerivative : public LayerSuite {
 protected:
  // body(spec, inverted, seed)
  template <class Body>
  void for_cases(const Body& body) {
    for (uint64_t i = 0; i < kSome && !HasFailure(); ++i)
      for (const Dims& event : events(i)) {
        const int64_t d = event.count(), context = (static_cast<int64_t>(i) + d) % 2 ? 3 : 0;
        const std::string spec = random_spec(kind(), 70000 + 100 * i + static_cast<uint64_t>(d), event, context);
        for (const bool inverted : directions(spec)) {
          SCOPED_TRACE(describe(spec, inverted));
          body(spec, inverted, i);
          if (HasFailure()) return;
        }
      }
  }
  // Rows for both directions; those of the inverse may be none, where random parameters take values out of range.
  template <class T>
  DerivativeCase make(FlowCase<double>& f, bool inverted, uint64_t seed, int64_t rows) {
    std::mt19937_64 random(seed);
    const int64_t d = f.model().columns(), context = f.model().context();
    const Domain from = domain(inverted), to = inverted ? kind().domain : kind().image;
    DerivativeCase c{f, draw_mild(from, rows, d, context, random), draw_mild(to, rows, d, context, random)};
    if (!finite(f.map(false, c.x).y)) f.randomize(seed, 0.1);
    const MappedValues m = f.map(true, c.z);
    if (!finite(m.y) || !finite(m.log_det)) c.z = {0, {}, {}};
    return c;
  }
};

TEST_P(LayerDerivative, SlopesAgreeWithDifferences) {
  if (draws(kind())) return;  // it rounds its rows: Dequantized in session_test.cc
  int64_t all = 0, out_of_range = 0;
  for_cases([&](const std::string& spec, bool inverted, uint64_t seed) {
    FlowCase<double> f = make_case<double>(spec, inverted, seed);
    const DerivativeCase c = make<double>(f, inverted, seed, kRows);
    ++all;
    if (!finite(f.log_prob(c.x))) {
      ++out_of_range;
      return;
    }
    EXPECT_TRUE(slopes_agree(c, seed));
  });
  EXPECT_LE(20 * out_of_range, all);
}

TEST_P(LayerDerivative, PullsAndPushesAreAdjoint) {
  for_cases([&](const std::string& spec, bool inverted, uint64_t seed) {
    FlowCase<double> f = make_case<double>(spec, inverted, seed);
    const DerivativeCase c = make<double>(f, inverted, seed, kRows);
    if (!finite(f.log_prob(c.x))) return;
    EXPECT_TRUE(adjoint(c, seed));
  });
}

TEST_P(LayerDerivative, RowsAreIndependent) {
  for_cases([&](const std::string& spec, bool inverted, uint64_t seed) {
    FlowCase<double> f = make_case<double>(spec, inverted, seed);
    const DerivativeCase c = make<double>(f, inverted, seed, kManyRows);
    if (brief() && seed > 0) return;
    EXPECT_TRUE(rows_independent<double>(f.model(), c.x, c.z, seed));
    FlowCase<float> single = make_case<float>(spec, inverted, seed);
    if (brief() && inverted) return;
    EXPECT_TRUE(rows_independent<float>(single.model(), c.x, {0, {}, {}}, seed)) << "float32";
  });
}

NF_EVERY_LAYER(LayerDerivative);

TEST(BaseDerivative, AgreeWithDifferencesAndAreAdjointAndIndependent) {
  for (const BaseSetup& b : kBaseSetups)
    for (const int64_t event : {3, 1}) {
      SCOPED_TRACE(std::string(b.json) + " " + std::to_string(event));
      FlowCase<double> f(base_spec(b, DType::f64, event));
      f.randomize(3, 0.4);
      std::mt19937_64 random(4);
      // Of every base that has a bounded support, these rows are inside.
      Rows2 in{kManyRows, draw(Domain::unit, kManyRows * event, random), draw_context(b, kManyRows, 5)};
      for (double& v : in.x) v = 0.1 + 0.5 * v;
      EXPECT_TRUE(rows_independent<double>(f.model(), in, in, 6));
      in = in.part(0, kRows);
      const DerivativeCase c{f, in, in, b.labels == BaseSetup::none};
      EXPECT_TRUE(slopes_agree(c, 7));
      EXPECT_TRUE(adjoint(c, 8));
    }
}

TEST(ShippedSpecDerivative, AgreeWithDifferencesAndAreAdjointAndIndependent) {
  std::set<std::filesystem::path> files;
  for (const auto& file : std::filesystem::directory_iterator(NF_SPEC_DIR))
    if (file.path().extension() == ".json") files.insert(file.path());
  int count = 0, all = 0;
  for (const std::filesystem::path& file : files) {
    if (all++ % 5 && brief()) continue;
    SCOPED_TRACE(file.filename().string());
    std::ifstream in(file);
    std::stringstream text;
    text << in.rdbuf();
    if (parse_spec(text.str()).event.rank == 3) continue;  // images: tests/src/model/image_specs_test.cc
    FlowCase<double> f(variant(text.str(), DType::f64, false));
    f.randomize(1, 0.05);
    std::mt19937_64 random(2);
    const int64_t d = f.model().columns(), context = f.model().context();
    const Rows2 x = draw_mild(Domain::real, kManyRows, d, context, random);
    Rows2 z = x;
    z.x = f.map(false, x).y;
    const DerivativeCase c{f, x.part(0, 3), z.part(0, 3)};
    EXPECT_TRUE(slopes_agree(c, 3));
    EXPECT_TRUE(adjoint(c, 4));
    FlowCase<float> single(variant(text.str(), DType::f32, false));
    single.randomize(1, 0.05);
    EXPECT_TRUE(rows_independent<float>(single.model(), x, z, 5));
    ++count;
  }
  EXPECT_GT(count, brief() ? 1 : 10);
}

}  // namespace
}  // namespace libnf::test
