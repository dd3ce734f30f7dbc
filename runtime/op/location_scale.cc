// Row log-densities of independent columns with locations and scales, u_j = (z_j - loc_j) exp(-log_scale_j):
//   log p(z) = sum_j (log f(u_j) - log_scale_j)
//   logistic   log f = -|u| - 2 log(1 + e^-|u|)
//   laplace    log f = -|u| - log 2
//   student    log f = g(nu/2) - log(2 pi)/2 - (nu + 1)/2 log(1 + u^2/nu),  nu = exp(log_dof) within [1e-15, 1e15]
// with g of runtime/kernel/gamma_ratio.h. Student's t is computed in float64. The sum over j runs in a fixed order.
// Draws of Student's t (Bailey 1994, "Polar generation of random variates with the t-distribution"), exact for every
// nu: T = sqrt(nu (U^(-2/nu) - 1)) cos(2 pi V), smooth in nu.
#include "runtime/op/location_scale.h"

#include <algorithm>
#include <cmath>

#include "runtime/kernel/binary.h"
#include "runtime/kernel/gamma_ratio.h"
#include "runtime/kernel/random.h"
#include "runtime/kernel/reduce.h"
#include "runtime/kernel/rows.h"
#include "runtime/kernel/unary.h"
#include "runtime/op/family.h"
#include "runtime/op/gamma_ratio.h"
#include "runtime/op/ops.h"
#include "runtime/op/per_row.h"
#include "runtime/op/tangent.h"

