// Unusual data that are valid for the call: no rows, NaN and infinite rows, weights, contexts, strides of every kind,
// the other dtype. A row's result never depends on the other rows.
#include <limits>

#include "tests/abi/abi_support.h"

namespace abi_test {
namespace {

class DataMisuse : public Counted {
 protected:
  void SetUp() override {
    Counted::SetUp();
    m = model(rt.get());
    s = session(m.get());
  }
  void TearDown() override {
    s.reset();
    m.reset();
    Counted::TearDown();
  }
  std::vector<float> score(Tensor& x, int64_t n) {
    Tensor out({n});
    Err e;
    EXPECT_TRUE(ok(nf_log_prob(s.get(), x.view(), nullptr, out.view(), &e), e));
    return out.v;
  }
  Model m;
  Session s;
};

TEST_F(DataMisuse, NoRows) {
  Tensor x({0, 2}), out({0, 2}), row({0}), states({info(m.get()).layer_count + 1, 0, 2});
  Err e;
  for (bool null_data : {false, true}) {
    auto v = [&](Tensor& t) -> Tensor::Borrowed& {
      t.view();
      if (null_data) t.borrowed().data = nullptr;
      return t.borrowed();
    };
    EXPECT_TRUE(ok(nf_log_prob(s.get(), v(x), nullptr, v(row), &e), e));
    EXPECT_TRUE(ok(nf_forward(s.get(), v(x), nullptr, v(out), v(row), &e), e));
    EXPECT_TRUE(ok(nf_inverse(s.get(), v(x), nullptr, v(out), nullptr, &e), e));
    EXPECT_TRUE(ok(nf_trace(s.get(), 0, v(x), nullptr, v(states), nullptr, &e), e));
    EXPECT_TRUE(ok(nf_sample(s.get(), Sampling(1, 0), nullptr, v(out), v(row), &e), e));
  }
  const Trainer t = trainer(m.get());
  EXPECT_TRUE(failed(NF_ERR_SHAPE, nf_train_step(t.get(), Batch(x.view()), nullptr, &e), e, "x"));
}

TEST_F(DataMisuse, TraceNeedsADirectionAndRoom) {
  const int64_t steps = info(m.get()).layer_count;
  Tensor x = banana(4), out({steps + 1, 4, 2}), small({steps, 4, 2}), flat({(steps + 1) * 4, 2});
  Err e;
  EXPECT_TRUE(ok(nf_trace(s.get(), 0, x.view(), nullptr, out.view(), nullptr, &e), e));
  for (int32_t bad : {-1, 2})
    EXPECT_TRUE(
        failed(NF_ERR_ARGUMENT, nf_trace(s.get(), bad, x.view(), nullptr, out.view(), nullptr, &e), e, "direction"));
  for (Tensor* t : {&small, &flat})
    EXPECT_TRUE(failed(NF_ERR_SHAPE, nf_trace(s.get(), 0, x.view(), nullptr, t->view(), nullptr, &e), e, "out"));
  const Session strict = session(m.get(), options({{"session.nonfinite", "error"}}).get());
  x.v[2 * 3] = NAN;
  EXPECT_TRUE(
      failed(NF_ERR_NUMERIC, nf_trace(strict.get(), 0, x.view(), nullptr, out.view(), nullptr, &e), e, "row 3"));
}

TEST_F(DataMisuse, ABadRowSpoilsOnlyItself) {
  constexpr int64_t n = 200;  // more than one block of rows
  Tensor x = banana(n);
  const std::vector<float> clean = score(x, n);
  for (float bad : {NAN, INFINITY, -INFINITY, 3e38f, -3e38f, std::numeric_limits<float>::denorm_min()}) {
    Tensor y = x;
    for (int64_t row : {int64_t{0}, int64_t{63}, int64_t{64}, n - 1}) y.v[static_cast<size_t>(2 * row)] = bad;
    const std::vector<float> got = score(y, n);
    for (int64_t i = 0; i < n; ++i) {
      const float a = got[static_cast<size_t>(i)], b = clean[static_cast<size_t>(i)];
      if (i == 0 || i == 63 || i == 64 || i == n - 1)
        EXPECT_TRUE(std::isfinite(bad) || std::isnan(a) || a == -INFINITY)
            << "row " << i << " with " << bad << " scores " << a;
      else
        EXPECT_EQ(memcmp(&a, &b, sizeof(a)), 0) << "row " << i << " depends on a neighbor with " << bad;
    }
  }
}

TEST_F(DataMisuse, NonfiniteErrorNamesTheRow) {
  const Session strict = session(m.get(), options({{"session.nonfinite", "error"}}).get());
  Tensor x = banana(200), out({200});
  x.v[2 * 137 + 1] = NAN;
  Err e;
  EXPECT_TRUE(failed(NF_ERR_NUMERIC, nf_log_prob(strict.get(), x.view(), nullptr, out.view(), &e), e, "137"));
  x.v[2 * 137 + 1] = 0;
  EXPECT_TRUE(ok(nf_log_prob(strict.get(), x.view(), nullptr, out.view(), &e), e)) << "the session is unchanged";
}

TEST_F(DataMisuse, NonfiniteTrainingChangesNothing) {
  const Trainer t = trainer(m.get());
  Tensor x = banana(200);
  Err e;
  ASSERT_TRUE(ok(nf_train_step(t.get(), Batch(x.view()), nullptr, &e), e));
  const uint64_t before = nf_model_hash(m.get());
  x.v[2 * 150] = NAN;
  nf_step_info step = NF_STEP_INFO_INIT;
  EXPECT_TRUE(failed(NF_ERR_NUMERIC, nf_train_step(t.get(), Batch(x.view()), &step, &e), e, "150"));
  EXPECT_EQ(nf_model_hash(m.get()), before) << "the refused step was applied";
  EXPECT_EQ(step.step, 0u) << "info was written";
  EXPECT_EQ(nf_trainer_step_count(t.get()), 1u);
  x.v[2 * 150] = 0;
  EXPECT_TRUE(ok(nf_train_step(t.get(), Batch(x.view()), &step, &e), e));
  EXPECT_EQ(step.step, 2u);
}

TEST_F(DataMisuse, Weights) {
  const Trainer t = trainer(m.get());
  Tensor x = banana(8), w({8}, 1.0f);
  Err e;
  const uint64_t before = nf_model_hash(m.get());
  for (float bad : {-1.0f, NAN, INFINITY}) {
    w.v[5] = bad;
    const nf_status status = nf_train_step(t.get(), Batch(x.view(), nullptr, w.view()), nullptr, &e);
    EXPECT_TRUE(status == NF_ERR_ARGUMENT || status == NF_ERR_NUMERIC) << bad << ": " << nf_status_name(status);
    EXPECT_TRUE(failed(status, status, e, "weight"));
    EXPECT_TRUE(failed(status, status, e, "5"));
  }
  EXPECT_EQ(nf_model_hash(m.get()), before);
}

TEST_F(DataMisuse, ContextsThatDoNotFit) {
  Tensor x = banana(4), out({4}), one({4, 1}), two({4, 2}), single({1, 1}), three({3, 1});
  Err e;
  EXPECT_TRUE(failed(NF_ERR_SHAPE, nf_log_prob(s.get(), x.view(), one.view(), out.view(), &e), e, "ctx"))
      << "the model has none";
  const Model c = model(rt.get(), kContextSpec);
  const Session cs = session(c.get());
  const nf_status none = nf_log_prob(cs.get(), x.view(), nullptr, out.view(), &e);
  EXPECT_TRUE(none == NF_ERR_SHAPE || none == NF_ERR_ARGUMENT) << none;
  EXPECT_TRUE(failed(none, none, e, "ctx"));
  EXPECT_TRUE(failed(NF_ERR_SHAPE, nf_log_prob(cs.get(), x.view(), two.view(), out.view(), &e), e, "ctx"));
  EXPECT_TRUE(failed(NF_ERR_SHAPE, nf_log_prob(cs.get(), x.view(), three.view(), out.view(), &e), e, "ctx"));
  // One context row for all rows gives the same result as that row repeated.
  ASSERT_TRUE(ok(nf_log_prob(cs.get(), x.view(), one.view(), out.view(), &e), e));
  Tensor broadcast({4});
  ASSERT_TRUE(ok(nf_log_prob(cs.get(), x.view(), single.view(), broadcast.view(), &e), e));
  EXPECT_TRUE(same_bits(out.v, broadcast.v));
}

// The same numbers through column-major, reversed, padded and float64 views give the same bits.
TEST_F(DataMisuse, StridesAndDtypes) {
  constexpr int64_t n = 100;
  Tensor x = banana(n);
  const std::vector<float> want = score(x, n);
  auto check = [&](const char* what, void* data, int32_t dtype, int64_t s0, int64_t s1) {
    nf_view v = nf_rows(dtype, data, n, 2);
    v.flags = NF_STRIDED, v.strides[0] = s0, v.strides[1] = s1;
    Tensor out({n});
    Err e;
    EXPECT_TRUE(ok(nf_log_prob(s.get(), &v, nullptr, out.view(), &e), e)) << what;
    EXPECT_TRUE(same_bits(out.v, want)) << what;
  };
  std::vector<float> columns(2 * n), reversed(2 * n), padded(5 * n, NAN);
  std::vector<double> wide(x.v.begin(), x.v.end());
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < 2; ++j) {
      const float v = x.v[static_cast<size_t>(2 * i + j)];
      columns[static_cast<size_t>(j * n + i)] = v;
      reversed[static_cast<size_t>(2 * (n - 1 - i) + 1 - j)] = v;
      padded[static_cast<size_t>(5 * i + 2 * j + 1)] = v;
    }
  }
  check("row-major, spelled out", x.v.data(), NF_F32, 2, 1);
  check("column-major", columns.data(), NF_F32, 1, n);
  check("negative strides", reversed.data() + 2 * n - 1, NF_F32, -2, -1);
  check("padded", padded.data() + 1, NF_F32, 5, 2);
  check("float64", wide.data(), NF_F64, 2, 1);
  std::vector<char> odd(x.v.size() * sizeof(float) + 1);
  memcpy(odd.data() + 1, x.v.data(), x.v.size() * sizeof(float));
  check("unaligned", odd.data() + 1, NF_F32, 2, 1);

  // An output with gaps: only the elements of the view are written.
  std::vector<double> out(3 * n, -7.0);
  nf_out backwards = nf_out_vec_f64(out.data() + 3 * (n - 1), n);
  backwards.flags = NF_STRIDED, backwards.strides[0] = -3;
  Err e;
  ASSERT_TRUE(ok(nf_log_prob(s.get(), x.view(), nullptr, &backwards, &e), e));
  for (int64_t i = 0; i < n; ++i) {
    const size_t at = static_cast<size_t>(3 * (n - 1 - i));
    EXPECT_EQ(out[at], static_cast<double>(want[static_cast<size_t>(i)]));
    EXPECT_EQ(out[at + 1], -7.0);
    EXPECT_EQ(out[at + 2], -7.0);
  }
  // One row repeated with stride 0.
  const std::vector<float> first = score(x, n);
  nf_view v = x.view();
  v.flags = NF_STRIDED, v.strides[0] = 0, v.strides[1] = 1;
  Tensor same({n});
  ASSERT_TRUE(ok(nf_log_prob(s.get(), &v, nullptr, same.view(), &e), e));
  for (float value : same.v) EXPECT_EQ(value, first[0]);
}

}  // namespace
}  // namespace abi_test
