// Factoring out (Dinh et al. 2017, section 3.6; Kingma & Dhariwal 2018, section 3): a part r of the columns leaves for the
// latents, the other part h goes on through the layers inside.
//   z = [layers(h) | (r - m(h, c)) / s(h, c)],  log_det = log_det of the layers - sum log s;  r = z_r s + m, exactly
// On standard normal latents that is the likelihood of h under the layers and of r under a Gaussian with mean m and
// standard deviation s that a net of h gives: a learned prior. With another base it is the conditional location-scale
// family of that base. prior = fixed leaves r as it is.
//
// Of [columns] the first `keep` are h; of [height, width, channels] the first `keep` channels of every pixel, and h is an
// event [height, width, keep] to the layers inside. The latents are one vector, h first.
//
// The layers inside are written out into the chain of the model as layers that act on the first columns only
// (src/model/chain.h), so that whatever serves plain layers serves them; this layer itself is the map of r, and the
// order of the columns.
#include <algorithm>

#include "runtime/op/ops.h"
#include "src/flow/chain.h"
#include "src/net/net.h"
#include "src/part/order.h"

namespace nf {
namespace {

enum class Prior : uint8_t { learned, fixed };

class Split final : public Layer {
 public:
  struct Config final : nf::Config {
    int64_t keep = 0;
    Prior prior = Prior::learned;
    ScaleMap scale = ScaleMap::bounded_exp;
    double cap = 3;
    NetChoice net;
    std::vector<LayerSpec> layers;
    void fields(Fields& f) override {
      static constexpr const char* kPriors[] = {"learned", "fixed"};
      static constexpr const char* kMaps[] = {"bounded_exp", "exp", "sigmoid", "softplus"};
      f.integer("keep",
                "columns, or channels of [height, width, channels], that go on through the layers inside; 0 = half, "
                "rounded up",
                keep, 0, int64_t{1} << 24);
      f.choice("prior", "of the others: a mean and a scale by a net of those that go on, or none", prior, kPriors);
      f.relevant(prior == Prior::learned, "\"prior\": \"fixed\"");
      f.choice("scale",
               "map from the net's raw output a to the standard deviation: exp(cap tanh(a/cap)), exp(a), "
               "sigmoid(a+2)+1e-3, min(softplus(a)+1e-3, 3)",
               scale, kMaps);
      f.real("cap", "bound on |log scale| of bounded_exp", cap, 1e-3, 20);
      f.one_of("net", "net of the columns that go on", net);
      f.relevant(true);
      f.chain("layers", "the layers inside, which the columns that go on pass", layers);
    }
  };

  Split(const Config& c, const Declare& d)
      : kept_(kept(c, d).count()), order_(order(c, d)), scale_(c.scale), cap_(c.cap) {
    for (int64_t j = kept_; j < d.columns(); ++j) rest_.push_back(static_cast<int32_t>(j));
    moves_ = !std::is_sorted(order_.begin(), order_.end());
    back_ = inverse_order(order_);
    if (c.prior == Prior::learned && !rest_.empty())
      net_ = c.net.build(d.part("net"), kept_, 2 * static_cast<int64_t>(rest_.size()));
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

  // Behind it lies a vector; inverted, the shape is that of what arrives.
  static Dims other_side(const nf::Config&, const Declare& d, bool inverted) {
    return inverted ? d.event : Dims{d.columns()};
  }
  static const std::vector<LayerSpec>& layers(const nf::Config& config) {
    return static_cast<const Config&>(config).layers;
  }
  static Dims kept(const nf::Config& config, const Declare& d) {
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
  static Dims rest(const nf::Config& config, const Declare& d) {
    Dims r = d.event;
    r[r.rank - 1] -= kept(config, d).last();
    return r;
  }

 private:
  // With forward, the coupling takes its own inverse: it divides by the scale.
  Mapped prior(const Scope& s, Var x, Var context, bool forward) const {
    Var h = (*net_)(s, slice_columns(s.tape, x, 0, kept_), context);
    return affine_coupling(s.tape, x, h, rest_.data(), static_cast<int64_t>(rest_.size()), scale_, cap_, forward);
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
  std::vector<int32_t> order_, back_, rest_;
  bool moves_ = false;
  ScaleMap scale_;
  double cap_;
  std::unique_ptr<Net> net_;
};

}  // namespace

NF_PART(Layer, split, Split,
        "factors out columns by a prior learned from the others, which go on through layers inside",
        "Dinh et al. 2017, Density estimation using Real NVP, section 3.6; Kingma & Dhariwal 2018, Glow, section 3",
        Domain::real, Domain::real, Split::other_side, Split::layers, Split::kept, Split::rest);

}  // namespace nf
