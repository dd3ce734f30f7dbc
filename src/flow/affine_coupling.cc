// Affine coupling, RealNVP (Dinh, Sohl-Dickstein & Bengio 2017, eq. 7-8). Columns a pass, columns b are transformed:
//   z_a = x_a,  z_b = x_b * s(x_a, c) + t(x_a, c),  log_det = sum log s;   inverse x_b = (z_b - t) / s, exactly.
// With "shift_first", as in Glow: z_b = (x_b + t) * s.
// The net returns [t | raw scale]; a scale map (src/flow/scale.h) turns the raw scale into s.
#include "runtime/op/ops.h"
#include "src/flow/layer.h"
#include "src/flow/mask.h"
#include "src/flow/scale.h"
#include "src/net/net.h"

namespace libnf {
namespace {

class AffineCoupling final : public Layer {
 public:
  struct Config final : libnf::Config {
    MaskConfig mask;
    ScaleConfig scale;
    NetChoice net;
    void fields(Fields& f) override {
      mask.fields(f);
      scale.fields(f, "scale");
      f.flag("shift_first", "shift before scaling, z = (x + t) s as in Glow, instead of after", scale.shift_first);
      f.one_of("net", "net of the columns that pass through", net);
    }
  };

  AffineCoupling(const Config& c, const Declare& d) : AffineCoupling(c, d, Mask(c.mask, d)) {}

  Mapped forward(const Scope& s, Var x, Var context) const override { return map(s, x, context, false); }
  Mapped inverse(const Scope& s, Var z, Var context) const override { return map(s, z, context, true); }

 private:
  AffineCoupling(const Config& c, const Declare& d, Mask mask)
      : pass_(std::move(mask.pass)),
        moves_(c.scale, d, mask.transform, mask.transform),
        net_(c.net.build_at(d.part("net"), {d.event, pass_, moves_.columns(), false},
                            static_cast<int64_t>(pass_.size()), 2 * moves_.count())) {}

  Mapped map(const Scope& s, Var x, Var context, bool inverse) const {
    Var pass = gather_columns(s.tape, x, pass_.data(), static_cast<int64_t>(pass_.size()));
    return moves_(s, x, (*net_)(s, pass, context), inverse);
  }

  std::vector<int32_t> pass_;
  AffineColumns moves_;
  std::unique_ptr<Net> net_;
};

}  // namespace

NF_PART(Layer, affine_coupling, AffineCoupling, "scales and shifts some columns by a net of the others (RealNVP)",
        "Dinh et al. 2017, Density estimation using Real NVP, eq. 7-8");

}  // namespace libnf
