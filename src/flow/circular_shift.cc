// Shift of columns that live on a circle, such as angles: z_j = x_j + P t_j modulo P in [low, low + P), log_det = 0;
// the inverse shifts back. t_j is the shift in turns, one per column, learned or fixed. With half a turn between two
// circular layers, the point where one cuts the circle open lies in the middle of the other.
// The circle is [-B, B) or [0, B). An x more than 1e-6 P outside it (the margin allows for rounded ends) is outside the
// domain: log_det = -inf, density 0, and z is the wrapped value. A density that wrapped such x would have a copy per
// turn, so it would integrate to more than 1, and data in wrong units would go unnoticed.
// The inverse wraps any z, with log_det = 0.
#include <limits>

#include "runtime/core/rows.h"
#include "runtime/op/circular.h"
#include "src/flow/layer.h"

namespace libnf {
namespace {

class CircularShift final : public Layer {
 public:
  enum class Range : uint8_t { symmetric, positive };
  struct Config final : libnf::Config {
    Range range = Range::symmetric;
    double bound = 3.141592653589793, turns = 0;
    bool learned = true;
    void fields(Fields& f) override {
      static constexpr const char* kRanges[] = {"symmetric", "positive"};
      f.choice("range", "the interval that is the circle: [-B, B) or [0, B); rows outside have density 0", range,
               kRanges);
      f.real("bound", "B: pi for angles, 180 for degrees, 1 for fractions of a turn", bound, 1, 1e4);
      f.real("turns", "shift before training, as a fraction of a turn", turns, -1, 1);
      f.flag("learned", "train the shifts", learned);
    }
  };

  CircularShift(const Config& c, const Declare& d)
      : low_(c.range == Range::symmetric ? -c.bound : 0),
        period_(c.bound - low_),
        turns_(c.learned ? d.param("turns", {d.columns()}, Init::fill(c.turns))
                         : d.buffer("turns", {d.columns()}, Init::fill(c.turns))) {}

  Mapped forward(const Scope& s, Var x, Var) const override { return map(s, x, false); }
  Mapped inverse(const Scope& s, Var z, Var) const override { return map(s, z, true); }

 private:
  Mapped map(const Scope& s, Var x, bool inverse) const {
    return {circular_shift(s.tape, x, s.param(turns_), low_, period_, inverse), inverse ? nullptr : log_det(s.tape, x)};
  }
  // Returns 0 for rows on the circle and -inf for others; no gradient. Rows with NaN get 0, since y is already NaN.
  Var log_det(Tape& t, Var x) const {
    Var out = t.empty({x->out.shape[0]});
    with_dtype(t.dtype(), [&]<class T>() {
      const auto m = matrix_of<T>(conform(t, x, Layout::rows)->out);
      const double margin = kRounded * period_;
      const T least = static_cast<T>(low_ - margin), most = static_cast<T>(low_ + period_ + margin);
      for (int64_t r = 0; r < m.rows; ++r) {
        bool off = false;
        for (int64_t j = 0; j < m.cols; ++j) off = off || m.row(r)[j] < least || m.row(r)[j] > most;
        out->out.as<T>()[r] = off ? -std::numeric_limits<T>::infinity() : T(0);
      }
    });
    return out;
  }
  static constexpr double kRounded = 1e-6;
  double low_, period_;
  ParamId turns_;
};

}  // namespace

NF_PART(Layer, circular_shift, CircularShift, "shifts columns on a circle by learned amounts",
        "Rezende et al. 2020, Normalizing flows on tori and spheres, section 2.1.2", Domain::unit, Domain::unit);

}  // namespace libnf
