// A chain of layers as a density: log_prob is the base density plus the log-determinants of the layers, inverse undoes
// forward, running layers again in the backward pass gives the same gradients with much less memory, and a layer that
// produces non-finite values is named.
#include "src/model/flow_model.h"

#include <gtest/gtest.h>

#include <cmath>

#include "runtime/op/ops.h"
#include "src/model/model_file.h"
#include "src/model/segment.h"
#include "tests/support/expect_error.h"
#include "tests/support/flow_case.h"

namespace libnf::test {
namespace {

constexpr char kChain[] = R"({"event": 5, "context": 2, "dtype": "float64", "base": "diagonal_normal", "layers": [
  {"type": "elementwise_affine"},
  {"type": "affine_coupling", "hidden": [8, 8], "activation": "tanh"},
  {"repeat": 2, "invert": true, "layers": [{"type": "shuffle"},
    {"type": "affine_coupling", "mask": "random", "net": "residual", "hidden": [8], "activation": "silu"}]},
  {"type": "additive_coupling", "hidden": [8], "invert": true, "activation": "gelu"}, {"type": "reverse"}]})";

FlowCase<double> chain() {
  FlowCase<double> f(parse_spec(kChain));
  f.randomize(1, 0.3);
  return f;
}

Rows2 rows_for(const FlowModel& m, int64_t rows) {
  std::mt19937_64 random(2);
  return draw_mild(Domain::real, rows, m.columns(), m.context(), random);
}

TEST(FlowModel, LogProbIsBasePlusLogDets) {
  FlowCase<double> f = chain();
  const FlowModel& m = f.model();
  constexpr int64_t n = 30;
  Rows2 in = rows_for(m, n);
  ASSERT_EQ(m.layers().size(), 8u);
  Tape t(system_allocator(), DType::f64);
  t.recording = false;
  std::vector<Node> nodes(m.params().slots().size());
  m.params().bind(nodes.data(), nullptr, nullptr);
  const Scope s{t, nodes.data()};
  Var context = t.input(contiguous_view(in.context.data(), DType::f64, {n, 2}), false);
  Var at = t.input(contiguous_view(in.x.data(), DType::f64, {n, 5}), false);
  Values log_det(n, 0.0);
  for (const LayerInstance& step : m.layers()) {
    const Mapped y = step.inverted ? step.layer->inverse(s, at, context) : step.layer->forward(s, at, context);
    at = y.y;
    if (!y.log_det) continue;
    const Values d = values_of<double>(y.log_det->out);
    for (size_t r = 0; r < n; ++r) log_det[r] += d[r];
  }
  const MappedValues z = f.map(false, in);
  EXPECT_TRUE(same_bits(z.y, values_of<double>(at->out)));
  EXPECT_TRUE(same(z.log_det, log_det, 1e-13));
  Values want = values_of<double>(m.base().log_prob(s, at, context)->out);
  for (size_t r = 0; r < n; ++r) want[r] += log_det[r];
  EXPECT_TRUE(same(f.log_prob(in), want, 1e-12));

  const MappedValues back = f.map(true, {n, z.y, in.context});
  EXPECT_TRUE(same(back.y, in.x, 1e-10));
  for (size_t r = 0; r < n; ++r) EXPECT_NEAR(back.log_det[r], -log_det[r], 1e-10);
}

TEST(FlowModel, SamplesComeWithTheirDensity) {
  FlowCase<double> f = chain();
  const FlowModel& m = f.model();
  Rows2 in = rows_for(m, 20);
  Tape t(system_allocator(), DType::f64);
  t.recording = false;
  std::vector<Node> nodes(m.params().slots().size());
  m.params().bind(nodes.data(), nullptr, nullptr);
  Var context = t.input(contiguous_view(in.context.data(), DType::f64, {20, 2}), false);
  const FlowModel::Sampled drawn = m.sample({t, nodes.data()}, 20, context, true);
  in.x = values_of<double>(drawn.x->out);
  EXPECT_TRUE(same(f.log_prob(in), values_of<double>(drawn.log_prob->out), 1e-9));
}

