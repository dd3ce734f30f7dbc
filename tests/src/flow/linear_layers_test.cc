// Layers with a dense matrix: initial values, accuracy with hundreds of columns in float32, singular matrices, and that
// random rotations are orthogonal and uniform.
#include <gtest/gtest.h>

#include <cmath>

#include "src/flow/dense_matrix.h"
#include "src/model/session.h"
#include "tests/support/expect_error.h"
#include "tests/support/flow_case.h"

namespace libnf::test {
namespace {

std::string spec(int64_t event, const std::string& dtype, const std::string& layer) {
  return R"({"event": )" + std::to_string(event) + R"(, "dtype": ")" + dtype + R"(", "layers": [)" + layer + "]}";
}

// Returns the matrix of a linear layer, row-major [in, out], from its result on the unit vectors.
Values matrix_of_layer(FlowCase<double>& f) {
  const int64_t n = f.model().columns();
  Values unit(static_cast<size_t>(n * n), 0.0);
  for (int64_t i = 0; i < n; ++i) unit[static_cast<size_t>(i * n + i)] = 1;
  return f.map(false, {n, unit, {}}).y;
}

double distance_from_orthogonal(const Values& m, int64_t n) {
  double worst = 0;
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j) {
      double dot = 0;
      for (int64_t k = 0; k < n; ++k) dot += m[static_cast<size_t>(i * n + k)] * m[static_cast<size_t>(j * n + k)];
      worst = std::max(worst, std::abs(dot - (i == j)));
    }
  return worst;
}

TEST(LinearLayers, StartWhereTheySay) {
  for (const int64_t n : {1, 2, 5, 40}) {
    SCOPED_TRACE(n);
    for (const char* layer : {R"({"type": "orthogonal"})", R"({"type": "linear"})", R"({"type": "plu_linear"})",
                              R"({"type": "plu_linear", "init": "permutation"})", R"({"type": "householder"})"}) {
      SCOPED_TRACE(layer);
      FlowCase<double> f(parse_spec(spec(n, "float64", layer)));
      const Values m = matrix_of_layer(f);
      EXPECT_LE(distance_from_orthogonal(m, n), 1e-13);
      for (double v : f.map(false, {1, Values(static_cast<size_t>(n), 0.5), {}}).log_det) EXPECT_NEAR(v, 0, 1e-12);
      int64_t ones = 0;
      for (double v : m) ones += v == 1;
      EXPECT_EQ(ones == n, n == 1 ? m[0] == 1 : std::string(layer).find("permutation") != std::string::npos);
    }
    FlowCase<double> lu(parse_spec(spec(n, "float64", R"({"type": "lu_linear"})")));
    const Values m = matrix_of_layer(lu);
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < n; ++j) EXPECT_NEAR(m[static_cast<size_t>(i * n + j)], i == j, 1e-14);
    FlowCase<double> random(parse_spec(spec(n, "float64", R"({"type": "lu_linear", "init": "random"})")));
    EXPECT_NE(matrix_of_layer(random), m);
  }
}

TEST(LinearLayers, SeedsAndPlacesGiveDifferentMatrices) {
  for (const char* type : {"orthogonal", "linear", "plu_linear"}) {
    const auto layer = [&](int seed) {
      return R"({"type": ")" + std::string(type) + R"(", "seed": )" + std::to_string(seed) + "}";
    };
    FlowCase<double> a(parse_spec(spec(6, "float64", layer(1)))), b(parse_spec(spec(6, "float64", layer(1))), 77),
        c(parse_spec(spec(6, "float64", layer(2)))),
        second(parse_spec(spec(6, "float64", R"({"type": "reverse"}, )" + layer(1))));
    const Values m = matrix_of_layer(a);
    EXPECT_EQ(matrix_of_layer(b), m) << type << ": the model's seed has no effect";
    EXPECT_NE(matrix_of_layer(c), m) << type;
    Values reversed = matrix_of_layer(second);
    EXPECT_NE(Values(reversed.rbegin(), reversed.rend()), m) << type;
  }
}

