// Monotone splines of lower and higher degree than those of runtime/kernel/spline.h, with the same layout and the same
// behavior outside the interval (tails none or linear), computed in float64 whatever T is. In the notation of Durkan et
// al. 2019, on [0, 1]:
//   linear     (Mueller et al. 2019) K equal bins of areas min_height + (1 - K min_height) softmax(raw): K numbers
//   quadratic  (Mueller et al. 2019) K widths; densities softplus(raw) + 1e-3 at knots, divided by their area: K + 1 of
//              them, or K - 1 with linear tails, where both ends get the density that becomes 1
//   cubic      (Durkan et al. 2019, Cubic-spline flows) K widths, K heights, slopes at inner knots of Steffen 1990,
//              m + (3 - m) sigmoid(raw) times the slope of their bin at both ends: 2 K + 2 numbers, K >= 2
// `nflows` follows that library: quadratic ends get half of their share (so the density there is not 1), and zeros give
// slopes of 3/2 at the ends of cubic splines. Otherwise zeros give the identity. m, and min_height of linear splines,
// are not in nflows; they keep slopes away from 0, where the map has no inverse. Linear and cubic splines have a kink
// where they meet linear tails.
// A piece is G(v) = A v^3 + B v^2 + C v, v in [0, 1]. The inverse of a quadratic piece is 2 q / (C + sqrt(C^2 + 4 B
// q)). That of a cubic piece is found by safeguarded Newton to the last digits; a closed form would lose them for small
// A.
#pragma once
#include "runtime/kernel/spline.h"

namespace libnf::kernel {

enum class SplinePieces : uint8_t { linear, quadratic, cubic };

struct PiecesShape {
  SplinePieces pieces = SplinePieces::linear;
  int64_t bins = 8;
  double min_width = 1e-3, min_height = 1e-3;
  double min_slope = 1e-3;  // of cubic splines at the ends, relative to the slope of the bin
  double raw_scale = 1;
  bool nflows = false;
};

inline int64_t pieces_params(SplinePieces p, int64_t bins, SplineTails tails) {
  if (p == SplinePieces::linear) return bins;
  if (p == SplinePieces::cubic) return 2 * bins + 2;
  return 2 * bins + (tails == SplineTails::linear ? -1 : 1);
}

// See rational_spline and rational_spline_grad.
template <class T>
void pieces_spline(const PiecesShape& shape, const SplineBox& box, bool inverse, const SplineRows<T>& rows, T* out,
                   T* log_det);
template <class T>
void pieces_spline_grad(const PiecesShape& shape, const SplineBox& box, bool inverse, const SplineRows<T>& rows,
                        const T* g_out, const T* g_log_det, T* g_in, T* g_params);

}  // namespace libnf::kernel
