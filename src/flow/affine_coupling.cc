// Affine coupling, RealNVP (Dinh, Sohl-Dickstein & Bengio 2017, eq. 7-8). Columns a pass, columns b are transformed:
//   z_a = x_a,  z_b = x_b * s(x_a, c) + t(x_a, c),  log_det = sum log s;   inverse x_b = (z_b - t) / s, exactly.
// The net returns [t | raw scale]; a scale map (runtime/op/ops.h) turns the raw scale into s.
#include "runtime/op/ops.h"
#include "src/flow/layer.h"
#include "src/flow/mask.h"
#include "src/net/net.h"

namespace libnf {
namespace {

class AffineCoupling final : public Layer {
 public:
  struct Config final : libnf::Config {
    MaskConfig mask;
    ScaleMap scale = ScaleMap::bounded_exp;
    double cap = 3;
    NetChoice net;
    void fields(Fields& f) override {
      static constexpr const char* kMaps[] = {"bounded_exp", "exp", "sigmoid", "softplus"};
      mask.fields(f);
      f.choice("scale",
               "map from the net's raw output a to the scale: exp(cap tanh(a/cap)), exp(a), sigmoid(a+2)+1e-3, "
               "min(softplus(a)+1e-3, 3)",
               scale, kMaps);
      f.real("cap", "bound on |log scale| of bounded_exp", cap, 1e-3, 20);
      f.one_of("net", "net of the columns that pass through", net);
    }
  };

  AffineCoupling(const Config& c, const Declare& d)
      : mask_(c.mask, d),
        scale_(c.scale),
        cap_(c.cap),
        net_(c.net.build_at(d.part("net"), {d.event, mask_.pass, mask_.transform, false},
                            static_cast<int64_t>(mask_.pass.size()),
                            2 * static_cast<int64_t>(mask_.transform.size()))) {}

  Mapped forward(const Scope& s, Var x, Var context) const override { return map(s, x, context, false); }
  Mapped inverse(const Scope& s, Var z, Var context) const override { return map(s, z, context, true); }

 private:
  Mapped map(const Scope& s, Var x, Var context, bool inverse) const {
    Var pass = gather_columns(s.tape, x, mask_.pass.data(), static_cast<int64_t>(mask_.pass.size()));
    Var h = (*net_)(s, pass, context);
    return affine_coupling(s.tape, x, h, mask_.transform.data(), static_cast<int64_t>(mask_.transform.size()), scale_,
                           cap_, inverse);
  }

  Mask mask_;
  ScaleMap scale_;
  double cap_;
  std::unique_ptr<Net> net_;
};

}  // namespace

NF_PART(Layer, affine_coupling, AffineCoupling, "scales and shifts some columns by a net of the others (RealNVP)",
        "Dinh et al. 2017, Density estimation using Real NVP, eq. 7-8");

}  // namespace libnf