TEST(FlowModel, NoLayersIsTheBase) {
  FlowCase<double> f(parse_spec(R"({"event": 2, "dtype": "float64", "layers": []})"));
  const Rows2 in = rows_for(f.model(), 3);
  EXPECT_TRUE(same_bits(f.map(false, in).y, in.x));
  EXPECT_NEAR(f.log_prob(in)[0], -0.5 * (in.x[0] * in.x[0] + in.x[1] * in.x[1]) - std::log(2 * M_PI), 1e-12);
}

// The result of one training pass of log_prob: parameter gradients and the memory it took.
struct Pass {
  std::vector<Values> grads;
  size_t bytes;
};
template <class T>
Pass train_pass(const FlowModel& m, Memory memory, int64_t n) {
  Rows2 in = rows_for(m, n);
  std::vector<T> x(in.x.begin(), in.x.end()), c(in.context.begin(), in.context.end());
  Tape t(system_allocator(), dtype_of<T>);
  t.training = true;
  t.random.seed = 9;
  Buffer grads(system_allocator(), static_cast<size_t>(m.params().trainable_size()) * sizeof(T), "gradients");
  std::vector<Node> nodes(m.params().slots().size());
  // As in the trainer: without transposed weights, every product would take scratch memory for them.
  Buffer mirror(system_allocator(), static_cast<size_t>(m.params().mirror_size()) * sizeof(T), "transposed weights");
  m.params().bind(nodes.data(), grads.data(), mirror.data());
  for (size_t i = 0; i < nodes.size(); ++i) m.params().refresh_mirror(i, mirror.data());
  Var context = m.context() ? t.input(contiguous_view(c.data(), dtype_of<T>, {n, m.context()}), false) : nullptr;
  Var xv = t.input(contiguous_view(x.data(), dtype_of<T>, {n, m.columns()}), false);
  Var lp = m.log_prob({t, nodes.data()}, xv, context, memory);
  for (int64_t r = 0; r < n; ++r) t.grad(*lp).template as<T>()[r] = static_cast<T>(1 + r);
  t.backward();
  Pass p;
  p.bytes = t.arena().high_water();
  for (Node& node : nodes) p.grads.push_back(values_of<T>(t.grad(node)));
  return p;
}

TEST(FlowModel, RecomputeAndInvertGiveTheSameGradients) {
  const std::string with_dropout = R"({"event": 4, "dtype": "float64", "layers": [{"repeat": 3, "layers": [
    {"type": "affine_coupling", "hidden": [16], "dropout": 0.4}, {"type": "reverse"},
    {"type": "affine_coupling", "net": "residual", "hidden": [8], "dropout": 0.2, "invert": true}]}]})";
  for (const std::string& spec : {std::string(kChain), with_dropout}) {
    FlowCase<double> f(parse_spec(spec));
    f.randomize(4, 0.3);
    const Pass full = train_pass<double>(f.model(), Memory::full, 20);
    const Pass again = train_pass<double>(f.model(), Memory::recompute, 20);
    const Pass rebuilt = train_pass<double>(f.model(), Memory::invert, 20);
    for (size_t i = 0; i < full.grads.size(); ++i) {
      EXPECT_TRUE(same(again.grads[i], full.grads[i], 1e-12 * largest(full.grads[i])))
          << f.model().params().slots()[i].name;
      EXPECT_TRUE(same(rebuilt.grads[i], full.grads[i], 1e-9 * largest(full.grads[i])))
          << f.model().params().slots()[i].name;
      EXPECT_GT(largest(full.grads[i]), 0);
    }
  }
}

TEST(FlowModel, RecomputeTakesAFractionOfTheMemory) {
  FlowCase<float> f(parse_spec(R"({"event": 16, "layers": [{"repeat": 10, "layers": [
    {"type": "affine_coupling", "hidden": [128, 128]}, {"type": "reverse"}]}]})"));
  const size_t full = train_pass<float>(f.model(), Memory::full, 64).bytes;
  const size_t again = train_pass<float>(f.model(), Memory::recompute, 64).bytes;
  EXPECT_LE(5 * again, full) << "full " << full << " bytes, recompute " << again;
}

