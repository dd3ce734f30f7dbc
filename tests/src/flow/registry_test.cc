// Every layer of the registry, in random configurations with random parameters, in both directions and dtypes: it
// inverts, log-determinants of both directions are opposite and agree with the numeric Jacobian, rows are independent
// to the bit, non-finite numbers stay in their rows, and files and seeds reproduce it.
// Gradients are in registry_gradient_test.cc.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string_view>

#include "src/model/model_file.h"
#include "tests/support/layer_suite.h"

namespace libnf::test {
namespace {

bool finite(const double* p, int64_t n) {
  return std::all_of(p, p + n, [](double v) { return std::isfinite(v); });
}
double magnitude(const double* p, int64_t n) {
  double m = 0;
  for (int64_t i = 0; i < n; ++i) m = std::max(m, std::abs(p[i]));
  return m;
}
double distance(const double* a, const double* b, int64_t n) {
  double m = 0;
  for (int64_t i = 0; i < n; ++i) m = std::max(m, std::abs(a[i] - b[i]));
  return m;
}

// A map of all reals to a part of them (a steep sigmoid) saturates for ordinary rows. So `share` of every five rows are
// replaced by the inverse of ordinary points of that part.
template <class T>
void pull_back(FlowCase<T>& f, Domain from, Domain to, Rows2& in, int64_t share, std::mt19937_64& random) {
  if (from != Domain::real || to == Domain::real) return;
  const int64_t d = f.model().columns();
  Rows2 image = draw_mild(to, in.rows, d, 0, random);
  image.context = in.context;
  const Values x = f.map(true, image).y;
  for (int64_t r = 0; r < in.rows; ++r)
    if (r % 5 < share) std::copy_n(&x[static_cast<size_t>(r * d)], d, &in.x[static_cast<size_t>(r * d)]);
}

// Whether forward's log_det depends on the noise it drew, which a level that comes back does not have; the inverse returns
// the log volume of its cell. tests/src/model/noise_test.cc has the probabilities of levels.
bool draws_unevenly(const LayerKind& kind) { return std::string_view(kind.name) == "variational_dequantize"; }

// Checks x -> y -> x. An error of y relative to the largest column of its row is inevitable, and the inverse amplifies
// it. The amplification is measured with six perturbations of y: of size `delta` relative to that column, for all
// columns together and one at a time, and relative to each column's own size, which shows what a small column loses
// next to a large one (a flat piece of a spline). The bound of a row is
// tolerance * max(1, |x|, amplification), where the tolerance is a thousand roundings in float32. Two much smaller
// perturbations detect where the estimate is meaningless: an amplification above 1/delta (a chain of exponentials)
// saturates and looks harmless at delta. Such rows are skipped, as are rows whose values leave the range of the dtype
// on the way, and perturbations that leave the domain (log_det = -inf). An inverse with noise of its own would lose all
// its rows this way, so half must remain: two fifths of the rows have columns at 0 or much smaller than others, and a
// layer with a kink there (leaky_relu) loses nearly all of these with eight columns.
template <class T>
void round_trip(const LayerKind& kind, const std::string& spec, bool inverted, uint64_t seed) {
  constexpr double tolerance = sizeof(T) == 8 ? 1e-9 : 1e-4;
  constexpr double deltas[] = {sizeof(T) == 8 ? 1e-6 : 1e-3, sizeof(T) == 8 ? 1e-12 : 1e-6};
  constexpr int64_t rows = 250;
  SCOPED_TRACE(std::string(name_of(dtype_of<T>)) + " " + describe(spec, inverted));
  FlowCase<T> f = make_case<T>(spec, inverted, seed);
  std::mt19937_64 random(seed);
  const int64_t d = f.model().columns();
  const Domain from = inverted ? kind.image : kind.domain, to = inverted ? kind.domain : kind.image;
  Rows2 in = draw_rows(from, dtype_of<T>, rows, d, f.model().context(), random);
  pull_back(f, from, to, in, 3, random);
  const MappedValues there = f.map(false, in);
  const MappedValues back = f.map(true, {rows, there.y, in.context});
  constexpr int kMoves = 6;
  MappedValues moved[2 * kMoves];
  for (int k = 0; k < 2 * kMoves; ++k) {
    const double delta = deltas[k / kMoves];
    const int move = k % kMoves;
    // Denormal numbers round by an absolute amount, so the step is at least as many of their roundings.
    const double least = delta / std::numeric_limits<T>::epsilon() * std::numeric_limits<T>::denorm_min();
    Rows2 near{rows, there.y, in.context};
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t j = 0; j < d; ++j) {
        const double* y = &there.y[static_cast<size_t>(r * d)];
        const double size = move / 2 == 1 ? std::abs(y[j]) : magnitude(y, d);
        const bool up = move / 2 == 2 ? move % 2 == 0 : j % 2 == move % 2;
        near.x[static_cast<size_t>(r * d + j)] += (up ? 1 : -1) * std::max(delta * size, least);
      }
    moved[k] = f.map(true, near);
  }
  int64_t checked = 0;
  for (int64_t r = 0; r < rows; ++r) {
    const auto at = static_cast<size_t>(r * d), row = static_cast<size_t>(r);
    double amplified[2] = {}, amplified_det[2] = {};  // by delta, by the much smaller perturbation
    bool usable = finite(&there.y[at], d) && finite(&there.log_det[row], 1);
    for (int k = 0; k < 2 * kMoves; ++k) {
      const MappedValues& m = moved[k];
      const double delta = deltas[k / kMoves];
      if (m.log_det[row] == -std::numeric_limits<double>::infinity() && std::isfinite(there.log_det[row])) continue;
      usable &= finite(&m.y[at], d) && finite(&m.log_det[row], 1);
      double &a = amplified[k / kMoves], &a_det = amplified_det[k / kMoves];
      a = std::max(a, distance(&m.y[at], &back.y[at], d) / delta);
      a_det = std::max(a_det, std::abs(m.log_det[row] - back.log_det[row]) / delta);
    }
    const double scale = std::max({1.0, magnitude(&in.x[at], d), amplified[0]});
    const double scale_det = std::max({1.0, std::abs(there.log_det[row]), amplified_det[0]});
    if (!usable || amplified[1] > 8 * scale || amplified_det[1] > 8 * scale_det) continue;
    ++checked;
    const double error = distance(&back.y[at], &in.x[at], d);
    ASSERT_TRUE(error <= tolerance * scale) << "row " << r << " comes back " << error << " off, scale " << scale;
    if (draws_unevenly(kind)) continue;
    ASSERT_TRUE(std::abs(there.log_det[row] + back.log_det[row]) <= tolerance * scale_det)
        << "row " << r << ": log_det " << there.log_det[row] << " there, " << back.log_det[row] << " back";
  }
  // Random parameters can move uneven noise to the ends of the cells, where a perturbation leaves them.
  EXPECT_GE(checked, rows / (draws_unevenly(kind) ? 4 : 2));
}

TEST_P(LayerSuite, Inverts) {
  for (uint64_t i = 0; i < configs() && !HasFailure(); ++i)
    for (const Dims& event : events(i)) {
      const int64_t d = event.count(), context = (static_cast<int64_t>(i) + d) % 2 ? 3 : 0;
      const uint64_t seed = 100 * i + static_cast<uint64_t>(d);
      const std::string spec = random_spec(kind(), seed, event, context);
      for (const bool inverted : directions(spec)) {
        round_trip<double>(kind(), spec, inverted, seed);
        round_trip<float>(kind(), spec, inverted, seed);
      }
    }
}

struct Inverse {
  double log_abs_det = 0;
  double sum = 0;  // sum of |elements of the inverse|
};

// Gauss-Jordan with row pivoting.
Inverse invert(Values a, int64_t d) {
  Values b(a.size(), 0.0);
  Inverse r;
  const auto row = [d](Values& m, int64_t i) { return &m[static_cast<size_t>(i * d)]; };
  for (int64_t i = 0; i < d; ++i) row(b, i)[i] = 1;
  for (int64_t c = 0; c < d; ++c) {
    int64_t p = c;
    for (int64_t i = c; i < d; ++i)
      if (std::abs(row(a, i)[c]) > std::abs(row(a, p)[c])) p = i;
    std::swap_ranges(row(a, c), row(a, c) + d, row(a, p));
    std::swap_ranges(row(b, c), row(b, c) + d, row(b, p));
    const double pivot = row(a, c)[c];
    r.log_abs_det += std::log(std::abs(pivot));
    for (Values* m : {&a, &b})
      for (int64_t j = 0; j < d; ++j) row(*m, c)[j] /= pivot;
    for (int64_t i = 0; i < d; ++i) {
      if (i == c) continue;
      const double f = row(a, i)[c];
      for (Values* m : {&a, &b})
        for (int64_t j = 0; j < d; ++j) row(*m, i)[j] -= f * row(*m, c)[j];
    }
  }
  for (double v : b) r.sum += std::abs(v);
  return r;
}

// Kinks (relu) within 2 h of x make the five-point differences wrong, so smaller steps are tried before log_det fails.
// `noise` is the effect of rounding in the differences on log|det|: sum |J^-1| times their error.
TEST_P(LayerSuite, LogDetIsThatOfTheJacobian) {
  if (draws(kind())) GTEST_SKIP() << "constant within a level: src/model/noise_test.cc has the probabilities";
  constexpr int64_t rows = 4;
  int64_t sharp = 0, all = 0;
  for (uint64_t i = 0; i < configs() && !HasFailure(); ++i)
    for (const Dims& event : events(i)) {
      const int64_t d = event.count(), context = (static_cast<int64_t>(i) + d) % 2 ? 3 : 0;
      if (d == 8) continue;  // slow, and shows nothing that 5 does not
      const uint64_t seed = 7000 + 100 * i + static_cast<uint64_t>(d);
      const std::string spec = random_spec(kind(), seed, event, context);
      const bool inverted = directions(spec)[i / 2 % directions(spec).size()];
      SCOPED_TRACE(describe(spec, inverted));
      FlowCase<double> f = make_case<double>(spec, inverted, seed);
      std::mt19937_64 random(seed);
      Rows2 in = draw_mild(domain(inverted), rows, d, context, random);
      pull_back(f, domain(inverted), domain(!inverted), in, 5, random);
      const MappedValues at = f.map(false, in);
      for (int64_t r = 0; r < rows; ++r) {
        double error = 0, bound = 0;
        for (double h = 1e-3; h > 5e-8; h /= 10) {
          Values jacobian(static_cast<size_t>(d * d));
          double size = 1;
          for (int64_t c = 0; c < d; ++c) {
            constexpr double kSteps[] = {-2, -1, 1, 2}, kWeights[] = {1, -8, 8, -1};
            for (int k = 0; k < 4; ++k) {
              Rows2 one = in.part(r, 1);
              one.x[static_cast<size_t>(c)] += kSteps[k] * h;
              const Values y = f.map(false, one).y;
              for (int64_t j = 0; j < d; ++j) {
                jacobian[static_cast<size_t>(j * d + c)] += kWeights[k] * y[static_cast<size_t>(j)] / (12 * h);
                size = std::max(size, std::abs(y[static_cast<size_t>(j)]));
              }
            }
          }
          const Inverse inverse = invert(jacobian, d);
          const double log_det = at.log_det[static_cast<size_t>(r)];
          const double noise = inverse.sum * size * 1e-15 / h;
          error = std::abs(inverse.log_abs_det - log_det);
          bound = 1e-6 * std::max(1.0, std::abs(log_det)) + noise;
          if (error <= bound) break;
        }
        ASSERT_TRUE(error <= bound) << "row " << r << ": log_det is " << error << " off at "
                                    << testing::PrintToString(in.part(r, 1).x);
        ++all;
        sharp += bound < 1e-4;
      }
    }
  EXPECT_GT(2 * sharp, all) << "most bounds are too wide to detect an error";
}

// The bits of a row depend on that row alone, not on the values or the number of other rows.
template <class T>
void rows_are_independent(const std::string& spec, bool inverted, Domain domain, uint64_t seed) {
  constexpr int64_t rows = 130;  // more than one block of every kernel
  SCOPED_TRACE(std::string(name_of(dtype_of<T>)) + " " + describe(spec, inverted));
  FlowCase<T> f = make_case<T>(spec, inverted, seed);
  f.by_content = true;
  const int64_t d = f.model().columns();
  std::mt19937_64 random(seed);
  Rows2 in = draw_rows(domain, dtype_of<T>, rows, d, f.model().context(), random);
  MappedValues cot{draw_normal(rows * d, random), draw_normal(rows, random)};
  const auto part = [&](const Values& v, int64_t first, int64_t count) {
    return Rows2{rows, v, {}}.part(first, count).x;
  };
  const MappedValues all = f.map(false, in);
  const MappedGradients all_grads = f.gradients(false, in, cot);
  EXPECT_TRUE(same_bits(all_grads.value.y, all.y)) << "recorded and not recorded differ";
  EXPECT_TRUE(same(all_grads.value.log_det, all.log_det, 0)) << "recorded and not recorded differ";  // except for -0
  for (const auto& [first, count] :
       {std::pair<int64_t, int64_t>{0, 1}, {77, 1}, {129, 1}, {3, 2}, {5, 8}, {1, 64}, {63, 67}}) {
    const MappedGradients some =
        f.gradients(false, in.part(first, count), {part(cot.y, first, count), part(cot.log_det, first, count)});
    ASSERT_TRUE(same_bits(some.value.y, part(all.y, first, count))) << "rows " << first << " + " << count;
    ASSERT_TRUE(same_bits(some.value.log_det, part(all_grads.value.log_det, first, count)))
        << "rows " << first << " + " << count;
    const MappedValues plain = f.map(false, in.part(first, count));
    ASSERT_TRUE(same_bits(plain.y, part(all.y, first, count))) << "rows " << first << " + " << count;
    ASSERT_TRUE(same_bits(plain.log_det, part(all.log_det, first, count))) << "rows " << first << " + " << count;
    ASSERT_TRUE(same_bits(some.x, part(all_grads.x, first, count))) << "gradient, rows " << first << " + " << count;
  }
  // The same rows in another order.
  std::vector<int64_t> order(rows);
  std::iota(order.begin(), order.end(), int64_t{0});
  std::shuffle(order.begin(), order.end(), random);
  const auto shuffled = [&](const Values& v) {
    Values out;
    for (const int64_t r : order) {
      const Values row = part(v, r, 1);
      out.insert(out.end(), row.begin(), row.end());
    }
    return out;
  };
  const MappedValues moved = f.map(false, {rows, shuffled(in.x), shuffled(in.context)});
  ASSERT_TRUE(same_bits(moved.y, shuffled(all.y))) << "rows in another order";
  ASSERT_TRUE(same_bits(moved.log_det, shuffled(all.log_det))) << "rows in another order";
  const MappedGradients none = f.gradients(false, {0, {}, {}}, {});
  EXPECT_TRUE(none.value.y.empty() && none.value.log_det.empty() && none.x.empty());
  for (const Values& g : none.params) EXPECT_TRUE(std::all_of(g.begin(), g.end(), [](double v) { return v == 0; }));

  // Numbers that are not finite, or almost not.
  Rows2 bad = in;
  const double infinity = std::numeric_limits<double>::infinity();
  const double evil[] = {NAN, infinity, -infinity, 1e38, -1e38, 1e-42};
  for (int64_t r = 2; r < rows; r += 5)
    for (int64_t j = 0; j < d; ++j)
      if (j == r % d || r % 3 == 0) bad.x[static_cast<size_t>(r * d + j)] = evil[random() % std::size(evil)];
  MappedGradients hurt = f.gradients(false, bad, cot);
  f.map(true, bad);
  for (int64_t r = 0; r < rows; ++r) {
    if (r % 5 == 2) continue;
    ASSERT_TRUE(same_bits(part(hurt.value.y, r, 1), part(all.y, r, 1))) << "row " << r << " next to a bad one";
    ASSERT_TRUE(same_bits(part(hurt.value.log_det, r, 1), part(all_grads.value.log_det, r, 1))) << "row " << r;
    ASSERT_TRUE(same_bits(part(hurt.x, r, 1), part(all_grads.x, r, 1))) << "gradient, row " << r;
  }
  // A model with broken parameters still returns results.
  for (const double v : {infinity - infinity, infinity, 1e38, -1e38}) {
    f.fill_params(v);
    EXPECT_EQ(f.gradients(false, in.part(0, 9), {part(cot.y, 0, 9), part(cot.log_det, 0, 9)}).value.y.size(),
              static_cast<size_t>(9 * d));
    EXPECT_EQ(f.map(true, bad).y.size(), static_cast<size_t>(rows * d));
  }
}

TEST_P(LayerSuite, RowsAreIndependent) {
  for (uint64_t i = 0; i < configs() && !HasFailure(); ++i) {
    const int64_t context = i / 5 % 2 ? 3 : 0;
    const std::string spec = random_spec(kind(), 20000 + i, some_event(i), context);
    const bool inverted = directions(spec)[i / 10 % directions(spec).size()];
    rows_are_independent<double>(spec, inverted, domain(inverted), i);
    rows_are_independent<float>(spec, inverted, domain(inverted), i);
  }
}

template <class T>
void reproduces(const std::string& spec, bool inverted, Domain domain, uint64_t seed) {
  SCOPED_TRACE(std::string(name_of(dtype_of<T>)) + " " + describe(spec, inverted));
  FlowCase<T> fresh(variant(spec, dtype_of<T>, inverted), seed), again(variant(spec, dtype_of<T>, inverted), seed);
  EXPECT_EQ(fresh.model().params().hash(), again.model().params().hash());
  EXPECT_EQ(fresh.model().canonical(), again.model().canonical());
  std::mt19937_64 random(seed);
  FlowCase<T> f = make_case<T>(spec, inverted, seed);
  MemorySink file;
  write_model(file, f.model(), {{"about", "a test"}});
  LoadedModel loaded = read_model(system_allocator(), file.bytes());
  EXPECT_EQ(loaded.notes.at("about"), "a test");
  EXPECT_EQ(loaded.model->canonical(), f.model().canonical());
  EXPECT_EQ(loaded.model->params().hash(), f.model().params().hash());
  FlowCase<T> g(std::move(loaded.model));
  const Rows2 in = draw_rows(domain, dtype_of<T>, 40, f.model().columns(), f.model().context(), random);
  EXPECT_TRUE(same_bits(g.log_prob(in), f.log_prob(in)));
  MemorySink twice;
  write_model(twice, g.model(), {{"about", "a test"}});
  EXPECT_TRUE(twice.bytes() == file.bytes());
}

// Every layer accepts plain columns, except those that need pixels.
TEST_P(LayerSuite, TakesEveryEvent) {
  const bool pixels = std::string(kind().name) == "squeeze";
  for (const int64_t d : kColumns) EXPECT_EQ(takes_event(kind(), {d}), !pixels) << d;
  for (const Dims& image : kImages) EXPECT_TRUE(takes_event(kind(), image)) << to_string(image);
}

TEST_P(LayerSuite, SeedsAndFilesReproduceIt) {
  for (uint64_t i = 0; i < configs() && !HasFailure(); ++i) {
    const int64_t context = i / 5 % 2 ? 3 : 0;
    const std::string spec = random_spec(kind(), 30000 + i, some_event(i), context);
    const bool inverted = directions(spec)[i / 10 % directions(spec).size()];
    reproduces<double>(spec, inverted, domain(inverted), i);
    reproduces<float>(spec, inverted, domain(inverted), i);
  }
}

NF_EVERY_LAYER(LayerSuite);

}  // namespace
}  // namespace libnf::test
