// Encoder of images (the gated convolutional VAE of van den Berg et al. 2018, Sylvester normalizing flows, appendix A):
//   h = level_L(... level_1(x));  y = W act(V [h, context] + v) + b
// One dense layer follows the last level where their 7x7 convolution ends at one pixel, which is the same for their sizes
// and works for any other.
#include "runtime/op/ops.h"
#include "src/net/strided.h"

namespace libnf {
namespace {

class ConvEncoder final : public StridedNet {
 public:
  using Config = StridedConfig;
  ConvEncoder(const Config& c, const Declare& d, int64_t in, int64_t out) : StridedNet(c, d, d.event, in), in_(in) {
    for (size_t l = 0; in > 0 && l < levels(); ++l)
      towers_.push_back(
          conv(d, "levels." + std::to_string(l), l ? channels(l - 1) : image_channels(), channels(l), false, l));
    features_ = dense(d, "features", (in > 0 ? last_numbers() : 0) + d.context, c.features);
    output_ = plain(d, "output", c.features, out, c.output_bound(c.features));
  }

  Var operator()(const Scope& s, Var x, Var context) const override {
    Var h = x;
    for (size_t l = 0; l < towers_.size(); ++l) h = apply_conv(s, towers_[l], h, channels(l), false, l);
    h = in_ == 0 ? context : context ? concat_columns(s.tape, h, context) : h;
    return apply_plain(s, output_, apply(s, features_, h));
  }

 private:
  int64_t in_;
  std::vector<Dense> towers_;
  Dense features_, output_;
};

}  // namespace

NF_PART(Net, conv_encoder, ConvEncoder, "strided convolutions from an image to a vector, gated or not",
        "van den Berg et al. 2018, Sylvester normalizing flows, appendix A");

}  // namespace libnf
