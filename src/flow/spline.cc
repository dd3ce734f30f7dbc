// A monotone spline per column, whose parameters h_j are free or come from a net of the context (Durkan et al. 2019,
// section 3.1):
//   z_j = spline(x_j; h_j),  log_det = sum of log slopes;   inverse in closed form.
// runtime/kernel/spline.h defines the spline.
#include <numeric>

#include "src/flow/layer.h"
#include "src/net/row_params.h"
#include "src/net/spline_column.h"

namespace libnf {
namespace {

class Spline final : public Layer {
 public:
  struct Config final : libnf::Config {
    SplineConfig spline;
    RowParamsConfig params;
    void fields(Fields& f) override {
      spline.fields(f);
      params.fields(f);
    }
  };

  Spline(const Config& c, const Declare& d)
      : column_(c.spline, d),
        all_(static_cast<size_t>(d.columns())),
        params_(c.params, d,
                {{"spline", checked_mul(d.columns(), column_.per()), Init::zeros(),
                  reshaped_form({d.columns(), column_.per()})}}) {
    std::iota(all_.begin(), all_.end(), 0);
  }

  Mapped forward(const Scope& s, Var x, Var context) const override { return map(s, x, context, false); }
  Mapped inverse(const Scope& s, Var z, Var context) const override { return map(s, z, context, true); }

 private:
  Mapped map(const Scope& s, Var x, Var context, bool inverse) const {
    return couple_columns(s.tape, column_, all_.data(), static_cast<int64_t>(all_.size()), x, params_(s, context)[0],
                          inverse);
  }
  SplineColumn column_;
  std::vector<int32_t> all_;
  RowParams params_;
};

}  // namespace

NF_PART(Layer, spline, Spline, "a learned monotone spline for every column",
        "Durkan et al. 2019, Neural spline flows, section 3.1");

}  // namespace libnf
