// Mixture of diagonal normals: p(z) = sum_k w_k prod_j N(z_j; m_kj, s_kj), w = softmax(logits), s = exp(log_scale), as
//   log p(z) = logsumexp_k (log w_k + sum_j log N_kj).
// A row so far out that every term underflows to -inf has density -inf and gradient zero.
//
// Sampling chooses a component and draws from it. The choice is not a smooth function of the weights, so the gradient
// is the implicit one of the map that keeps every conditional distribution function F_j(z_j | z_1 ... z_(j-1)) fixed
// (Figurnov, Mohamed & Mnih 2018, "Implicit reparameterization gradients", eq. 6 and 9; Graves 2016). It is an unbiased
// gradient of expectations with respect to weights, locations and scales. With r_k(j) the weight of component k given
// the columns before j, F_j = sum_k r_k(j) Phi(u_kj) and p_j = sum_k r_k(j) phi(u_kj)/s_kj:
//   dz_j = -(sum_k Phi(u_kj) dr_k(j) + r_k(j) phi(u_kj) du_kj at fixed z_j) / p_j,
// computed backward from the last column, in float64.
#include "runtime/op/mixture.h"

#include <algorithm>
#include <cmath>

#include "runtime/kernel/random.h"
#include "runtime/kernel/reduce.h"
#include "runtime/kernel/unary.h"
#include "runtime/op/family.h"
#include "runtime/op/ops.h"
#include "runtime/op/per_row.h"
#include "runtime/op/tangent.h"

