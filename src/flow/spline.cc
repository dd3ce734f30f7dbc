// A monotone spline of every column with free parameters h_j (Durkan et al. 2019, section 3.1):
//   z_j = spline(x_j; h_j),  log_det = sum of log slopes;   inverse in closed form.
// The spline is that of runtime/kernel/spline.h.
#include <numeric>

#include "src/flow/layer.h"
#include "src/net/spline_column.h"

namespace nf {
namespace {

class Spline final : public Layer {
 public:
  struct Config final : LayerConfig {
    SplineConfig spline;
    void fields(Fields& f) override { spline.fields(f); }
  };

  Spline(const Config& c, Declare d)
      : column_(c.spline, d),
        all_(static_cast<size_t>(d.event)),
        params_(d.param("spline", {d.event, column_.per()}, Init::zeros())) {
    std::iota(all_.begin(), all_.end(), 0);
  }

  Mapped forward(const Scope& s, Var x, Var) const override { return map(s, x, false); }
  Mapped inverse(const Scope& s, Var z, Var) const override { return map(s, z, true); }

 private:
  Mapped map(const Scope& s, Var x, bool inverse) const {
    return couple_columns(s.tape, column_, all_.data(), static_cast<int64_t>(all_.size()), x, s.param(params_),
                          inverse);
  }
  SplineColumn column_;
  std::vector<int32_t> all_;
  ParamId params_;
};

}  // namespace

NF_LAYER(spline, Spline, "a learned monotone spline of every column",
         "Durkan et al. 2019, Neural spline flows, section 3.1");

}  // namespace nf
