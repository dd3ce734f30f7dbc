// Residual convolutional net (He et al. 2016 with pre-activation, as in Durkan et al. 2019, appendix B.1):
//   h = conv_1(x) + C c;  per block  h += conv_k(act(conv_k(act(h))));  y = conv_1(h)
// The last convolution starts at zero, and a new block adds almost nothing.
#include "src/net/conv_net.h"
#include "src/net/dense_net.h"

namespace libnf {
namespace {

constexpr double kNearZero = 1e-3;

struct ResidualConvConfig final : ConvNetConfig {
  std::vector<int64_t> hidden = {64};
  int64_t blocks = 2;
  ActivationKind activation = ActivationKind::relu;
  int64_t width() const override { return hidden.empty() ? 0 : hidden.back(); }
  void fields(Fields& f) override {
    f.integers("hidden", "one size, the channels of all blocks", hidden, 1, 1 << 20, 64);
    f.integer("blocks", "number of residual blocks, each of two convolutions", blocks, 0, 256);
    activation_field(f, activation);
    init_field(f);
    kernel_fields(f);
  }
  int64_t size(const Declare& d) const {
    if (hidden.size() != 1)
      d.reject("hidden", "a residual_conv net takes one hidden size, the channels of all its blocks");
    return hidden[0];
  }
};

class ResidualConv final : public ConvNet {
 public:
  using Config = ResidualConvConfig;

  ResidualConv(const Config& c, const Declare& d, const NetPlaces* places, int64_t in, int64_t out)
      : ConvNet(c, places, in, out), act_(activation_of(c.activation)) {
    const int64_t width = c.size(d);
    input_ = conv(d, "input", 1, in_channels(), width, fan(1, in_channels()));
    add_context(d, "input", input_, width, fan_bound(d.context));
    for (int64_t b = 0; b < c.blocks; ++b) {
      const Declare inside = d.inside("blocks." + std::to_string(b));
      const Conv one = conv(inside, "0", c.kernel, width, width, fan(c.kernel, width));
      blocks_.push_back({one, conv(inside, "1", c.kernel, width, width, kNearZero)});
    }
    output_ = conv(d, "output", 1, width, out_channels(), last_bound(1, width));
  }
  ResidualConv(const Config& c, const Declare& d, int64_t in, int64_t out) : ResidualConv(c, d, nullptr, in, out) {}
  static std::unique_ptr<Net> at(const libnf::Config& c, const Declare& d, const NetPlaces& places, int64_t in,
                                 int64_t out) {
    return std::make_unique<ResidualConv>(static_cast<const Config&>(c), d, &places, in, out);
  }

  Var operator()(const Scope& s, Var x, Var context) const override {
    Var h = apply_first(s, input_, x, context);
    for (const Block& b : blocks_) {
      Var a = apply(s, b.first, activate(s.tape, act_, h), nullptr, act_);
      h = apply(s, b.second, a, h);
    }
    return outputs(s, apply(s, output_, h));
  }

 private:
  struct Block {
    Conv first, second;
  };
  Activation act_;
  Conv input_, output_;
  std::vector<Block> blocks_;
};

}  // namespace

NF_PART(Net, residual_conv, ResidualConv, "residual convolutional net with blocks of two convolutions",
        "Durkan et al. 2019, Neural spline flows, appendix B.1", nullptr, ResidualConv::at);

}  // namespace libnf
