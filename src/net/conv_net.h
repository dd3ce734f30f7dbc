// Shared by the convolutional nets: where their inputs and outputs stand in an image, and convolutions with parameters.
//
// Inputs and outputs of a net are columns of the layer's event [height, width, channels] (NetPlaces). The net sees an
// image with the channels that occur among its input columns: for a channel mask all of its inputs, without gaps; for a
// checkerboard mask all channels, with zeros at the pixels that are no inputs. It computes the numbers for every pixel,
// and those of the output columns are the result. A vector counts as a row of one-channel pixels. A net without places,
// such as one that only reads a context, has one pixel.
//
// A context enters as a linear map of it that is added to the first convolution, the same at every pixel.
#pragma once
#include <string>
#include <vector>

#include "runtime/op/conv2d.h"
#include "src/net/net.h"

namespace libnf {

struct ConvNetConfig : NetConfig {
  int64_t kernel = 3;
  bool circular = false;

 protected:
  void kernel_fields(Fields& f);
};

class ConvNet : public Net {
 protected:
  struct Conv {
    ParamId weight = -1, bias = -1;
    Conv2d geometry;
    ParamId context = -1;  // [context, out], of the first convolution
  };

  ConvNet(const ConvNetConfig& config, const NetPlaces* places, int64_t in, int64_t out);

  // Declares a convolution under `name` that keeps the image's size, with uniform initial weights within `bound`.
  Conv conv(const Declare& d, const std::string& name, int64_t kernel, int64_t in, int64_t out, double bound) const;
  // Lets a convolution read the context, too, through weights within `bound`.
  void add_context(const Declare& d, const std::string& name, Conv& c, int64_t out, double bound);
  // Returns the bound of the initial weights of the last convolution: 0 for init = identity.
  double last_bound(int64_t kernel, int64_t in) const { return zero_ ? 0 : fan(kernel, in); }
  static double fan(int64_t kernel, int64_t in) { return fan_bound(kernel * kernel * in); }

  // Returns act(conv(x) + b + residual); the images are rows.
  static Var apply(const Scope& s, const Conv& c, Var x, Var residual = nullptr, const Activation& act = {});
  // Returns the net's inputs as an image [n, height * width * in_channels].
  Var image(const Scope& s, Var x, Var context) const;
  // Returns the first convolution of the net's inputs and context.
  Var apply_first(const Scope& s, const Conv& c, Var x, Var context, const Activation& act = {}) const;
  // Returns the net's outputs from the numbers for every pixel.
  Var outputs(const Scope& s, Var y) const;

  int64_t height() const { return height_; }
  int64_t image_width() const { return width_; }
  int64_t in_channels() const { return in_channels_; }
  int64_t out_channels() const { return out_channels_; }

 private:
  bool circular_, zero_;
  int64_t height_ = 1, width_ = 1, in_channels_, out_channels_;
  std::vector<int32_t> in_, out_;      // the input of each number of the image, and the number of each output
  std::vector<int32_t> at_pixels_;     // repeats the context's terms for every pixel
  bool gaps_ = false, moves_ = false;  // whether in_ and out_ are more than 0, 1, 2, ...
};

}  // namespace libnf
