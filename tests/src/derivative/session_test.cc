// Derivatives of a session: one context for all rows, strides and dtypes, outputs that are not wanted, dequantized rows,
// rows that are not finite, parameters that change, and memory.
#include "src/model/session.h"

#include <gtest/gtest.h>

#include <cmath>

#include "runtime/op/activation.h"
#include "src/model/cost.h"
#include "src/model/rows.h"
#include "tests/support/counting_allocator.h"
#include "tests/support/derivative_check.h"
#include "tests/support/expect_error.h"
#include "tests/support/random_config.h"

namespace libnf::test {
namespace {

constexpr char kSpec[] = R"({"event": 5, "context": 2, "base": "diagonal_normal", "embedding": {"out": 3}, "layers": [
  {"repeat": 2, "layers": [{"type": "affine_coupling", "hidden": [24, 16], "mask": "random"},
  {"type": "elementwise_affine", "invert": true}, {"type": "lu_linear"},
  {"type": "masked_autoregressive", "hidden": [20, 20]},
  {"type": "affine_coupling", "net": "residual", "hidden": [8], "invert": true}]}]})";
constexpr int64_t kRows = 300, kEvent = 5, kContext = 2;

Rows2 draw_inputs(uint64_t seed, int64_t rows = kRows) {
  std::mt19937_64 random(seed);
  return draw_mild(Domain::real, rows, kEvent, kContext, random);
}

TEST(SessionDerivative, RowsAreIndependent) {
  FlowCase<float> f(parse_spec(kSpec));
  f.randomize(1, 0.15);
  EXPECT_TRUE(rows_independent<float>(f.model(), draw_inputs(2), draw_inputs(3), 4));
}

// One row of context gives every row of the batch a gradient of its own, with the bits of the repeated context.
TEST(SessionDerivative, OneContextServesAllRows) {
  for (const uint32_t threads : {1u, 2u}) {
    FlowCase<float> f(parse_spec(kSpec));
    f.randomize(1, 0.15);
    SessionCase<float> s(f.model(), threads);
    Rows2 single = draw_inputs(2), all = single;
    single.context = {-1.5, 0.25};
    for (size_t k = 0; k < all.context.size(); ++k) all.context[k] = single.context[k % 2];
    std::mt19937_64 random(5);
    const MappedValues cot{draw_normal(kRows * kEvent, random), draw_normal(kRows, random)};
    const Values tan_x = draw_normal(kRows * kEvent, random), one_tan = {0.5, 2};
    Values tan_c(kRows * kContext);
    for (size_t k = 0; k < tan_c.size(); ++k) tan_c[k] = one_tan[k % 2];
    const auto same = [](const Derivatives& a, const Derivatives& b) {
      EXPECT_TRUE(same_bits(a.y, b.y));
      EXPECT_TRUE(same_bits(a.log_det, b.log_det));
      EXPECT_TRUE(same_bits(a.x, b.x));
      EXPECT_TRUE(same_bits(a.context, b.context));
    };
    same(s.log_prob_grad(single), s.log_prob_grad(all));
    for (const bool inverse : {false, true}) {
      same(s.vjp(inverse, single, cot), s.vjp(inverse, all, cot));
      same(s.jvp(inverse, single, tan_x, one_tan), s.jvp(inverse, all, tan_x, tan_c));
      same(s.jvp(inverse, single, tan_x, {}), s.jvp(inverse, all, tan_x, {}));
    }
  }
}

// A log-density's gradient is a pull of its parts.
TEST(SessionDerivative, MissingCotangentsAndTangentsAreZero) {
  FlowCase<double> f(variant(kSpec, DType::f64, false));
  f.randomize(1, 0.15);
  SessionCase<double> s(f.model());
  const Rows2 in = draw_inputs(2, 20);
  const Values none(20 * kEvent, 0.0), zero(20, 0.0), ones(20, 1.0), still(20 * kContext, 0.0);
  for (const bool inverse : {false, true}) {
    const Derivatives a = s.vjp(inverse, in, {{}, ones}), b = s.vjp(inverse, in, {none, ones});
    EXPECT_EQ(a.x, b.x);
    EXPECT_EQ(a.context, b.context);
    const Derivatives c = s.vjp(inverse, in, {});
    EXPECT_EQ(c.x, none);
    EXPECT_EQ(c.context, still);
    const Derivatives d = s.jvp(inverse, in, {}, {});
    EXPECT_EQ(d.x, none);
    EXPECT_EQ(d.context, zero);
    const Values tan(20 * kEvent, 0.5);
    EXPECT_EQ(s.jvp(inverse, in, tan, {}).x, s.jvp(inverse, in, tan, still).x);
  }
}

