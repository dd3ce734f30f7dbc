#include "src/net/strided.h"

#include "runtime/op/gating.h"
#include "runtime/op/ops.h"

namespace libnf {

void StridedConfig::fields(Fields& f) {
  f.integers("channels", "channels of every level", channels, 1, 1 << 16, 64);
  f.integers("strides", "by how much every level shrinks height and width, one per level", strides, 1, 64, 64);
  f.integer("kernel", "height and width of the kernels, an odd number", kernel, 1, 63);
  f.integer("features", "units of the dense layer between the last level and the vector", features, 1, 1 << 20);
  f.flag("gated", "levels compute a sigmoid(b) of twice as many numbers", gated);
  f.relevant(!gated, "\"gated\": true");
  activation_field(f, activation);
  f.relevant(true);
  init_field(f);
}

StridedNet::StridedNet(const StridedConfig& c, const Declare& d, const Dims& image, int64_t count)
    : channels_(c.channels),
      kernel_(c.kernel),
      gated_(c.gated),
      act_(c.gated ? Activation{} : activation_of(c.activation)) {
  if (c.channels.empty()) d.reject("channels", "at least one level is needed, as in \"channels\": [32, 64]");
  if (c.strides.size() != c.channels.size())
    d.reject("strides", (std::to_string(c.strides.size()) + " numbers for " + std::to_string(c.channels.size()) +
                         " levels; give one per level in \"channels\"")
                            .c_str());
  if (c.kernel % 2 == 0) d.reject("kernel", (std::to_string(c.kernel) + " is even; expected an odd number").c_str());
  const bool is_image = image.rank == 3 && image.count() == count;
  image_channels_ = is_image ? image[2] : 1;
  sizes_.push_back(is_image ? ImageSize{image[0], image[1]} : ImageSize{1, count});
  for (const int64_t stride : c.strides) {
    const ImageSize from = sizes_.back();
    Conv2d g = Conv2d::same(std::max<int64_t>(1, from.height), std::max<int64_t>(1, from.width), c.kernel, c.kernel);
    g.stride_h = g.stride_w = stride;
    geometry_.push_back(g);
    sizes_.push_back(conv2d_size(g, c.kernel, c.kernel));
  }
}

StridedNet::Dense StridedNet::plain(const Declare& d, const std::string& name, int64_t in, int64_t out,
                                    double bound) const {
  const Declare layer = d.inside(name);
  return {layer.param("weight", {in, out}, Init::uniform_pm(bound)),
          layer.param("bias", {out}, Init::uniform_pm(bound))};
}

StridedNet::Dense StridedNet::dense(const Declare& d, const std::string& name, int64_t in, int64_t out) const {
  return plain(d, name, in, wide(out), fan_bound(in));
}

StridedNet::Dense StridedNet::conv(const Declare& d, const std::string& name, int64_t in, int64_t out, bool up,
                                   size_t l) const {
  const Declare layer = d.inside(name);
  // A number of a transposed convolution's result reads one in stride^2 taps.
  const int64_t stride = geometry_[l].stride_h;
  const double bound =
      fan_bound(std::max<int64_t>(1, up ? kernel_ * kernel_ * in / (stride * stride) : kernel_ * kernel_ * in));
  const Dims shape = up ? Dims{kernel_, kernel_, wide(out), in} : Dims{kernel_, kernel_, in, wide(out)};
  return {layer.param("weight", shape, Init::uniform_pm(bound)),
          layer.param("bias", {wide(out)}, Init::uniform_pm(bound))};
}

Var StridedNet::finish(Tape& t, Var y, int64_t channels) const { return gated_ ? gated(t, y, channels) : y; }

Var StridedNet::apply_plain(const Scope& s, const Dense& layer, Var x) const {
  return linear(s.tape, x, s.param(layer.weight), s.param(layer.bias));
}

Var StridedNet::apply(const Scope& s, const Dense& layer, Var x) const {
  Tape& t = s.tape;
  Var y = linear_activated(t, x, s.param(layer.weight), s.param(layer.bias),
                           act_.identity ? Activation{true, Unary::relu, 0} : act_);
  return finish(t, y, gated_ ? y->out.shape[1] / 2 : y->out.shape[1]);
}

Var StridedNet::apply_conv(const Scope& s, const Dense& layer, Var x, int64_t out, bool up, size_t l) const {
  Tape& t = s.tape;
  Var w = s.param(layer.weight), b = s.param(layer.bias);
  Var y =
      up ? conv2d_transposed(t, x, w, b, geometry_[l], nullptr, act_) : conv2d(t, x, w, b, geometry_[l], nullptr, act_);
  return finish(t, y, out);
}

}  // namespace libnf
