// Targets: densities known up to a factor, to which a flow is fitted without data. To add one, write one file that ends
// in NF_PART(Target, word, ...) and put its word in src/target/meson.build.
//
// A target returns its log density and the gradient of it at a point, in double, and log Z if there is a formula; Z is
// the integral of the density over all x. Everything is in logarithms, so no density underflows.
#pragma once
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "runtime/core/rows.h"
#include "src/part/registry.h"

namespace libnf {

inline constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

class Target {
 public:
  explicit Target(int64_t event) : event(event) {}
  virtual ~Target() = default;
  const int64_t event;  // columns of x
  // Computes log_p [n] and, if grad has data, grad [n, event] of x [n, event]; all row-major without gaps. grad has the
  // dtype of x. log_p is float64, because a constant in a log density may be too large for float32. context is [n or 1,
  // c] or has no data.
  virtual void evaluate(const View& x, const View& context, const View& log_p, const View& grad) const = 0;
  // Returns true if evaluate may be called from any thread, for any part of the rows, and never fails. Otherwise it is
  // called on the thread that entered the library, once for all rows.
  virtual bool thread_safe() const { return true; }
  // Returns true if log densities of rows of that dtype are rounded to float32 nevertheless.
  virtual bool rounds(DType) const { return false; }
  virtual double log_z() const { return kUnknown; }  // infinity: the density has no finite integral
};

struct TargetKind : PartKind {
  std::unique_ptr<Target> (*build)(const Config& config, int64_t event);
  const char* formula;  // the log density, in terms of the field names
  int64_t min_event, max_event;
  void facts(Fields& f) const {
    std::string words = formula;
    int64_t least = min_event, most = max_event;
    f.text("formula", "the log density, in terms of the field names", words, INT64_MAX);
    f.integer("min_columns", "", least, 1, INT64_MAX);
    f.integer("max_columns", "", most, 1, INT64_MAX);
  }
};

// Base class of the library's targets. P, the class itself, has a Config; double at(const double* x, double* grad)
// const, which returns the log density of a row and writes its gradient; and log_z if it is known.
template <class P>
class PointTarget : public Target {
 public:
  using Target::Target;
  void evaluate(const View& x, const View&, const View& log_p, const View& grad) const override {
    with_dtype(x.dtype, [&]<class T>() { rows<T>(x, log_p.as<double>(), grad); });
  }

 private:
  static constexpr int64_t kFew = 128;  // rows of up to this many columns are kept on the stack
  template <class T>
  void rows(const View& x, double* log_p, const View& grad) const {
    const P& self = static_cast<const P&>(*this);
    const int64_t n = x.shape[0], d = event;
    double few[2 * kFew];
    std::vector<double> many(static_cast<size_t>(d > kFew ? 2 * d : 0));
    double *const row = d > kFew ? many.data() : few, *const slope = row + d;
    for (int64_t r = 0; r < n; ++r) {
      for (int64_t j = 0; j < d; ++j) row[j] = static_cast<double>(x.as<T>()[r * d + j]);
      log_p[r] = self.at(row, slope);
      if (grad.data)
        for (int64_t j = 0; j < d; ++j) grad.as<T>()[r * d + j] = static_cast<T>(slope[j]);
    }
  }
};

}  // namespace libnf
