// y[:, j] = f_j(x[:, column_j]), f_j the identity, or the sine or cosine of an angle. gx = sum over j of gy_j f_j'.
#include "runtime/op/column_features.h"

#include <cmath>
#include <numbers>

#include "runtime/op/family.h"
#include "runtime/op/layout.h"
#include "runtime/op/ops.h"

namespace libnf {
namespace {

struct FeaturesAttr {
  std::span<const ColumnFeature> list;  // borrowed
};

Shapes shape(const Node& n) {
  need_rank(n, 0, 2);
  Shapes s;
  s.out = {n.in[0]->out.shape[0], static_cast<int64_t>(n.attr<FeaturesAttr>().list.size())};
  return s;
}

template <class T>
void forward(Tape&, Node& n) {
  const auto x = matrix_of<T>(n.view(0)), y = matrix_of<T>(n.out);
  const auto list = n.attr<FeaturesAttr>().list;
  for (int64_t r = 0; r < x.rows; ++r)
    for (size_t j = 0; j < list.size(); ++j) {
      const T v = x.row(r)[list[j].column];
      y.row(r)[j] = list[j].kind == ColumnFeature::value ? v : static_cast<T>(list[j].of(v));
    }
}

template <class T>
void vjp(Tape& t, Node& n, const InputGrads& grads) {
  const auto x = matrix_of<T>(n.view(0)), gy = matrix_of<T>(t.grad_out(n)), gx = matrix_of<T>(grads.add(0));
  const auto list = n.attr<FeaturesAttr>().list;
  for (int64_t r = 0; r < x.rows; ++r)
    for (size_t j = 0; j < list.size(); ++j) {
      const ColumnFeature& f = list[j];
      const T g = gy.row(r)[j];
      gx.row(r)[f.column] += f.kind == ColumnFeature::value ? g : g * static_cast<T>(f.slope(x.row(r)[f.column]));
    }
}

// The features as ordinary ops: plain columns, then sines of angles; a cosine is the sine a quarter turn later.
OutputTangents tangent(Tape& t, Node& n, const InputTangents& d) {
  const auto list = n.attr<FeaturesAttr>().list;
  const auto count = static_cast<int64_t>(list.size());
  int32_t *column = t.scratch<int32_t>(count), *from = t.scratch<int32_t>(count);
  Var factor = t.empty({count}), start = t.empty({count});
  bool angles = false;
  with_dtype(t.dtype(), [&]<class T>() {
    for (int64_t j = 0; j < count; ++j) {
      const ColumnFeature& f = list[static_cast<size_t>(j)];
      const bool value = f.kind == ColumnFeature::value;
      angles |= !value;
      column[j] = f.column;
      from[j] = static_cast<int32_t>(value ? j : count + j);
      factor->y<T>()[j] = static_cast<T>(f.factor);
      start->y<T>()[j] =
          static_cast<T>((f.kind == ColumnFeature::cosine ? std::numbers::pi / 2 : 0) - f.factor * f.center);
    }
  });
  if (!angles) return gather_columns(t, d[0], column, count);
  Var x = gather_columns(t, n.in[0], column, count);
  Var sines = unary(t, Unary::sin, add(t, mul(t, x, factor), start));
  return d.of(gather_columns(t, concat_columns(t, x, sines), from, count));
}

const Op kFeatures = {"column_features", Layout::rows, shape, NF_BOTH(forward), NF_BOTH(vjp), tangent};

constexpr ColumnFeature kCircle[] = {{ColumnFeature::value, 2},
                                     {ColumnFeature::sine, 0, 0.5, std::numbers::pi},
                                     {ColumnFeature::cosine, 0, 0.5, std::numbers::pi},
                                     {ColumnFeature::value, 1}};

const OpCase kCases[] = {
    {"column_features", {{"n3"}}, [](Tape& t, const Var* in) { return column_features(t, kCircle, in[0]); }},
};

}  // namespace

extern const OpFamily family_column_features;
const OpFamily family_column_features = {"column_features", kCases, std::size(kCases)};

double ColumnFeature::of(double x) const {
  if (kind == value) return x;
  const double a = factor * (x - center);
  return kind == sine ? std::sin(a) : std::cos(a);
}

double ColumnFeature::slope(double x) const {
  if (kind == value) return 1;
  const double a = factor * (x - center);
  return factor * (kind == sine ? std::cos(a) : -std::sin(a));
}

Var column_features(Tape& t, std::span<const ColumnFeature> features, Var x) {
  return t.record(kFeatures, {x}, FeaturesAttr{features});
}

}  // namespace libnf
