// Uniform on a box, low_j <= z_j <= high_j per column: log p(z) = -sum_j log(high_j - low_j), -inf outside; NaN stays.
//   z = low + (high - low) v, v uniform on (0, 1). Nothing is learned, and the gradient is zero: the density is
//   constant.
#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/core/rows.h"
#include "runtime/kernel/random.h"
#include "src/base/base.h"

namespace libnf {
namespace {

class Uniform final : public Base {
 public:
  struct Config final : libnf::Config {
    std::vector<double> low = {0}, high = {1};
    void fields(Fields& f) override {
      f.reals("low", "lower ends: one number per column, or one for all", low, -1e30, 1e30, int64_t{1} << 24);
      f.reals("high", "upper ends, likewise", high, -1e30, 1e30, int64_t{1} << 24);
    }
  };
  Uniform(const Config& c, const Declare& d) : low_(ends(c.low, "low", d)), high_(ends(c.high, "high", d)) {
    for (size_t j = 0; j < low_.size(); ++j) {
      if (!(low_[j] < high_[j])) d.reject("high", "every upper end must lie above its lower one");
      log_density_ -= std::log(high_[j] - low_[j]);
    }
  }

  Var log_prob(const Scope& s, Var z, Var) const override {
    Var out = s.tape.empty({z->out.shape[0]});
    with_dtype(s.tape.dtype(), [&]<class T>() {
      const auto m = matrix_of<T>(conform(s.tape, z, Layout::rows)->out);
      for (int64_t r = 0; r < m.rows; ++r) {
        T lp = static_cast<T>(log_density_);
        for (int64_t j = 0; j < m.cols; ++j) {
          const T v = m.row(r)[j];
          const auto k = static_cast<size_t>(j);
          if (v < static_cast<T>(low_[k]) || v > static_cast<T>(high_[k])) lp -= std::numeric_limits<T>::infinity();
          lp += v != v ? v : T(0);
        }
        out->out.as<T>()[r] = lp;
      }
    });
    return out;
  }

  Var sample(const Scope& s, int64_t rows, Var) const override {
    Tape& t = s.tape;
    const auto d = static_cast<int64_t>(low_.size());
    Var z = t.empty({rows, d});
    const kernel::RandomKey key{t.random.seed, t.random.stream++};
    with_dtype(t.dtype(), [&]<class T>() {
      T* v = z->out.as<T>();
      kernel::uniform_open(key, t.random.first_row, rows, d, v, d);
      for (int64_t r = 0; r < rows; ++r)
        for (size_t j = 0; j < low_.size(); ++j, ++v) {
          const T low = static_cast<T>(low_[j]), high = static_cast<T>(high_[j]);
          *v = std::min(low + (high - low) * *v, high);
        }
    });
    return z;
  }
  Var quantile(const Scope& s, const double* u, int64_t rows, Var) const override {
    const size_t d = low_.size();
    Var z = s.tape.empty({rows, static_cast<int64_t>(d)});
    with_dtype(s.tape.dtype(), [&]<class T>() {
      T* out = z->out.as<T>();
      for (int64_t r = 0; r < rows; ++r)
        for (size_t j = 0; j < d; ++j)
          *out++ = std::clamp(static_cast<T>(low_[j] + (high_[j] - low_[j]) * *u++), static_cast<T>(low_[j]),
                              static_cast<T>(high_[j]));
    });
    return z;
  }

 private:
  static std::vector<double> ends(const std::vector<double>& v, const char* field, const Declare& d) {
    const auto event = static_cast<size_t>(d.columns());
    if (v.size() != 1 && v.size() != event) d.reject(field, "needs one number, or as many as the event has columns");
    return v.size() == 1 ? std::vector<double>(event, v[0]) : v;
  }
  std::vector<double> low_, high_;
  double log_density_ = 0;
};

}  // namespace

NF_PART(Base, uniform, Uniform, "uniform on a box given by a lower and an upper end per column", "");

}  // namespace libnf
