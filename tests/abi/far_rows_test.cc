// Rows far from 0 (times in seconds, about 1.6e9 with a standard deviation of 30, which float32 rounds to multiples of 128)
// through float32 models whose first layers use what rounding takes from float64 views: every call agrees with the same
// model in float64. Rows that float32 can represent have the bits that they have in a float32 view.
#include <set>

#include "tests/abi/abi_support.h"

namespace abi_test {
namespace {

using Doubles = std::vector<double>;
constexpr int64_t kRows = 4000;
constexpr double kCenter = 1.6e9 + 50, kSpread = 30;

Doubles normals(int64_t n, uint64_t seed) {
  Doubles out(static_cast<size_t>(n));
  auto uniform = [state = seed * 2654435761u + 12345]() mutable {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (static_cast<double>(state >> 11) + 0.5) / 9007199254740992.0;
  };
  for (double& v : out) v = std::sqrt(-2 * std::log(uniform())) * std::cos(6.283185307179586 * uniform());
  return out;
}

// Rows (t, y), y standard normal.
Doubles times(int64_t n, uint64_t seed = 1) {
  Doubles x = normals(2 * n, seed);
  for (size_t i = 0; i < x.size(); i += 2) x[i] = kCenter + kSpread * x[i];
  return x;
}
// The same with whole seconds.
Doubles whole_times(int64_t n) {
  Doubles x = times(n);
  for (double& v : x) v = std::round(v);
  return x;
}

std::string spec_of(const std::string& layers, const char* more = "") {
  return R"({"event": [2], "layers": [)" + layers + "]" + more + "}";
}
constexpr char kCoupling[] = R"({"type": "affine_coupling", "hidden": [8]})";
constexpr char kFloat64[] = R"(, "dtype": "float64")";

nf_view rows_of(const Doubles& x) { return nf_rows_f64(x.data(), static_cast<int64_t>(x.size()) / 2, 2); }
nf_out out_of(Doubles& x) { return nf_out_rows_f64(x.data(), static_cast<int64_t>(x.size()) / 2, 2); }
nf_out out_column(Doubles& x) { return nf_out_vec_f64(x.data(), static_cast<int64_t>(x.size())); }

// The model of this spec with the numbers of `narrow`.
Model in_float64(nf_model* narrow, const std::string& wide_spec) {
  Model wide = model(nullptr, wide_spec);
  Err e;
  for (int64_t i = 0; i < info(narrow).tensor_count; ++i) {
    nf_tensor_info t = NF_TENSOR_INFO_INIT;
    EXPECT_TRUE(ok(nf_model_tensor(narrow, i, &t, &e), e));
    Doubles values(1);
    for (int32_t k = 0; k < t.ndim; ++k) values.resize(values.size() * static_cast<size_t>(t.shape[k]));
    const nf_out out = nf_out_array(NF_F64, values.data(), t.ndim, t.shape);
    EXPECT_TRUE(ok(nf_model_get_tensor(narrow, t.name, &out, &e), e));
    const nf_view view = nf_array(NF_F64, values.data(), t.ndim, t.shape);
    EXPECT_TRUE(ok(nf_model_set_tensor(wide.get(), t.name, &view, &e), e)) << t.name;
  }
  return wide;
}

Model trained(const std::string& layers, const Doubles& x, int steps = 20) {
  Model m = model(nullptr, spec_of(layers));
  Err e;
  const nf_view v = rows_of(x);
  EXPECT_TRUE(ok(nf_model_init_from_data(m.get(), &v, nullptr, &e), e));
  const Trainer t = trainer(m.get(), options({{"trainer.lr", "1e-2"}}).get());
  for (int k = 0; k < steps; ++k) EXPECT_TRUE(ok(nf_train_step(t.get(), Batch(&v), nullptr, &e), e));
  return m;
}

// What a model makes of rows: every column of numbers that a session gives.
struct Answers {
  Doubles log_prob, dx, z, log_det, back, back_log_det, pushed, pulled, pulled_back;
};

Answers ask(nf_model* m, const Doubles& x) {
  const size_t n = x.size() / 2;
  Answers a{Doubles(n), Doubles(2 * n), Doubles(2 * n), Doubles(n),    Doubles(2 * n),
            Doubles(n), Doubles(2 * n), Doubles(2 * n), Doubles(2 * n)};
  const Session s = session(m);
  Err e;
  const nf_view rows = rows_of(x);
  const Doubles ones(2 * n, 1);
  const nf_view cot = rows_of(ones);
  nf_out lp = out_column(a.log_prob), dx = out_of(a.dx), z = out_of(a.z), log_det = out_column(a.log_det),
         back = out_of(a.back), back_log_det = out_column(a.back_log_det), pushed = out_of(a.pushed),
         pulled = out_of(a.pulled), pulled_back = out_of(a.pulled_back);
  EXPECT_TRUE(ok(nf_log_prob(s.get(), &rows, nullptr, &lp, &e), e));
  Doubles again(n);
  const nf_out lp2 = out_column(again);
  EXPECT_TRUE(ok(nf_log_prob_grad(s.get(), &rows, nullptr, &lp2, &dx, nullptr, &e), e));
  EXPECT_EQ(again, a.log_prob);
  EXPECT_TRUE(ok(nf_forward(s.get(), &rows, nullptr, &z, &log_det, &e), e));
  const nf_view latents = rows_of(a.z);
  EXPECT_TRUE(ok(nf_inverse(s.get(), &latents, nullptr, &back, &back_log_det, &e), e));
  EXPECT_TRUE(
      ok(nf_jvp(s.get(), NF_FORWARD, &rows, nullptr, &cot, nullptr, nullptr, nullptr, &pushed, nullptr, &e), e));
  Doubles to(2 * n);
  nf_out same = out_of(to);
  EXPECT_TRUE(ok(nf_vjp(s.get(), NF_FORWARD, &rows, nullptr, &cot, nullptr, &same, nullptr, &pulled, nullptr, &e), e));
  EXPECT_EQ(to, a.z);
  EXPECT_TRUE(
      ok(nf_vjp(s.get(), NF_INVERSE, &latents, nullptr, &cot, nullptr, &same, nullptr, &pulled_back, nullptr, &e), e));
  EXPECT_EQ(to, a.back);
  EXPECT_TRUE(
      ok(nf_jvp(s.get(), NF_INVERSE, &latents, nullptr, &cot, nullptr, &same, nullptr, nullptr, nullptr, &e), e));
  EXPECT_EQ(to, a.back);
  return a;
}

testing::AssertionResult near(const Doubles& got, const Doubles& want, double tolerance, const char* what) {
  for (size_t i = 0; i < want.size(); ++i)
    if (!(std::abs(got[i] - want[i]) <= tolerance * std::max(1.0, std::abs(want[i]))))
      return testing::AssertionFailure() << what << " at " << i << ": " << got[i] << ", in float64 " << want[i];
  return testing::AssertionSuccess();
}

// Rows are allowed an error of 1e-4 standard deviations.
testing::AssertionResult near_rows(const Doubles& got, const Doubles& want) {
  for (size_t i = 0; i < want.size(); ++i)
    if (!(std::abs(got[i] - want[i]) <= 1e-4 * (i % 2 ? 1 : kSpread)))
      return testing::AssertionFailure() << "x at " << i << " is off by " << got[i] - want[i];
  return testing::AssertionSuccess();
}

void agrees_with_float64(const std::string& layers, const Doubles& x, int steps) {
  SCOPED_TRACE(layers);
  const Model narrow = trained(layers, x, steps), wide = in_float64(narrow.get(), spec_of(layers, kFloat64));
  const Answers got = ask(narrow.get(), x), want = ask(wide.get(), x);
  EXPECT_TRUE(near(got.log_prob, want.log_prob, 1e-4, "log_prob"));
  EXPECT_TRUE(near(got.dx, want.dx, 1e-4, "dx"));
  EXPECT_TRUE(near(got.z, want.z, 1e-4, "z"));
  EXPECT_TRUE(near(got.log_det, want.log_det, 1e-4, "log_det"));
  EXPECT_TRUE(near(got.pushed, want.pushed, 1e-4, "jvp"));
  EXPECT_TRUE(near(got.pulled, want.pulled, 1e-4, "vjp"));
  EXPECT_TRUE(near_rows(got.back, x));
  EXPECT_TRUE(near_rows(want.back, x));
  EXPECT_TRUE(near(got.pulled_back, want.pulled_back, 1e-4, "vjp of the inverse"));
}

TEST(FarRows, LayersNextToTheDataAgreeWithFloat64) {
  const Doubles x = times(300);
  const std::string then = std::string(", ") + kCoupling;
  for (const char* first :
       {R"({"type": "standardize"})", R"({"type": "batch_norm"})", R"({"type": "reverse"}, {"type": "standardize"})",
        R"({"type": "standardize"}, {"type": "shuffle"}, {"type": "actnorm"})"})
    agrees_with_float64(first + then, x, 20);
  // A learned scale of rows as far from 0 as these cannot be trained, in any dtype.
  for (const char* first :
       {R"({"type": "actnorm"})", R"({"type": "actnorm", "invert": true})",
        R"({"layers": [{"type": "elementwise_affine"}, {"type": "flatten"}]}, {"type": "standardize"})"})
    agrees_with_float64(first + then, x, 0);
}

TEST(FarRows, IntegersBeyondFloat32) {
  const Doubles x = whole_times(300);
  const std::string levels = R"({"type": "dequantize"}, {"type": "standardize"}, )";
  const Model m = trained(levels + kCoupling, x);
  const Answers a = ask(m.get(), x);
  EXPECT_EQ(a.back, x);
  double mean = 0;
  for (const double v : a.log_prob) mean += v / 300;
  EXPECT_NEAR(mean, -6.24, 0.3);
  Doubles between = x;
  between[0] += 0.5;
  EXPECT_EQ(ask(m.get(), Doubles(between.begin(), between.begin() + 2)).log_prob[0], -INFINITY) << "not a level";
}

// A whole run: the score is that of the float64 model, and samples have the resolution of the data.
TEST(FarRows, Fit) {
  const Doubles x = times(kRows), fresh = times(kRows, 2);
  const nf_view rows = rows_of(x);
  for (const char* dtype : {"", kFloat64}) {
    const Model m = model(nullptr, spec_of(std::string(R"({"type": "standardize"}, )") + kCoupling, dtype));
    Err e;
    nf_fit_info done = NF_FIT_INFO_INIT;
    const Options o = options({{"fit.steps", "200"}, {"trainer.lr", "1e-2"}});
    ASSERT_TRUE(ok(nf_fit(m.get(), Batch(&rows), nullptr, o.get(), nullptr, nullptr, &done, &e), e));
    EXPECT_NEAR(done.best, -6.24, 0.1) << "per held-out row";
    Doubles lp(kRows), drawn(2 * kRows), drawn_lp(kRows);
    const nf_view unseen = rows_of(fresh);
    const nf_out out = out_column(lp), x_out = out_of(drawn), lp_out = out_column(drawn_lp);
    ASSERT_TRUE(ok(nf_score(m.get(), &unseen, nullptr, &out, &e), e));
    double mean = 0;
    for (const double v : lp) mean += v / kRows;
    EXPECT_NEAR(mean, -6.24, 0.05);
    ASSERT_TRUE(ok(nf_sample(session(m.get()).get(), Sampling(5, 0), nullptr, &x_out, &lp_out, &e), e));
    std::set<double> distinct;
    double squares = 0;
    for (size_t i = 0; i < drawn.size(); i += 2) {
      distinct.insert(drawn[i]);
      squares += (drawn[i] - kCenter) * (drawn[i] - kCenter) / kRows;
    }
    EXPECT_GT(distinct.size(), size_t{kRows * 99 / 100});
    EXPECT_NEAR(std::sqrt(squares), kSpread, 2);
    const nf_view again = rows_of(drawn);
    ASSERT_TRUE(ok(nf_score(m.get(), &again, nullptr, &out, &e), e));
    EXPECT_TRUE(near(lp, drawn_lp, 1e-3, "log_prob of a sample"));
  }
}

// Steps of trainers in float32 and in float64: losses and gradients of layers next to the data.
TEST(FarRows, StepsAgreeWithFloat64) {
  const Doubles x = times(500);
  const nf_view rows = rows_of(x);
  Err e;
  for (const char* first : {"standardize", "batch_norm"}) {
    SCOPED_TRACE(first);
    const std::string layers = std::string(R"({"type": ")") + first + R"("}, )" + kCoupling;
    const Model narrow = model(nullptr, spec_of(layers)), wide = model(nullptr, spec_of(layers, kFloat64));
    const Model recompute = model(nullptr, spec_of(layers));
    const Trainer a = trainer(narrow.get()), b = trainer(wide.get()),
                  c = trainer(recompute.get(), options({{"trainer.memory", "recompute"}}).get());
    for (int k = 0; k < 30; ++k) {
      nf_step_info got = NF_STEP_INFO_INIT, want = NF_STEP_INFO_INIT, third = NF_STEP_INFO_INIT;
      ASSERT_TRUE(ok(nf_train_step(a.get(), Batch(&rows), &got, &e), e));
      ASSERT_TRUE(ok(nf_train_step(b.get(), Batch(&rows), &want, &e), e));
      ASSERT_TRUE(ok(nf_train_step(c.get(), Batch(&rows), &third, &e), e));
      EXPECT_NEAR(got.loss, want.loss, 1e-3) << "step " << k;
      EXPECT_EQ(got.loss, third.loss);
    }
    double loss = 0, reference = 0;
    ASSERT_TRUE(ok(nf_trainer_evaluate(a.get(), Batch(&rows), &loss, nullptr, &e), e));
    ASSERT_TRUE(ok(nf_trainer_evaluate(b.get(), Batch(&rows), &reference, nullptr, &e), e));
    EXPECT_NEAR(loss, reference, 1e-3);
  }
}

// The bits of rows in float32 do not depend on the dtype of the view, if the layers' own numbers are ordinary.
TEST(FarRows, FloatsHaveTheBitsOfFloatViews) {
  Tensor x = banana(200);
  const Doubles same(x.v.begin(), x.v.end());
  const nf_view wide = rows_of(same);
  for (const char* first : {"standardize", "actnorm", "batch_norm"}) {
    SCOPED_TRACE(first);
    const std::string layers = std::string(R"({"type": ")") + first + R"("}, )" + kCoupling;
    const Model a = model(nullptr, spec_of(layers)), b = model(nullptr, spec_of(layers));
    Err e;
    const Trainer ta = trainer(a.get()), tb = trainer(b.get());
    for (int k = 0; k < 3; ++k) {
      ASSERT_TRUE(ok(nf_train_step(ta.get(), Batch(x.view()), nullptr, &e), e));
      ASSERT_TRUE(ok(nf_train_step(tb.get(), Batch(&wide), nullptr, &e), e));
    }
    Tensor lp({200}), lp2({200});
    ASSERT_TRUE(ok(nf_score(a.get(), x.view(), nullptr, lp.view(), &e), e));
    ASSERT_TRUE(ok(nf_score(b.get(), &wide, nullptr, lp2.view(), &e), e));
    EXPECT_TRUE(same_bits(lp.v, lp2.v));
    // A sample in float32 is the one in float64, up to the rounding between two affine maps.
    Tensor s({200, 2});
    Doubles s64(400);
    const nf_out out = out_of(s64);
    ASSERT_TRUE(ok(nf_sample(session(a.get()).get(), Sampling(3, 0), nullptr, s.view(), nullptr, &e), e));
    ASSERT_TRUE(ok(nf_sample(session(a.get()).get(), Sampling(3, 0), nullptr, &out, nullptr, &e), e));
    for (size_t i = 0; i < s.v.size(); ++i) EXPECT_NEAR(static_cast<double>(s.v[i]), s64[i], 1e-6) << i;
  }
}

// Rows are independent to the bit however they are cut and laid out.
TEST(FarRows, BitsOfARow) {
  const Doubles x = times(500);
  const Model m = trained(std::string(R"({"type": "standardize"}, )") + kCoupling, x);
  Err e;
  const Session s = session(m.get());
  const nf_view rows = rows_of(x);
  Doubles all(500);
  const nf_out out = out_column(all);
  ASSERT_TRUE(ok(nf_log_prob(s.get(), &rows, nullptr, &out, &e), e));
  std::vector<char> odd(500 * 3 * sizeof(double) + 1);  // misaligned rows with a gap
  for (size_t r = 0; r < 500; ++r) std::memcpy(&odd[1 + r * 3 * sizeof(double)], &x[2 * r], 2 * sizeof(double));
  nf_view apart = rows_of(x);
  apart.data = odd.data() + 1;
  apart.flags = NF_STRIDED;
  apart.strides[0] = 3;
  apart.strides[1] = 1;
  Doubles strided(500);
  const nf_out strided_out = out_column(strided);
  ASSERT_TRUE(ok(nf_log_prob(s.get(), &apart, nullptr, &strided_out, &e), e));
  EXPECT_EQ(strided, all);
  for (size_t r = 0; r < 500; r += 7) {
    double one = 0;
    ASSERT_TRUE(ok(nf_log_prob_row(s.get(), &x[2 * r], nullptr, &one, &e), e));
    EXPECT_EQ(one, all[r]) << r;
  }
}

std::string file_of(const nf_model* m) {
  std::string bytes;
  const auto append = [](void* user, const void* p, size_t n) -> int32_t {
    static_cast<std::string*>(user)->append(static_cast<const char*>(p), n);
    return 0;
  };
  Err e;
  EXPECT_TRUE(ok(nf_model_save_stream(m, append, &bytes, &e), e));
  return bytes;
}

// The mean of a far column is stored in two tensors; files of other models are as they were before there was a second one.
TEST(FarRows, Files) {
  const std::string layers = std::string(R"({"type": "standardize"}, )") + kCoupling;
  const Doubles x = times(300);
  const Model far = trained(layers, x);
  const std::string bytes = file_of(far.get());
  EXPECT_NE(bytes.find("layers.0.mean_low"), std::string::npos);
  Err e;
  nf_model* loaded = nullptr;
  ASSERT_TRUE(ok(nf_model_load_memory(nullptr, bytes.data(), bytes.size(), nullptr, &loaded, &e), e));
  const Model back(loaded);
  EXPECT_EQ(ask(back.get(), x).log_prob, ask(far.get(), x).log_prob);
  EXPECT_EQ(file_of(back.get()), bytes);
  const Model near_zero = trained(layers, normals(600, 3));
  EXPECT_EQ(file_of(near_zero.get()).find("mean_low"), std::string::npos);
}

// ---- contexts ---------------------------------------------------------------------------------------------------

// A model of plain rows whose context is a far time and a plain number.
std::string context_spec(const char* more = "") {
  return std::string(R"({"event": [2], "context": [2], "prepare_context": {"standardize": true}, "layers": [)") +
         R"({"type": "affine_coupling", "hidden": [8]}, {"type": "reverse"}, {"type": "affine_coupling", "hidden": [8]}])" +
         more + "}";
}

// Rows y of which the first column follows the context's first.
Doubles followers(const Doubles& context) {
  Doubles y = normals(static_cast<int64_t>(context.size()), 7);
  for (size_t i = 0; i < y.size(); i += 2) y[i] = 0.3 * y[i] + (context[i] - kCenter) / kSpread;
  return y;
}

// What a model makes of rows and contexts; sampled: two samples per context.
struct ContextAnswers {
  Doubles log_prob, d_context, z, pushed, pulled, sampled, base, one;
};

ContextAnswers ask_contexts(nf_model* m, const Doubles& y, const Doubles& context) {
  const size_t n = y.size() / 2;
  ContextAnswers a{Doubles(n),     Doubles(2 * n), Doubles(2 * n), Doubles(2 * n),
                   Doubles(2 * n), Doubles(4 * n), Doubles(n),     Doubles(n)};
  const Session s = session(m);
  Err e;
  const nf_view rows = rows_of(y), c = rows_of(context), first = nf_rows_f64(context.data(), 1, 2);
  const Doubles ones(2 * n, 1), tangents(2 * n, kSpread);
  const nf_view cot = rows_of(ones), tan = rows_of(tangents);
  const nf_out lp = out_column(a.log_prob), dc = out_of(a.d_context), z = out_of(a.z), pushed = out_of(a.pushed),
               pulled = out_of(a.pulled), sampled = out_of(a.sampled), one = out_column(a.one),
               base = out_column(a.base);
  EXPECT_TRUE(ok(nf_log_prob_grad(s.get(), &rows, &c, &lp, nullptr, &dc, &e), e));
  Doubles again(n);
  const nf_out lp2 = out_column(again);
  EXPECT_TRUE(ok(nf_log_prob(s.get(), &rows, &c, &lp2, &e), e));
  EXPECT_EQ(again, a.log_prob);
  EXPECT_TRUE(ok(nf_forward(s.get(), &rows, &c, &z, nullptr, &e), e));
  EXPECT_TRUE(ok(nf_base_log_prob(s.get(), &rows, &c, &base, &e), e));
  EXPECT_TRUE(ok(nf_jvp(s.get(), NF_FORWARD, &rows, &c, nullptr, &tan, nullptr, nullptr, &pushed, nullptr, &e), e));
  EXPECT_TRUE(ok(nf_vjp(s.get(), NF_FORWARD, &rows, &c, &cot, nullptr, nullptr, nullptr, nullptr, &pulled, &e), e));
  EXPECT_TRUE(ok(nf_sample(s.get(), Sampling(5, 0, 2), &c, &sampled, nullptr, &e), e));
  EXPECT_TRUE(ok(nf_log_prob(s.get(), &rows, &first, &one, &e), e));  // one context for all rows
  return a;
}

// Samples of float64 come from other random bits, so they are compared with what they follow.
TEST(FarContexts, AgreeWithFloat64) {
  const Doubles context = times(300), y = followers(context);
  const Model narrow = model(nullptr, context_spec());
  Err e;
  const nf_view rows = rows_of(y), c = rows_of(context);
  const Trainer t = trainer(narrow.get(), options({{"trainer.lr", "1e-2"}}).get());
  for (int k = 0; k < 100; ++k) ASSERT_TRUE(ok(nf_train_step(t.get(), Batch(&rows, &c), nullptr, &e), e));
  const Model wide = in_float64(narrow.get(), context_spec(kFloat64));
  const ContextAnswers got = ask_contexts(narrow.get(), y, context), want = ask_contexts(wide.get(), y, context);
  EXPECT_TRUE(near(got.log_prob, want.log_prob, 1e-4, "log_prob"));
  EXPECT_TRUE(near(got.d_context, want.d_context, 1e-4, "d_context"));
  EXPECT_TRUE(near(got.z, want.z, 1e-4, "z"));
  EXPECT_TRUE(near(got.pushed, want.pushed, 1e-4, "jvp"));
  EXPECT_TRUE(near(got.pulled, want.pulled, 1e-4, "vjp"));
  EXPECT_TRUE(near(got.one, want.one, 1e-4, "log_prob of one context"));
  double squares = 0;
  for (size_t i = 0; i < 600; ++i) {  // sample i has context i / 2, whose time it follows
    const double away = got.sampled[2 * i] - (context[i / 2 * 2] - kCenter) / kSpread;
    squares += away * away / 600;
  }
  EXPECT_LT(std::sqrt(squares), 0.6) << "a sample follows its context";
  EXPECT_GT(std::sqrt(squares), 0.1);
}

TEST(FarContexts, StepsAgreeWithFloat64) {
  const Doubles context = times(500), y = followers(context);
  const nf_view rows = rows_of(y), c = rows_of(context);
  Doubles weights(500, 1);
  for (size_t r = 0; r < 500; r += 3) weights[r] = 0;
  const nf_view weight = nf_vec_f64(weights.data(), 500);
  Err e;
  for (const nf_view* w : {static_cast<const nf_view*>(nullptr), &weight}) {
    // Both start from the same numbers: initial ones do not depend on the dtype but for rounding.
    const Model narrow = model(nullptr, context_spec()), wide = model(nullptr, context_spec(kFloat64));
    const Trainer a = trainer(narrow.get()), b = trainer(wide.get());
    for (int k = 0; k < 30; ++k) {
      nf_step_info got = NF_STEP_INFO_INIT, want = NF_STEP_INFO_INIT;
      ASSERT_TRUE(ok(nf_train_step(a.get(), Batch(&rows, &c, w), &got, &e), e));
      ASSERT_TRUE(ok(nf_train_step(b.get(), Batch(&rows, &c, w), &want, &e), e));
      EXPECT_NEAR(got.loss, want.loss, 1e-3) << "step " << k;
    }
  }
}

// A layer that starts from data behind the context sees it exactly; a single context for all rows is centered to 0.
TEST(FarContexts, StartAndFiles) {
  const Doubles context = times(300), y = followers(context);
  const nf_view rows = rows_of(y), c = rows_of(context);
  const std::string layers =
      R"("layers": [{"type": "affine_coupling", "hidden": [8], "init": "random"}, {"type": "actnorm"}, {"type": "reverse"}])";
  const auto spec = [&](const char* more) {
    return R"({"event": [2], "context": [2], "prepare_context": {"standardize": true}, )" + layers + more + "}";
  };
  Err e;
  const Model narrow = model(nullptr, spec("")), wide = model(nullptr, spec(kFloat64));
  for (nf_model* m : {narrow.get(), wide.get()}) ASSERT_TRUE(ok(nf_model_init_from_data(m, &rows, &c, &e), e));
  EXPECT_TRUE(near(ask_contexts(narrow.get(), y, context).z, ask_contexts(wide.get(), y, context).z, 1e-4, "z"));
  const std::string bytes = file_of(narrow.get());
  EXPECT_NE(bytes.find("prepare_context.mean_low"), std::string::npos);
  nf_model* loaded = nullptr;
  ASSERT_TRUE(ok(nf_model_load_memory(nullptr, bytes.data(), bytes.size(), nullptr, &loaded, &e), e));
  const Model back(loaded);
  EXPECT_EQ(ask_contexts(back.get(), y, context).log_prob, ask_contexts(narrow.get(), y, context).log_prob);
  const Model plain = model(nullptr, spec(""));
  const Doubles near_zero = normals(600, 3);
  const nf_view near_view = rows_of(near_zero);
  ASSERT_TRUE(ok(nf_model_init_from_data(plain.get(), &rows, &near_view, &e), e));
  EXPECT_EQ(file_of(plain.get()).find("mean_low"), std::string::npos);
}

// ---- warnings --------------------------------------------------------------------------------------------------

// The warnings of one training step.
std::string warnings(const std::string& spec, const nf_view& rows, const nf_view* context = nullptr) {
  std::string all;
  const nf_log_fn log = [](void* user, int32_t level, const char* text) {
    if (level > 0) *static_cast<std::string*>(user) += std::string(text) + "\n";
  };
  nf_runtime* rt = nullptr;
  Err e;
  EXPECT_TRUE(ok(nf_runtime_create(nullptr, nullptr, nullptr, log, &all, &rt, &e), e));
  const Runtime runtime(rt);
  const Model m = model(rt, spec);
  const Trainer t = trainer(m.get());
  for (int k = 0; k < 2; ++k) EXPECT_TRUE(ok(nf_train_step(t.get(), Batch(&rows, context), nullptr, &e), e));
  return all;
}

TEST(FarRows, CoarseColumnsAreNamed) {
  const Doubles x = times(100);
  const std::vector<float> narrow(x.begin(), x.end());
  const nf_view wide_rows = rows_of(x), narrow_rows = nf_rows_f32(narrow.data(), 100, 2);
  const std::string standardize = R"({"type": "standardize"})", reverse = R"({"type": "reverse"})";
  EXPECT_EQ(warnings(spec_of(standardize), wide_rows), "");
  EXPECT_EQ(warnings(spec_of(reverse, kFloat64), wide_rows), "");
  const std::string once = warnings(spec_of(reverse), wide_rows);
  EXPECT_EQ(once.find("column 0 of x has values near 1.6e+09 that spread over 3"), 0u) << once;
  const std::string advice =
      ", but numbers there are 128 apart in float32: begin the layers with \"standardize\", or use \"dtype\": "
      "\"float64\"\n";
  EXPECT_EQ(once.find(advice) + advice.size(), once.size()) << once;
  EXPECT_NE(warnings(spec_of(standardize), narrow_rows).find("pass them as float64\n"), std::string::npos);
  EXPECT_NE(warnings(spec_of(reverse), narrow_rows).find("pass them as float64 and begin the layers with"),
            std::string::npos);
  EXPECT_NE(warnings(spec_of(reverse, kFloat64), narrow_rows).find("pass them as float64\n"), std::string::npos);
  Doubles nanoseconds = x;  // too far for 48 bits
  for (size_t i = 0; i < x.size(); i += 2) nanoseconds[i] = (x[i] - kCenter) * 1e2 + 1.6e18;
  EXPECT_NE(warnings(spec_of(standardize), rows_of(nanoseconds)).find("subtract a constant first\n"),
            std::string::npos);
  const nf_view context = nf_rows_f64(x.data(), 50, 4);
  const Doubles plain = normals(100, 2);
  const nf_view plain_rows = rows_of(plain);
  const auto of_context = [&](const char* more) {
    return warnings(
        std::string(R"({"event": [2], "context": [4], "layers": [{"type": "affine_coupling"}])") + more + "}",
        plain_rows, &context);
  };
  const std::string text = of_context("");
  EXPECT_EQ(text.find("column 0 of ctx"), 0u) << text;
  EXPECT_NE(text.find("set \"prepare_context\": {\"standardize\": true}, or use \"dtype\": \"float64\"\n"),
            std::string::npos)
      << text;
  EXPECT_EQ(of_context(R"(, "prepare_context": {"standardize": true})"), "");
  EXPECT_EQ(warnings(spec_of(reverse), plain_rows), "");
}

}  // namespace
}  // namespace abi_test
