// Gated convolutional net (Ho et al. 2019, Flow++, section 3.3, with PixelCNN++'s concatenated ELU; small as in the
// UvA deep learning tutorial 11):
//   h = conv_k(x) + C c;  per block  h = norm(h + a sigmoid(b)),  [a | b] = conv_1(f(conv_k(f(h))));  y = conv_k(f(h))
// where f(h) = [elu(h) | elu(-h)], and norm is layer norm over the channels of a pixel. The last convolution starts at
// zero.
#include "runtime/op/gating.h"
#include "runtime/op/norm.h"
#include "src/net/conv_net.h"

namespace libnf {
namespace {

struct GatedConvConfig final : ConvNetConfig {
  std::vector<int64_t> hidden = {64};
  int64_t blocks = 3;
  int64_t width() const override { return hidden.empty() ? 0 : 2 * hidden.back(); }
  void fields(Fields& f) override {
    f.integers("hidden", "one size, the channels of all blocks", hidden, 1, 1 << 20, 64);
    f.integer("blocks", "number of gated residual blocks", blocks, 0, 256);
    init_field(f);
    kernel_fields(f);
  }
  int64_t size(const Declare& d) const {
    if (hidden.size() != 1)
      d.reject("hidden", "a gated_conv net takes one hidden size, the channels of all its blocks");
    return hidden[0];
  }
};

class GatedConv final : public ConvNet {
 public:
  using Config = GatedConvConfig;

  GatedConv(const Config& c, const Declare& d, const NetPlaces* places, int64_t in, int64_t out)
      : ConvNet(c, places, in, out), channels_(c.size(d)) {
    input_ = conv(d, "input", c.kernel, in_channels(), channels_, fan(c.kernel, in_channels()));
    add_context(d, "input", input_, channels_, fan_bound(d.context));
    for (int64_t b = 0; b < c.blocks; ++b) {
      const Declare inside = d.inside("blocks." + std::to_string(b));
      Block block;
      block.wide = conv(inside, "0", c.kernel, 2 * channels_, channels_, fan(c.kernel, 2 * channels_));
      block.pixel = conv(inside, "1", 1, 2 * channels_, 2 * channels_, fan(1, 2 * channels_));
      block.weight = inside.inside("norm").param("weight", {channels_}, Init::fill(1));
      block.bias = inside.inside("norm").param("bias", {channels_}, Init::zeros());
      blocks_.push_back(block);
    }
    output_ = conv(d, "output", c.kernel, 2 * channels_, out_channels(), last_bound(c.kernel, 2 * channels_));
  }
  GatedConv(const Config& c, const Declare& d, int64_t in, int64_t out) : GatedConv(c, d, nullptr, in, out) {}
  static std::unique_ptr<Net> at(const libnf::Config& c, const Declare& d, const NetPlaces& places, int64_t in,
                                 int64_t out) {
    return std::make_unique<GatedConv>(static_cast<const Config&>(c), d, &places, in, out);
  }

  Var operator()(const Scope& s, Var x, Var context) const override {
    Tape& t = s.tape;
    Var h = apply_first(s, input_, x, context);
    for (const Block& b : blocks_) {
      Var a = apply(s, b.wide, concat_elu(t, h, channels_));
      h = gated(t, apply(s, b.pixel, concat_elu(t, a, channels_)), channels_, h);
      h = layer_norm(t, h, channels_, s.param(b.weight), s.param(b.bias));
    }
    return outputs(s, apply(s, output_, concat_elu(t, h, channels_)));
  }

 private:
  struct Block {
    Conv wide, pixel;
    ParamId weight = -1, bias = -1;
  };
  int64_t channels_;
  Conv input_, output_;
  std::vector<Block> blocks_;
};

}  // namespace

NF_PART(Net, gated_conv, GatedConv, "gated convolutional net with concatenated ELU and layer norm over channels",
        "Ho et al. 2019, Flow++, section 3.3", nullptr, GatedConv::at);

}  // namespace libnf
