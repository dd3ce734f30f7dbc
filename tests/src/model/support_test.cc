// log_prob of a finite row is finite or -infinity: for every layer in both directions, every base, the shipped specs and
// random chains, at and beyond the edges of domains and up to the largest number. NaN with another cause stays NaN.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>

#include "src/io/json.h"
#include "tests/src/base/base_case.h"
#include "tests/support/brief.h"
#include "tests/support/layer_suite.h"
#include "tests/support/session_case.h"

namespace libnf::test {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

void numbers_in(const Json& j, std::vector<double>& out) {
  if (const auto v = j.number()) out.push_back(*v);
  if (const auto* list = j.array())
    for (const Json& item : *list) numbers_in(item, out);
  if (const auto* members = j.object())
    for (const auto& [name, value] : *members) numbers_in(value, out);
}

// Edges of all domains: 0, 1, every number of the spec (bounds, ends of intervals), each with its neighbors in T; and
// numbers far out, up to the largest.
template <class T>
Values edges(const std::string& spec) {
  using Limits = std::numeric_limits<T>;
  Values at = {0, 1, 5};
  std::vector<double> given;
  numbers_in(parse_json(spec, "spec", Code::spec, 1 << 20, 64), given);
  std::sort(given.begin(), given.end());
  given.erase(std::unique(given.begin(), given.end()), given.end());
  for (const double v : given)
    if (std::abs(v) < 1e7) at.push_back(v);
  Values all;
  for (const double v : at) {
    const T edge = static_cast<T>(v);
    for (const T w : {edge, std::nextafter(edge, -Limits::infinity()), std::nextafter(edge, Limits::infinity())})
      all.insert(all.end(), {static_cast<double>(w), static_cast<double>(-w)});
  }
  for (const T v : {Limits::denorm_min(), Limits::min(), Limits::epsilon(), T(12), T(90), T(1e3), T(1e10), T(1e30),
                    std::sqrt(Limits::max()), Limits::max() / 2, Limits::max()})
    all.insert(all.end(), {static_cast<double>(v), -static_cast<double>(v)});
  return all;
}

// Rows with one such number among ordinary ones, with nothing else, and with both signs in turn; and, if there is a
// context, an ordinary row with the number in the context.
Rows2 edge_rows(const Values& edges, int64_t columns, int64_t context, std::mt19937_64& random) {
  Rows2 in{0, {}, {}};
  for (const double v : edges)
    for (int kind = 0; kind < (context ? 4 : 3); ++kind) {
      Values x = draw_normal(columns, random), c = draw_normal(context, random);
      const auto one = static_cast<size_t>(random() % static_cast<uint64_t>(columns));
      if (kind == 0) x[one] = v;
      if (kind == 1) std::fill(x.begin(), x.end(), v);
      if (kind == 2)
        for (size_t j = 0; j < x.size(); ++j) x[j] = j % 2 ? -v : v;
      if (kind == 3) c[random() % c.size()] = v;
      in.x.insert(in.x.end(), x.begin(), x.end());
      in.context.insert(in.context.end(), c.begin(), c.end());
      ++in.rows;
    }
  return in;
}

// Returns how many of them are finite.
int64_t expect_density(const Values& log_prob, const Rows2& in) {
  int64_t finite = 0;
  for (size_t r = 0; r < log_prob.size(); ++r) {
    finite += std::isfinite(log_prob[r]);
    if (std::isfinite(log_prob[r]) || log_prob[r] == -kInfinity) continue;
    const Rows2 row = in.part(static_cast<int64_t>(r), 1);
    ADD_FAILURE() << "log_prob " << log_prob[r] << " of row " << testing::PrintToString(row.x) << ", context "
                  << testing::PrintToString(row.context);
    break;
  }
  return finite;
}

template <class T>
void expect_density_at_edges(FlowModel& model, uint64_t seed) {
  std::mt19937_64 random(seed);
  Rows2 in = edge_rows(edges<T>(model.canonical()), model.columns(), model.context(), random);
  SessionCase<T> s(model);
  expect_density(s.log_prob(in), in);
  in = in.part(0, std::min<int64_t>(in.rows, 40));
  expect_density(s.log_prob_grad(in).log_det, in);
}

template <class T>
void expect_density_at_edges(const std::string& spec, bool inverted, uint64_t seed, const char* base) {
  SCOPED_TRACE(std::string(name_of(dtype_of<T>)) + " " + base + " " + describe(spec, inverted));
  Json json = parse_json(spec, "spec", Code::spec, 1 << 20, 64);
  json["base"] = Json(base);
  FlowCase<T> f(variant(json.dump(), dtype_of<T>, inverted), seed);
  f.randomize(seed, seed % 3 == 0 ? 1.5 : kParamStd);
  expect_density_at_edges<T>(f.model(), seed);
}

TEST_P(LayerSuite, EveryFiniteRowHasADensity) {
  constexpr const char* kBases[] = {"normal", "student_t", "logistic"};
  for (uint64_t i = 0; i < 12 && !HasFailure(); ++i) {
    const Dims event = some_event(i);
    const int64_t context = i % 2 ? 2 : 0;
    const std::string spec = random_spec(kind(), 31000 + i, event, context);
    for (const bool inverted : directions(spec)) {
      expect_density_at_edges<double>(spec, inverted, i, kBases[i % 3]);
      expect_density_at_edges<float>(spec, inverted, i, kBases[i % 3]);
    }
  }
}

NF_EVERY_LAYER(LayerSuite);

// Three layers of any kind, each in a random direction, so that one hands the next what is outside of its domain.
template <class T>
void random_chains(uint64_t seed, int64_t count) {
  const auto kinds = Registry<LayerKind>::all();
  std::mt19937_64 random(seed);
  for (int64_t i = 0; i < count && !testing::Test::HasFailure(); ++i) {
    const int64_t columns = 1 + static_cast<int64_t>(random() % 3);
    std::string spec;
    while (spec.empty()) {
      Json::Array layers;
      for (int k = 0; k < 3; ++k) {
        const LayerKind* kind = kinds[random() % kinds.size()];
        if (!takes_event(*kind, {columns})) continue;
        const Json one = parse_json(random_spec(*kind, random() % 100000, columns, 0), "spec", Code::spec, 1 << 20, 64);
        Json layer = one.find("layers")->array()->front();
        if (random() % 2) layer["invert"] = Json(true);
        layers.push_back(layer);
      }
      Json json{Json::Object()};
      json["event"] = Json(columns);
      json["layers"] = Json(std::move(layers));
      json["base"] = Json(random() % 2 ? "normal" : "laplace");
      try {
        spec = json.dump();
        parse_spec(spec);
        FlowModel(system_allocator(), parse_spec(spec), 0);
      } catch (const Error& e) {
        if (e.code() != Code::spec) throw;
        spec.clear();  // a layer that cannot be inverted
      }
    }
    SCOPED_TRACE(std::string(name_of(dtype_of<T>)) + " " + spec);
    FlowCase<T> f(variant(spec, dtype_of<T>, false), 1);
    f.randomize(static_cast<uint64_t>(i), i % 4 == 0 ? 1.0 : kParamStd);
    expect_density_at_edges<T>(f.model(), static_cast<uint64_t>(i));
  }
}

TEST(Support, RandomChainsFloat32) { random_chains<float>(5, 250); }
TEST(Support, RandomChainsFloat64) { random_chains<double>(6, 250); }

template <class T>
void bases_at_edges() {
  for (const BaseSetup& b : kBaseSetups) {
    for (const int64_t columns : {1, 3}) {
      SCOPED_TRACE(b.json);
      FlowCase<T> f(base_spec(b, dtype_of<T>, columns), 1);
      f.randomize(3, 0.4);
      std::mt19937_64 random(4);
      Rows2 in = edge_rows(edges<T>(f.model().canonical()), columns, 0, random);
      in.context = draw_context(b, in.rows, 5);
      SessionCase<T> s(f.model());
      const Values scores = s.log_prob(in);
      expect_density(scores, in);
      Values z = in.x, c = in.context, log_prob(scores.size());
      const auto view = [](Values& v, int64_t cols) {
        return contiguous_view(v.data(), DType::f64, {static_cast<int64_t>(v.size()) / cols, cols});
      };
      s.session().base_log_prob(view(z, columns), b.context ? view(c, b.context) : View{},
                                contiguous_view(log_prob.data(), DType::f64, {in.rows}));
      EXPECT_TRUE(same_bits(log_prob, scores));
    }
  }
}

TEST(Support, Bases) {
  bases_at_edges<float>();
  bases_at_edges<double>();
}

// The models that users start from, with random parameters: at the edges, and at their own samples.
template <class T>
void shipped_specs() {
  int number = 0;
  for (const auto& file : std::filesystem::directory_iterator(NF_SPEC_DIR)) {
    std::ifstream in(file.path());
    std::stringstream text;
    text << in.rdbuf();
    Json json = parse_json(text.str(), "spec", Code::spec, 1 << 20, 64);
    if (!json.find("event")) json["event"] = Json(6);
    if (parse_spec(json.dump()).event.rank == 3) continue;  // images: image_specs_test.cc
    if (brief() && number++ % 4) continue;
    SCOPED_TRACE(std::string(name_of(dtype_of<T>)) + " " + file.path().filename().string());
    FlowCase<T> f(variant(json.dump(), dtype_of<T>, false), 1);
    f.randomize(2, 0.1);
    expect_density_at_edges<T>(f.model(), 3);
    SessionCase<T> s(f.model());
    const int64_t draws = brief() ? 64 : 512;
    for (const double temperature : {1.0, 3.0}) {
      const std::string base = parse_json(f.model().canonical(), "spec", Code::spec, 1 << 20, 64).find("base")->dump();
      if (temperature != 1 && base.find("uniform") != std::string::npos) continue;
      Rows2 drawn{draws, Values(static_cast<size_t>(draws * f.model().columns())), {}};
      std::mt19937_64 random(7);
      Values context = draw_normal(draws * f.model().context(), random);
      drawn.context = context;
      Session::Sampling how;
      how.seed = 5;
      how.temperature = temperature;
      s.session().sample(
          how, f.model().context() ? contiguous_view(context.data(), DType::f64, {draws, f.model().context()}) : View{},
          contiguous_view(drawn.x.data(), DType::f64, {draws, f.model().columns()}), View{});
      EXPECT_GT(expect_density(s.log_prob(drawn), drawn), draws * 9 / 10) << "at temperature " << temperature;
    }
  }
}

TEST(Support, ShippedSpecs) {
  shipped_specs<float>();
  if (!brief()) shipped_specs<double>();
}

// Samples at the edge of an image come back as rows of density 0, or with a density, but never as NaN.
template <class T>
void samples_of_bounded_images() {
  for (
      const char* layers :
      {R"([{"type": "logit", "alpha": 0}, {"type": "affine"}])", R"([{"type": "tanh", "invert": true}])",
       R"([{"type": "softclip", "invert": true, "bound": 5}])", R"([{"type": "exp", "invert": true}])",
       R"([{"type": "softplus", "invert": true}])", R"([{"type": "cbrt"}])",
       R"([{"type": "exp", "invert": true}, {"type": "exp", "invert": true}])",
       R"([{"type": "affine_coupling", "scale": "exp"}, {"type": "reverse"}, {"type": "affine_coupling", "scale": "exp"}])",
       R"([{"type": "masked_autoregressive", "scale": "gate", "invert": true}])"})
    for (const char* base : {"normal", "student_t"})
      for (const double temperature : {1.0, 3.0}) {
        SCOPED_TRACE(layers);
        Json json =
            parse_json(std::string(R"({"event": [2], "layers": )") + layers + "}", "spec", Code::spec, 1 << 20, 64);
        json["base"] = Json(base);
        FlowCase<T> f(variant(json.dump(), dtype_of<T>, false), 1);
        f.randomize(2, 0.1);
        SessionCase<T> s(f.model());
        constexpr int64_t n = 4000;
        Rows2 drawn{n, Values(2 * n), {}};
        Session::Sampling how;
        how.temperature = temperature;
        s.session().sample(how, View{}, contiguous_view(drawn.x.data(), DType::f64, {n, 2}), View{});
        EXPECT_GT(expect_density(s.log_prob(drawn), drawn), n / 2);
      }
}

TEST(Support, OwnSamplesAreNeverNaN) {
  samples_of_bounded_images<float>();
  samples_of_bounded_images<double>();
}

// The report that this began with: a model of positive numbers, asked for others.
TEST(Support, OutsideADomainIsMinusInfinity) {
  FlowCase<float> f(parse_spec(R"({"event": [1], "layers": [{"type": "exp", "invert": true}, {"type": "affine"}]})"),
                    1);
  SessionCase<float> s(f.model());
  const Values lp = s.log_prob({4, {-1, 0, 1, 2}, {}});
  EXPECT_EQ(lp[0], -kInfinity);
  EXPECT_EQ(lp[1], -kInfinity);
  EXPECT_NEAR(lp[2], -0.5 * std::log(2 * M_PI), 1e-6);
  EXPECT_TRUE(std::isfinite(lp[3]));
  // forward has nothing to give for such a row.
  EXPECT_TRUE(std::isnan(s.map(false, {1, {-1}, {}}).y[0]));
  SessionCase<float> strict(f.model(), 1, {NonFinite::error});
  try {
    strict.log_prob({3, {1, 2, -1}, {}});
    ADD_FAILURE() << "a row without density passed";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::numeric);
    EXPECT_NE(std::string(e.what()).find("row 2 is not finite; first at spec.layers[0] (exp)"), std::string::npos)
        << e.what();
  }
}

