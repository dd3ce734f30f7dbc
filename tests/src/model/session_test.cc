// Scoring and sampling rows: the same bits however rows are split into calls and threads, any strides and either dtype
// of the caller's memory, one context for all rows, numbers that are not finite, and no allocation after construction.
#include "src/model/session.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "src/model/segment.h"
#include "tests/support/counting_allocator.h"
#include "tests/support/expect_error.h"
#include "tests/support/flow_case.h"

namespace libnf::test {
namespace {

constexpr char kSpec[] = R"({"event": 5, "context": 2, "base": "diagonal_normal", "layers": [{"repeat": 3, "layers": [
  {"type": "affine_coupling", "hidden": [24, 16], "mask": "random"}, {"type": "elementwise_affine", "invert": true},
  {"type": "affine_coupling", "net": "residual", "hidden": [8], "invert": true}]}]})";
constexpr int64_t kRows = 300, kEvent = 5, kContext = 2;

using Floats = std::vector<float>;

View view_of(Floats& v, int64_t cols) {
  const auto rows = static_cast<int64_t>(v.size()) / cols;
  return contiguous_view(v.data(), DType::f32, {rows, cols});
}
View column_of(Floats& v) { return contiguous_view(v.data(), DType::f32, {static_cast<int64_t>(v.size())}); }
View part(const View& v, int64_t first, int64_t rows) {
  View p = v;
  p.shape[0] = rows;
  p.data = static_cast<char*>(v.data) + first * v.stride[0] * size_of(v.dtype);
  return p;
}

// All results of a session for kRows rows.
struct Answers {
  Floats log_prob = Floats(kRows), z = Floats(kRows * kEvent), log_det = Floats(kRows), x = z, back_log_det = log_det,
         sample = z, sample_log_prob = log_det;
  bool operator==(const Answers&) const = default;
};

class SessionTest : public testing::Test {
 protected:
  SessionTest() : f(parse_spec(kSpec)) {
    f.randomize(1, 0.15);
    std::mt19937_64 random(2);
    for (double v : draw_normal(kRows * kEvent, random)) x.push_back(static_cast<float>(v));
    for (double v : draw_normal(kRows * kContext, random)) context.push_back(static_cast<float>(v));
  }

  // Calls the session with `chunk` rows at a time.
  Answers ask(Session& s, int64_t chunk) {
    Answers a;
    const View xs = view_of(x, kEvent), cs = view_of(context, kContext);
    for (int64_t first = 0; first < kRows; first += chunk) {
      const int64_t n = std::min(chunk, kRows - first);
      const auto rows = [&](Floats& v) { return part(view_of(v, kEvent), first, n); };
      const auto column = [&](Floats& v) { return part(column_of(v), first, n); };
      const View c = part(cs, first, n);
      s.log_prob(part(xs, first, n), c, column(a.log_prob));
      s.map(false, part(xs, first, n), c, rows(a.z), column(a.log_det));
      s.map(true, rows(a.z), c, rows(a.x), column(a.back_log_det));
      s.sample({7, static_cast<uint64_t>(first)}, c, rows(a.sample), column(a.sample_log_prob));
    }
    return a;
  }

  Session session(Executor& e, NonFinite nonfinite = NonFinite::propagate) {
    return Session(system_allocator(), e, f.model(), nonfinite);
  }

  FlowCase<float> f;
  Floats x, context;
};

TEST_F(SessionTest, ChunksAndThreadsDoNotChangeBits) {
  Executor one(1);
  Session s = session(one);
  const Answers want = ask(s, kRows);
  for (size_t k = 0; k < x.size(); ++k) EXPECT_NEAR(want.x[k], x[k], 1e-4 * std::max(1.0f, std::abs(x[k])));
  for (size_t r = 0; r < kRows; ++r) EXPECT_NEAR(want.log_det[r], -want.back_log_det[r], 1e-4);
  for (const int64_t chunk : {1, 2, 7, 63, 64, 65, 128, 299}) EXPECT_TRUE(ask(s, chunk) == want) << chunk;
  for (const uint32_t threads : {2u, 3u, 8u}) {
    Executor many(threads);
    Session t = session(many);
    for (const int64_t chunk : {int64_t{1}, int64_t{100}, kRows})
      EXPECT_TRUE(ask(t, chunk) == want) << threads << " " << chunk;
  }
  // Results of the model itself, without a session.
  Rows2 in{kRows, Values(x.begin(), x.end()), Values(context.begin(), context.end())};
  EXPECT_TRUE(same_bits(Values(want.log_prob.begin(), want.log_prob.end()), f.log_prob(in)));
}