// Whatever the depth, training keeps the activations of one layer.
TEST(FlowModel, InvertTakesTheMemoryOfOneLayer) {
  const auto bytes = [](int steps, Memory memory) {
    FlowCase<float> f(parse_spec(R"({"event": 16, "layers": [{"repeat": )" + std::to_string(steps) + R"(, "layers": [
      {"type": "actnorm"}, {"type": "plu_linear"}, {"type": "affine_coupling", "hidden": [128, 128]}]}]})"));
    return train_pass<float>(f.model(), memory, 256).bytes;
  };
  const size_t shallow = bytes(8, Memory::invert), deep = bytes(64, Memory::invert);
  EXPECT_LE(deep, shallow + shallow / 4) << "8 steps " << shallow << " bytes, 64 steps " << deep;
  EXPECT_LE(20 * deep, bytes(64, Memory::full));
  EXPECT_LE(3 * deep, bytes(64, Memory::recompute));
}

// A layer whose first parameter is not trained must not lose the gradients of the others.
TEST(Segment, AFrozenFirstParameterHidesNothing) {
  struct Scaled : Layer {
    Mapped forward(const Scope& s, Var x, Var) const override { return {mul(s.tape, x, s.param(1)), nullptr}; }
    Mapped inverse(const Scope& s, Var z, Var) const override { return {div(s.tape, z, s.param(1)), nullptr}; }
  };
  LayerInstance step;
  step.layer = std::make_unique<Scaled>();
  step.count = 2;
  step.columns = 2;
  ParamStore params(system_allocator(), DType::f64, {{"running", {2}, false}, {"scale", {2}, true}});
  double grads[16];
  Node nodes[2];
  params.bind(nodes, grads, nullptr);
  Tape t(system_allocator(), DType::f64);
  double x[] = {1, 2, 3, 4, 5, 6};
  const Mapped y =
      recorded_segment({t, nodes}, {&step, 1}, t.input(contiguous_view(x, DType::f64, {3, 2}), false), nullptr, false);
  ASSERT_TRUE(y.y->needs_grad);
  const View g = t.grad(*y.y);
  for (int k = 0; k < 6; ++k) g.as<double>()[k] = 1;
  t.backward();
  EXPECT_EQ(values_of<double>(t.grad(nodes[1])), (Values{9, 12}));
}

std::string broken(FlowModel& m, Rows2 in, bool inverse = false) {
  Tape t(system_allocator(), DType::f64);
  t.recording = false;
  std::vector<Node> nodes(m.params().slots().size());
  m.params().bind(nodes.data(), nullptr, nullptr);
  Var x = t.input(contiguous_view(in.x.data(), DType::f64, {in.rows, m.columns()}), false);
  Var c =
      m.context() ? t.input(contiguous_view(in.context.data(), DType::f64, {in.rows, m.context()}), false) : nullptr;
  return m.first_nonfinite({t, nodes.data()}, x, c, inverse).where;
}

TEST(FlowModel, NamesTheLayerThatBreaks) {
  const Rows2 in = rows_for(chain().model(), 3);
  const auto poison = [&](size_t step) {
    FlowCase<double> f = chain();
    const LayerInstance& s = f.model().layers()[step];
    EXPECT_GT(s.count, 0);
    for (ParamId p = s.first; p < s.first + s.count; ++p) f.param(static_cast<size_t>(p))[0] = NAN;
    const std::string where = broken(f.model(), in);
    EXPECT_EQ(where, s.where) << step;
    return where;
  };
  EXPECT_EQ(poison(0), "spec.layers[0] (elementwise_affine)");
  EXPECT_EQ(poison(1), "spec.layers[1] (affine_coupling)");
  EXPECT_EQ(poison(4), "spec.layers[2].layers[1] (affine_coupling, repetition 1)");
  EXPECT_EQ(poison(6), "spec.layers[3] (additive_coupling)");
  FlowCase<double> f = chain();
  Rows2 bad = in;
  bad.x[7] = INFINITY;
  EXPECT_EQ(broken(f.model(), bad), "the data");
  bad = in;
  bad.context[0] = NAN;
  EXPECT_EQ(broken(f.model(), bad), "the context");
  EXPECT_EQ(broken(f.model(), bad, true), "the context");
  bad = in;
  bad.x[0] = NAN;
  EXPECT_EQ(broken(f.model(), bad, true), "the latent");
  // With two broken layers, each direction meets a different one first.
  f.param(static_cast<size_t>(f.model().params().find("layers.0.shift")))[1] = NAN;
  f.param(static_cast<size_t>(f.model().params().find("layers.6.net.output.bias")))[0] = NAN;
  EXPECT_EQ(broken(f.model(), in), "spec.layers[0] (elementwise_affine)");
  EXPECT_EQ(broken(f.model(), in, true), "spec.layers[3] (additive_coupling)");
  f.randomize(1, 0.3);
  f.param(static_cast<size_t>(f.model().params().find("base.loc")))[0] = NAN;
  EXPECT_EQ(broken(f.model(), in), "the base density");
}

