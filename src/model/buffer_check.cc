// See buffer_check.h.
#include "src/model/buffer_check.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace libnf {
namespace {
using At = std::function<double(int64_t)>;

bool allowed(Invariant invariant, double v) {
  switch (invariant) {
    case Invariant::flag:
      return v == 0 || v == 1;
    case Invariant::sign:
      return v == 1 || v == -1;
    case Invariant::positive:
      return v > 0;
    case Invariant::nonnegative:
      return v >= 0;
    default:
      return true;
  }
}

const char* words(Invariant invariant) {
  switch (invariant) {
    case Invariant::flag:
      return "0 or 1";
    case Invariant::sign:
      return "1 or -1";
    case Invariant::positive:
      return "positive";
    default:
      return "0 or more";
  }
}

// Returns the largest element of |R^T R v - v|. The signs of v have no pattern, so errors of several elements do not
// cancel.
double distance_from_rotation(int64_t n, const At& at) {
  const auto v = [](int64_t j) { return (static_cast<uint64_t>(j) * 0x9e3779b97f4a7c15u >> 40) % 2 ? 1.0 : -1.0; };
  std::vector<double> back(static_cast<size_t>(n), 0.0);
  for (int64_t i = 0; i < n; ++i) {
    double y = 0;
    for (int64_t j = 0; j < n; ++j) y += at(i * n + j) * v(j);
    for (int64_t j = 0; j < n; ++j) back[static_cast<size_t>(j)] += at(i * n + j) * y;
  }
  double worst = 0;
  for (int64_t j = 0; j < n; ++j) worst = std::max(worst, std::abs(back[static_cast<size_t>(j)] - v(j)));
  return worst;
}

void check_permutation(Code code, const std::string& name, int64_t n, const At& at) {
  std::vector<bool> seen(static_cast<size_t>(n), false);
  for (int64_t k = 0; k < n; ++k) {
    const double v = at(k);
    if (!(v >= 0 && v < static_cast<double>(n) && v == std::floor(v)) || seen[static_cast<size_t>(v)])
      fail(code, "tensor \"%s\" is not a permutation of 0 ... %lld: it has %g at index %lld", name.c_str(),
           static_cast<long long>(n - 1), v, static_cast<long long>(k));
    seen[static_cast<size_t>(v)] = true;
  }
}
}  // namespace

void check_buffer(Code code, Invariant invariant, const std::string& name, const Dims& shape, DType dtype,
                  const At& at) {
  if (invariant == Invariant::none) return;
  if (invariant == Invariant::rotation) {
    // With 4096 columns, rounding the elements to float32 gives 2e-6.
    const double off = distance_from_rotation(shape[0], at);
    if (!(off <= (dtype == DType::f64 ? 1e-9 : 1e-4)))
      fail(code, "tensor \"%s\" is not a rotation: R^T R differs from the identity by %.2g", name.c_str(), off);
    return;
  }
  if (invariant == Invariant::permutation) {
    check_permutation(code, name, shape[0], at);
    return;
  }
  for (int64_t k = 0; k < shape.count(); ++k)
    if (!allowed(invariant, at(k)))
      fail(code, "tensor \"%s\" is %g at index %lld, but has to be %s", name.c_str(), at(k), static_cast<long long>(k),
           words(invariant));
}

}  // namespace libnf
