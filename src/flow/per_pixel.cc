#include "src/flow/per_pixel.h"

#include "runtime/core/checked.h"
#include "runtime/op/ops.h"
#include "runtime/op/restore.h"

namespace libnf {
namespace {

class PerPixel final : public Layer {
 public:
  PerPixel(std::unique_ptr<Layer> layer, const Dims& event)
      : layer_(std::move(layer)), pixels_(event[0] * event[1]), channels_(event[2]) {}

  Mapped forward(const Scope& s, Var x, Var) const override { return map(s, x, false); }
  Mapped inverse(const Scope& s, Var z, Var) const override { return map(s, z, true); }
  LowPart low_part() const override { return layer_->low_part(); }

  ParamId started() const override { return layer_->started(); }
  void start(const ParamStore& store, const ColumnStats& in, bool inverted) const override {
    // Pools the columns of a channel: all have the same number of rows.
    std::vector<double> mean(static_cast<size_t>(channels_)), squares(mean.size());
    const auto each_column = [&](auto&& add) {
      for (int64_t j = 0; j < in.cols; ++j) add(j, static_cast<size_t>(j % channels_));
    };
    each_column([&](int64_t j, size_t c) { mean[c] += in.mean[j]; });
    for (double& m : mean) m /= static_cast<double>(pixels_);
    each_column([&](int64_t j, size_t c) {
      const double away = in.mean[j] - mean[c];
      squares[c] += in.squares[j] + in.rows * away * away;
    });
    layer_->start(store, {in.rows * static_cast<double>(pixels_), channels_, mean.data(), squares.data()}, inverted);
  }

 private:
  Mapped map(const Scope& s, Var x, bool inverse) const {
    Tape& t = s.tape;
    const int64_t n = x->out.shape[0];
    // Pixels are numbered like rows, so random numbers do not depend on how rows are cut into blocks.
    const Restore first_row(t.random.first_row);
    const Restore row_keys(t.random.row_keys);
    t.random.first_row *= pixels_;
    t.random.row_keys = nullptr;
    Var rows = viewed(t, x, {checked_mul(n, pixels_), channels_});
    try {
      const Mapped m = inverse ? layer_->inverse(s, rows, nullptr) : layer_->forward(s, rows, nullptr);
      return {viewed(t, m.y, x->out.shape), m.log_det ? sum_last(t, reshape(t, m.log_det, {n, pixels_})) : nullptr};
    } catch (const Error& e) {
      if (e.place().row < 0) throw;
      const Place place = {e.place().row / pixels_, e.place().layer};
      fail_at(e.code(), place, "row %lld: one of its pixels: %s", static_cast<long long>(place.row), e.what());
    }
  }

  // A reshaped view, which keeps what rounding took from the rows.
  static Var viewed(Tape& t, Var x, const Dims& shape) {
    Var y = reshape(t, x, shape);
    if (y->out.data == x->out.data) y->low = x->low;
    return y;
  }

  std::unique_ptr<Layer> layer_;
  int64_t pixels_, channels_;
};

}  // namespace

std::unique_ptr<Layer> per_pixel(const LayerKind& kind, const Config& config, const Declare& d) {
  if (kind.other_side) d.reject("per_pixel", "this layer changes the shape of the event, so it cannot act per pixel");
  Declare pixel = d.between(Dims{d.event[2]}, Dims{d.event[2]});
  pixel.context = 0;
  auto layer = kind.build(config, pixel);
  if (layer->couples_rows()) d.reject("per_pixel", "a layer that normalizes by batch statistics cannot act per pixel");
  if (!layer->exact()) d.reject("per_pixel", "a layer that draws random numbers already acts on each number alone");
  return std::make_unique<PerPixel>(std::move(layer), d.event);
}

}  // namespace libnf
