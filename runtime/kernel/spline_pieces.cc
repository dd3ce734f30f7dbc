// Row by row in float64: the knots, then the piece of the point, then for gradients both backwards.
#include "runtime/kernel/spline_pieces.h"

#include <algorithm>
#include <cmath>

namespace nf::kernel {
namespace {

constexpr int64_t kMost = kMaxSplineBins + 2;
constexpr double kMostRaw = 1e12;  // raw densities count as at most this, so that areas do not overflow

double sigmoid(double x) { return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x)); }
double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }

// shares = softmax(raw)
void softmax(const double* raw, int64_t n, double* shares) {
  double top = raw[0], sum = 0;
  for (int64_t k = 1; k < n; ++k) top = std::max(top, raw[k]);
  for (int64_t k = 0; k < n; ++k) sum += shares[k] = std::exp(raw[k] - top);
  for (int64_t k = 0; k < n; ++k) shares[k] /= sum;
}
// Gradient of raw from that of least + (1 - n least) shares.
void softmax_grad(const double* shares, const double* g, int64_t n, double least, double scale, double* g_raw) {
  double mean = 0;
  for (int64_t k = 0; k < n; ++k) mean += shares[k] * g[k];
  for (int64_t k = 0; k < n; ++k) g_raw[k] = scale * (1 - static_cast<double>(n) * least) * shares[k] * (g[k] - mean);
}

// The piece of one bin, and its gradient.
struct Piece {
  double X, Y, w, A, B, C;  // corner, width, coefficients of v
};

class Row {
 public:
  Row(const PiecesShape& s, SplineTails tails) : s_(s), open_(tails == SplineTails::none) {}

  // Knots of raw parameters.
  void set(const double* raw) {
    const int64_t n = s_.bins;
    for (int64_t i = 0; i < n; ++i) scaled_[i] = raw[i] * s_.raw_scale;
    softmax(scaled_, n, share_w_);
    if (s_.pieces == SplinePieces::linear) {
      for (int64_t k = 0; k < n; ++k) {
        w_[k] = 1 / static_cast<double>(n);
        h_[k] = s_.min_height + (1 - s_.min_height * static_cast<double>(n)) * share_w_[k];
      }
    } else {
      for (int64_t k = 0; k < n; ++k) w_[k] = s_.min_width + (1 - s_.min_width * static_cast<double>(n)) * share_w_[k];
      s_.pieces == SplinePieces::quadratic ? set_densities(raw + n) : set_slopes(raw + n);
    }
    X_[0] = Y_[0] = 0;
    for (int64_t k = 0; k < n; ++k) {
      X_[k + 1] = X_[k] + w_[k];
      Y_[k + 1] = Y_[k] + h_[k];
    }
  }

  int64_t bin(double at, bool of_y) const {
    const double* knots = of_y ? Y_ : X_;
    return std::max<int64_t>(0, std::upper_bound(knots + 1, knots + s_.bins, at) - knots - 1);
  }
  Piece piece(int64_t k) const {
    Piece p{X_[k], Y_[k], w_[k], 0, 0, h_[k]};
    if (s_.pieces == SplinePieces::linear) return p;
    p.C = d_[k] * w_[k];
    if (s_.pieces == SplinePieces::quadratic) {
      p.B = (d_[k + 1] - d_[k]) * w_[k] / 2;
    } else {
      p.A = (d_[k] + d_[k + 1]) * w_[k] - 2 * h_[k];
      p.B = 3 * h_[k] - (2 * d_[k] + d_[k + 1]) * w_[k];
    }
    return p;
  }
  // Slopes at the ends, on [0, 1].
  double end_slope(bool above) const {
    if (s_.pieces == SplinePieces::linear) return h_[above ? s_.bins - 1 : 0] * static_cast<double>(s_.bins);
    return d_[above ? s_.bins : 0];
  }

