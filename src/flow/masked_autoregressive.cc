// Masked autoregressive flow, MAF (Papamakarios, Pavlakou & Murray 2017, eq. 3-4), columns i in autoregressive order:
//   z_i = x_i s_i + t_i with (t_i, raw s_i) a MADE of x_<i and the context,  log_det = sum log s_i;
//   inverse x_i = (z_i - t_i) / s_i, one i after the other for the arithmetic of one pass of the net.
// With "invert": true it is an inverse autoregressive flow, IAF (Kingma et al. 2016): dear to score, cheap to sample.
#include "runtime/kernel/binary.h"
#include "runtime/op/ops.h"
#include "runtime/op/scale_map.h"
#include "src/flow/layer.h"
#include "src/net/autoregressive.h"

namespace nf {
namespace {

enum class Scale : uint8_t { bounded_exp, soft_exp, sigmoid, softplus };

ScaleMap map_of(Scale s) {
  constexpr ScaleMap kMaps[] = {ScaleMap::bounded_exp, ScaleMap::soft_exp, ScaleMap::sigmoid, ScaleMap::softplus_open};
  return kMaps[static_cast<size_t>(s)];
}

// (t, raw s) of a column: z = x s + t, log_det = log s; inverse x = (z - t) / s, log_det = -log s.
class AffineColumn final : public ColumnMap {
 public:
  AffineColumn(ScaleMap map, double cap) : map_(map), cap_(cap) {}
  int64_t per() const override { return 2; }
  int64_t scratch() const override { return 3; }
  void map(const Column<float>& c, bool inverse) const override { apply(c, inverse); }
  void map(const Column<double>& c, bool inverse) const override { apply(c, inverse); }
  void vjp(const ColumnGrad<float>& c, bool inverse) const override { differentiate(c, inverse); }
  void vjp(const ColumnGrad<double>& c, bool inverse) const override { differentiate(c, inverse); }

 private:
  template <class T, class C>
  void scale(const C& c, T* s, T* log_s, T* slope) const {
    kernel::copy<T>(c.params + c.n, slope, c.n);
    scale_map<T>(map_, static_cast<T>(cap_), s, log_s, slope, c.n);
  }

  template <class T>
  void apply(const Column<T>& c, bool inverse) const {
    T *s = c.scratch, *log_s = s + c.n, *slope = log_s + c.n;
    scale(c, s, log_s, slope);
    for (int64_t r = 0; r < c.n; ++r)
      c.out[r] = inverse ? (c.in[r] - c.params[r]) / s[r] : c.in[r] * s[r] + c.params[r];
    kernel::axpy<T>(inverse ? T(-1) : T(1), log_s, c.log_det, c.n);
  }

  // z = x s + t:     gx = gz s,  gt = gz,       graw = (gz x s + gl) slope
  // x = (z - t)/s:   gz = gx/s,  gt = -gx/s,    graw = -(gx x + gl) slope
  template <class T>
  void differentiate(const ColumnGrad<T>& c, bool inverse) const {
    T *s = c.scratch, *log_s = s + c.n, *slope = log_s + c.n;
    scale(c, s, log_s, slope);
    T *gt = c.g_params, *graw = gt + c.n;
    for (int64_t r = 0; r < c.n; ++r) {
      const T g = c.g_out[r], gl = c.g_log_det ? c.g_log_det[r] : T(0);
      c.g_in[r] = inverse ? g / s[r] : g * s[r];
      gt[r] = inverse ? -c.g_in[r] : g;
      graw[r] = inverse ? -(g * c.out[r] + gl) * slope[r] : (c.g_in[r] * c.in[r] + gl) * slope[r];
    }
  }

  ScaleMap map_;
  double cap_;
};

class MaskedAutoregressive final : public Layer {
 public:
  struct Config final : LayerConfig {
    AutoregressiveConfig net;
    Scale scale = Scale::bounded_exp;
    double cap = 3;
    void fields(Fields& f) override {
      static constexpr const char* kMaps[] = {"bounded_exp", "soft_exp", "sigmoid", "softplus"};
      f.choice("scale",
               "map from the net's raw output a to the scale: exp(cap tanh(a/cap)), exp(a/(1+|a|/log(1000))), "
               "sigmoid(a+2)+1e-3, softplus(a)+1e-3",
               scale, kMaps);
      f.real("cap", "bound on |log scale| of bounded_exp", cap, 1e-3, 5);
      net.fields(f);
    }
  };

  MaskedAutoregressive(const Config& c, const Declare& d) : column_(map_of(c.scale), c.cap), net_(c.net, d, column_) {}

  Mapped forward(const Scope& s, Var x, Var context) const override { return net_.forward(s, x, context); }
  Mapped inverse(const Scope& s, Var z, Var context) const override { return net_.inverse(s, z, context); }

 private:
  AffineColumn column_;
  Autoregressive net_;
};

}  // namespace

NF_LAYER(masked_autoregressive, MaskedAutoregressive,
         "scales and shifts every column by a masked net of the columns before it (MAF; inverted: IAF)",
         "Papamakarios et al. 2017, Masked Autoregressive Flow, eq. 3-4; Kingma et al. 2016, IAF, eq. 9-10");

}  // namespace nf
