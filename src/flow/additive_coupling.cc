// Additive coupling, NICE (Dinh, Krueger & Bengio 2015, eq. 9). Columns a pass through, columns b are transformed:
//   z_a = x_a,  z_b = x_b + t(x_a, c),  log_det = 0;   inverse x_b = z_b - t.
#include "runtime/op/ops.h"
#include "src/flow/layer.h"
#include "src/flow/mask.h"
#include "src/net/net.h"

namespace libnf {
namespace {

class AdditiveCoupling final : public Layer {
 public:
  struct Config final : libnf::Config {
    MaskConfig mask;
    NetChoice net;
    void fields(Fields& f) override {
      mask.fields(f);
      f.one_of("net", "net of the columns that pass through", net);
    }
  };

  AdditiveCoupling(const Config& c, const Declare& d)
      : mask_(c.mask, d),
        net_(c.net.build_at(d.part("net"), {d.event, mask_.pass, mask_.transform, false},
                            static_cast<int64_t>(mask_.pass.size()), static_cast<int64_t>(mask_.transform.size()))) {}

  Mapped forward(const Scope& s, Var x, Var context) const override { return map(s, x, context, false); }
  Mapped inverse(const Scope& s, Var z, Var context) const override { return map(s, z, context, true); }

 private:
  Mapped map(const Scope& s, Var x, Var context, bool inverse) const {
    Var pass = gather_columns(s.tape, x, mask_.pass.data(), static_cast<int64_t>(mask_.pass.size()));
    Var h = (*net_)(s, pass, context);
    return {
        additive_coupling(s.tape, x, h, mask_.transform.data(), static_cast<int64_t>(mask_.transform.size()), inverse),
        nullptr};
  }

  Mask mask_;
  std::unique_ptr<Net> net_;
};

}  // namespace

NF_PART(Layer, additive_coupling, AdditiveCoupling, "shifts some columns by a net of the others (NICE); keeps volume",
        "Dinh et al. 2015, NICE, eq. 9");

}  // namespace libnf