  // Gradients of raw from those of bin k's piece, or of the slope at an end.
  void back(int64_t k, const Piece& g, double* g_raw) {
    const int64_t n = s_.bins;
    std::fill_n(gw_, n, 0.0);
    std::fill_n(gh_, n, 0.0);
    std::fill_n(gd_, n + 1, 0.0);
    for (int64_t i = 0; i < k; ++i) {
      gw_[i] = g.X;
      gh_[i] = g.Y;
    }
    gw_[k] += g.w;
    if (s_.pieces == SplinePieces::linear) {
      gh_[k] += g.C;
    } else {
      gw_[k] += g.C * d_[k];
      gd_[k] += g.C * w_[k];
    }
    if (s_.pieces == SplinePieces::quadratic) {
      gw_[k] += g.B * (d_[k + 1] - d_[k]) / 2;
      gd_[k + 1] += g.B * w_[k] / 2;
      gd_[k] -= g.B * w_[k] / 2;
    } else if (s_.pieces == SplinePieces::cubic) {
      gw_[k] += g.A * (d_[k] + d_[k + 1]) - g.B * (2 * d_[k] + d_[k + 1]);
      gd_[k] += (g.A - 2 * g.B) * w_[k];
      gd_[k + 1] += (g.A - g.B) * w_[k];
      gh_[k] += 3 * g.B - 2 * g.A;
    }
    finish(g_raw);
  }
  void back_end(bool above, double g_slope, double* g_raw) {
    const int64_t n = s_.bins;
    std::fill_n(gw_, n, 0.0);
    std::fill_n(gh_, n, 0.0);
    std::fill_n(gd_, n + 1, 0.0);
    if (s_.pieces == SplinePieces::linear)
      gh_[above ? n - 1 : 0] = g_slope * static_cast<double>(n);
    else
      gd_[above ? n : 0] = g_slope;
    finish(g_raw);
  }

 private:
  double end_share() const { return s_.nflows ? 0.25 : 0.5; }

  void set_densities(const double* raw) {
    const int64_t n = s_.bins, given = open_ ? n + 1 : n - 1, first = open_ ? 0 : 1;
    for (int64_t i = 0; i < given; ++i) {
      raw_[i] = std::min(raw[i] * s_.raw_scale, kMostRaw);
      H_[first + i] = softplus(raw_[i]) + 1e-3;
    }
    if (!open_) {
      double sum = 0;
      for (int64_t k = 1; k + 1 < n; ++k) sum += (H_[k] + H_[k + 1]) / 2 * w_[k];
      ends_ = 1 - end_share() * (w_[0] + w_[n - 1]);
      H_[0] = H_[n] = n == 1 ? 1 : (end_share() * (w_[0] * H_[1] + w_[n - 1] * H_[n - 1]) + sum) / ends_;
    }
    area_ = 0;
    for (int64_t k = 0; k < n; ++k) area_ += (H_[k] + H_[k + 1]) / 2 * w_[k];
    for (int64_t k = 0; k <= n; ++k) d_[k] = s_.min_height + (1 - s_.min_height) * H_[k] / area_;
    for (int64_t k = 0; k < n; ++k) h_[k] = (d_[k] + d_[k + 1]) / 2 * w_[k];
  }
  void densities_back(double* g_raw) {
    const int64_t n = s_.bins, given = open_ ? n + 1 : n - 1, first = open_ ? 0 : 1;
    for (int64_t k = 0; k < n; ++k) {
      gd_[k] += gh_[k] * w_[k] / 2;
      gd_[k + 1] += gh_[k] * w_[k] / 2;
      gw_[k] += gh_[k] * (d_[k] + d_[k + 1]) / 2;
    }
    double g_area = 0;
    for (int64_t k = 0; k <= n; ++k) {
      gd_[k] *= (1 - s_.min_height) / area_;  // from here on of H
      g_area -= gd_[k] * H_[k] / area_;
    }
    for (int64_t k = 0; k < n; ++k) {
      gd_[k] += g_area * w_[k] / 2;
      gd_[k + 1] += g_area * w_[k] / 2;
      gw_[k] += g_area * (H_[k] + H_[k + 1]) / 2;
    }
    if (!open_ && n > 1) {
      const double g_sum = (gd_[0] + gd_[n]) / ends_, g_ends = -g_sum * H_[0], share = end_share();
      gd_[1] += g_sum * share * w_[0];
      gd_[n - 1] += g_sum * share * w_[n - 1];
      gw_[0] += share * (g_sum * H_[1] - g_ends);
      gw_[n - 1] += share * (g_sum * H_[n - 1] - g_ends);
      for (int64_t k = 1; k + 1 < n; ++k) {
        gd_[k] += g_sum * w_[k] / 2;
        gd_[k + 1] += g_sum * w_[k] / 2;
        gw_[k] += g_sum * (H_[k] + H_[k + 1]) / 2;
      }
    }
    for (int64_t i = 0; i < given; ++i)
      g_raw[i] = raw_[i] < kMostRaw ? gd_[first + i] * sigmoid(raw_[i]) * s_.raw_scale : 0;
  }