namespace libnf {
namespace {

constexpr double kHalfLog2Pi = 0.91893853320467274178;

// The parameters, which are the last three inputs of both ops.
template <class T>
struct Mixture {
  Rows<T> logits, loc, log_scale;
  int64_t components, d;
};

void need_parameters(const Node& n, int first, int64_t rows, int64_t d) {
  const Dims& logits = n.in[first]->out.shape;
  const int64_t k = logits.last();
  need_row_params(n, first, rows, k);
  for (int i = first + 1; i < first + 3; ++i) need_row_params(n, i, rows, checked_mul(k, d));
}

template <class T>
Mixture<T> mixture_of(const Node& n, int first, int64_t rows, int64_t d, const View* views) {
  const int64_t k = n.in[first]->out.shape.last();
  return {per_row<T>(views[0], rows, k), per_row<T>(views[1], rows, k * d), per_row<T>(views[2], rows, k * d), k, d};
}

template <class T>
Mixture<T> values_of(const Node& n, int first, int64_t rows, int64_t d) {
  const View views[3] = {n.view(first), n.view(first + 1), n.view(first + 2)};
  return mixture_of<T>(n, first, rows, d, views);
}

// Takes no memory for gradients that are not needed.
template <class T>
Mixture<T> gradients_of(const InputGrads& grads, const Node& n, int first, int64_t rows, int64_t d) {
  View views[3] = {n.view(first), n.view(first + 1), n.view(first + 2)};
  for (int i = 0; i < 3; ++i) {
    views[i].data = nullptr;
    if (grads.wants(first + i)) views[i] = grads.add(first + i);
  }
  return mixture_of<T>(n, first, rows, d, views);
}

// Returns exp(-log_scale) of a row's components; computed only once if they are shared.
template <class T>
const T* factors(const Mixture<T>& m, int64_t r, T* buffer) {
  const int64_t n = m.components * m.d;
  if (r == 0 || m.log_scale.ld != 0) {
    for (int64_t i = 0; i < n; ++i) buffer[i] = -m.log_scale.row(r)[i];
    kernel::unary<T>(kernel::Unary::exp, 0, buffer, buffer, n);
  }
  return buffer;
}

// ---- density -----------------------------------------------------------------------------------------------------

Shapes density_shape(const Node& n) {
  need_rank(n, 0, 2);
  const Dims& z = n.in[0]->out.shape;
  need_parameters(n, 1, z[0], z[1]);
  Shapes s;
  s.out = {z[0]};
  s.saved = {z[0], n.in[1]->out.shape.last()};  // responsibility of each component in p(z)
  s.has_saved = true;
  return s;
}

template <class T>
void density_forward(Tape& t, Node& n) {
  const auto z = matrix_of<T>(n.view(0));
  const auto m = values_of<T>(n, 1, z.rows, z.cols);
  const int64_t k_all = m.components, d = z.cols;
  const ScratchScope scope(t);
  T *buffer = t.scratch<T>(k_all * d), *log_w = t.scratch<T>(k_all);
  T* out = n.y<T>();
  for (int64_t r = 0; r < z.rows; ++r) {
    const T* factor = factors(m, r, buffer);
    if (r == 0 || m.logits.ld != 0) kernel::log_softmax<T>(m.logits.row(r), k_all, log_w, k_all, 1, k_all);
    T* share = static_cast<T*>(n.saved) + r * k_all;
    for (int64_t k = 0; k < k_all; ++k) {
      const T *loc = m.loc.row(r) + k * d, *ls = m.log_scale.row(r) + k * d, *f = factor + k * d;
      T squares = 0, scales = 0;
      for (int64_t j = 0; j < d; ++j) {
        const T u = (z.row(r)[j] - loc[j]) * f[j];
        squares += u * u;
        scales += ls[j];
      }
      share[k] = log_w[k] - T(0.5) * squares - scales - static_cast<T>(kHalfLog2Pi) * static_cast<T>(d);
    }
    kernel::row_logsumexp<T>(share, k_all, 1, k_all, out + r);
    if (std::isinf(out[r]))
      std::fill_n(share, k_all, T(0));
    else
      kernel::softmax<T>(share, k_all, share, k_all, 1, k_all);
  }
}

template <class T>
void density_vjp(Tape& t, Node& n, const InputGrads& grads) {
  const auto z = matrix_of<T>(n.view(0));
  const int64_t d = z.cols;
  const auto m = values_of<T>(n, 1, z.rows, d);
  const int64_t k_all = m.components;
  const auto g = gradients_of<T>(grads, n, 1, z.rows, d);
  Rows<T> gz{};
  if (grads.wants(0)) gz = matrix_of<T>(grads.add(0));
  const T* gy = t.grad_out(n).template as<T>();
  const ScratchScope scope(t);
  T *buffer = t.scratch<T>(k_all * d), *w = t.scratch<T>(k_all);
  for (int64_t r = 0; r < z.rows; ++r) {
    const T* factor = factors(m, r, buffer);
    if (r == 0 || m.logits.ld != 0) kernel::softmax<T>(m.logits.row(r), k_all, w, k_all, 1, k_all);
    if (std::isinf(n.y<T>()[r])) continue;
    const T* share = static_cast<const T*>(n.saved) + r * k_all;
    for (int64_t k = 0; k < k_all; ++k) {
      const T by = gy[r] * share[k];
      const T *loc = m.loc.row(r) + k * d, *f = factor + k * d;
      if (g.logits.p) g.logits.row(r)[k] += by - gy[r] * w[k];
      if (by == 0) continue;
      for (int64_t j = 0; j < d; ++j) {
        const T u = (z.row(r)[j] - loc[j]) * f[j];
        if (gz.p) gz.row(r)[j] -= by * u * f[j];
        if (g.loc.p) g.loc.row(r)[k * d + j] += by * u * f[j];
        if (g.log_scale.p) g.log_scale.row(r)[k * d + j] += by * (u * u - 1);
      }
    }
  }
}

OutputTangents density_tangent(Tape& t, Node& n, const InputTangents& d) {
  const int64_t rows = n.out.shape[0], k = n.in[1]->out.shape.last(), cols = n.in[0]->out.shape[1], all = k * cols;
  int32_t* column = t.scratch<int32_t>(all);
  for (int64_t i = 0; i < all; ++i) column[i] = static_cast<int32_t>(i % cols);
  Var log_w = log_softmax(t, row_params(t, n.in[1], rows, k));
  Var loc = row_params(t, n.in[2], rows, all), log_scale = row_params(t, n.in[3], rows, all);
  Var away = sub(t, gather_columns(t, n.in[0], column, all), loc);
  Var u = mul(t, away, unary(t, kernel::Unary::exp, scale(t, log_scale, -1)));
  Var terms = sub(t, scale(t, unary(t, kernel::Unary::square, u), -0.5), log_scale);
  return d.of(logsumexp(t, add(t, sum_last(t, reshape(t, terms, {rows, k, cols})), log_w)));
}

const Op kDensity = {"mixture_log_prob",       Layout::contiguous,   density_shape,
                     NF_BOTH(density_forward), NF_BOTH(density_vjp), density_tangent};

// ---- samples -----------------------------------------------------------------------------------------------------

struct SampleAttr {
  int64_t rows, event;
  uint32_t stream;  // stream of the normals; the components use the next one
};

Shapes sample_shape(const Node& n) {
  const auto& a = n.attr<SampleAttr>();
  need_parameters(n, 0, a.rows, a.event);
  Shapes s;
  s.out = {a.rows, a.event};
  return s;
}

template <class T>
void sample_forward(Tape& t, Node& n) {
  const auto [rows, d, stream] = n.attr<SampleAttr>();
  const auto m = values_of<T>(n, 0, rows, d);
  const int64_t k_all = m.components;
  const ScratchScope scope(t);
  double* choice = t.scratch<double>(rows);
  T* w = t.scratch<T>(k_all);
  kernel::uniform01<double>({t.random.seed, stream + 1}, t.random.first_row, rows, 1, choice, 1);
  T* y = n.y<T>();
  kernel::normal<T>({t.random.seed, stream}, t.random.first_row, rows, d, y, d);
  for (int64_t r = 0; r < rows; ++r, y += d) {
    if (r == 0 || m.logits.ld != 0) kernel::softmax<T>(m.logits.row(r), k_all, w, k_all, 1, k_all);
    double left = choice[r];
    int64_t k = 0;
    while (k + 1 < k_all && !(left < static_cast<double>(w[k]))) left -= static_cast<double>(w[k++]);
    while (k > 0 && w[k] == 0) --k;  // rounding can leave a remainder after the last component with weight
    for (int64_t j = 0; j < d; ++j) {
      const int64_t at = k * d + j;
      y[j] = w[k] * 0 + m.loc.row(r)[at] + std::exp(m.log_scale.row(r)[at]) * y[j];  // weights that are NaN make y NaN
    }
  }
}

template <class T>
void sample_vjp(Tape& t, Node& n, const InputGrads& grads) {
  const auto [rows, d, stream] = n.attr<SampleAttr>();
  const auto m = values_of<T>(n, 0, rows, d);
  const int64_t k_all = m.components;
  const auto g = gradients_of<T>(grads, n, 0, rows, d);
  const auto z = matrix_of<T>(n.out), gz = matrix_of<T>(t.grad_out(n));
  const ScratchScope scope(t);
  double* log_r = t.scratch<double>(checked_mul(d + 1, k_all));  // unnormalized, before column j
  double *share = t.scratch<double>(k_all), *adjoint = t.scratch<double>(k_all), *by_share = t.scratch<double>(k_all);
  for (int64_t r = 0; r < rows; ++r) {
    const auto scale_of = [&](int64_t at) { return std::exp(static_cast<double>(m.log_scale.row(r)[at])); };
    const auto u_of = [&](int64_t at, int64_t j) {
      return (static_cast<double>(z.row(r)[j]) - static_cast<double>(m.loc.row(r)[at])) / scale_of(at);
    };
    for (int64_t k = 0; k < k_all; ++k) {
      log_r[k] = static_cast<double>(m.logits.row(r)[k]);
      for (int64_t j = 0; j < d; ++j) {
        const double u = u_of(k * d + j, j);
        log_r[(j + 1) * k_all + k] =
            log_r[j * k_all + k] - 0.5 * u * u - static_cast<double>(m.log_scale.row(r)[k * d + j]);
      }
    }
    std::fill_n(adjoint, k_all, 0.0);  // gradient of log_r after column j, then before it
    for (int64_t j = d - 1; j >= 0; --j) {
      kernel::softmax<double>(log_r + j * k_all, k_all, share, k_all, 1, k_all);
      double by_z = static_cast<double>(gz.row(r)[j]), density = 0;
      for (int64_t k = 0; k < k_all; ++k) {
        const int64_t at = k * d + j;
        const double s = scale_of(at), u = u_of(at, j);
        density += share[k] * std::exp(-0.5 * u * u - kHalfLog2Pi) / s;
        if (adjoint[k] == 0) continue;
        by_z -= adjoint[k] * u / s;
        if (g.loc.p) g.loc.row(r)[at] += static_cast<T>(adjoint[k] * u / s);
        if (g.log_scale.p) g.log_scale.row(r)[at] += static_cast<T>(adjoint[k] * (u * u - 1));
      }
      const double factor = by_z / density;
      if (!std::isfinite(factor)) continue;  // beyond the range of float64
      double mean = 0;
      for (int64_t k = 0; k < k_all; ++k) {
        const int64_t at = k * d + j;
        const double s = scale_of(at), u = u_of(at, j);
        const double moved = factor * share[k] * std::exp(-0.5 * u * u - kHalfLog2Pi);
        if (g.loc.p) g.loc.row(r)[at] += static_cast<T>(moved / s);
        if (g.log_scale.p) g.log_scale.row(r)[at] += static_cast<T>(moved * u);
        by_share[k] = -factor * 0.5 * std::erfc(-u * M_SQRT1_2);
        mean += share[k] * by_share[k];
      }
      for (int64_t k = 0; k < k_all; ++k) adjoint[k] += share[k] * (by_share[k] - mean);
    }
    if (g.logits.p)
      for (int64_t k = 0; k < k_all; ++k) g.logits.row(r)[k] += static_cast<T>(adjoint[k]);
  }
}

// Forward, the same implicit map: dz is where the conditional distribution functions, as ordinary ops of z and the
// parameters, do not move. Their Jacobian by z is triangular, with the conditional densities on its diagonal.
OutputTangents sample_tangent(Tape& t, Node& n, const InputTangents& d) {
  const int64_t rows = n.out.shape[0], cols = n.out.shape[1], k = n.in[0]->out.shape.last();
  if (rows == 0 || cols == 0) return nullptr;
  Var log_r = rows_of_params(t, n.in[0], rows, k), loc = rows_of_params(t, n.in[1], rows, k * cols);
  Var log_scale = rows_of_params(t, n.in[2], rows, k * cols), functions = nullptr, densities = nullptr;
  int32_t *at = t.scratch<int32_t>(k * cols), *order = t.scratch<int32_t>(cols);
  using kernel::Unary;
  for (int64_t j = 0; j < cols; ++j) {
    order[j] = static_cast<int32_t>(j);
    int32_t* column = at + j * k;
    for (int64_t i = 0; i < k; ++i) column[i] = static_cast<int32_t>(i * cols + j);
    Var s = gather_columns(t, log_scale, column, k);
    Var away = scale(t, sub(t, gather_columns(t, loc, column, k), slice_columns(t, &n, j, 1)), -1);
    Var u = mul(t, away, unary(t, Unary::exp, scale(t, s, -1)));
    Var term = sub(t, scale(t, unary(t, Unary::square, u), -0.5), s);  // log of sqrt(2 pi) N(z; m, s)
    Var share = unary(t, Unary::exp, log_softmax(t, log_r));
    Var phi = add_scalar(t, scale(t, unary(t, Unary::erf, scale(t, u, M_SQRT1_2)), 0.5), 0.5);
    Var f = as_column(t, sum_last(t, mul(t, share, phi)));
    Var p = as_column(t, scale(t, sum_last(t, mul(t, share, unary(t, Unary::exp, term))), std::exp(-kHalfLog2Pi)));
    functions = functions ? concat_columns(t, functions, f) : f;
    densities = densities ? concat_columns(t, densities, p) : p;
    log_r = add(t, log_r, term);
  }
  return solve_triangular(t, d, &n, functions, densities, nullptr, order);
}

const Op kSample = {"mixture_sample",        Layout::contiguous,  sample_shape,
                    NF_BOTH(sample_forward), NF_BOTH(sample_vjp), sample_tangent};

// Moderate scales: with terms that differ by factors e^(u^2), finite differences would be too inaccurate.
const OpCase kCases[] = {
    {"mixture_log_prob",
     {{"nd"}, {"3"}, {"3d"}, {"3d"}},
     [](Tape& t, const Var* in) { return mixture_log_prob(t, in[0], in[1], in[2], scale(t, in[3], 0.2)); }},
    // One column, because [n, K d] is not a product of letters.
    {"mixture_log_prob_per_row",
     {{"n1"}, {"n3"}, {"n3"}, {"n3"}},
     [](Tape& t, const Var* in) { return mixture_log_prob(t, in[0], in[1], in[2], scale(t, in[3], 0.2)); }},
    // One component, because otherwise the implicit gradient is not that of this map, only of its distribution
    // (samples_test.cc compares it with the tangent).
    {"mixture_sample",
     {{"1"}, {"d"}, {"d"}},
     [](Tape& t, const Var* in) {
       t.random = RandomKey{7, 3, t.random.first_row, 0};  // the same draws at every call
       return mixture_sample(t, 3, in[1]->out.shape[0], in[0], in[1], scale(t, in[2], 0.2));
     }},
};

}  // namespace

extern const OpFamily family_mixture;
const OpFamily family_mixture = {"mixture", kCases, std::size(kCases)};

Var mixture_log_prob(Tape& t, Var z, Var logits, Var loc, Var log_scale) {
  return t.record(kDensity, {z, logits, loc, log_scale});
}

Var mixture_sample(Tape& t, int64_t rows, int64_t event, Var logits, Var loc, Var log_scale) {
  const SampleAttr a{rows, event, t.random.stream};
  t.random.stream += 2;
  return t.record(kSample, {logits, loc, log_scale}, a);
}

}  // namespace libnf
