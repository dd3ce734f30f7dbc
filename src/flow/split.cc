// Factors out columns (Dinh et al. 2017, section 3.6; Kingma & Dhariwal 2018, section 3): one part r of the columns
// becomes latents here, the other part h continues through the layers inside.
//   z = [layers(h) | (r - m(h, c)) / s(h, c)],  log_det = log_det of the layers - sum log s;  r = z_r s + m, exactly
// With standard normal latents this is the likelihood of h under the layers times that of r under a Gaussian whose mean
// m and standard deviation s come from a net of h: a learned prior. With another base it is the conditional
// location-scale family of that base. prior = fixed leaves r unchanged.
//
// Of [columns] the first `keep` are h. Of [height, width, channels] the first `keep` channels of every pixel are h,
// which the layers inside see as an event [height, width, keep]. The latents are one vector, h first.
//
// The layers inside are expanded into the model's chain as layers that act on the first columns only
// (src/model/chain.h), so code for plain layers handles them unchanged. This layer itself only maps r and reorders the
// columns.
#include <algorithm>
#include <optional>

#include "runtime/op/ops.h"
#include "src/flow/chain.h"
#include "src/flow/scale.h"
#include "src/net/net.h"
#include "src/part/order.h"

namespace libnf {
namespace {

enum class Prior : uint8_t { learned, fixed };

class Split final : public Layer {
 public:
  struct Config final : libnf::Config {
    int64_t keep = 0;
    Prior prior = Prior::learned;
    ScaleConfig scale;
    NetChoice net;
    std::vector<LayerSpec> layers;
    void fields(Fields& f) override {
      static constexpr const char* kPriors[] = {"learned", "fixed"};
      f.integer("keep",
                "columns, or channels of [height, width, channels], that continue through the layers inside; 0 = half, "
                "rounded up",
                keep, 0, int64_t{1} << 24);
      f.choice("prior", "prior of the other columns: mean and scale from a net of those that continue, or none", prior,
               kPriors);
      f.relevant(prior == Prior::learned, "\"prior\": \"fixed\"");
      scale.fields(f, "standard deviation");
      f.one_of("net", "net of the columns that continue", net);
      f.relevant(true);
      f.chain("layers", "layers that the continuing columns pass through", layers);
    }
  };

  Split(const Config& c, const Declare& d) : kept_(kept(c, d).count()), order_(order(c, d)) {
    std::vector<int32_t> rest;
    for (int64_t j = kept_; j < d.columns(); ++j) rest.push_back(static_cast<int32_t>(j));
    moves_ = !std::is_sorted(order_.begin(), order_.end());
    back_ = inverse_order(order_);
    if (c.prior != Prior::learned || rest.empty()) return;
    prior_.emplace(c.scale, d, std::move(rest), places(d).out);
    net_ = c.net.build_at(d.part("net"), places(d), kept_, 2 * prior_->count());
  }

  Mapped forward(const Scope& s, Var x, Var context) const override {
    if (moves_) x = gather_columns(s.tape, x, order_.data(), static_cast<int64_t>(order_.size()));
    return net_ ? prior(s, x, context, true) : Mapped{x, nullptr};
  }
  Mapped inverse(const Scope& s, Var z, Var context) const override {
    Mapped m = net_ ? prior(s, z, context, false) : Mapped{z, nullptr};
    if (moves_) m.y = gather_columns(s.tape, m.y, back_.data(), static_cast<int64_t>(back_.size()));
    return m;
  }

  // Returns a vector for z; inverted, the event keeps its shape.
  static Dims other_side(const libnf::Config&, const Declare& d, bool inverted) {
    return inverted ? d.event : Dims{d.columns()};
  }
  static const std::vector<LayerSpec>& layers(const libnf::Config& config) {
    return static_cast<const Config&>(config).layers;
  }
  static Dims kept(const libnf::Config& config, const Declare& d) {
    const int64_t keep = static_cast<const Config&>(config).keep;
    Dims h = d.event;
    int64_t& n = h[h.rank - 1];
    if (keep > n) {
      const std::string why = std::to_string(keep) + " of " + std::to_string(n) +
                              (h.rank == 1 ? " columns" : " channels of the event " + to_string(d.event));
      d.reject("keep", why.c_str());
    }
    n = keep ? keep : (n + 1) / 2;
    return h;
  }
  static Dims rest(const libnf::Config& config, const Declare& d) {
    Dims r = d.event;
    r[r.rank - 1] -= kept(config, d).last();
    return r;
  }

 private:
  // The op's inverse divides by the scale, which is this layer's forward direction.
  Mapped prior(const Scope& s, Var x, Var context, bool forward) const {
    Var h = (*net_)(s, slice_columns(s.tape, x, 0, kept_), context);
    return (*prior_)(s, x, h, forward);
  }

  // The net reads the kept columns and has outputs for the others, where they stand in x.
  NetPlaces places(const Declare& d) const {
    const auto all = std::span<const int32_t>(order_), kept = all.first(static_cast<size_t>(kept_));
    return {d.event, kept, all.subspan(kept.size()), false};
  }

  static std::vector<int32_t> order(const Config& c, const Declare& d) {
    const int64_t channels = d.event.last(), keep = kept(c, d).last();
    std::vector<int32_t> columns;
    for (const bool first : {true, false})
      for (int64_t j = 0; j < d.columns(); ++j)
        if ((j % channels < keep) == first) columns.push_back(static_cast<int32_t>(j));
    return columns;
  }

  int64_t kept_;
  std::vector<int32_t> order_, back_;
  bool moves_ = false;
  std::optional<AffineColumns> prior_;
  std::unique_ptr<Net> net_;
};

}  // namespace

NF_PART(Layer, split, Split,
        "factors out columns with a prior learned from the others, which continue through the layers inside",
        "Dinh et al. 2017, Density estimation using Real NVP, section 3.6; Kingma & Dhariwal 2018, Glow, section 3",
        Domain::real, Domain::real, OnImages::whole, Split::other_side, Split::layers, Split::kept, Split::rest);

}  // namespace libnf
