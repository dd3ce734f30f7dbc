// Decoder of images, the mirror of conv_encoder: a dense layer of [x, context] gives the smallest image, transposed
// convolutions let it grow to the image's size, and a last 1x1 convolution computes the outputs of every pixel.
#include "runtime/op/ops.h"
#include "src/net/strided.h"

namespace libnf {
namespace {

// The image that `out` numbers are for: that of the layer or model, if they are a whole number of each of its columns.
Dims image_of(const Declare& d, int64_t out) {
  return d.out.rank == 3 && out % d.out.count() == 0 ? d.out : Dims{1, out, 1};
}

class ConvDecoder final : public StridedNet {
 public:
  using Config = StridedConfig;
  ConvDecoder(const Config& c, const Declare& d, int64_t in, int64_t out)
      : StridedNet(c, d, image_of(d, out), image_of(d, out).count()), out_(out), in_(in) {
    const size_t last = levels() - 1;
    features_ = dense(d, "features", in + d.context, c.features);
    start_ = dense(d, "start", c.features, last_numbers());
    for (size_t l = last + 1; l-- > 0;)
      towers_.push_back(conv(d, "levels." + std::to_string(l), channels(l), up(l), true, l));
    output_ = plain(d, "output", channels(0), out / pixels(0), c.output_bound(channels(0)));
  }

  Var operator()(const Scope& s, Var x, Var context) const override {
    Tape& t = s.tape;
    Var h = in_ == 0 ? context : context ? concat_columns(t, x, context) : x;
    const int64_t n = h->out.shape[0];
    h = apply(s, start_, apply(s, features_, h));
    for (size_t i = 0; i < towers_.size(); ++i) {
      const size_t l = levels() - 1 - i;
      h = apply_conv(s, towers_[i], h, up(l), true, l);
    }
    const int64_t channels = image_channels(), numbers = out_ / (pixels(0) * channels);
    Var y = apply_plain(s, output_, reshape(t, contiguous(t, h), {n * pixels(0), this->channels(0)}));
    y = reshape(t, y, {n, pixels(0), numbers, channels});
    if (numbers > 1) y = contiguous(t, permute(t, y, {0, 2, 1, 3}));  // number by number, each an image
    return reshape(t, y, {n, out_});
  }

 private:
  // The channels after level l grows.
  int64_t up(size_t l) const { return channels(l ? l - 1 : 0); }
  int64_t out_, in_;
  std::vector<Dense> towers_;
  Dense features_, start_, output_;
};

}  // namespace

NF_PART(Net, conv_decoder, ConvDecoder, "strided transposed convolutions from a vector to an image, gated or not",
        "van den Berg et al. 2018, Sylvester normalizing flows, appendix A");

}  // namespace libnf
