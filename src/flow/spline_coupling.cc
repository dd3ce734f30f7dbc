// Neural spline flow with coupling, NSF (C) (Durkan et al. 2019, section 3.1-3.2). Columns a pass, b are transformed:
//   z_b = spline(x_b; net(x_a, c)) column by column;  z_a = x_a, or a spline with free parameters for each x_a;
//   log_det = sum of log slopes;   inverse: z_a first, then x_b by the same net, exactly.
// The net returns [widths | heights | derivatives] for every column of b (runtime/kernel/spline.h). Circular columns of
// a enter the net as sine and cosine.
#include <cmath>

#include "runtime/op/ops.h"
#include "src/flow/layer.h"
#include "src/flow/mask.h"
#include "src/net/net.h"
#include "src/net/spline_column.h"

namespace libnf {
namespace {

class SplineCoupling final : public Layer {
 public:
  struct Config final : libnf::Config {
    MaskConfig mask;
    SplineConfig spline;
    bool unconditional = false;
    bool scale_by_width = false;
    NetChoice net;
    void fields(Fields& f) override {
      mask.fields(f);
      spline.fields(f);
      f.flag("unconditional", "also transform the columns that feed the net, by splines with free parameters",
             unconditional);
      f.flag("scale_by_width",
             "divide raw widths and heights by the square root of the net's width, as nflows does; they then learn "
             "more slowly",
             scale_by_width);
      f.one_of("net", "net of the columns that pass through", net);
    }
    double raw_scale() const { return scale_by_width ? fan_bound(net.width()) : 1; }
  };

  SplineCoupling(const Config& c, const Declare& d)
      : mask_(c.mask, d),
        column_(c.spline, d, c.raw_scale()),
        free_column_(c.spline, d),
        features_(features_of(mask_, column_)),
        free_(c.unconditional && passing() ? d.param("unconditional", {passing(), free_column_.per()}, Init::zeros())
                                           : -1),
        net_(c.net.build_at(d.part("net"), {d.event, columns_of(features_), mask_.transform, true},
                            static_cast<int64_t>(features_.size()), moving() * column_.per())) {}

  Mapped forward(const Scope& s, Var x, Var context) const override {
    const Mapped z = move(s, x, x, context, false);
    return free_ < 0 ? z : both(s, z, pass(s, z.y, false));
  }
  Mapped inverse(const Scope& s, Var z, Var context) const override {
    if (free_ < 0) return move(s, z, z, context, true);
    const Mapped passed = pass(s, z, true);
    return both(s, passed, move(s, passed.y, passed.y, context, true));
  }

 private:
  int64_t passing() const { return static_cast<int64_t>(mask_.pass.size()); }
  int64_t moving() const { return static_cast<int64_t>(mask_.transform.size()); }

  static std::vector<ColumnFeature> features_of(const Mask& mask, const SplineColumn& spline) {
    std::vector<ColumnFeature> features;
    for (const int32_t c : mask.pass) spline.features(c, features);
    return features;
  }

  static std::vector<int32_t> columns_of(const std::vector<ColumnFeature>& features) {
    std::vector<int32_t> columns;
    for (const ColumnFeature& f : features) columns.push_back(f.column);
    return columns;
  }

  // Applies to the moving columns of y the splines that the net computes from x.
  Mapped move(const Scope& s, Var x, Var y, Var context, bool inverse) const {
    Var h = (*net_)(s, column_features(s.tape, features_, x), context);
    return couple_columns(s.tape, column_, mask_.transform.data(), moving(), y, h, inverse);
  }
  Mapped pass(const Scope& s, Var y, bool inverse) const {
    return couple_columns(s.tape, free_column_, mask_.pass.data(), passing(), y, s.param(free_), inverse);
  }
  // Returns the result of both steps: the values of the second and the sum of the log-dets.
  static Mapped both(const Scope& s, const Mapped& first, const Mapped& second) {
    return {second.y, add(s.tape, first.log_det, second.log_det)};
  }

  Mask mask_;
  SplineColumn column_, free_column_;
  std::vector<ColumnFeature> features_;
  ParamId free_;
  std::unique_ptr<Net> net_;
};

}  // namespace

NF_PART(Layer, spline_coupling, SplineCoupling, "monotone splines for some columns, given by a net of the others (NSF)",
        "Durkan et al. 2019, Neural spline flows, section 3; Rezende et al. 2020 for circles");

}  // namespace libnf