namespace libnf {
namespace {

using kernel::Binary;
constexpr double kLog2 = 0.69314718055994530942, kHalfLog2Pi = 0.91893853320467274178;

enum { kZ, kLoc, kLogScale, kLogDof };
enum class Family { logistic, laplace, student };

Shapes shape(const Node& n) {
  need_rank(n, kZ, 2);
  const Dims& z = n.in[kZ]->out.shape;
  for (int i = kLoc; i < n.n_in; ++i) need_row_params(n, i, z[0], z[1]);
  Shapes s;
  s.out = {z[0]};
  s.saved = z;  // u
  s.has_saved = true;
  return s;
}

// Takes a = |u| / sqrt(nu), because the square of a large u would overflow.
double log1p_square(double a) { return a < 1e100 ? std::log1p(a * a) : 2 * std::log(a); }

struct Student {
  explicit Student(double log_dof)
      : nu(student_dof(log_dof)), root(std::sqrt(nu)), normalizer(kernel::gamma_ratio(nu / 2)) {}
  double nu, root;
  kernel::GammaRatio normalizer;
  double log_density(double u) const {
    return normalizer.log - kHalfLog2Pi - (nu + 1) / 2 * log1p_square(std::abs(u) / root);
  }
  double slope(double u) const {  // d log f / du
    const double a = u / root;
    return -(nu + 1) / root * (std::abs(a) < 1e100 ? a / (1 + a * a) : 1 / a);
  }
  double by_log_dof(double u) const {
    const double a = std::abs(u) / root;
    const double share = a < 1e100 ? a * a / (1 + a * a) : 1;
    return normalizer.slope - nu / 2 * log1p_square(a) + (nu + 1) / 2 * share;
  }
};

// f(r, c, Student) for all columns; the constants of shared degrees of freedom are computed once.
template <class T, class F>
void each_student(Tape& t, const Rows<T>& log_dof, F&& f) {
  const ScratchScope scope(t);
  Student* shared = log_dof.ld == 0 ? t.scratch<Student>(log_dof.cols) : nullptr;
  for (int64_t c = 0; shared && c < log_dof.cols; ++c) shared[c] = Student(static_cast<double>(log_dof.p[c]));
  for (int64_t r = 0; r < log_dof.rows; ++r)
    for (int64_t c = 0; c < log_dof.cols; ++c)
      f(r, c, shared ? shared[c] : Student(static_cast<double>(log_dof.row(r)[c])));
}

template <Family family, class T>
void forward(Tape& t, Node& n) {
  const auto z = matrix_of<T>(n.view(kZ));
  const int64_t d = z.cols;
  const auto loc = per_row<T>(n.view(kLoc), z.rows, d), ls = per_row<T>(n.view(kLogScale), z.rows, d);
  T* u = static_cast<T*>(n.saved);
  const ScratchScope scope(t);
  T* f = t.scratch<T>(checked_mul(z.rows, d));
  T* softplus = t.scratch<T>(rows_of_block(d) * d);
  const Rows<const T> factors = exp_minus(t, ls);
  for_row_blocks(z.rows, d, [&](int64_t first, int64_t rows) {
    const int64_t count = rows * d;
    T *ub = u + first * d, *fb = f + first * d;
    kernel::affine_rows<T>(kernel::RowMap::inverse, z.rows_from(first, rows), factors.rows_from(first, rows),
                           loc.rows_from(first, rows), Rows<T>{ub, rows, d, d});
    if (family == Family::student) return;
    kernel::unary<T>(Unary::abs, 0, ub, fb, count);
    kernel::scale<T>(-1, fb, fb, count);
    if (family == Family::laplace) {
      kernel::binary_scalar<T>(Binary::sub, fb, static_cast<T>(kLog2), fb, count);
    } else {
      kernel::unary<T>(Unary::softplus, 1, fb, softplus, count);
      kernel::axpy<T>(-2, softplus, fb, count);
    }
  });
  if constexpr (family == Family::student)
    each_student(t, per_row<T>(n.view(kLogDof), z.rows, d), [&](int64_t r, int64_t c, const Student& s) {
      f[r * d + c] = static_cast<T>(s.log_density(static_cast<double>(u[r * d + c])));
    });
  const Rows<T> by_row = {f, z.rows, d, d};
  kernel::binary_rows<T>(Binary::sub, by_row, ls, by_row);
  kernel::row_sum<T>(f, d, z.rows, d, n.y<T>());
}

template <Family family, class T>
void vjp(Tape& t, Node& n, const InputGrads& grads) {
  const auto z = matrix_of<T>(n.view(kZ));
  const int64_t d = z.cols, all = z.rows * d;
  const auto ls = per_row<T>(n.view(kLogScale), z.rows, d);
  const T* g = t.grad_out(n).template as<T>();
  const T* u = static_cast<const T*>(n.saved);
  const auto target = [&](int i) { return grads.wants(i) ? per_row<T>(grads.add(i), z.rows, d) : Rows<T>{}; };
  const auto gz = target(kZ), gloc = target(kLoc), gls = target(kLogScale),
             gdof = family == Family::student ? target(kLogDof) : Rows<T>{};
  const ScratchScope scope(t);
  T* slope = t.scratch<T>(all);
  if constexpr (family == Family::student) {
    each_student(t, per_row<T>(n.view(kLogDof), z.rows, d), [&](int64_t r, int64_t c, const Student& s) {
      const auto v = static_cast<double>(u[r * d + c]);
      slope[r * d + c] = static_cast<T>(s.slope(v));
      if (gdof.p) gdof.row(r)[c] += g[r] * static_cast<T>(s.by_log_dof(v));
    });
  } else if constexpr (family == Family::laplace) {
    kernel::unary<T>(Unary::sign, 0, u, slope, all);
    kernel::scale<T>(-1, slope, slope, all);
  } else {
    kernel::scale<T>(T(0.5), u, slope, all);
    kernel::unary<T>(Unary::tanh, 0, slope, slope, all);
    kernel::scale<T>(-1, slope, slope, all);
  }
  const Rows<const T> all_factors = exp_minus(t, ls);
  for_row_blocks(z.rows, d, [&](int64_t first, int64_t rows) {
    const Rows<T> s = {slope + first * d, rows, d, d};
    const auto block = [=](const Rows<T>& m) { return m.rows_from(first, rows); };
    if (gls.p) kernel::slope_rows<T>(-1, g + first, {u + first * d, rows, d, d}, s, block(gls));
    kernel::binary_rows<T>(Binary::mul, s, all_factors.rows_from(first, rows), s);
    if (gz.p) kernel::axpy_rows<T>(1, g + first, s, block(gz));
    if (gloc.p) kernel::axpy_rows<T>(-1, g + first, s, block(gloc));
  });
}

template <Family family>
OutputTangents tangent(Tape& t, Node& n, const InputTangents& d) {
  const int64_t rows = n.in[kZ]->out.shape[0], cols = n.in[kZ]->out.shape[1];
  const auto param = [&](int i) { return row_params(t, n.in[i], rows, cols); };
  Var log_scale = param(kLogScale);
  Var u = mul(t, sub(t, n.in[kZ], param(kLoc)), unary(t, Unary::exp, scale(t, log_scale, -1))), f;
  if constexpr (family == Family::laplace) {
    f = scale(t, unary(t, Unary::abs, u), -1);
  } else if constexpr (family == Family::logistic) {
    f = add(t, unary(t, Unary::log_sigmoid, u), unary(t, Unary::log_sigmoid, scale(t, u, -1)));
  } else {
    Var log_dof = param(kLogDof), nu = unary(t, Unary::exp, log_dof);
    Var tail = unary(t, Unary::log1p, div(t, unary(t, Unary::square, u), nu));
    tail = mul(t, tail, add_scalar(t, scale(t, nu, -0.5), -0.5));
    f = add(t, tail, log_gamma_ratio(t, add_scalar(t, log_dof, -kLog2)));
  }
  return d.of(sum_last(t, sub(t, f, log_scale)));
}

template <Family f>
constexpr Op op_of(const char* name) {
  return {name,      Layout::rows, shape, {forward<f, float>, forward<f, double>}, {vjp<f, float>, vjp<f, double>},
          tangent<f>};
}
const Op kLogistic = op_of<Family::logistic>("logistic_log_prob"),
         kLaplace = op_of<Family::laplace>("laplace_log_prob"), kStudent = op_of<Family::student>("student_log_prob");

// ---- draws -------------------------------------------------------------------------------------------------------

struct DrawsAttr {
  int64_t rows, event;
  uint32_t stream;
  uint64_t seed;
  int64_t first_row;
};

// saved: dT / d log nu.
Shapes draws_shape(const Node& n) {
  const auto& a = n.attr<DrawsAttr>();
  need_row_params(n, 0, a.rows, a.event);
  Shapes s;
  s.out = s.saved = {a.rows, a.event};
  s.has_saved = true;
  return s;
}

template <class T>
void draws_forward(Tape& t, Node& n) {
  const auto& a = n.attr<DrawsAttr>();
  const int64_t rows = a.rows, d = a.event;
  const auto log_dof = per_row<T>(n.view(0), rows, d);
  T *y = n.y<T>(), *slope = static_cast<T*>(n.saved);
  const ScratchScope scope(t);
  double* u = t.scratch<double>(checked_mul(rows, 2 * d));
  kernel::uniform_open<double>({a.seed, a.stream}, a.first_row, rows, 2 * d, u, 2 * d);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < d; ++c) {
      const double* uv = u + (r * d + c) * 2;
      const double nu = student_dof(static_cast<double>(log_dof.row(r)[c]));
      const double e = -2 / nu * std::log(uv[0]), grown = std::expm1(e);
      const double x = std::sqrt(nu * grown) * std::cos(2 * M_PI * uv[1]);
      y[r * d + c] = static_cast<T>(x);
      slope[r * d + c] = static_cast<T>(x * (1 + e / std::expm1(-e)) / 2);
    }
}

template <class T>
void draws_vjp(Tape& t, Node& n, const InputGrads& grads) {
  const auto& a = n.attr<DrawsAttr>();
  const int64_t rows = a.rows, d = a.event;
  const auto g = matrix_of<T>(t.grad_out(n)), out = per_row<T>(grads.add(0), rows, d);
  const T* slope = static_cast<const T*>(n.saved);
  kernel::update_rows<T>(kernel::RowUpdate::fused, g, {slope, rows, d, d}, out);
}

// The same draws as ordinary ops of the constants log u and cos(2 pi v).
OutputTangents draws_tangent(Tape& t, Node& n, const InputTangents& d) {
  const auto& a = n.attr<DrawsAttr>();
  Var log_u = t.empty({a.rows, a.event}), cosine = t.empty({a.rows, a.event});
  {
    const ScratchScope scope(t);
    double* u = t.scratch<double>(checked_mul(a.rows, 2 * a.event));
    kernel::uniform_open<double>({a.seed, a.stream}, a.first_row, a.rows, 2 * a.event, u, 2 * a.event);
    with_dtype(t.dtype(), [&]<class T>() {
      for (int64_t i = 0; i < a.rows * a.event; ++i) {
        log_u->y<T>()[i] = static_cast<T>(std::log(u[2 * i]));
        cosine->y<T>()[i] = static_cast<T>(std::cos(2 * M_PI * u[2 * i + 1]));
      }
    });
  }
  Var log_dof = row_params(t, n.in[0], a.rows, a.event);
  Var exponent = scale(t, mul(t, log_u, unary(t, Unary::exp, scale(t, log_dof, -1))), -2);
  Var grown = mul(t, unary(t, Unary::expm1, exponent), unary(t, Unary::exp, log_dof));
  return d.of(mul(t, unary(t, Unary::sqrt, grown), cosine));
}

const Op kDraws = {"student_draws",        Layout::rows,       draws_shape,
                   NF_BOTH(draws_forward), NF_BOTH(draws_vjp), draws_tangent};

// The same draws at every call.
Var draws_case(Tape& t, int64_t rows, int64_t event, Var log_dof) {
  t.random = RandomKey{7, 3, t.random.first_row, 0};
  return student_draws(t, rows, event, scale(t, log_dof, 0.5));
}

const OpCase kCases[] = {
    {"logistic",
     {{"nd"}, {"d"}, {"d"}},
     [](Tape& t, const Var* in) { return logistic_log_prob(t, in[0], in[1], in[2]); }},
    {"logistic_per_row",
     {{"nd"}, {"nd"}, {"nd"}},
     [](Tape& t, const Var* in) { return logistic_log_prob(t, in[0], in[1], in[2]); }},
    {"laplace",
     {{"nd", Domain::nonzero}, {"d"}, {"d"}},  // a kink at z = loc
     [](Tape& t, const Var* in) { return laplace_log_prob(t, in[0], scale(t, in[1], 0.01), in[2]); },
     false},
    {"student",
     {{"nd"}, {"d"}, {"d"}, {"d"}},
     [](Tape& t, const Var* in) { return student_log_prob(t, in[0], in[1], in[2], in[3]); }},
    {"student_per_row",
     {{"nd"}, {"nd"}, {"nd"}, {"nd"}},
     [](Tape& t, const Var* in) { return student_log_prob(t, in[0], in[1], in[2], in[3]); }},
    {"student_draws", {{"d"}}, [](Tape& t, const Var* in) { return draws_case(t, 3, in[0]->out.shape[0], in[0]); }},
    {"student_draws_per_row",
     {{"nd"}},
     [](Tape& t, const Var* in) { return draws_case(t, in[0]->out.shape[0], in[0]->out.shape[1], in[0]); }},
    {"located_per_row",
     {{"nd"}, {"nd"}, {"nd"}},
     [](Tape& t, const Var* in) { return located(t, in[0], in[1], in[2]); }},
};

}  // namespace