  void set_slopes(const double* raw) {
    const int64_t n = s_.bins;
    for (int64_t i = 0; i < n; ++i) scaled_[i] = raw[i] * s_.raw_scale;
    softmax(scaled_, n, share_h_);
    for (int64_t k = 0; k < n; ++k) h_[k] = s_.min_height + (1 - s_.min_height * static_cast<double>(n)) * share_h_[k];
    for (int64_t k = 1; k < n; ++k) {
      const double s0 = h_[k - 1] / w_[k - 1], s1 = h_[k] / w_[k];
      d_[k] = std::min(2 * std::min(s0, s1), (w_[k] * s0 + w_[k - 1] * s1) / (w_[k - 1] + w_[k]));
    }
    // With the shift, zeros give slopes 1 where sizes are equal.
    const double shift = s_.nflows ? 0 : std::log((1 - s_.min_slope) / 2);
    for (int64_t i = 0; i < 2; ++i) raw_[i] = raw[n + i] + shift;
    d_[0] = end_rate(0) * h_[0] / w_[0];
    d_[n] = end_rate(1) * h_[n - 1] / w_[n - 1];
  }
  double end_rate(int64_t i) const { return s_.min_slope + (3 - s_.min_slope) * sigmoid(raw_[i]); }
  void slopes_back(double* g_raw) {
    const int64_t n = s_.bins;
    const auto slope_back = [&](int64_t k, double g) {  // of h/w
      gh_[k] += g / w_[k];
      gw_[k] -= g * h_[k] / (w_[k] * w_[k]);
    };
    for (int64_t k = 1; k < n; ++k) {
      const double g = gd_[k], s0 = h_[k - 1] / w_[k - 1], s1 = h_[k] / w_[k], sum = w_[k - 1] + w_[k];
      const double mean = (w_[k] * s0 + w_[k - 1] * s1) / sum;
      if (g == 0) continue;
      if (2 * std::min(s0, s1) < mean) {
        slope_back(s0 < s1 ? k - 1 : k, 2 * g);
        continue;
      }
      gw_[k] += g * (s0 - mean) / sum;
      gw_[k - 1] += g * (s1 - mean) / sum;
      slope_back(k - 1, g * w_[k] / sum);
      slope_back(k, g * w_[k - 1] / sum);
    }
    for (int64_t i = 0; i < 2; ++i) {
      const int64_t k = i ? n - 1 : 0;
      const double g = gd_[i ? n : 0];
      g_raw[n + i] = g * (3 - s_.min_slope) * sigmoid(raw_[i]) * sigmoid(-raw_[i]) * h_[k] / w_[k];
      slope_back(k, g * end_rate(i));
    }
    softmax_grad(share_h_, gh_, n, s_.min_height, s_.raw_scale, g_raw);
  }
  void finish(double* g_raw) {
    if (s_.pieces == SplinePieces::linear)
      return softmax_grad(share_w_, gh_, s_.bins, s_.min_height, s_.raw_scale, g_raw);
    s_.pieces == SplinePieces::quadratic ? densities_back(g_raw + s_.bins) : slopes_back(g_raw + s_.bins);
    softmax_grad(share_w_, gw_, s_.bins, s_.min_width, s_.raw_scale, g_raw);
  }

