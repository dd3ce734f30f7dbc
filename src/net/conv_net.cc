#include "src/net/conv_net.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "runtime/op/ops.h"

namespace libnf {
namespace {

bool is_identity(const std::vector<int32_t>& order, int64_t count) {
  if (static_cast<int64_t>(order.size()) != count) return false;
  for (size_t i = 0; i < order.size(); ++i)
    if (order[i] != static_cast<int32_t>(i)) return false;
  return true;
}

}  // namespace

void ConvNetConfig::kernel_fields(Fields& f) {
  f.integer("kernel", "height and width of the kernels that see more than one pixel", kernel, 1, 63);
  f.flag("circular", "pad images by their opposite edges instead of zeros", circular);
}

ConvNet::ConvNet(const ConvNetConfig& config, const NetPlaces* places, int64_t in, int64_t out)
    : circular_(config.circular), zero_(config.init == NetInit::identity), in_channels_(in), out_channels_(out) {
  if (!places) return;
  const Dims& e = places->event;
  height_ = e.rank == 3 ? e[0] : 1;
  width_ = e.rank == 3 ? e[1] : e.count();
  const int64_t channels = e.rank == 3 ? e[2] : 1, pixels = height_ * width_;

  // A column that is read in several forms (sine and cosine) takes as many channels of the image.
  std::map<int64_t, int64_t> forms;  // by channel
  int64_t form = 0;
  const auto form_of = [&](size_t i) { return form = i > 0 && places->in[i] == places->in[i - 1] ? form + 1 : 0; };
  for (size_t i = 0; i < places->in.size(); ++i) {
    int64_t& most = forms[places->in[i] % channels];
    most = std::max(most, form_of(i) + 1);
  }
  in_channels_ = 0;
  std::map<int64_t, int64_t> slot;
  for (const auto& f : forms) {
    slot[f.first] = in_channels_;
    in_channels_ += f.second;
  }
  in_.assign(static_cast<size_t>(pixels * in_channels_), static_cast<int32_t>(in));
  for (size_t i = 0; i < places->in.size(); ++i) {
    const int64_t column = places->in[i];
    in_[static_cast<size_t>(column / channels * in_channels_ + slot[column % channels] + form_of(i))] =
        static_cast<int32_t>(i);
  }
  gaps_ = !is_identity(in_, in);

  const auto columns = static_cast<int64_t>(places->out.size()), per = columns ? out / columns : 0;
  slot.clear();
  for (const int32_t c : places->out) slot[c % channels] = 0;
  int64_t slots = 0;
  for (auto& s : slot) s.second = slots++;
  out_channels_ = slots * per;
  for (int64_t o = 0; o < columns * per; ++o) {
    const int64_t j = places->runs ? o / per : o % columns, k = places->runs ? o % per : o / columns;
    const int64_t column = places->out[static_cast<size_t>(j)], at = slot[column % channels];
    out_.push_back(
        static_cast<int32_t>(column / channels * out_channels_ + (places->runs ? at * per + k : k * slots + at)));
  }
  moves_ = !is_identity(out_, pixels * out_channels_);
}

ConvNet::Conv ConvNet::conv(const Declare& d, const std::string& name, int64_t kernel, int64_t in, int64_t out,
                            double bound) const {
  const Declare layer = d.inside(name);
  Conv c;
  c.weight = layer.param("weight", {kernel, kernel, in, out}, Init::uniform_pm(bound));
  c.bias = layer.param("bias", {out}, Init::uniform_pm(bound));
  c.geometry = Conv2d::same(height_, width_, kernel, kernel);
  c.geometry.circular = circular_;
  return c;
}

void ConvNet::add_context(const Declare& d, const std::string& name, Conv& c, int64_t out, double bound) {
  if (d.context == 0) return;
  c.context = d.inside(name).param("context", {d.context, out}, Init::uniform_pm(bound));
  at_pixels_.resize(static_cast<size_t>(checked_mul(height_ * width_, out)));
  for (size_t i = 0; i < at_pixels_.size(); ++i) at_pixels_[i] = static_cast<int32_t>(i % static_cast<size_t>(out));
}

Var ConvNet::apply(const Scope& s, const Conv& c, Var x, Var residual, const Activation& act) {
  return conv2d(s.tape, x, s.param(c.weight), s.param(c.bias), c.geometry, residual, act);
}

Var ConvNet::image(const Scope& s, Var x, Var context) const {
  Tape& t = s.tape;
  if (!x) x = t.zeros({context->out.shape[0], 0});
  if (!gaps_) return x;
  const Dims none = {x->out.shape[0], 1};
  return gather_columns(t, concat_columns(t, x, t.zeros(none)), in_.data(), static_cast<int64_t>(in_.size()));
}

Var ConvNet::apply_first(const Scope& s, const Conv& c, Var x, Var context, const Activation& act) const {
  Tape& t = s.tape;
  x = image(s, x, context);
  Var added = nullptr;
  if (c.context >= 0) {
    added = matmul(t, context, s.param(c.context));
    if (height_ * width_ > 1)
      added = gather_columns(t, added, at_pixels_.data(), static_cast<int64_t>(at_pixels_.size()));
  }
  return apply(s, c, x, added, act);
}

Var ConvNet::outputs(const Scope& s, Var y) const {
  return moves_ ? gather_columns(s.tape, y, out_.data(), static_cast<int64_t>(out_.size())) : y;
}

}  // namespace libnf