// Columns two apart, rows backward in memory, float32 into a float64 model and back, images as [n, h, w, c].
TEST(SessionDerivative, AnyStridesAndEitherDtype) {
  FlowCase<float> f(parse_spec(R"({"event": [2, 2, 1], "layers": [
      {"type": "squeeze"}, {"type": "affine_coupling", "hidden": [8]}, {"type": "reverse"},
      {"type": "affine_coupling", "hidden": [8]}]})"));
  f.randomize(1, 0.3);
  SessionCase<float> s(f.model());
  std::mt19937_64 random(2);
  const Rows2 in = draw_mild(Domain::real, kRows, 4, 0, random);
  const Derivatives want = s.log_prob_grad(in);
  std::vector<double> x(kRows * 10, NAN), lp(kRows * 3, -77.0);
  std::vector<float> dx(kRows * 12, -77.0f);
  View xs = contiguous_view(x.data() + (kRows - 1) * 10, DType::f64, {kRows, 2, 2, 1});
  xs.stride[0] = -10, xs.stride[1] = 2, xs.stride[2] = 5, xs.stride[3] = 1;
  for (int64_t r = 0; r < kRows; ++r)
    for (int64_t j = 0; j < 4; ++j)
      xs.as<double>()[r * -10 + j / 2 * 2 + j % 2 * 5] = in.x[static_cast<size_t>(4 * r + j)];
  View lps = contiguous_view(lp.data(), DType::f64, {kRows});
  lps.stride[0] = 3;
  View dxs = contiguous_view(dx.data(), DType::f32, {kRows, 2, 2, 1});
  dxs.stride[0] = 12, dxs.stride[1] = 6, dxs.stride[2] = 2;
  s.session().log_prob_grad(xs, View{}, lps, dxs, View{});
  for (size_t r = 0; r < kRows; ++r) {
    ASSERT_EQ(lp[3 * r], want.log_det[r]) << r;
    ASSERT_EQ(lp[3 * r + 1], -77.0);
    for (size_t j = 0; j < 4; ++j) {
      ASSERT_EQ(dx[12 * r + j / 2 * 6 + j % 2 * 2], want.x[4 * r + j]) << r;
      ASSERT_EQ(dx[12 * r + j / 2 * 6 + j % 2 * 2 + 1], -77.0f) << "wrote beside the column";
    }
  }
}

TEST(SessionDerivative, NoRowsAndNoOutputsAreFine) {
  FlowCase<float> f(parse_spec(kSpec));
  SessionCase<float> s(f.model());
  s.log_prob_grad({0, {}, {}});
  s.vjp(false, {0, {}, {}}, {});
  s.vjp(true, {0, {}, {}}, {});
  s.jvp(false, {0, {}, {}}, {}, {});
  Rows2 in = draw_inputs(1, 3);
  const View x = contiguous_view(in.x.data(), DType::f64, {3, kEvent}),
             c = contiguous_view(in.context.data(), DType::f64, {3, kContext});
  s.session().log_prob_grad(x, c, View{}, View{}, View{});
  s.session().vjp(false, x, c, {});
  s.session().jvp(true, x, c, {});
}

TEST(SessionDerivative, NonFiniteRowsStayAloneOrAreNamed) {
  FlowCase<float> f(parse_spec(kSpec));
  f.randomize(1, 0.15);
  SessionCase<float> quiet(f.model()), strict(f.model(), 1, SessionOptions(NonFinite::error));
  Rows2 in = draw_inputs(2);
  const Derivatives want = quiet.log_prob_grad(in);
  EXPECT_TRUE(same_bits(strict.log_prob_grad(in).x, want.x));
  const Values tan(kRows * kEvent, 1.0);
  MappedValues cot{tan, {}};
  cot.y[42 * kEvent] = INFINITY;
  EXPECT_ERROR(strict.vjp(false, in, cot), Code::numeric, "the derivative of row 42 is not finite");
  EXPECT_ERROR(strict.jvp(false, in, cot.y, {}), Code::numeric, "the derivative of row 42 is not finite");
  in.x[137 * kEvent + 2] = NAN;
  const Derivatives got = quiet.log_prob_grad(in);
  for (size_t k = 0; k < got.x.size(); ++k) EXPECT_TRUE(k / kEvent == 137 || got.x[k] == want.x[k]) << k;
  EXPECT_TRUE(std::isnan(got.log_det[137]));
  EXPECT_ERROR(strict.log_prob_grad(in), Code::numeric, "row 137 of x holds NaN or infinity");
  EXPECT_ERROR(strict.vjp(true, in, {tan, {}}), Code::numeric, "row 137 of z holds NaN or infinity");
  EXPECT_ERROR(strict.jvp(true, in, tan, {}), Code::numeric, "row 137 of z holds NaN or infinity");
}

