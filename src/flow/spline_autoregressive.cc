// Autoregressive neural spline flow, NSF (AR) (Durkan et al. 2019, section 3.2), with columns in autoregressive order:
//   z_i = spline(x_i; h_i), h_i = [widths | heights | derivatives] a MADE of x_<i and the context (src/net/made.h),
//   log_det = sum of log slopes;   inverse column by column, for the arithmetic of one pass of the net.
// runtime/kernel/spline.h defines the spline. Circular columns enter the net as sine and cosine.
#include <cmath>

#include "src/flow/layer.h"
#include "src/net/autoregressive.h"
#include "src/net/spline_column.h"

namespace libnf {
namespace {

class SplineAutoregressive final : public Layer {
 public:
  struct Config final : libnf::Config {
    SplineConfig spline;
    bool scale_by_width = false;
    AutoregressiveConfig net;
    void fields(Fields& f) override {
      spline.fields(f);
      f.flag("scale_by_width", "divide raw widths and heights by the square root of the net's width", scale_by_width);
      net.fields(f);
    }
    double raw_scale() const { return scale_by_width ? fan_bound(net.made.net.width()) : 1; }
  };

  SplineAutoregressive(const Config& c, const Declare& d)
      : column_(c.spline, d, c.raw_scale()), net_(c.net, d, column_) {}

  Mapped forward(const Scope& s, Var x, Var context) const override { return net_.forward(s, x, context); }
  Mapped inverse(const Scope& s, Var z, Var context) const override { return net_.inverse(s, z, context); }

 private:
  SplineColumn column_;
  Autoregressive net_;
};

}  // namespace

NF_PART(Layer, spline_autoregressive, SplineAutoregressive,
        "a monotone spline for every column, given by a masked net of the columns before it (NSF, autoregressive)",
        "Durkan et al. 2019, Neural spline flows, section 3");

}  // namespace libnf