// A file is compared with what its spec requires, tensor by tensor. Buffers with values that training never produces
// would give wrong densities, so files with them are refused.
TEST(ModelFile, RefusesInvalidBuffers) {
  struct Bad {
    const char *layer, *tensor;
    double value;
    const char* says;
  };
  const Bad cases[] = {
      {"standardize", "std", 0, "0 at index 2, but has to be positive"},
      {"standardize", "std", -1, "-1 at index 2, but has to be positive"},
      {"batch_norm", "running_var", -1e-3, "-0.001 at index 2, but has to be 0 or more"},
      {"batch_norm", "initialized", 2, "2 at index 0, but has to be 0 or 1"},
      {"actnorm", "initialized", 0.5, "0.5 at index 0, but has to be 0 or 1"},
      {"plu_linear", "sign", 0.5, "0.5 at index 2, but has to be 1 or -1"},
      {"orthogonal", "rotation", 0.99, "is not a rotation"},
  };
  for (const char* dtype : {"float32", "float64"})
    for (const Bad& c : cases) {
      SCOPED_TRACE(std::string(c.layer) + " " + c.tensor + " " + dtype);
      const auto model = std::make_unique<FlowModel>(system_allocator(),
                                                     parse_spec(R"({"event": 5, "dtype": ")" + std::string(dtype) +
                                                                R"(", "layers": [{"type": ")" + c.layer + "\"}]}"),
                                                     1);
      MemorySink good, bad;
      write_model(good, *model, {});
      EXPECT_NO_THROW(read_model(system_allocator(), good.bytes()));
      const int64_t slot = model->params().find("layers.0." + std::string(c.tensor));
      ASSERT_GE(slot, 0) << model->params().slots()[0].name;
      const View v = model->params().view(static_cast<size_t>(slot));
      const int64_t at = std::min<int64_t>(2, v.count() - 1);
      if (v.dtype == DType::f32)
        v.as<float>()[at] = static_cast<float>(c.value);
      else
        v.as<double>()[at] = c.value;
      write_model(bad, *model, {});
      EXPECT_ERROR(read_model(system_allocator(), bad.bytes()), Code::format, c.says);
    }
}

TEST(ModelFile, RefusesWhatDoesNotFit) {
  FlowCase<double> f = chain();
  MemorySink sink;
  write_model(sink, f.model(), {});
  const auto read = [&](std::vector<std::byte> bytes) { read_model(system_allocator(), bytes); };
  read(sink.bytes());
  std::vector<std::byte> bytes = sink.bytes();
  bytes.pop_back();
  EXPECT_TRUE(throws_error([&] { read(bytes); }, Code::format, ""));
  FlowCase<double> nan = chain();
  nan.param(0)[1] = NAN;
  MemorySink with_nan;
  write_model(with_nan, nan.model(), {});
  EXPECT_ERROR(read(with_nan.bytes()), Code::numeric, "index 1");
  FlowCase<double> other(
      parse_spec(R"({"event": 5, "context": 2, "dtype": "float64", "layers": [{"type": "elementwise_affine"}]})"));
  const uint64_t before = other.model().params().hash();
  EXPECT_ERROR(read_params(SafeTensors::parse(sink.bytes()), other.model()), Code::format, "is not part of the spec");
  EXPECT_EQ(other.model().params().hash(), before);
}

}  // namespace
}  // namespace libnf::test