// Every state equals the result of a single layer on the state before, to the bit, for any split of the rows.
TEST_F(SessionTest, TracesEveryStep) {
  const auto& steps = f.model().layers();
  const auto planes = static_cast<int64_t>(steps.size()) + 1;
  std::vector<Node> params(f.model().params().slots().size());
  f.model().params().bind(params.data(), nullptr, nullptr);
  Tape tape(system_allocator(), DType::f32);
  tape.recording = false;
  for (const bool inverse : {false, true}) {
    Executor two(2);
    Session s = session(two);
    Floats states(static_cast<size_t>(planes * kRows * kEvent), NAN);
    const View all = contiguous_view(states.data(), DType::f32, {planes, kRows, kEvent});
    const View xs = view_of(x, kEvent), cs = view_of(context, kContext);
    s.trace(inverse, xs, cs, all);
    const auto plane = [&](int64_t k) {
      return contiguous_view(states.data() + k * kRows * kEvent, DType::f32, {kRows, kEvent});
    };
    EXPECT_EQ(std::memcmp(plane(0).data, x.data(), x.size() * sizeof(float)), 0);
    for (int64_t k = 1; k < planes; ++k) {
      const TapeScope scope(tape);
      const LayerInstance& step = steps[static_cast<size_t>(inverse ? planes - 1 - k : k - 1)];
      const Mapped m =
          apply_layer({tape, params.data()}, step, tape.input(plane(k - 1), false), tape.input(cs, false), inverse);
      EXPECT_EQ(values_of<float>(m.y->out), values_of<float>(plane(k))) << step.where;
    }
    Floats end(kRows * kEvent);
    s.map(inverse, xs, cs, view_of(end, kEvent), View{});
    EXPECT_EQ(std::memcmp(plane(planes - 1).data, end.data(), end.size() * sizeof(float)), 0);

    // Pieces of 100 rows into every other column of float64.
    std::vector<double> wide(states.size() * 2, -77.0);
    for (int64_t first = 0; first < kRows; first += 100) {
      View out = contiguous_view(wide.data() + first * 2 * kEvent, DType::f64, {planes, 100, kEvent});
      out.stride[0] = kRows * kEvent * 2, out.stride[1] = kEvent * 2, out.stride[2] = 2;
      s.trace(inverse, part(xs, first, 100), part(cs, first, 100), out);
    }
    for (size_t k = 0; k < states.size(); ++k) {
      ASSERT_EQ(wide[2 * k], states[k]) << k;
      ASSERT_EQ(wide[2 * k + 1], -77.0) << "wrote outside the column";
    }
  }
}

TEST_F(SessionTest, SamplesHaveTheirDensity) {
  Executor one(1);
  Session s = session(one);
  const Answers a = ask(s, kRows);
  Floats xs = a.sample, lp(kRows);
  s.log_prob(view_of(xs, kEvent), view_of(context, kContext), column_of(lp));
  for (size_t r = 0; r < kRows; ++r) EXPECT_NEAR(lp[r], a.sample_log_prob[r], 1e-3 * std::max(1.0f, std::abs(lp[r])));
  Floats other = a.sample;
  s.sample({8, 0}, view_of(context, kContext), view_of(other, kEvent), View{});
  EXPECT_NE(other, a.sample);
}

TEST_F(SessionTest, AnyStridesAndEitherDtype) {
  Executor one(1);
  Session s = session(one);
  const Answers want = ask(s, kRows);
  const View cs = view_of(context, kContext);
  // float64, columns two elements apart, rows in reverse order.
  std::vector<double> wide(kRows * 12, NAN), out(kRows * 3, -77.0), z(kRows * 11, -77.0);
  View in = contiguous_view(wide.data() + (kRows - 1) * 12, DType::f64, {kRows, kEvent});
  in.stride[0] = -12;
  in.stride[1] = 2;
  for (int64_t r = 0; r < kRows; ++r)
    for (int64_t j = 0; j < kEvent; ++j) in.as<double>()[r * -12 + 2 * j] = x[static_cast<size_t>(r * kEvent + j)];
  View lp = contiguous_view(out.data(), DType::f64, {kRows});
  lp.stride[0] = 3;
  s.log_prob(in, cs, lp);
  View zs = contiguous_view(z.data(), DType::f64, {kRows, kEvent});
  zs.stride[0] = 11;
  zs.stride[1] = 2;
  s.map(false, in, cs, zs, View{});
  for (size_t r = 0; r < kRows; ++r) {
    ASSERT_EQ(static_cast<float>(out[3 * r]), want.log_prob[r]) << r;
    ASSERT_EQ(out[3 * r + 1], -77.0) << "wrote outside the row";
    for (size_t j = 0; j < kEvent; ++j) {
      ASSERT_EQ(static_cast<float>(z[11 * r + 2 * j]), want.z[r * kEvent + j]) << r;
      ASSERT_EQ(z[11 * r + 2 * j + 1], -77.0) << "wrote outside the column";
    }
  }
}

TEST_F(SessionTest, OneContextServesAllRows) {
  Executor two(2);
  Session s = session(two);
  for (size_t r = 0; r < kRows; ++r)
    for (size_t j = 0; j < kContext; ++j) context[r * kContext + j] = j ? 0.25f : -1.5f;
  const Answers want = ask(s, kRows);
  Floats single = {-1.5f, 0.25f};
  const View c = view_of(single, kContext);
  Answers got;
  s.log_prob(view_of(x, kEvent), c, column_of(got.log_prob));
  s.map(false, view_of(x, kEvent), c, view_of(got.z, kEvent), column_of(got.log_det));
  s.map(true, view_of(got.z, kEvent), c, view_of(got.x, kEvent), column_of(got.back_log_det));
  s.sample({7, 0}, c, view_of(got.sample, kEvent), column_of(got.sample_log_prob));
  EXPECT_TRUE(got == want);
}