// Haar measure: every element has mean 0 and mean square 1/n, and half the determinants are negative.
TEST(LinearLayers, RotationsAreUniform) {
  constexpr int64_t n = 3, draws = 4000;
  double mean[n * n] = {}, square[n * n] = {};
  int64_t negative = 0;
  for (uint64_t seed = 0; seed < draws; ++seed) {
    const Values q = random_rotation(n, seed, 5);
    EXPECT_LE(distance_from_orthogonal(q, n), 1e-14);
    for (size_t k = 0; k < n * n; ++k) mean[k] += q[k] / draws, square[k] += q[k] * q[k] / draws;
    negative +=
        q[0] * (q[4] * q[8] - q[5] * q[7]) - q[1] * (q[3] * q[8] - q[5] * q[6]) + q[2] * (q[3] * q[7] - q[4] * q[6]) <
        0;
  }
  // Five standard errors; the standard deviation of q is 1/sqrt(3), of q^2 sqrt(1/5 - 1/9).
  for (int k = 0; k < n * n; ++k) {
    EXPECT_NEAR(mean[k], 0, 5 * std::sqrt(1.0 / 3 / draws)) << k;
    EXPECT_NEAR(square[k], 1.0 / 3, 5 * std::sqrt((1.0 / 5 - 1.0 / 9) / draws)) << k;
  }
  EXPECT_NEAR(static_cast<double>(negative) / draws, 0.5, 2.5 / std::sqrt(static_cast<double>(draws)));
}

// 300 columns in float32 are as close to float64 as sums of 300 products allow, in both directions. The tolerances
// allow for intermediate values that exceed the results (the factors of a rotation), and for the condition of the
// factors.
TEST(LinearLayers, ManyColumnsInFloat32) {
  constexpr int64_t n = 300, rows = 20;
  std::mt19937_64 random(3);
  const Values x = draw_normal(rows * n, random);
  for (const char* layer :
       {R"({"type": "orthogonal"})", R"({"type": "linear"})", R"({"type": "plu_linear"})", R"({"type": "lu_linear"})",
        R"({"type": "lu_linear", "init": "random"})", R"({"type": "affine"})", R"({"type": "affine", "rank": 40})",
        R"({"type": "householder"})", R"({"type": "householder", "reflections": 300})"}) {
    SCOPED_TRACE(layer);
    FlowCase<float> f(parse_spec(spec(n, "float32", layer)));
    FlowCase<double> g(parse_spec(spec(n, "float64", layer)));
    const auto& slots = f.model().params().slots();
    for (size_t i = 0; i < slots.size(); ++i)  // a rotation rounded to float32 is not one in float64
      for (int64_t k = 0; k < (slots[i].trainable ? slots[i].shape.count() : 0); ++k)
        g.param(i)[k] = static_cast<double>(f.param(i)[k]);
    const MappedValues got = f.map(false, {rows, x, {}}), want = g.map(false, {rows, x, {}});
    EXPECT_TRUE(same(got.y, want.y, 5e-5));
    EXPECT_TRUE(same(got.log_det, want.log_det, 1e-5 * largest(want.log_det)));
    const MappedValues back = f.map(true, {rows, got.y, {}}), exact = g.map(true, {rows, want.y, {}});
    EXPECT_TRUE(same(exact.y, x, 1e-9));
    EXPECT_TRUE(same(back.y, x, 2e-4));
    for (size_t r = 0; r < rows; ++r) EXPECT_NEAR(back.log_det[r], -got.log_det[r], 1e-5 * largest(want.log_det));
  }
}

