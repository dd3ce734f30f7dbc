// An embedding net of the context: a model with it equals the model without it, given the embedded context, in every
// call; gradients reach the net and the context, also through recomputed layers; one row of context serves all rows;
// files, messages and specs handle it.
#include <gtest/gtest.h>

#include <cmath>

#include "src/model/model_file.h"
#include "src/model/session.h"
#include "tests/support/expect_error.h"
#include "tests/support/flow_case.h"

namespace libnf::test {
namespace {

constexpr int64_t kEvent = 3, kContext = 2, kSeen = 4;

std::string spec_of(const char* head, const char* dtype = "float64") {
  return std::string(R"({"event": 3, "dtype": ")") + dtype + "\", " + head +
         R"(, "base": {"type": "diagonal_normal", "parameters": "context", "hidden": [4], "activation": "tanh"},
         "layers": [
    {"type": "affine_coupling", "hidden": [6], "activation": "tanh"}, {"type": "reverse"},
    {"type": "masked_autoregressive", "hidden": [7], "activation": "silu", "context_by": "film"},
    {"type": "elementwise_affine"},
    {"type": "affine_coupling", "net": "residual", "hidden": [5], "activation": "elu", "invert": true}]})";
}
const std::string kEmbedded = spec_of(R"("context": 2, "embedding": {"out": 4, "hidden": [5], "activation": "tanh"})");
const std::string kPlain = spec_of(R"("context": 4)");

Rows2 rows_for(int64_t n, uint64_t seed = 2) {
  std::mt19937_64 random(seed);
  return draw_mild(Domain::real, n, kEvent, kContext, random);
}

// Computes with plain loops the context for a model without an embedding.
Values embedded(FlowCase<double>& f, const Rows2& in) {
  const auto tensor = [&](const char* name) { return f.param(static_cast<size_t>(f.model().params().find(name))); };
  const double *w = tensor("embedding.hidden.0.weight"), *b = tensor("embedding.hidden.0.bias"),
               *v = tensor("embedding.output.weight"), *a = tensor("embedding.output.bias");
  Values out;
  for (int64_t r = 0; r < in.rows; ++r) {
    double h[5];
    for (int j = 0; j < 5; ++j) {
      h[j] = b[j];
      for (int i = 0; i < kContext; ++i) h[j] += in.context[static_cast<size_t>(r * kContext + i)] * w[i * 5 + j];
      h[j] = std::tanh(h[j]);
    }
    for (int k = 0; k < kSeen; ++k) {
      double y = a[k];
      for (int j = 0; j < 5; ++j) y += h[j] * v[j * kSeen + k];
      out.push_back(y);
    }
  }
  return out;
}

View rows_of(Values& v, int64_t cols) {
  return contiguous_view(v.data(), DType::f64, {static_cast<int64_t>(v.size()) / cols, cols});
}
View column_of(Values& v) { return contiguous_view(v.data(), DType::f64, {static_cast<int64_t>(v.size())}); }

struct Answers {
  explicit Answers(size_t n) : log_prob(n), z(n * kEvent), log_det(n), x(z), sample(z), trace(n * kEvent * 6) {}
  Values log_prob, z, log_det, x, sample, trace;
};

Answers ask(FlowCase<double>& f, Rows2 in) {
  Executor e(2);
  Session s(system_allocator(), e, f.model(), NonFinite::error);
  Answers a(static_cast<size_t>(in.rows));
  const View c = rows_of(in.context, f.model().context()), x = rows_of(in.x, kEvent);
  s.log_prob(x, c, column_of(a.log_prob));
  s.map(false, x, c, rows_of(a.z, kEvent), column_of(a.log_det));
  s.map(true, rows_of(a.z, kEvent), c, rows_of(a.x, kEvent), column_of(a.log_det));
  s.sample({3, 0}, c, rows_of(a.sample, kEvent), column_of(a.log_det));
  s.trace(false, x, c, contiguous_view(a.trace.data(), DType::f64, {6, in.rows, kEvent}));
  return a;
}

