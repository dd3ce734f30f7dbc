#include "tests/support/derivative_check.h"

#include <algorithm>
#include <cmath>

namespace libnf::test {
namespace {

using testing::AssertionFailure;
using testing::AssertionSuccess;

const char* name(bool inverse) { return inverse ? "inverse" : "forward"; }

// sum_j a[r, j] b[r, j] for every row; `size` adds up the sizes of the terms.
Values row_dots(const Values& a, const Values& b, int64_t rows, Values* size = nullptr) {
  Values out(static_cast<size_t>(rows), 0.0);
  const size_t cols = rows ? a.size() / static_cast<size_t>(rows) : 0;
  for (size_t k = 0; k < a.size(); ++k) {
    out[k / cols] += a[k] * b[k];
    if (size) (*size)[k / cols] += std::abs(a[k] * b[k]);
  }
  return out;
}

Values plus(Values a, const Values& b) {
  for (size_t k = 0; k < a.size(); ++k) a[k] += b[k];
  return a;
}

Rows2 moved(const Rows2& at, const Values& dx, const Values& dc, double h) {
  Rows2 r = at;
  for (size_t k = 0; k < dx.size(); ++k) r.x[k] += h * dx[k];
  for (size_t k = 0; k < dc.size(); ++k) r.context[k] += h * dc[k];
  return r;
}

// f(h) gives a number per row, whose derivative at 0 is wanted. Kinks spoil differences, and so do large higher
// derivatives, so smaller steps are tried before a derivative is called wrong.
template <class F>
testing::AssertionResult agrees(const Values& derivative, const F& f) {
  std::vector<bool> good(derivative.size(), false);
  Values difference(derivative.size());
  for (double h = 1e-2; h > 5e-8; h /= 10) {
    const Values a = f(h), b = f(-h), c = f(2 * h), d = f(-2 * h);
    bool all = true;
    for (size_t r = 0; r < derivative.size(); ++r) {
      if (good[r]) continue;
      difference[r] = (8 * (a[r] - b[r]) - (c[r] - d[r])) / (12 * h);
      const double noise = 1e-15 * (std::abs(a[r]) + std::abs(b[r]) + std::abs(c[r]) + std::abs(d[r])) / h;
      good[r] = std::abs(difference[r] - derivative[r]) <= 1e-6 * std::max(1.0, std::abs(difference[r])) + noise;
      all = all && good[r];
    }
    if (all) return AssertionSuccess();
  }
  const auto r = static_cast<size_t>(std::find(good.begin(), good.end(), false) - good.begin());
  return AssertionFailure() << "row " << r << ": derivative " << derivative[r] << ", difference " << difference[r];
}

}  // namespace

testing::AssertionResult slopes_agree(DerivativeCase c, uint64_t seed) {
  SessionCase<double> s(c.f.model());
  std::mt19937_64 random(seed);
  const int64_t n = c.x.rows;
  for (int direction = 0; direction < 2; ++direction) {
    const Values dx = draw_normal(static_cast<int64_t>(c.x.x.size()), random);
    const Values dc =
        c.context ? draw_normal(static_cast<int64_t>(c.x.context.size()), random) : Values(c.x.context.size(), 0.0);
    const auto along = [&](const Derivatives& d) { return plus(row_dots(d.x, dx, n), row_dots(d.context, dc, n)); };
    if (const auto r = agrees(along(s.log_prob_grad(c.x)), [&](double h) { return s.log_prob(moved(c.x, dx, dc, h)); });
        !r)
      return AssertionFailure() << "log_prob_grad: " << r.message();
    for (const bool inverse : {false, true}) {
      const Rows2& in = inverse ? c.z : c.x;
      if (in.rows == 0) continue;
      const MappedValues cot{draw_normal(static_cast<int64_t>(in.x.size()), random), draw_normal(n, random)};
      const auto f = [&](double h) {
        const MappedValues m = s.map(inverse, moved(in, dx, dc, h));
        return plus(row_dots(cot.y, m.y, n), row_dots(cot.log_det, m.log_det, n));
      };
      if (const auto r = agrees(along(s.vjp(inverse, in, cot)), f); !r)
        return AssertionFailure() << "vjp of " << name(inverse) << ": " << r.message();
    }
  }
  return AssertionSuccess();
}

testing::AssertionResult adjoint(DerivativeCase c, uint64_t seed) {
  SessionCase<double> s(c.f.model());
  std::mt19937_64 random(seed);
  const int64_t n = c.x.rows;
  for (const bool inverse : {false, true}) {
    const Rows2& in = inverse ? c.z : c.x;
    if (in.rows == 0) continue;
    const MappedValues cot{draw_normal(static_cast<int64_t>(in.x.size()), random), draw_normal(n, random)};
    const Values dx = draw_normal(static_cast<int64_t>(in.x.size()), random);
    const Values dc =
        c.context ? draw_normal(static_cast<int64_t>(in.context.size()), random) : Values(in.context.size(), 0.0);
    const Derivatives back = s.vjp(inverse, in, cot), there = s.jvp(inverse, in, dx, dc);
    for (const auto& [part_x, part_c, what] :
         {std::tuple{dx, dc, "both"}, std::tuple{dx, Values{}, "rows"}, std::tuple{Values{}, dc, "contexts"}}) {
      if (part_x.empty() && part_c.empty()) continue;
      const Derivatives d = s.jvp(inverse, in, part_x, part_c);
      Values size(static_cast<size_t>(n), 0.0);
      const Values left = plus(row_dots(cot.y, d.x, n, &size), row_dots(cot.log_det, d.context, n, &size));
      Values right(static_cast<size_t>(n), 0.0);
      if (!part_x.empty()) right = plus(right, row_dots(back.x, dx, n, &size));
      if (!part_c.empty()) right = plus(right, row_dots(back.context, dc, n, &size));
      for (size_t r = 0; r < left.size(); ++r)
        if (!(std::abs(left[r] - right[r]) <= 1e-12 * std::max(1.0, size[r])))
          return AssertionFailure() << name(inverse) << ", tangents of " << what << ", row " << r
                                    << ": <cot, J t> = " << left[r] << ", <J' cot, t> = " << right[r] << ", differ by "
                                    << left[r] - right[r] << " of " << size[r];
    }
    for (const Derivatives* d : {&back, &there}) {
      const MappedValues m = s.map(inverse, in);
      if (const auto r = same_bits(d->y, m.y); !r) return AssertionFailure() << name(inverse) << " y: " << r.message();
      if (const auto r = same_bits(d->log_det, m.log_det); !r)
        return AssertionFailure() << name(inverse) << " log_det: " << r.message();
    }
  }
  return AssertionSuccess();
}

namespace {

struct All {
  Derivatives grad, vjp[2], jvp[2];
};

testing::AssertionResult same(const All& got, const All& want) {
  const auto one = [](const Derivatives& a, const Derivatives& b, const std::string& what) {
    if (const auto r = same_bits(a.y, b.y); !r) return AssertionFailure() << what << " y: " << r.message();
    if (const auto r = same_bits(a.log_det, b.log_det); !r)
      return AssertionFailure() << what << " log_det: " << r.message();
    if (const auto r = same_bits(a.x, b.x); !r) return AssertionFailure() << what << " by x: " << r.message();
    if (const auto r = same_bits(a.context, b.context); !r)
      return AssertionFailure() << what << " by context: " << r.message();
    return AssertionSuccess();
  };
  if (const auto r = one(got.grad, want.grad, "log_prob_grad"); !r) return r;
  for (const int i : {0, 1}) {
    if (const auto r = one(got.vjp[i], want.vjp[i], std::string("vjp of ") + name(i)); !r) return r;
    if (const auto r = one(got.jvp[i], want.jvp[i], std::string("jvp of ") + name(i)); !r) return r;
  }
  return AssertionSuccess();
}

template <class T>
struct Asking {
  Rows2 x, z;
  MappedValues cot;
  Values tan_x, tan_context;