// The transposed matrices follow the parameters.
TEST(SessionDerivative, SeesParametersThatChanged) {
  FlowCase<double> f(variant(kSpec, DType::f64, false));
  f.randomize(1, 0.15);
  Executor executor(1);
  std::atomic<uint64_t> generation{0};
  Session counted(system_allocator(), executor, f.model(), {}, &generation);
  SessionCase<double> uncounted(f.model());
  Rows2 in = draw_inputs(2, 20);
  for (uint64_t k = 1; k < 4; ++k) {
    f.randomize(k, 0.15);
    generation = k / 2 + 5;  // 5, 6, 6: the last change is not told
    const Values want = SessionCase<double>(f.model()).log_prob_grad(in).x;
    EXPECT_TRUE(same_bits(uncounted.log_prob_grad(in).x, want)) << k;
    Values got(20 * kEvent);
    counted.log_prob_grad(contiguous_view(in.x.data(), DType::f64, {20, kEvent}),
                          contiguous_view(in.context.data(), DType::f64, {20, kContext}), View{},
                          contiguous_view(got.data(), DType::f64, {20, kEvent}), View{});
    EXPECT_EQ(static_cast<bool>(same_bits(got, want)), k < 3) << k;
  }
}

void nothing(Tape&, Node&) {}
const Op kWithoutTangent = {"opaque",
                            Layout::rows,
                            [](const Node& n) { return Shapes{n.in[0]->out.shape, {}, false, {}, false}; },
                            {nothing, nothing},
                            {nullptr, nullptr},
                            "it is a test"};

// A layer whose op has no tangent rule.
class NoTangent final : public Layer {
 public:
  using Config = NoConfig;
  NoTangent(const Config&, const Declare&) {}
  Mapped forward(const Scope& s, Var x, Var) const override { return {s.tape.record(kWithoutTangent, {x}), nullptr}; }
  Mapped inverse(const Scope& s, Var z, Var) const override { return forward(s, z, nullptr); }
};

TEST(SessionDerivative, NamesALayerWithoutATangentRule) {
  const LayerKind kind{{"no_tangent", "", "", make_config<NoTangent>}, build_part<NoTangent, Layer, const Declare&>};
  LayerSpec spec;
  for (int i = 0; i < 2; ++i) {
    LayerSpec layer;
    layer.kind = i == 0 ? Registry<LayerKind>::find("tanh") : &kind;
    layer.config = layer.kind->config();
    spec.layers.push_back(std::move(layer));
  }
  std::vector<ParamInfo> infos;
  const Chain chain(spec, "spec", {2}, 0, "layers", infos);
  Tape t(system_allocator(), DType::f64);
  Var x = t.zeros({3, 2}), along = t.zeros({3, 2});
  try {
    chain.push({t, nullptr}, false, x, along, nullptr, nullptr);
    FAIL() << "nothing was thrown";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::unsupported);
    EXPECT_EQ(e.place().layer, 1);
    EXPECT_NE(std::string(e.what()).find("spec.layers[1] (no_tangent): jvp: op 'opaque'"), std::string::npos)
        << e.what();
  }
  // Where nothing moves there is nothing to push.
  EXPECT_NO_THROW(chain.push({t, nullptr}, false, x, nullptr, nullptr, nullptr));
}

// ---- rows of levels ----

