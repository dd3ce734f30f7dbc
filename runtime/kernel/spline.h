// Monotone rational-quadratic splines (Gregory & Delbourgo 1982; Durkan et al. 2019, eq. 4-8) of one column of rows.
// Each row has its own raw parameters, stored by parameter: number i of row r is params[i * stride + r].
//   raw parameters: K widths, K heights, then derivatives (slope_count of them)
//   bin sizes       w = m + (1 - m K) softmax(raw * raw_scale), as shares of [low, high]; heights likewise
//   slopes          d = min_derivative + log(1 + e^(beta raw))/beta at knots; 1 at both ends with linear tails
//   soft_clip       (Rozet et al., zuko) sizes softmax(v / (1 + |2 v / log 1000|)), slopes e^(v / (1 + |v / log 1000|))
// With t in [0, 1] in a bin of slope s, u = 1 - t, r = d / s:
//   D = t^2 + u^2 + (r0 + r1) t u,   z = y0 + h t (t + r0 u) / D,   dz/dx = s (r1 t^2 + 2 t u + r0 u^2) / D^2
// and with q = (z - y0) / h, p = 1 - q, e = p r0 - q r1 the inverse is t : u = 2 q : e + sqrt(e^2 + 4 p q).
// These forms avoid cancellation: sums of D and of the root have no negative term, and e + sqrt is computed as
// 4 p q / (sqrt - e) for e < 0, so no discriminant can go wrong. What remains is the rounding of x - x0: an error of a
// few ulp of the interval in x, amplified only by the slope and its change within a bin.
// Points outside: linear tails leave them unchanged; circular ones repeat the spline with period high - low (up to 2048
// times in float32 and 2^26 in float64; points further out are left unchanged); without tails the map continues along
// its tangents. Such points never enter the arithmetic of a bin, so gradients stay finite. Finite raw parameters of any
// size give finite results (slopes are capped at 1e12 times that of their bin). NaN in x or in a parameter of a row
// gives NaN in that row. The bits of an element depend only on its row.
#pragma once
#include <cstdint>

namespace libnf::kernel {

enum class SplineTails : uint8_t { none, linear, circular };

struct SplineShape {
  int64_t bins = 8;  // 1 ... kMaxSplineBins
  double min_width = 1e-3, min_height = 1e-3, min_derivative = 1e-3;
  double raw_scale = 1;
  double beta = 1;
  bool soft_clip = false;  // min_* and beta are then not used
};
// Per-column settings. Linear and circular tails require bottom = low, top = high.
struct SplineBox {
  double low = -3, high = 3, bottom = -3, top = 3;
  SplineTails tails = SplineTails::linear;
};

inline constexpr int64_t kMaxSplineBins = 256;

inline int64_t slope_count(int64_t bins, SplineTails tails) {
  return tails == SplineTails::linear ? bins - 1 : tails == SplineTails::circular ? bins : bins + 1;
}

// Rows of one column; `stride` is the distance between the parameters of a row, in elements.
template <class T>
struct SplineRows {
  int64_t n;
  const T* in;
  const T* params;
  int64_t stride;
};

// Computes out = f(in) or its inverse, and adds log_det += log |d out / d in|.
template <class T>
void rational_spline(const SplineShape& shape, const SplineBox& box, bool inverse, const SplineRows<T>& rows, T* out,
                     T* log_det);
// Overwrites g_in and g_params (with the same stride) with the gradients of sum g_out out + g_log_det log_det. g_out or
// g_log_det may be null, which means zero.
template <class T>
void rational_spline_grad(const SplineShape& shape, const SplineBox& box, bool inverse, const SplineRows<T>& rows,
                          const T* g_out, const T* g_log_det, T* g_in, T* g_params);

}  // namespace libnf::kernel