TEST_F(SessionTest, NoRowsIsFine) {
  Executor one(1);
  Session s = session(one);
  Floats none;
  const View empty = contiguous_view(none.data(), DType::f32, {0, kEvent});
  const View column = contiguous_view(none.data(), DType::f32, {0});
  s.log_prob(empty, View{}, column);
  s.map(true, empty, View{}, empty, column);
  s.sample(1, 0, View{}, empty, column);
}

TEST_F(SessionTest, NonFiniteRowsStayAloneOrAreNamed) {
  Executor one(1);
  Session quiet = session(one), strict = session(one, NonFinite::error);
  const Answers want = ask(quiet, kRows);
  EXPECT_TRUE(ask(strict, kRows) == want);
  x[137 * kEvent + 2] = NAN;
  x[201 * kEvent] = INFINITY;
  const Answers got = ask(quiet, kRows);
  for (size_t r = 0; r < kRows; ++r) {
    const bool bad = r == 137 || r == 201;
    EXPECT_TRUE(bad ? !std::isfinite(got.log_prob[r]) : got.log_prob[r] == want.log_prob[r]) << r;
  }
  Floats lp(kRows), z(kRows * kEvent);
  const View xs = view_of(x, kEvent), cs = view_of(context, kContext);
  EXPECT_ERROR(strict.log_prob(xs, cs, column_of(lp)), Code::numeric, "row 137 of x holds NaN or infinity");
  EXPECT_ERROR(strict.map(false, xs, cs, view_of(z, kEvent), View{}), Code::numeric,
               "row 137 of x holds NaN or infinity");
  EXPECT_ERROR(strict.map(true, xs, cs, view_of(z, kEvent), View{}), Code::numeric,
               "row 137 of z holds NaN or infinity");
}

// In each direction, the layer that is named is the first one the data reach.
TEST_F(SessionTest, NamesTheLayerThatBreaks) {
  Executor one(1);
  for (const size_t step : {size_t{1}, size_t{5}, size_t{8}}) {
    const LayerInstance& s = f.model().layers()[step];
    f.randomize(1, 0.15);
    for (ParamId p = s.first; p < s.first + s.count; ++p)
      for (int64_t k = 0; k < f.model().params().view(static_cast<size_t>(p)).count(); ++k)
        f.param(static_cast<size_t>(p))[k] = NAN;
    Session strict = session(one, NonFinite::error);
    Floats lp(kRows), z(kRows * kEvent);
    const View xs = view_of(x, kEvent), cs = view_of(context, kContext), zs = view_of(z, kEvent);
    EXPECT_ERROR(strict.log_prob(xs, cs, column_of(lp)), Code::numeric,
                 ("row 0 is not finite; first at " + s.where).c_str());
    EXPECT_ERROR(strict.map(false, xs, cs, zs, View{}), Code::numeric, s.where.c_str());
    EXPECT_ERROR(strict.map(true, xs, cs, zs, View{}), Code::numeric, s.where.c_str());
    EXPECT_ERROR(strict.sample(1, 0, cs, zs, View{}), Code::numeric, s.where.c_str());
  }
}

// The error report needs memory of its own, even in models so small that a block of rows takes hardly more.
TEST(SessionSmall, ReportsFitTheArena) {
  for (const char* layers : {"[]", R"([{"type": "reverse"}])", R"([{"type": "elementwise_affine"}])"}) {
    FlowModel m(system_allocator(), parse_spec(std::string(R"({"event": 1, "context": 1, "layers": )") + layers + "}"),
                0);
    Executor one(1);
    Session s(system_allocator(), one, m, NonFinite::error);
    Floats x(64, 0.5f), c(64, 1.0f), lp(64);
    x[63] = NAN;
    EXPECT_ERROR(s.log_prob(view_of(x, 1), view_of(c, 1), column_of(lp)), Code::numeric,
                 "row 63 of x holds NaN or infinity");
    EXPECT_ERROR(s.map(false, view_of(x, 1), view_of(c, 1), view_of(lp, 1), View{}), Code::numeric, "row 63");
    EXPECT_ERROR(s.map(true, view_of(x, 1), view_of(c, 1), view_of(lp, 1), View{}), Code::numeric, "row 63");
  }
}

TEST_F(SessionTest, AllocatesNothingAfterConstruction) {
  CountingAllocator counting;
  {
    Executor two(2);
    Session s(counting.hook(), two, f.model(), NonFinite::propagate);
    const int64_t before = counting.calls;
    ask(s, 100);
    EXPECT_EQ(counting.calls, before);
    size_t alive = 0;
    for (const auto& b : counting.alive) alive += b.bytes;
    EXPECT_EQ(s.bytes(), alive);
  }
  EXPECT_TRUE(counting.alive.empty());
  EXPECT_EQ(counting.wrong_frees, 0);
}

}  // namespace
}  // namespace libnf::test
