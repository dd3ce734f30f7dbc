// "prepare_context": a context is standardized by the training rows, in the model, its gradients and its file.
#include <gtest/gtest.h>

#include <cmath>

#include "src/io/byte_sink.h"
#include "src/model/model_file.h"
#include "src/model/session.h"
#include "src/train/start.h"
#include "tests/src/train/training.h"
#include "tests/support/expect_error.h"

namespace libnf::test {
namespace {

constexpr char kPlain[] = R"({"event": 3, "context": 1, "dtype": "float64", "layers": [
  {"type": "affine_coupling", "hidden": [8]}, {"type": "actnorm"}, {"type": "affine_coupling", "hidden": [8]}]})";
constexpr char kPrepared[] = R"({"event": 3, "context": 1, "dtype": "float64", "prepare_context": {}, "layers": [
  {"type": "affine_coupling", "hidden": [8]}, {"type": "actnorm"}, {"type": "affine_coupling", "hidden": [8]}]})";

struct Models {
  Models()
      : executor(1),
        plain(system_allocator(), parse_spec(kPlain), 5),
        prepared(system_allocator(), parse_spec(kPrepared), 5) {
    for (double& c : far.context) c = 5000 + 300 * c;
  }
  void start(const View& weight = {}, const View* context = nullptr) {
    start_from_data(system_allocator(), executor, prepared, cut_of(prepared),
                    {far.xs(), context ? *context : far.contexts(), weight}, {});
  }
  double of(const char* name) const {
    for (size_t i = 0; i < prepared.params().slots().size(); ++i)
      if (prepared.params().slots()[i].name == name) return prepared.params().view(i).as<double>()[0];
    ADD_FAILURE() << name;
    return 0;
  }
  Values scores(FlowModel& model, const View& x, const View& context) {
    Values out(static_cast<size_t>(x.shape[0]));
    Session(system_allocator(), executor, model, SessionOptions())
        .log_prob(x, context, contiguous_view(out.data(), DType::f64, {x.shape[0]}));
    return out;
  }
  Data data{200}, far{200};
  Executor executor;
  FlowModel plain, prepared;
};

TEST(ContextStart, IsThatOfTheTrainingRows) {
  Models m;
  EXPECT_TRUE(waits_for_data(m.prepared));
  Values weight(200, 1.0);
  weight[7] = 0;
  m.far.context[7] = 1e9;  // has no weight
  m.start(contiguous_view(weight.data(), DType::f64, {200}));
  double mean = 0, squares = 0;
  for (size_t r = 0; r < 200; ++r) mean += r == 7 ? 0 : m.far.context[r] / 199;
  for (size_t r = 0; r < 200; ++r) squares += r == 7 ? 0 : std::pow(m.far.context[r] - mean, 2);
  EXPECT_NEAR(m.of("prepare_context.mean"), mean, 1e-8);
  EXPECT_NEAR(m.of("prepare_context.std"), std::sqrt(squares / 198), 1e-8);
  EXPECT_FALSE(waits_for_data(m.prepared));
  // Once in the life of a model, and in its file.
  MemorySink sink;
  write_model(sink, m.prepared, {}, {});
  const LoadedModel loaded = read_model(system_allocator(), sink.bytes());
  EXPECT_EQ(loaded.model->params().hash(), m.prepared.params().hash());
  for (double& c : m.far.context) c = 1;
  m.start();
  EXPECT_NEAR(m.of("prepare_context.mean"), mean, 1e-8);
}

// The same model by hand: contexts are standardized before it sees them.
TEST(ContextStart, LayersSeeTheStandardizedContext) {
  Models m;
  m.start();
  const double mean = m.of("prepare_context.mean"), std = m.of("prepare_context.std");
  Values by_hand(200);
  for (size_t r = 0; r < 200; ++r) by_hand[r] = (m.far.context[r] - mean) / std;
  const View context = contiguous_view(by_hand.data(), DType::f64, {200, 1});
  start_from_data(system_allocator(), m.executor, m.plain, cut_of(m.plain), {m.far.xs(), context, {}}, {});
  const Values got = m.scores(m.prepared, m.far.xs(), m.far.contexts()), want = m.scores(m.plain, m.far.xs(), context);
  for (size_t r = 0; r < 200; ++r) EXPECT_NEAR(got[r], want[r], 1e-10);
}