// Rows of a grid move with their cells: the noise of dequantization is held.
TEST(Dequantized, GradientIsThatOfTheNoisyRow) {
  const auto check = [](const std::string& layer, double slope) {
    SCOPED_TRACE(layer);
    const std::string rest = R"({"type": "affine_coupling", "hidden": [8]}, {"type": "reverse"},
      {"type": "affine_coupling", "hidden": [8]}]})";
    FlowCase<double> f(variant(R"({"event": 3, "layers": [)" + layer + ", " + rest, DType::f64, false)),
        after(variant(R"({"event": 3, "layers": [)" + rest, DType::f64, false));
    FlowCase<double> before(variant(R"({"event": 3, "layers": [)" + layer + "]}", DType::f64, false));
    f.randomize(1, 0.4);
    after.randomize(1, 0.4);
    for (size_t i = 0; i < f.model().params().slots().size(); ++i)
      for (int64_t k = 0; k < f.model().params().view(i).count(); ++k) after.param(i)[k] = f.param(i)[k];
    SessionCase<double> s(f.model()), t(after.model()), u(before.model());
    const Rows2 in{4, {0, 0.5, 1, 2, 0.25, 3, 1, -1.5, 1, 3, 0.5, 0}, {}};
    const Rows2 noisy{4, u.map(false, in).y, {}};
    const Derivatives got = s.log_prob_grad(in), want = t.log_prob_grad(noisy);
    for (size_t k = 0; k < got.x.size(); ++k) EXPECT_DOUBLE_EQ(got.x[k], (k % 3 == 1 ? 1 : slope) * want.x[k]) << k;
    EXPECT_TRUE(adjoint({f, in, noisy}, 3));
    EXPECT_TRUE(rows_independent<double>(f.model(), in, noisy, 4));
  };
  check(R"({"type": "dequantize", "columns": [0, 2]})", 1);
  check(R"({"type": "dequantize", "columns": [0, 2], "levels": 4})", 0.25);
}

// The gradient of the logarithm of the mean over draws is the mean of theirs, weighted by what each contributes.
TEST(Dequantized, DrawsAreWeighted) {
  constexpr int64_t kDraws = 5, n = 4;
  FlowCase<double> f(variant(R"({"event": 3, "context": 1, "layers": [{"type": "dequantize", "columns": [0, 2]},
      {"type": "affine_coupling", "hidden": [8]}, {"type": "reverse"}, {"type": "affine_coupling", "hidden": [8]}]})",
                             DType::f64, false));
  f.randomize(1, 0.5);
  SessionOptions options(NonFinite::propagate, kDraws, 9);
  SessionCase<double> s(f.model(), 1, options);
  // Row 3 is at no level: all of its draws have log_prob -infinity.
  const Rows2 in{n, {0, 0.5, 1, 2, 0.25, 3, 1, -1.5, 1, 0.5, 0, 0}, {0.1, -0.2, 0.3, 0.4}};
  const Derivatives got = s.log_prob_grad(in);
  EXPECT_TRUE(same_bits(got.log_det, s.log_prob(in)));
  EXPECT_TRUE(rows_independent<double>(f.model(), in.part(0, 3), {0, {}, {}}, 4));

  Tape t(system_allocator(), DType::f64);
  t.through_rounding = true;
  std::vector<Node> params(f.model().params().slots().size());
  f.model().params().bind(params.data(), nullptr, nullptr);
  std::vector<std::array<double, kDraws>> lp(n);
  std::vector<std::array<std::array<double, 4>, kDraws>> slopes(n);
  for (int64_t k = 0; k < kDraws; ++k) {
    const TapeScope scope(t);
    Rows2 copy = in;
    Var x = t.input(contiguous_view(copy.x.data(), DType::f64, {n, 3}), true),
        c = t.input(contiguous_view(copy.context.data(), DType::f64, {n, 1}), true);
    uint64_t keys[n];
    hash_rows(x, c, keys);
    for (uint64_t& key : keys) key += static_cast<uint64_t>(k) * 0x9e3779b97f4a7c15u;
    t.random = {};
    t.random.seed = 9;
    t.random.row_keys = keys;
    Var v = f.model().log_prob({t, params.data()}, x, c);
    std::fill_n(t.grad(*v).as<double>(), n, 1.0);
    t.backward();
    for (size_t r = 0; r < n; ++r) {
      lp[r][static_cast<size_t>(k)] = v->out.as<double>()[r];
      auto& g = slopes[r][static_cast<size_t>(k)];
      for (size_t j = 0; j < 3; ++j) g[j] = t.grad_out(*x).as<double>()[3 * r + j];
      g[3] = t.grad_out(*c).as<double>()[r];
    }
  }
  for (size_t r = 0; r < 3; ++r) {
    double sum = 0, want[4] = {};
    const double most = *std::max_element(lp[r].begin(), lp[r].end());
    for (size_t k = 0; k < kDraws; ++k) {
      const double w = std::exp(lp[r][k] - most);
      sum += w;
      for (size_t j = 0; j < 4; ++j) want[j] += w * slopes[r][k][j];
    }
    for (size_t j = 0; j < 3; ++j) EXPECT_NEAR(got.x[3 * r + j], want[j] / sum, 1e-12) << r;
    EXPECT_NEAR(got.context[r], want[3] / sum, 1e-12) << r;
  }
  EXPECT_EQ(got.log_det[3], -INFINITY);
  for (size_t j = 0; j < 3; ++j) EXPECT_TRUE(std::isfinite(got.x[9 + j]));
}

