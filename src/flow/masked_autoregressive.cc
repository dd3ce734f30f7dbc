// Masked autoregressive flow, MAF (Papamakarios, Pavlakou & Murray 2017, eq. 3-4); columns i in autoregressive order:
//   z_i = x_i s_i + t_i with (t_i, raw s_i) a MADE of x_<i and the context,  log_det = sum log s_i;
//   inverse x_i = (z_i - t_i) / s_i, column by column, for the arithmetic of one pass of the net. "scale": "gate" is
//   the gated update z_i = g_i x_i + (1 - g_i) t_i (runtime/op/affine_column.h).
// With "invert": true it is an inverse autoregressive flow, IAF (Kingma et al. 2016): slow to score, fast to sample.
#include "runtime/op/affine_column.h"
#include "src/flow/layer.h"
#include "src/net/autoregressive.h"

namespace libnf {
namespace {

class MaskedAutoregressive final : public Layer {
 public:
  struct Config final : libnf::Config {
    AutoregressiveConfig net;
    ColumnScale scale = ColumnScale::bounded_exp;
    double cap = 3;
    void fields(Fields& f) override {
      static constexpr const char* kMaps[] = {"bounded_exp", "soft_exp", "sigmoid", "softplus", "gate"};
      f.choice("scale",
               "map from the net's raw output a to the scale: exp(cap tanh(a/cap)), exp(a/(1+|a|/log(1000))), "
               "sigmoid(a+2)+1e-3, softplus(a)+1e-3; gate: the scale is g = sigmoid(a+1), the shift (1-g) t",
               scale, kMaps);
      f.real("cap", "bound on |log scale| of bounded_exp", cap, 1e-3, 5);
      net.fields(f);
    }
  };

  MaskedAutoregressive(const Config& c, const Declare& d) : column_(c.scale, c.cap), net_(c.net, d, column_) {}

  Mapped forward(const Scope& s, Var x, Var context) const override { return net_.forward(s, x, context); }
  Mapped inverse(const Scope& s, Var z, Var context) const override { return net_.inverse(s, z, context); }

 private:
  AffineColumn column_;
  Autoregressive net_;
};

}  // namespace

NF_PART(Layer, masked_autoregressive, MaskedAutoregressive,
        "scales and shifts every column by a masked net of the columns before it (MAF; inverted: IAF)",
        "Papamakarios et al. 2017, Masked Autoregressive Flow, eq. 3-4; Kingma et al. 2016, IAF, eq. 9-10");

}  // namespace libnf
