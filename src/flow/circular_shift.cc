// Shift of columns that live on a circle, such as angles: z_j = x_j + P t_j modulo P in [low, low + P), log_det = 0;
// the inverse shifts back. t_j are turns, one per column, learned or fixed: with half a turn between circular layers,
// the place where the circle is cut open for the one is in the middle of the other.
// The circle is [-B, B) or [0, B). What lies outside of it, by more than a millionth of P (which is for ends that were
// rounded), is outside of the map's domain: log_det = -inf, density 0, and z is its place on the circle. A density that
// wrapped there would have a copy per turn and integrate to more than 1; and data in other units would go unnoticed.
// The inverse wraps z from anywhere, log_det = 0.
#include <limits>

#include "runtime/core/rows.h"
#include "runtime/op/circular.h"
#include "src/flow/layer.h"

namespace nf {
namespace {

class CircularShift final : public Layer {
 public:
  enum class Range : uint8_t { symmetric, positive };
  struct Config final : nf::Config {
    Range range = Range::symmetric;
    double bound = 3.141592653589793, turns = 0;
    bool learned = true;
    void fields(Fields& f) override {
      static constexpr const char* kRanges[] = {"symmetric", "positive"};
      f.choice("range", "where the circle is: [-B, B) or [0, B); the density of rows outside is 0", range, kRanges);
      f.real("bound", "B: pi for angles, 180 for degrees, 1 for parts of the circle", bound, 1, 1e4);
      f.real("turns", "shift before training, as a part of the circle", turns, -1, 1);
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
  // 0 on the circle, -inf off it; nothing to differentiate. NaN is for y to show.
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

}  // namespace nf