// ---- memory ----

void ask_everything(Session& s, Rows2 in) {
  const int64_t n = in.rows;
  std::vector<double> y(in.x.size()), l(static_cast<size_t>(n)), gx = y, gc = in.context;
  const auto rows = [&](std::vector<double>& v) {
    return contiguous_view(v.data(), DType::f64, {n, static_cast<int64_t>(v.size()) / n});
  };
  const View c = rows(in.context), x = rows(in.x), column = contiguous_view(l.data(), DType::f64, {n});
  s.log_prob(x, c, column);
  s.log_prob_grad(x, c, column, rows(gx), rows(gc));
  for (const bool inverse : {false, true}) {
    s.map(inverse, x, c, rows(y), column);
    s.vjp(inverse, x, c, {x, column, rows(y), View{}, rows(gx), rows(gc)});
    s.jvp(inverse, x, c, {x, c, rows(y), View{}, rows(gx), View{}});
  }
}

TEST(SessionDerivativeMemory, IsTakenOnceAndCounted) {
  FlowCase<float> f(parse_spec(kSpec));
  f.randomize(1, 0.15);
  for (const bool at_once : {false, true}) {
    CountingAllocator counting;
    {
      Executor two(2);
      SessionOptions options;
      options.gradients = at_once;
      Session s(counting.hook(), two, f.model(), options);
      const size_t before = s.bytes();
      EXPECT_EQ(before, counting.bytes);
      int64_t calls = counting.calls;
      Rows2 in = draw_inputs(1);
      std::vector<float> out(kRows * kEvent);
      s.log_prob_grad(contiguous_view(in.x.data(), DType::f64, {kRows, kEvent}),
                      contiguous_view(in.context.data(), DType::f64, {kRows, kContext}), View{},
                      contiguous_view(out.data(), DType::f32, {kRows, kEvent}), View{});
      EXPECT_EQ(counting.calls == calls, at_once);
      EXPECT_EQ(s.bytes() == before, at_once);
      calls = counting.calls;
      for (const int64_t n : {300, 1, 7, 64}) ask_everything(s, in.part(0, n));
      EXPECT_EQ(counting.calls, calls);
      EXPECT_EQ(s.bytes(), counting.bytes);
    }
    EXPECT_TRUE(counting.alive.empty());
    EXPECT_EQ(counting.wrong_frees, 0);
  }
}

// Every allocation of the first gradient may fail: the session is as it was, and the next call succeeds.
TEST(SessionDerivativeMemory, FailureLeavesTheSessionUsable) {
  FlowCase<float> f(parse_spec(kSpec));
  f.randomize(1, 0.15);
  const Rows2 in = draw_inputs(1);
  int failures = 0;
  for (int64_t after = 0;; ++after) {
    CountingAllocator counting;
    Executor two(2);
    Session s(counting.hook(), two, f.model(), {});
    const size_t before = s.bytes();
    counting.refuse_after = after;
    bool done = false;
    try {
      ask_everything(s, in);
      done = true;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Code::nomem) << e.what();
      ++failures;
    }
    if (done) break;
    EXPECT_EQ(s.bytes(), before);
    EXPECT_EQ(counting.bytes, before);
    std::vector<float> lp(kRows);
    s.log_prob(contiguous_view(const_cast<double*>(in.x.data()), DType::f64, {kRows, kEvent}),
               contiguous_view(const_cast<double*>(in.context.data()), DType::f64, {kRows, kContext}),
               contiguous_view(lp.data(), DType::f32, {kRows}));
    EXPECT_TRUE(same_bits(Values(lp.begin(), lp.end()), SessionCase<float>(f.model()).log_prob(in)));
    counting.refuse_after = -1;
    ask_everything(s, in);
  }
  EXPECT_GT(failures, 2);
}