  const PiecesShape& s_;
  bool open_;
  double area_ = 1, ends_ = 1;
  // Shares, sizes, knots; d: densities or slopes at knots, H before they are divided by their area.
  double share_w_[kMost], share_h_[kMost], w_[kMost], h_[kMost], d_[kMost], H_[kMost], X_[kMost], Y_[kMost];
  double raw_[kMost], scaled_[kMost], gw_[kMost], gh_[kMost], gd_[kMost];
};

// v with G(v) = q: the bracket [0, 1] shrinks around the root, and Newton stays within.
double solve(const Piece& p, double q) {
  if (p.A == 0) return p.B == 0 ? q / p.C : 2 * q / (p.C + std::sqrt(std::max(0.0, p.C * p.C + 4 * p.B * q)));
  double low = 0, high = 1, v = std::clamp(q / (p.A + p.B + p.C), 0.0, 1.0);
  for (int i = 0; i < 100; ++i) {
    const double f = ((p.A * v + p.B) * v + p.C) * v - q;
    (f > 0 ? high : low) = v;
    double next = v - f / ((3 * p.A * v + 2 * p.B) * v + p.C);
    if (!(next > low && next < high)) next = (low + high) / 2;
    if (std::abs(next - v) <= 1e-16 * v || f == 0) break;
    v = next;
  }
  return v;
}

// The two intervals, as seen from where the map comes.
struct Ends {
  double low, high, size, to, to_size;
  Ends(const SplineBox& b, bool inverse)
      : low(inverse ? b.bottom : b.low),
        high(inverse ? b.top : b.high),
        size(high - low),
        to(inverse ? b.low : b.bottom),
        to_size(inverse ? b.high - b.low : b.top - b.bottom) {}
};

// A point x or z: inside, its bin k and place v there, and the slope dF/dt on [0, 1]; outside, how `far` from that end,
// as a share of the interval, and the slope there.
struct Point {
  bool inside, above;
  int64_t k = 0;
  Piece p{};
  double v = 0, far = 0, slope = 1;

  Point(const Row& row, double x, const Ends& ends, bool inverse)
      : inside(x >= ends.low && x <= ends.high), above(x > ends.high) {
    if (!inside) {
      far = (x - (above ? ends.high : ends.low)) / ends.size;
      slope = row.end_slope(above);
      return;
    }
    const double at = std::clamp((x - ends.low) / ends.size, 0.0, 1.0);
    k = row.bin(at, inverse);
    p = row.piece(k);
    v = std::clamp(inverse ? solve(p, std::max(0.0, at - p.Y)) : (at - p.X) / p.w, 0.0, 1.0);
    slope = ((3 * p.A * v + 2 * p.B) * v + p.C) / p.w;
  }
};

template <class T>
void gather(const SplineRows<T>& rows, int64_t r, int64_t per, double* raw) {
  for (int64_t i = 0; i < per; ++i) raw[i] = rows.params[i * rows.stride + r];
}

}  // namespace