void expect_same(const Answers& a, const Answers& b, double tolerance) {
  EXPECT_TRUE(same(a.log_prob, b.log_prob, tolerance));
  EXPECT_TRUE(same(a.z, b.z, tolerance));
  EXPECT_TRUE(same(a.x, b.x, tolerance));
  EXPECT_TRUE(same(a.log_det, b.log_det, tolerance));
  EXPECT_TRUE(same(a.sample, b.sample, tolerance));
  EXPECT_TRUE(same(a.trace, b.trace, tolerance));
}

TEST(Embedding, IsANetBeforeTheContext) {
  FlowCase<double> f(parse_spec(kEmbedded)), g(parse_spec(kPlain));
  EXPECT_EQ(f.model().context(), kContext);
  f.randomize(1, 0.4);
  const auto& slots = g.model().params().slots();
  EXPECT_EQ(f.model().params().slots().size(), slots.size() + 4);
  for (size_t i = 0; i < slots.size(); ++i) {
    const int64_t from = f.model().params().find(slots[i].name);
    ASSERT_GE(from, 0) << slots[i].name;
    std::copy_n(f.param(static_cast<size_t>(from)), slots[i].shape.count(), g.param(i));
  }
  const Rows2 in = rows_for(150);
  Rows2 plain = in;
  plain.context = embedded(f, in);
  expect_same(ask(f, in), ask(g, plain), 1e-11);
}

TEST(Embedding, OneRowOfContextServesAllRows) {
  for (const std::string& spec : {kEmbedded, kPlain}) {
    FlowCase<double> f(parse_spec(spec));
    f.randomize(1, 0.4);
    const auto width = static_cast<size_t>(f.model().context());
    for (const int64_t n : {1, 2, 64, 300}) {
      Rows2 in = rows_for(n);
      in.context.assign(width, 0.7);
      Rows2 all = in;
      for (int64_t r = 1; r < n; ++r) all.context.insert(all.context.end(), in.context.begin(), in.context.end());
      expect_same(ask(f, in), ask(f, all), 0);
    }
  }
}

// With a net this narrow, one row of context is the case that needs most memory.
TEST(Embedding, OneRowFitsTheMemoryOfASession) {
  for (const char* event : {"3", "500000"}) {
    FlowModel model(system_allocator(),
                    parse_spec(std::string(R"({"event": )") + event +
                               R"(, "context": 1, "embedding": {"out": 1, "hidden": []}, "layers": []})"),
                    1);
    Executor e(1);
    Session s(system_allocator(), e, model, NonFinite::error);
    std::vector<float> x(static_cast<size_t>(model.columns() * 3)), c(1), lp(3);
    EXPECT_NO_THROW(s.log_prob(contiguous_view(x.data(), DType::f32, {3, model.columns()}),
                               contiguous_view(c.data(), DType::f32, {1, 1}),
                               contiguous_view(lp.data(), DType::f32, {3})));
  }
}

