// Convolutional net of Glow (Kingma & Dhariwal 2018, section 4 and appendix B):
//   h = act(conv_k(x) + C c),  h = act(conv_m(h)) for further hidden layers,  y = conv_k(h) exp(3 s)
// with kernels k x k outside and m x m (1 x 1) inside. The last convolution starts at zero, and so does the learned
// scale s of every output channel.
#include "runtime/op/ops.h"
#include "src/net/conv_net.h"
#include "src/net/dense_net.h"

namespace libnf {
namespace {

struct ConvConfig final : ConvNetConfig {
  std::vector<int64_t> hidden = {64, 64};
  int64_t inner_kernel = 1;
  ActivationKind activation = ActivationKind::relu;
  int64_t width() const override { return hidden.empty() ? 0 : hidden.back(); }
  void fields(Fields& f) override {
    f.integers("hidden", "channels of the hidden layers", hidden, 1, 1 << 20, 64);
    activation_field(f, activation);
    init_field(f);
    kernel_fields(f);
    f.integer("inner_kernel", "height and width of the kernels between hidden layers", inner_kernel, 1, 63);
  }
};

class PlainConv final : public ConvNet {
 public:
  using Config = ConvConfig;

  PlainConv(const Config& c, const Declare& d, const NetPlaces* places, int64_t in, int64_t out)
      : ConvNet(c, places, in, out), act_(activation_of(c.activation)) {
    int64_t width = in_channels();
    for (size_t i = 0; i < c.hidden.size(); ++i) {
      const std::string name = "hidden." + std::to_string(i);
      const int64_t kernel = i ? c.inner_kernel : c.kernel;
      layers_.push_back(conv(d, name, kernel, width, c.hidden[i], fan(kernel, width)));
      if (i == 0) add_context(d, name, layers_[0], c.hidden[0], fan_bound(d.context));
      width = c.hidden[i];
    }
    output_ = conv(d, "output", c.kernel, width, out_channels(), last_bound(c.kernel, width));
    if (layers_.empty()) add_context(d, "output", output_, out_channels(), last_bound(1, d.context));
    scale_ = d.inside("output").param("log_scale", {out_channels()}, Init::zeros());
  }
  PlainConv(const Config& c, const Declare& d, int64_t in, int64_t out) : PlainConv(c, d, nullptr, in, out) {}
  static std::unique_ptr<Net> at(const libnf::Config& c, const Declare& d, const NetPlaces& places, int64_t in,
                                 int64_t out) {
    return std::make_unique<PlainConv>(static_cast<const Config&>(c), d, &places, in, out);
  }

  Var operator()(const Scope& s, Var x, Var context) const override {
    Tape& t = s.tape;
    Var h = x;
    for (size_t i = 0; i < layers_.size(); ++i)
      h = i ? apply(s, layers_[i], h, nullptr, act_) : apply_first(s, layers_[i], h, context, act_);
    h = layers_.empty() ? apply_first(s, output_, h, context) : apply(s, output_, h);
    if (out_channels() == 0) return outputs(s, h);
    const Dims shape = h->out.shape;
    Var pixels = reshape(t, h, {shape.count() / out_channels(), out_channels()});
    constexpr double kSpeed = 3;  // the scale learns faster than the weights
    pixels = mul(t, pixels, unary(t, Unary::exp, scale(t, s.param(scale_), kSpeed)));
    return outputs(s, reshape(t, pixels, shape));
  }

 private:
  Activation act_;
  std::vector<Conv> layers_;
  Conv output_;
  ParamId scale_;
};

}  // namespace

NF_PART(Net, conv, PlainConv, "convolutional net of Glow: wide kernels outside, 1 x 1 between, a last layer of zeros",
        "Kingma & Dhariwal 2018, Glow, section 4", nullptr, PlainConv::at);

}  // namespace libnf
