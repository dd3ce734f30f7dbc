// Variational dequantization (Ho et al. 2019, Flow++, section 3.1): the noise that turns levels into a density comes from
// a conditional flow of the levels instead of a uniform distribution, so that the bound on log P(x) is tighter.
//   x = i step, 0 <= i < k:  z = (i + v) / k,  v = a + (1 - 2 a) sigmoid(f(logit(u); x)),  u uniform on (0, 1)
//   log_det = -log q(v | x) - D log k = log |dv/du| - D log k;   the inverse is the level whose cell contains z
// f is a chain of affine couplings on checkerboards that alternate. Their nets see the numbers that pass, then the levels
// scaled to [-1, 1] as further channels of the image. a keeps v so far from the ends of (0, 1) that rounding z does not
// leave the cell: k 2^-22 in float32, which costs 0.0002 bits per dimension of 8-bit images.
// The inverse returns the log volume of the cells, as in dequantize: what f adds depends on u.
// As in dequantize, log_prob is a bound in expectation over u, and rows that are not levels have log_prob -infinity.
#include <cmath>
#include <string>

#include "runtime/op/dequantize.h"
#include "runtime/op/ops.h"
#include "src/flow/layer.h"
#include "src/flow/mask.h"
#include "src/flow/scale.h"
#include "src/net/net.h"

namespace libnf {
namespace {

class VariationalDequantize final : public Layer {
 public:
  struct Config final : libnf::Config {
    int64_t levels = 256, couplings = 4;
    double step = 1;
    ScaleConfig scale{ScaleKind::learned_bound, 3, true};
    NetChoice net;
    void fields(Fields& f) override {
      f.integer("levels", "number of levels, mapped to (0, 1)", levels, 2, 1 << 16);
      f.real("step", "distance between neighboring levels in the data; the first level is 0", step, 1e-9, 1e9);
      f.integer("couplings", "number of affine couplings that make the noise; 0 leaves it uniform", couplings, 0, 256);
      scale.fields(f, "scale");
      f.flag("shift_first", "shift before scaling", scale.shift_first);
      f.one_of("net", "net of the couplings, of the noise that passes and the levels", net);
    }
  };

  VariationalDequantize(const Config& c, const Declare& d) : grid_{c.step, c.levels} {
    // A vector counts as a row of one-channel pixels.
    const Dims image = d.event.rank == 3 ? d.event : Dims{1, d.columns(), 1};
    const int64_t channels = image[2];
    Declare noise = d.between(image, image);
    for (int64_t j = 0; j < d.columns(); ++j) all_.push_back(static_cast<int32_t>(j));
    // Columns of [height, width, noise | levels].
    const auto noise_at = [&](int32_t j) { return static_cast<int32_t>(j / channels * 2 * channels + j % channels); };
    const auto level_at = [&](int32_t j) { return static_cast<int32_t>(noise_at(j) + channels); };
    for (int64_t k = 0; k < c.couplings; ++k) {
      const Declare inside = noise.inside("couplings." + std::to_string(k));
      const MaskConfig checkerboard{MaskKind::checkerboard, k % 2 == 1, 0, 0};
      Mask mask(checkerboard, inside);
      std::vector<int32_t> in, out;
      for (const int32_t j : mask.pass) in.push_back(noise_at(j));
      for (const int32_t j : all_) in.push_back(level_at(j));
      for (const int32_t j : mask.transform) out.push_back(noise_at(j));
      const NetPlaces places{{image[0], image[1], 2 * channels}, in, out, false};
      const auto moving = static_cast<int64_t>(out.size());
      couplings_.push_back({mask.pass, AffineColumns(c.scale, inside, mask.transform, mask.transform),
                            c.net.build_at(inside.part("net"), places, static_cast<int64_t>(in.size()), 2 * moving)});
    }
  }

  Mapped forward(const Scope& s, Var x, Var context) const override {
    Tape& t = s.tape;
    const auto columns = static_cast<double>(all_.size()), levels = static_cast<double>(grid_.levels);
    const Mapped cells = dequantize(t, x, all_, grid_);  // -infinity for a row that is not of levels
    Var level = quantize(t, cells.y, all_, grid_).y;
    Var image = add_scalar(t, scale(t, level, 2 / (grid_.step * (levels - 1))), -1);
    Mapped noise = bijection(t, Bijection::logit, uniform(t, x->out.shape), 1, 0);
    for (const Coupling& c : couplings_) {
      Var pass = gather_columns(t, noise.y, c.pass.data(), static_cast<int64_t>(c.pass.size()));
      const Mapped m = c.moves(s, noise.y, (*c.net)(s, concat_columns(t, pass, image), context), false);
      noise = {m.y, add(t, noise.log_det, m.log_det)};
    }
    const Mapped inside = bijection(t, Bijection::sigmoid, noise.y, 1, 0);
    const double a = std::ldexp(levels, t.dtype() == DType::f64 ? -51 : -22), w = 1 - 2 * a;
    Var v = add_scalar(t, scale(t, inside.y, w), a);
    Var z = add(t, scale(t, level, 1 / (grid_.step * levels)), scale(t, v, 1 / levels));
    Var log_det = add(t, add(t, noise.log_det, inside.log_det), cells.log_det);
    return {z, add_scalar(t, log_det, columns * std::log(w))};
  }
  Mapped inverse(const Scope& s, Var z, Var) const override { return quantize(s.tape, z, all_, grid_); }
  bool exact() const override { return false; }

 private:
  struct Coupling {
    std::vector<int32_t> pass;
    AffineColumns moves;
    std::unique_ptr<Net> net;
  };

  // Numbers in (0, 1), drawn with the key of the rows.
  Var uniform(Tape& t, const Dims& shape) const { return dequantize(t, t.zeros(shape), all_, {1, 0}).y; }

  kernel::Grid grid_;
  std::vector<int32_t> all_;
  std::vector<Coupling> couplings_;
};

}  // namespace

NF_PART(Layer, variational_dequantize, VariationalDequantize,
        "adds noise of a conditional flow to levels, such as pixels, which makes them continuous",
        "Ho et al. 2019, Flow++, section 3.1", Domain::integer, Domain::real);

}  // namespace libnf