// A row that keeps very much is differentiated layer by layer, in memory that does not grow with depth.
TEST(SessionDerivativeMemory, LargeRowsKeepTheInputsOfLayersOnly) {
  constexpr int64_t kColumns = 1 << 16;
  FlowModel model(system_allocator(),
                  parse_spec(R"({"event": )" + std::to_string(kColumns) +
                             R"(, "layers": [{"repeat": 70, "layers": [{"type": "elementwise_affine"},
                             {"type": "softplus"}, {"type": "softplus", "invert": true}, {"type": "leaky_relu"}]}]})"),
                  1);
  ASSERT_TRUE(gradients_recompute(model.cost())) << model.cost().kept;
  ASSERT_EQ(gradient_rows(model.block_rows(), model.cost()), 1);
  Executor one(1);
  SessionOptions options;
  options.gradients = true;
  Session s(system_allocator(), one, model, options);
  EXPECT_LT(static_cast<int64_t>(s.bytes()), model.cost().kept * 4);
  std::vector<double> x(2 * kColumns, 0.5), dx(2 * kColumns), lp(2), there(2);
  const View rows = contiguous_view(x.data(), DType::f64, {2, kColumns}),
             slopes = contiguous_view(dx.data(), DType::f64, {2, kColumns});
  s.log_prob_grad(rows, View{}, contiguous_view(lp.data(), DType::f64, {2}), slopes, View{});
  // x > 0 passes all layers unchanged, and the log-density falls by x dx.
  for (size_t k = 0; k < x.size(); k += 997) EXPECT_NEAR(dx[k], -0.5, 1e-3) << k;
  EXPECT_EQ(lp[0], lp[1]);
}

TEST(SessionDerivativeMemory, BlocksAreAFunctionOfTheModel) {
  EXPECT_EQ(gradient_rows(64, {0, 0}), 64);
  EXPECT_EQ(gradient_rows(64, {0, 1 << 15}), 64);
  EXPECT_EQ(gradient_rows(64, {0, 1 << 17}), 16);
  EXPECT_EQ(gradient_rows(64, {0, 1 << 22}), 1);
  EXPECT_FALSE(gradients_recompute({0, (1 << 24) - 1}));
  EXPECT_TRUE(gradients_recompute({0, 1 << 24}));
}

// Models of any size and depth have room for every call with any number of rows.
TEST(SessionDerivativeMemory, IsEnough) {
  for (const char* spec : {R"({"event": 1, "layers": []})", R"({"event": 1, "layers": [{"type": "reverse"}]})",
                           R"({"event": 1, "context": 1, "layers": [{"type": "elementwise_affine"}]})",
                           R"({"event": 2, "context": 7, "base": "full_normal", "layers": [{"type": "planar"}]})",
                           R"({"event": 3, "layers": [{"type": "spline_autoregressive", "hidden": [70]}]})"}) {
    SCOPED_TRACE(spec);
    FlowCase<float> f(parse_spec(spec));
    f.randomize(1, 0.1);
    std::mt19937_64 random(1);
    for (const auto nonfinite : {NonFinite::propagate, NonFinite::error}) {
      SessionCase<float> s(f.model(), 2, SessionOptions(nonfinite));
      for (const int64_t n : {1, 63, 64, 65, 600}) {
        Rows2 in = draw_mild(Domain::real, n, f.model().columns(), f.model().context(), random);
        const MappedValues cot{draw_normal(static_cast<int64_t>(in.x.size()), random), draw_normal(n, random)};
        s.log_prob_grad(in);
        for (const bool inverse : {false, true}) {
          s.vjp(inverse, in, cot);
          s.jvp(inverse, in, cot.y, in.context);
        }
        if (nonfinite == NonFinite::propagate) continue;
        in.x.back() = NAN;
        EXPECT_ERROR(s.log_prob_grad(in), Code::numeric, "of x holds NaN or infinity");
        EXPECT_ERROR(s.vjp(true, in, cot), Code::numeric, "of z holds NaN or infinity");
        EXPECT_ERROR(s.jvp(false, in, cot.y, {}), Code::numeric, "of x holds NaN or infinity");
      }
    }
  }
}

}  // namespace
}  // namespace libnf::test