TEST(ContextStart, GradientsAreThoseOfTheContextAsGiven) {
  Models m;
  m.start();
  for (size_t i = 0; i < m.prepared.params().slots().size(); ++i) {
    const View v = m.prepared.params().view(i);
    if (m.prepared.params().slots()[i].trainable)
      for (int64_t k = 0; k < v.count(); ++k) v.as<double>()[k] += 0.1 * std::sin(1.0 + static_cast<double>(k + 7 * i));
  }
  Session session(system_allocator(), m.executor, m.prepared, SessionOptions());
  Values lp(10), dc(10);
  session.log_prob_grad(m.far.xs(0, 10), m.far.contexts(0, 10), contiguous_view(lp.data(), DType::f64, {10}), {},
                        contiguous_view(dc.data(), DType::f64, {10, 1}));
  for (int64_t r = 0; r < 10; ++r) {
    double two[2];
    for (const int side : {0, 1}) {
      double c = m.far.context[static_cast<size_t>(r)] + (side ? 1e-2 : -1e-2);
      session.log_prob(m.far.xs(r, 1), contiguous_view(&c, DType::f64, {1, 1}),
                       contiguous_view(&two[side], DType::f64, {1}));
    }
    EXPECT_NEAR(dc[static_cast<size_t>(r)], (two[1] - two[0]) / 2e-2,
                1e-8 + 1e-5 * std::abs(dc[static_cast<size_t>(r)]));
    EXPECT_NE(dc[static_cast<size_t>(r)], 0);
  }
}

TEST(ContextStart, ErrorsChangeNothing) {
  Models m;
  const uint64_t before = m.prepared.params().hash();
  m.far.context[41] = NAN;
  EXPECT_ERROR(m.start(), Code::numeric, "row 41 of the context");
  EXPECT_EQ(m.prepared.params().hash(), before);
  m.far.context[41] = 0;
  m.far.x[3 * 17] = INFINITY;  // found by the layer that starts after the context
  EXPECT_ERROR(m.start(), Code::numeric, "row 17");
  EXPECT_EQ(m.prepared.params().hash(), before);
  m.far.x[3 * 17] = 0;
  // One row for all is only centered.
  const View one = m.far.contexts(3, 1);
  m.start({}, &one);
  EXPECT_EQ(m.of("prepare_context.mean"), m.far.context[3]);
  EXPECT_EQ(m.of("prepare_context.std"), 1);
}

TEST(ContextStart, SpecsThatHaveNoUseForIt) {
  EXPECT_ERROR(parse_spec(R"({"event": 3, "prepare_context": {}, "layers": []})"), Code::spec, "spec.prepare_context");
  EXPECT_ERROR(parse_spec(R"({"event": 3, "context": 1, "prepare_context": {}, "layers": [],
                              "base": {"type": "class_normal", "classes": 2}})"),
               Code::spec, "class_normal");
  EXPECT_ERROR(parse_spec(R"({"event": 3, "context": 1, "prepare_context": {"scale": 1}, "layers": []})"), Code::spec,
               "spec.prepare_context");
  EXPECT_FALSE(waits_for_data(FlowModel(
      system_allocator(),
      parse_spec(R"({"event": 3, "context": 1, "prepare_context": {"standardize": false}, "layers": []})"), 1)));
  EXPECT_EQ(write_spec(parse_spec(R"({"event": 3, "context": 1, "layers": []})")).find("prepare_context"),
            std::string::npos)
      << "specs without it stay as they were";
}

}  // namespace
}  // namespace libnf::test