TEST(Embedding, GradientsAgreeWithDifferences) {
  FlowCase<double> f(parse_spec(kEmbedded));
  f.randomize(1, 0.4);
  Rows2 in = rows_for(4);
  std::mt19937_64 random(5);
  const MappedValues cot{draw_normal(4 * kEvent, random), draw_normal(4, random)};
  const MappedGradients full = f.gradients(false, in, cot), again = f.gradients(false, in, cot, Memory::recompute);
  const auto loss = [&] {
    const MappedValues m = f.map(false, in);
    double sum = 0;
    for (size_t k = 0; k < m.y.size(); ++k) sum += cot.y[k] * m.y[k];
    for (size_t k = 0; k < m.log_det.size(); ++k) sum += cot.log_det[k] * m.log_det[k];
    return sum;
  };
  const auto expect_gradient = [&](double& p, double got, const std::string& where) {
    const double keep = p;
    const double want = five_point(1e-3, {1.0}, [&](double h) {
      p = keep + h;
      return Values{loss()};
    });
    p = keep;
    EXPECT_NEAR(got, want, 1e-6 * std::max(1.0, std::abs(want))) << where;
  };
  EXPECT_TRUE(same_bits(full.context, again.context));
  for (size_t k = 0; k < in.context.size(); ++k) expect_gradient(in.context[k], full.context[k], "context");
  double largest_seen = 0;
  const auto& slots = f.model().params().slots();
  for (size_t i = 0; i < slots.size(); ++i) {
    EXPECT_TRUE(same_bits(full.params[i], again.params[i])) << slots[i].name;
    if (slots[i].name.rfind("embedding.", 0) != 0) continue;
    for (size_t k = 0; k < full.params[i].size(); ++k) {
      largest_seen = std::max(largest_seen, std::abs(full.params[i][k]));
      expect_gradient(f.param(i)[k], full.params[i][k], slots[i].name);
    }
  }
  EXPECT_GT(largest_seen, 0.1);
}

TEST(Embedding, IsSavedWithTheModel) {
  FlowCase<double> f(parse_spec(kEmbedded));
  f.randomize(1, 0.4);
  MemorySink file;
  write_model(file, f.model(), {});
  LoadedModel loaded = read_model(system_allocator(), file.bytes());
  EXPECT_EQ(loaded.model->canonical(), f.model().canonical());
  EXPECT_NE(f.model().canonical().find(R"("embedding":{"out":4)"), std::string::npos) << f.model().canonical();
  EXPECT_EQ(static_cast<const FlowConfig&>(*parse_spec(kPlain).config).embedding, nullptr);
  FlowCase<double> g(std::move(loaded.model));
  const Rows2 in = rows_for(20);
  EXPECT_TRUE(same_bits(f.log_prob(in), g.log_prob(in)));
}

TEST(Embedding, IsNamedWhereItOverflows) {
  FlowCase<float> f(parse_spec(spec_of(R"("context": 2, "embedding": {"out": 4, "hidden": []})", "float32")));
  f.fill_params(2);
  Executor e(1);
  Session s(system_allocator(), e, f.model(), NonFinite::error);
  Values x(6), c = {0, 0, 3e38, 3e38}, lp(2);
  EXPECT_ERROR(s.log_prob(rows_of(x, 3), rows_of(c, 2), column_of(lp)), Code::numeric,
               "row 1 is not finite; first at spec.embedding");
  c[2] = NAN;
  EXPECT_ERROR(s.log_prob(rows_of(x, 3), rows_of(c, 2), column_of(lp)), Code::numeric, "the context");
}

TEST(Embedding, WrongSpecsAreRefused) {
  const auto with = [](const char* head) { parse_spec(spec_of(head)); };
  EXPECT_ERROR(with(R"("embedding": {})"), Code::spec, "spec.embedding: there is no context");
  EXPECT_ERROR(with(R"("context": 2, "embedding": 8)"), Code::spec,
               "spec.embedding: 8 is not an object such as {\"out\":8,");
  EXPECT_ERROR(with(R"("context": 2, "embedding": {"out": 0})"), Code::spec, "spec.embedding.out: 0 is not an integer");
  EXPECT_ERROR(with(R"("context": 2, "embedding": {"outs": 3})"), Code::spec, "did you mean \"out\"");
  EXPECT_ERROR(with(R"("context": 2, "embeding": {})"), Code::spec, "did you mean \"embedding\"");
  EXPECT_ERROR(FlowModel(system_allocator(),
                         parse_spec(spec_of(R"("context": 2, "embedding": {"net": "residual", "hidden": [4, 4]})")), 1),
               Code::spec, "spec.embedding.net.hidden");
}

}  // namespace
}  // namespace libnf::test