// A bound from several draws is -infinity where every draw is.
TEST(Support, MeansOverDraws) {
  FlowCase<double> f(parse_spec(R"({"event": [1], "dtype": "float64", "layers": [{"type": "dequantize"},
      {"type": "exp", "invert": true}]})"),
                     1);
  for (const int64_t samples : {1, 4}) {
    SessionCase<double> s(f.model(), 1, {NonFinite::propagate, samples, 3});
    const Rows2 in{3, {-5, 3, -1e300}, {}};
    const Values lp = s.log_prob(in);
    EXPECT_EQ(lp[0], -kInfinity);
    EXPECT_TRUE(std::isfinite(lp[1]));
    EXPECT_EQ(lp[2], -kInfinity);
    EXPECT_TRUE(same_bits(s.log_prob_grad(in).log_det, lp));
  }
}

// What is wrong with a model or with the rows does not pass for a row outside of the support.
TEST(Support, OtherNaNStays) {
  constexpr const char* kSpec =
      R"({"event": [2], "context": [1], "dtype": "float64", "layers": [{"type": "affine_coupling"},
      {"type": "reverse"}, {"type": "affine_coupling"}, {"type": "actnorm"}]})";
  FlowCase<double> f(parse_spec(kSpec), 1);
  f.randomize(2, 0.3);
  SessionCase<double> s(f.model());
  const auto score = [&](double x, double c) { return s.log_prob({2, {0.5, x, 0.5, 1}, {c, 0}}); };
  for (const double bad : {double{NAN}, kInfinity, -kInfinity}) {
    const Values row = score(bad, 0), context = score(0.5, bad);
    EXPECT_TRUE(std::isnan(bad) ? std::isnan(row[0]) : row[0] == -kInfinity) << row[0];
    EXPECT_TRUE(std::isnan(context[0])) << context[0];
    EXPECT_TRUE(std::isfinite(row[1]) && std::isfinite(context[1]));
  }
  const auto& slots = f.model().params().slots();
  for (size_t i = 0; i < slots.size(); ++i) {
    if (slots[i].name.ends_with("initialized")) continue;
    const double was = *f.param(i);
    *f.param(i) = NAN;
    bool all_finite = true;
    for (const double v : score(-0.5, 0.3)) {
      EXPECT_NE(v, -kInfinity) << slots[i].name;
      all_finite &= std::isfinite(v);
    }
    EXPECT_FALSE(all_finite) << slots[i].name;
    *f.param(i) = was;
  }
  EXPECT_TRUE(std::isfinite(score(-0.5, 0.3)[0]));
}

}  // namespace
}  // namespace libnf::test