extern const OpFamily family_location_scale;
const OpFamily family_location_scale = {"location_scale", kCases, std::size(kCases)};

Var logistic_log_prob(Tape& t, Var z, Var loc, Var log_scale) { return t.record(kLogistic, {z, loc, log_scale}); }
Var laplace_log_prob(Tape& t, Var z, Var loc, Var log_scale) { return t.record(kLaplace, {z, loc, log_scale}); }
Var student_log_prob(Tape& t, Var z, Var loc, Var log_scale, Var log_dof) {
  return t.record(kStudent, {z, loc, log_scale, log_dof});
}

double student_dof(double log_dof) {
  const double nu = std::exp(log_dof);
  return nu < 1e-15 ? 1e-15 : nu > 1e15 ? 1e15 : nu;
}

Var student_draws(Tape& t, int64_t rows, int64_t event, Var log_dof) {
  return t.record(kDraws, {log_dof}, DrawsAttr{rows, event, t.random.stream++, t.random.seed, t.random.first_row});
}

Var located(Tape& t, Var u, Var loc, Var log_scale) {
  if (loc->out.shape.rank == 1) return affine(t, u, log_scale, loc, false).y;
  return add(t, mul(t, u, unary(t, Unary::exp, log_scale)), loc);
}

}  // namespace libnf
