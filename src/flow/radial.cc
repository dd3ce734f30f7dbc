// Radial flow (Rezende & Mohamed 2015, eq. 14), written as the paper's map z0 -> zK:
//   z = x + beta (x - x0)/(alpha + |x - x0|),  alpha = softplus(raw alpha) > 0,  beta = softplus(raw beta) - alpha.
// beta > -alpha makes it invertible, by the root of a quadratic (runtime/op/radial.cc has formulas and accuracy).
#include "runtime/op/radial.h"

#include <cmath>

#include "src/flow/layer.h"
#include "src/net/row_params.h"

namespace libnf {
namespace {

class Radial final : public Layer {
 public:
  struct Config final : libnf::Config {
    RowParamsConfig params;
    void fields(Fields& f) override { params.fields(f); }
  };

  Radial(const Config& c, const Declare& d)
      : params_(c.params, d,
                {{"parameters", d.columns() + 2, Init::uniform_pm(1 / std::sqrt(static_cast<double>(d.columns())))}}) {}

  Mapped forward(const Scope& s, Var x, Var context) const override { return map(s, x, context, false); }
  Mapped inverse(const Scope& s, Var z, Var context) const override { return map(s, z, context, true); }

 private:
  Mapped map(const Scope& s, Var x, Var context, bool inverse) const {
    return radial(s.tape, x, params_(s, context)[0], inverse);
  }

  RowParams params_;  // (x0 | raw alpha | raw beta)
};

}  // namespace

NF_PART(Layer, radial, Radial, "moves rows toward a point or away from it, depending on their distance; invertible",
        "Rezende & Mohamed 2015, Variational inference with normalizing flows, eq. 14, A.2");

}  // namespace libnf
