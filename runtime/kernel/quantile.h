// Quantile functions (inverse distribution functions) of standard distributions in float64, for u in (0, 1). NaN in a
// parameter gives NaN. An element's result does not depend on its neighbors. Errors are measured in quantile_test.cc; ULP
// are units in the last place of the result.
#pragma once
#include <cstdint>

namespace libnf::kernel {

// out[i] = q(u[i]); out may be u.
void normal_quantile(const double* u, double* out, int64_t n);    // 4 ULP
void logistic_quantile(const double* u, double* out, int64_t n);  // log(u / (1 - u)): 2 ULP
void laplace_quantile(const double* u, double* out, int64_t n);   // log(2 u), above 1/2 -log(2 (1 - u)): 2 ULP

// Student's t with `dof` degrees of freedom, in [1e-15, 1e15]. The result is within 2e-15, relative, of the exact quantile
// of a u whose distance from the nearer end of (0, 1) is changed by a factor of at most 1 + 4e-14; a few bits of dof are
// lost with dof far below 1, where the quantile grows as u^(-1/dof).
class StudentQuantile {
 public:
  explicit StudentQuantile(double dof);
  double operator()(double u) const;

 private:
  struct Area {
    double log, slope;  // of the logarithm of an area, by log r
  };
  Area tail(double r) const;    // above t = r sqrt(dof)
  Area center(double r) const;  // between 0 and t
  double dof_, half_, root_, log_tail_, log_center_;
  double edge_, edge_area_;  // the r above which tail() converges faster, and the tail there
};

// A mixture of `components` normals with these weights, which sum to 1, means and standard deviations. The result is
// within 4e-15 of the largest |mean| or |result|, relative, of the exact quantile of a u as above with a factor of 1 + 1e-13.
double mixture_quantile(double u, const double* weight, const double* mean, const double* scale, int64_t components);

}  // namespace libnf::kernel