// The full matrix and its determinant, computed by hand: L (I + V^T V) with columns of L's rows. Includes more
// directions than columns, and directions so long that the perturbation dominates.
TEST(LinearLayers, AffineIsATriangleTimesOnePlusLowRank) {
  constexpr int64_t n = 4;
  for (const int64_t rank : {0, 1, 3, 7})
    for (const double length : {1.0, 1e4}) {
      SCOPED_TRACE(testing::Message() << "rank " << rank << ", length " << length);
      FlowCase<double> f(parse_spec(spec(n, "float64", R"({"type": "affine", "rank": )" + std::to_string(rank) + "}")));
      f.randomize(5, 1);
      const double *lower = f.param(0), *log_diagonal = f.param(1), *bias = f.param(rank ? 3 : 2);
      double* v = rank ? f.param(2) : nullptr;
      for (int64_t k = 0; k < rank * n; ++k) v[k] *= length;
      double want[n][n] = {};  // [row, column] of L (I + V^T V)
      for (int64_t i = 0; i < n; ++i)
        for (int64_t j = 0; j < n; ++j)
          for (int64_t m = 0; m <= i; ++m) {
            double s = m == j;
            for (int64_t k = 0; k < rank; ++k) s += v[k * n + m] * v[k * n + j];
            want[i][j] += (m == i ? std::exp(log_diagonal[i]) : lower[i * (i - 1) / 2 + m]) * s;
          }
      Values unit(static_cast<size_t>((n + 1) * n), 0.0);
      for (int64_t i = 0; i < n; ++i) unit[static_cast<size_t>(i * n + i)] = 1;
      const MappedValues got = f.map(false, {n + 1, unit, {}});
      const double size = largest(got.y);
      for (int64_t j = 0; j < n; ++j)
        for (int64_t i = 0; i < n; ++i)
          EXPECT_NEAR(got.y[static_cast<size_t>(j * n + i)] - bias[i], want[i][j], 1e-14 * size);
      // determinant by elimination with row pivoting
      double log_det = 0;
      for (int64_t c = 0; c < n; ++c) {
        int64_t p = c;
        for (int64_t i = c; i < n; ++i)
          if (std::abs(want[i][c]) > std::abs(want[p][c])) p = i;
        std::swap(want[c], want[p]);
        log_det += std::log(std::abs(want[c][c]));
        for (int64_t i = c + 1; i < n; ++i) {
          const double factor = want[i][c] / want[c][c];
          for (int64_t j = c; j < n; ++j) want[i][j] -= factor * want[c][j];
        }
      }
      // Cancellation in I + V V^T with few long directions costs length^2 roundings, as it does in the elimination.
      const double tolerance = 1e-13 * length * length;
      EXPECT_NEAR(got.log_det[0], log_det, tolerance);
      const MappedValues back = f.map(true, {n + 1, got.y, {}});
      EXPECT_TRUE(same(back.y, unit, 10 * tolerance));
      EXPECT_EQ(back.log_det[0], -got.log_det[0]);
    }
}

TEST(LinearLayers, ASingularMatrixIsNamed) {
  for (const char* text : {R"({"type": "linear"})", R"({"type": "linear", "invert": true})"}) {
    FlowCase<float> f(parse_spec(spec(3, "float32", R"({"type": "reverse"}, )" + std::string(text))));
    float* w = f.param(0);
    for (int i = 0; i < 9; ++i) w[i] = static_cast<float>(1 + i % 3);  // three equal rows
    std::vector<float> x(6, 0.5f), out(6), lp(2);
    const View xs = contiguous_view(x.data(), DType::f32, {2, 3}), ys = contiguous_view(out.data(), DType::f32, {2, 3});
    const View lps = contiguous_view(lp.data(), DType::f32, {2});
    Executor one(1);
    Session strict(system_allocator(), one, f.model(), NonFinite::error);
    EXPECT_ERROR(strict.log_prob(xs, View{}, lps), Code::numeric,
                 "row 0 is not finite; first at spec.layers[1] (linear)");
    EXPECT_ERROR(strict.map(false, xs, View{}, ys, View{}), Code::numeric, "spec.layers[1] (linear)");
    EXPECT_ERROR(strict.map(true, xs, View{}, ys, View{}), Code::numeric, "spec.layers[1] (linear)");
  }
}

TEST(LinearLayers, TooManyColumnsAreRefused) {
  for (const char* type : {"linear", "orthogonal", "plu_linear", "lu_linear", "affine"}) {
    const std::string layer = R"({"type": ")" + std::string(type) + R"("})";
    EXPECT_ERROR(FlowModel(system_allocator(), parse_spec(spec(16777216, "float32", layer)), 0), Code::spec,
                 "at most 4096 columns");
  }
}

}  // namespace
}  // namespace libnf::test
