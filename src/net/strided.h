// Shared by the nets between images and vectors: a tower of convolutions whose strides shrink the image level by level,
// or of transposed ones that let it grow.
//   level l: [H_l, W_l, channels_l] with H_l = ceil(H_(l-1) / stride_l), kernels with "same" padding
// With `gated`, a level computes a sigmoid(b) of [a | b] = conv(h) (Dauphin et al. 2017), otherwise act(conv(h)).
#pragma once
#include <vector>

#include "src/net/conv_net.h"
#include "src/net/dense_net.h"

namespace libnf {

struct StridedConfig : NetConfig {
  std::vector<int64_t> channels = {32, 32, 64, 64, 64};
  std::vector<int64_t> strides = {1, 2, 1, 2, 1};
  int64_t kernel = 5, features = 256;
  bool gated = true;
  ActivationKind activation = ActivationKind::relu;
  int64_t width() const override { return features; }
  void fields(Fields& f) override;
};

class StridedNet : public Net {
 protected:
  // `image`: the event that the net shrinks or grows. One that does not have `count` columns, or is no image, is a row of
  // `count` one-channel pixels.
  StridedNet(const StridedConfig& config, const Declare& d, const Dims& image, int64_t count);

  struct Dense {
    ParamId weight = -1, bias = -1;
  };
  // Declares a gated or activated dense layer or convolution with `out` units or channels after its activation.
  Dense dense(const Declare& d, const std::string& name, int64_t in, int64_t out) const;
  Dense plain(const Declare& d, const std::string& name, int64_t in, int64_t out, double bound) const;
  // A convolution of level l, or with `up` its transpose, from `in` channels to `out`.
  Dense conv(const Declare& d, const std::string& name, int64_t in, int64_t out, bool up, size_t l) const;
  Var apply(const Scope& s, const Dense& layer, Var x) const;
  Var apply_plain(const Scope& s, const Dense& layer, Var x) const;
  Var apply_conv(const Scope& s, const Dense& layer, Var x, int64_t out, bool up, size_t l) const;

  size_t levels() const { return channels_.size(); }
  int64_t channels(size_t l) const { return channels_[l]; }
  // The size of the image before level l, and of the last one: pixels, and numbers after level l.
  int64_t pixels(size_t l) const { return sizes_[l].height * sizes_[l].width; }
  int64_t last_numbers() const { return pixels(levels()) * channels_.back(); }
  int64_t image_channels() const { return image_channels_; }

 private:
  Var finish(Tape& t, Var y, int64_t channels) const;  // gates it
  int64_t wide(int64_t out) const { return gated_ ? 2 * out : out; }
  std::vector<int64_t> channels_;
  std::vector<ImageSize> sizes_;
  std::vector<Conv2d> geometry_;  // of the shrinking convolution of each level
  int64_t kernel_, image_channels_;
  bool gated_;
  Activation act_;
};

}  // namespace libnf