template <class T>
void pieces_spline(const PiecesShape& shape, const SplineBox& box, bool inverse, const SplineRows<T>& rows, T* out,
                   T* log_det) {
  const int64_t per = pieces_params(shape.pieces, shape.bins, box.tails);
  const Ends ends(box, inverse);
  double raw[2 * kMost];
  Row row(shape, box.tails);
  for (int64_t r = 0; r < rows.n; ++r) {
    const double x = rows.in[r];
    if (box.tails == SplineTails::linear && !(x >= ends.low && x <= ends.high)) {
      out[r] = rows.in[r];
      continue;
    }
    gather(rows, r, per, raw);
    row.set(raw);
    const Point a(row, x, ends, inverse);
    double y = a.above ? 1 : 0;
    if (a.inside)
      y = inverse ? a.p.X + a.p.w * a.v : a.p.Y + ((a.p.A * a.v + a.p.B) * a.v + a.p.C) * a.v;
    else
      y += inverse ? a.far / a.slope : a.far * a.slope;
    if (a.inside && y > 1) y = 1;
    out[r] = static_cast<T>(ends.to + ends.to_size * y);
    const double l = std::log(inverse ? 1 / a.slope : a.slope) + std::log(ends.to_size / ends.size);
    log_det[r] += static_cast<T>(l);
  }
}

// With v in a piece: F = Y + G(v), L = log(G'(v) / w), t = X + w v.
template <class T>
void pieces_spline_grad(const PiecesShape& shape, const SplineBox& box, bool inverse, const SplineRows<T>& rows,
                        const T* g_out, const T* g_log_det, T* g_in, T* g_params) {
  const int64_t per = pieces_params(shape.pieces, shape.bins, box.tails);
  const Ends ends(box, inverse);
  double raw[2 * kMost], g_raw[2 * kMost];
  Row row(shape, box.tails);
  for (int64_t r = 0; r < rows.n; ++r) {
    const double x = rows.in[r];
    const double gy = g_out ? static_cast<double>(g_out[r]) : 0, gl = g_log_det ? static_cast<double>(g_log_det[r]) : 0;
    std::fill_n(g_raw, per, 0.0);
    double g_at = gy;
    if (box.tails == SplineTails::none || (x >= ends.low && x <= ends.high)) {
      gather(rows, r, per, raw);
      row.set(raw);
      const Point a(row, x, ends, inverse);
      const double g = gy * ends.to_size;  // of y on [0, 1]
      if (a.inside) {
        const Piece& p = a.p;
        const double dG = a.slope * p.w, dl_dv = (6 * p.A * a.v + 2 * p.B) / dG;
        double gF = g, gL = gl;
        if (inverse) {  // gradients of the forward map that give those of the inverse
          g_at = (g - gl * dl_dv / p.w) / a.slope;
          gF = -g_at;
          gL = -gl;
        }
        const double gv = gF * dG + gL * dl_dv, v = a.v, per_dG = gL / dG;
        if (!inverse) g_at = gv / p.w;
        row.back(a.k,
                 {-gv / p.w, gF, -(gv * v + gL) / p.w, v * v * (gF * v + 3 * per_dG), v * (gF * v + 2 * per_dG),
                  gF * v + per_dG},
                 g_raw);
      } else {
        g_at = inverse ? g / a.slope : g * a.slope;
        row.back_end(a.above, inverse ? -(g * a.far / a.slope + gl) / a.slope : g * a.far + gl / a.slope, g_raw);
      }
      g_at /= ends.size;
    }
    g_in[r] = static_cast<T>(g_at);
    for (int64_t i = 0; i < per; ++i) g_params[i * rows.stride + r] = static_cast<T>(g_raw[i]);
  }
}

template void pieces_spline<float>(const PiecesShape&, const SplineBox&, bool, const SplineRows<float>&, float*,
                                   float*);
template void pieces_spline<double>(const PiecesShape&, const SplineBox&, bool, const SplineRows<double>&, double*,
                                    double*);
template void pieces_spline_grad<float>(const PiecesShape&, const SplineBox&, bool, const SplineRows<float>&,
                                        const float*, const float*, float*, float*);
template void pieces_spline_grad<double>(const PiecesShape&, const SplineBox&, bool, const SplineRows<double>&,
                                         const double*, const double*, double*, double*);

}  // namespace nf::kernel
