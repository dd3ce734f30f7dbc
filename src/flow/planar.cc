// Planar flow (Rezende & Mohamed 2015, eq. 10), written as the paper's map z0 -> zK:
//   z = x + u^ h(w.x + b),  log_det = log(1 + h'(w.x + b) w.u^),
// where u^ is u with its component along w replaced so that w.u^ > -1. This makes the map invertible for tanh,
// leaky_relu and elu. The inverse is a root in one variable (runtime/op/planar.cc has formulas and accuracy).
#include "runtime/op/planar.h"

#include <cmath>

#include "src/flow/layer.h"
#include "src/flow/root_fields.h"
#include "src/net/row_params.h"

namespace libnf {
namespace {

class Planar final : public Layer {
 public:
  struct Config final : libnf::Config {
    PlanarMap map;
    RowParamsConfig params;
    void fields(Fields& f) override {
      static constexpr const char* kFunctions[] = {"tanh", "leaky_relu", "elu"};
      f.choice("function", "h: tanh, leaky_relu or elu", map.h, kFunctions);
      f.real("slope", "slope of leaky_relu below 0", map.slope, 1e-3, 1);
      root_fields(f, map.limits);
      params.fields(f);
    }
  };

  Planar(const Config& c, const Declare& d)
      : map_(c.map),
        params_(
            c.params, d,
            {{"parameters", 2 * d.columns() + 1, Init::uniform_pm(1 / std::sqrt(static_cast<double>(d.columns())))}}) {}

  Mapped forward(const Scope& s, Var x, Var context) const override { return map(s, x, context, false); }
  Mapped inverse(const Scope& s, Var z, Var context) const override { return map(s, z, context, true); }

 private:
  Mapped map(const Scope& s, Var x, Var context, bool inverse) const {
    PlanarMap m = map_;
    m.inverse = inverse;
    return planar(s.tape, x, params_(s, context)[0], m);
  }

  PlanarMap map_;
  RowParams params_;  // (u | w | b)
};

}  // namespace

NF_PART(Layer, planar, Planar, "adds a vector times a function of one projection of the row; invertible",
        "Rezende & Mohamed 2015, Variational inference with normalizing flows, eq. 10-12, A.1");

}  // namespace libnf
