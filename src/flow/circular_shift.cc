// Shift of columns that live on a circle, such as angles: z_j = x_j + P t_j modulo P in [low, low + P), log_det = 0;
// the inverse shifts back. t_j are turns, one per column, learned or fixed: with half a turn between circular layers,
// the place where the circle is cut open for the one is in the middle of the other.
// The circle is [-B, B) or [0, B), and up to half a turn outside a number is the point it means: angles in [0, 2 pi) have
// their place on [-pi, pi). Farther out it becomes NaN, so that data in other units are not silently wrapped.
#include "runtime/op/circular.h"

#include "src/flow/layer.h"

namespace nf {
namespace {

class CircularShift final : public Layer {
 public:
  enum class Range : uint8_t { symmetric, positive };
  struct Config final : LayerConfig {
    Range range = Range::symmetric;
    double bound = 3.141592653589793, turns = 0;
    bool learned = true;
    void fields(Fields& f) override {
      static constexpr const char* kRanges[] = {"symmetric", "positive"};
      f.choice("range", "where the circle is: [-B, B) or [0, B)", range, kRanges);
      f.real("bound", "B: pi for angles, 180 for degrees, 1 for parts of the circle", bound, 1, 1e4);
      f.real("turns", "shift before training, as a part of the circle", turns, -1, 1);
      f.flag("learned", "train the shifts", learned);
    }
  };

  CircularShift(const Config& c, Declare d)
      : low_(c.range == Range::symmetric ? -c.bound : 0),
        period_(c.bound - low_),
        turns_(c.learned ? d.param("turns", {d.event}, Init::fill(c.turns))
                         : d.buffer("turns", {d.event}, Init::fill(c.turns))) {}

  Mapped forward(const Scope& s, Var x, Var) const override { return map(s, x, false); }
  Mapped inverse(const Scope& s, Var z, Var) const override { return map(s, z, true); }

 private:
  Mapped map(const Scope& s, Var x, bool inverse) const {
    return {circular_shift(s.tape, x, s.param(turns_), low_, period_, inverse), nullptr};
  }
  double low_, period_;
  ParamId turns_;
};

}  // namespace

NF_LAYER(circular_shift, CircularShift, "shifts columns on a circle by learned amounts",
         "Rezende et al. 2020, Normalizing flows on tori and spheres, section 2.1.2", Domain::unit, Domain::unit);

}  // namespace nf