  // In calls of `chunk` rows.
  All all(SessionCase<T>& s, int64_t chunk) const {
    All a;
    const auto append = [](Derivatives& to, const Derivatives& d) {
      for (const auto& [out, in] : {std::pair{&to.y, &d.y}, std::pair{&to.log_det, &d.log_det}, std::pair{&to.x, &d.x},
                                    std::pair{&to.context, &d.context}})
        out->insert(out->end(), in->begin(), in->end());
    };
    const auto cut = [&](const Values& v, int64_t first, int64_t rows) {
      const auto cols = static_cast<int64_t>(v.size()) / x.rows;
      return Values(v.begin() + first * cols, v.begin() + (first + rows) * cols);
    };
    for (int64_t first = 0; first < x.rows; first += chunk) {
      const int64_t rows = std::min(chunk, x.rows - first);
      const MappedValues c{cut(cot.y, first, rows), cut(cot.log_det, first, rows)};
      append(a.grad, s.log_prob_grad(x.part(first, rows)));
      for (const int i : {0, 1}) {
        if (i && z.rows == 0) continue;
        const Rows2 in = (i ? z : x).part(first, rows);
        append(a.vjp[i], s.vjp(i, in, c));
        append(a.jvp[i], s.jvp(i, in, cut(tan_x, first, rows), cut(tan_context, first, rows)));
      }
    }
    return a;
  }
};

}  // namespace

template <class T>
testing::AssertionResult rows_independent(FlowModel& model, const Rows2& x, const Rows2& z, uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto normal = [&](const Values& like) { return draw_normal(static_cast<int64_t>(like.size()), random); };
  Asking<T> ask{x, z, {normal(x.x), draw_normal(x.rows, random)}, normal(x.x), normal(x.context)};
  SessionCase<T> one(model), three(model, 3);
  const All want = ask.all(one, x.rows);
  if (const auto r = same_bits(want.grad.log_det, one.log_prob(x)); !r)
    return AssertionFailure() << "log_prob: " << r.message();
  for (const int64_t chunk : {int64_t{1}, int64_t{7}})
    if (const auto r = same(ask.all(one, chunk), want); !r)
      return AssertionFailure() << "in calls of " << chunk << ": " << r.message();
  if (const auto r = same(ask.all(three, x.rows), want); !r) return AssertionFailure() << "3 threads: " << r.message();
  if (const auto r = same_bits(one.log_prob_grad(x, true, false).x, want.grad.x); !r)
    return AssertionFailure() << "by x alone: " << r.message();
  if (model.context())
    if (const auto r = same_bits(one.log_prob_grad(x, false, true).context, want.grad.context); !r)
      return AssertionFailure() << "by context alone: " << r.message();
  return AssertionSuccess();
}

template testing::AssertionResult rows_independent<float>(FlowModel&, const Rows2&, const Rows2&, uint64_t);
template testing::AssertionResult rows_independent<double>(FlowModel&, const Rows2&, const Rows2&, uint64_t);

}  // namespace libnf::test
