// Orthogonal iteration with the covariance matrix, which is never formed, because images have thousands of columns. A
// picture needs two of its directions, and few digits.
#include "src/cli/plot/principal.h"

#include <algorithm>
#include <cmath>

namespace cli {
namespace {
using Vector = std::vector<double>;

double dot(const Vector& a, const Vector& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// Makes v orthogonal to `other` and of length 1, unless it is 0.
void normalize(Vector& v, const Vector* other) {
  if (other) {
    const double along = dot(v, *other);
    for (size_t i = 0; i < v.size(); ++i) v[i] -= along * (*other)[i];
  }
  const double length = std::sqrt(dot(v, v));
  for (double& e : v) e = length > 0 ? e / length : 0;
}
}  // namespace

Plane principal_plane(const Matrix& rows) {
  const auto d = static_cast<size_t>(rows.cols);
  const auto n = static_cast<double>(std::max<int64_t>(rows.rows, 1));
  Vector centered = rows.values;
  double total = 0;  // variance
  for (size_t j = 0; j < d; ++j) {
    double mean = 0;
    for (size_t k = j; k < centered.size(); k += d) mean += centered[k] / n;
    for (size_t k = j; k < centered.size(); k += d) centered[k] -= mean, total += centered[k] * centered[k] / n;
  }
  const auto times = [&](const Vector& v) {
    Vector out(d);
    for (size_t at = 0; at < centered.size(); at += d) {
      double along = 0;
      for (size_t j = 0; j < d; ++j) along += centered[at + j] * v[j];
      for (size_t j = 0; j < d; ++j) out[j] += along / n * centered[at + j];
    }
    return out;
  };
  Vector first(d), second(d);
  if (d <= 2) {
    if (d > 0) first[0] = 1;
    if (d > 1) second[1] = 1;
  } else {
    // Starting directions without symmetry, the same at every call.
    for (size_t j = 0; j < d; ++j)
      first[j] = std::sin(static_cast<double>(j) + 1), second[j] = std::cos(2.3 * static_cast<double>(j));
    normalize(first, nullptr);
    normalize(second, &first);
    for (int k = 0; k < 500; ++k) {
      Vector a = times(first), b = times(second);
      normalize(a, nullptr);
      normalize(b, &a);
      const double moved = 2 - std::abs(dot(a, first)) - std::abs(dot(b, second));
      first = std::move(a), second = std::move(b);
      if (moved < 1e-12) break;
    }
    for (Vector* v : {&first, &second}) {
      const double largest =
          *std::max_element(v->begin(), v->end(), [](double a, double b) { return std::abs(a) < std::abs(b); });
      if (largest < 0)
        for (double& e : *v) e = -e;
    }
  }
  Plane p;
  if (total > 0) p.first = dot(first, times(first)) / total, p.second = dot(second, times(second)) / total;
  for (int64_t r = 0; r < rows.rows; ++r) {
    Spot s{0, 0};
    for (size_t j = 0; j < d; ++j) {
      const double v = d > 2 ? centered[static_cast<size_t>(r) * d + j] : rows.at(r, static_cast<int64_t>(j));
      s.x += v * first[j], s.y += v * second[j];
    }
    p.points.push_back(s);
  }
  return p;
}

}  // namespace cli
