// Normal with a mean and a scale per class and column; the context gives the class of a row:
//   log p(z | c) = sum_j log N(z_j; loc_cj, exp(log_scale_cj)),   z = loc_c + exp(log_scale_c) * eps.
// An invalid label makes its row NaN, which scoring, sampling and training handle like any other NaN.
#include <cmath>

#include "runtime/core/rows.h"
#include "runtime/kernel/quantile.h"
#include "runtime/op/class_rows.h"
#include "runtime/op/location_scale.h"
#include "runtime/op/ops.h"
#include "src/base/base.h"

namespace libnf {
namespace {

enum class Labels : uint8_t { index, one_hot };

class ClassNormal final : public Base {
 public:
  struct Config final : libnf::Config {
    int64_t classes = 2, column = 0;
    Labels labels = Labels::index;
    double spread = 0;
    void fields(Fields& f) override {
      static constexpr const char* kLabels[] = {"index", "one_hot"};
      f.integer("classes", "number of classes", classes, 1, 1 << 20);
      f.choice("labels",
               "index: a context column holds 0 ... classes - 1; one_hot: one column per class, with a single 1",
               labels, kLabels);
      f.integer("column", "the first context column of the label", column, 0, 1 << 24);
      f.real("spread", "standard deviation of the initial means, drawn from a normal", spread, 0, 1e6);
    }
  };
  ClassNormal(const Config& c, const Declare& d)
      : event_(d.columns()),
        classes_(c.classes),
        column_(c.column),
        width_(c.labels == Labels::one_hot ? c.classes : 1),
        one_hot_(c.labels == Labels::one_hot),
        loc_(d.param("loc", {c.classes, d.columns()}, Init::gaussian(c.spread))),
        log_scale_(d.param("log_scale", {c.classes, d.columns()}, Init::zeros())) {
    if (d.context < column_ + width_)
      d.reject("column", "the label lies outside the context: give the model a \"context\" that holds it");
  }

  Var log_prob(const Scope& s, Var z, Var context) const override {
    return normal_log_prob(s.tape, z, of(s, loc_, context), of(s, log_scale_, context));
  }
  Var sample(const Scope& s, int64_t rows, Var context) const override {
    return located(s.tape, standard_normal(s.tape, rows, event_), of(s, loc_, context), of(s, log_scale_, context));
  }
  Var temper(const Scope& s, Var z, Var context, double temperature) const override {
    return tempered(s.tape, z, of(s, loc_, context), temperature);
  }
  Var quantile(const Scope& s, const double* u, int64_t rows, Var context) const override {
    return located(s.tape, quantiles(s.tape, u, rows, event_, kernel::normal_quantile), of(s, loc_, context),
                   of(s, log_scale_, context));
  }

  std::string context_error(Var context) const override {
    return with_dtype(context->out.dtype, [&]<class T>() -> std::string {
      const T* p = context->out.as<T>() + column_;
      if (label_of(p, classes_, one_hot_) >= 0) return {};
      char text[160];
      if (one_hot_)
        std::snprintf(text, sizeof text, "the label in context columns %lld to %lld is not a single 1 among zeros",
                      static_cast<long long>(column_), static_cast<long long>(column_ + width_ - 1));
      else
        std::snprintf(text, sizeof text, "the label %g in context column %lld is not one of 0 ... %lld",
                      static_cast<double>(*p), static_cast<long long>(column_), static_cast<long long>(classes_ - 1));
      return text;
    });
  }

 private:
  Var of(const Scope& s, ParamId table, Var context) const {
    return class_rows(s.tape, s.param(table), slice_columns(s.tape, context, column_, width_), one_hot_);
  }
  int64_t event_, classes_, column_, width_;
  bool one_hot_;
  ParamId loc_, log_scale_;
};

}  // namespace

NF_PART(Base, class_normal, ClassNormal, "normal with a mean and a scale per class, which the context selects", "");

}  // namespace libnf
