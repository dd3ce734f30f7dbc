// Masked autoregressive flow, MAF (Papamakarios, Pavlakou & Murray 2017, eq. 3-4), columns i in autoregressive order:
//   z_i = x_i s_i + t_i with (t_i, raw s_i) a MADE of x_<i and the context,  log_det = sum log s_i;
//   inverse x_i = (z_i - t_i) / s_i, one i after the other for the arithmetic of one pass of the net.
// With "invert": true it is an inverse autoregressive flow, IAF (Kingma et al. 2016): dear to score, cheap to sample.
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

// (t, raw s) of a column; x = (z - t) / s, log_det = -log s.
class AffineColumn final : public ColumnMap {
 public:
  AffineColumn(ScaleMap map, double cap) : map_(map), cap_(cap) {}
  int64_t per() const override { return 2; }
  int64_t scratch() const override { return 3; }
  void inverse(const Column<float>& c) const override { invert(c); }
  void inverse(const Column<double>& c) const override { invert(c); }
  void inverse_vjp(const ColumnGrad<float>& c) const override { differentiate(c); }
  void inverse_vjp(const ColumnGrad<double>& c) const override { differentiate(c); }

 private:
  template <class T, class C>
  void scale(const C& c, T* s, T* log_s, T* slope) const {
    for (int64_t r = 0; r < c.n; ++r) slope[r] = c.params[c.n + r];
    scale_map<T>(map_, static_cast<T>(cap_), s, log_s, slope, c.n);
  }

  template <class T>
  void invert(const Column<T>& c) const {
    T *s = c.scratch, *log_s = s + c.n, *slope = log_s + c.n;
    scale(c, s, log_s, slope);
    for (int64_t r = 0; r < c.n; ++r) {
      c.x[r] = (c.z[r] - c.params[r]) / s[r];
      c.log_det[r] -= log_s[r];
    }
  }

  // gz = gx / s,  gt = -gx / s,  graw = -(gx x + gl) slope
  template <class T>
  void differentiate(const ColumnGrad<T>& c) const {
    T *s = c.scratch, *log_s = s + c.n, *slope = log_s + c.n;
    scale(c, s, log_s, slope);
    for (int64_t r = 0; r < c.n; ++r) {
      c.gz[r] = c.gx[r] / s[r];
      c.g_params[r] = -c.gz[r];
      c.g_params[c.n + r] = -(c.gx[r] * c.x[r] + (c.g_log_det ? c.g_log_det[r] : T(0))) * slope[r];
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

  MaskedAutoregressive(const Config& c, const Declare& d)
      : scale_(map_of(c.scale)), cap_(c.cap), column_(scale_, cap_), net_(c.net, d, column_) {
    // The op takes all t, then all raw s.
    for (const int32_t part : {0, 1})
      for (int32_t i = 0; i < static_cast<int32_t>(d.event); ++i) apart_.push_back(2 * i + part);
  }

  Mapped forward(const Scope& s, Var x, Var context) const override {
    Tape& t = s.tape;
    Var h = transpose(t, net_.parameters(s, x, context));
    h = gather_columns(t, h, apart_.data(), static_cast<int64_t>(apart_.size()));
    Var z =
        affine_coupling(t, x, h, net_.order().data(), static_cast<int64_t>(net_.order().size()), scale_, cap_, false);
    return {z, z->extra};
  }
  Mapped inverse(const Scope& s, Var z, Var context) const override { return net_.inverse(s, z, context); }

 private:
  ScaleMap scale_;
  double cap_;
  AffineColumn column_;
  Autoregressive net_;
  std::vector<int32_t> apart_;
};

}  // namespace

NF_LAYER(masked_autoregressive, MaskedAutoregressive,
         "scales and shifts every column by a masked net of the columns before it (MAF; inverted: IAF)",
         "Papamakarios et al. 2017, Masked Autoregressive Flow, eq. 3-4; Kingma et al. 2016, IAF, eq. 9-10");

}  // namespace nf
