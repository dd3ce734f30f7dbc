// The importance-weighted bound of a variational autoencoder (Burda et al. 2016, eq. 8): the mean over rows of
//   -log (1/S) sum_s w_s,   w_s = p(x | z_s) p(z_s) / q(z_s | x),   z_s ~ q(z | x).
// The encoder runs once for all draws of a row. Gradients are those of the bound (eq. 14), with v_s = w_s / sum_t w_t
//   sum_s v_s d log w_s,
// or doubly reparameterized: the signal of the encoder's gradient gets lost in its noise as S grows, unless the score
// of q, which sum_s v_s d log q(z_s | x) has in it, is taken through z_s as well (Tucker et al. 2019, eq. 10):
//   of the encoder  sum_s v_s^2 (d log w_s / d z_s) (d z_s),   of the rest  sum_s v_s d log w_s.
// It has the same expectation, and a variance that falls with S.
#include <cmath>
#include <cstring>

#include "runtime/op/ops.h"
#include "src/model/vae_model.h"
#include "src/objective/row_objective.h"
#include "src/objective/vae_of.h"

namespace libnf {
namespace {

// Returns z, whose gradient gets times `factor` [n, 1]: z + factor (z - z) with constants for the second z and z itself.
Var with_gradient_times(Tape& t, Var z, Var factor) {
  Var still = t.input(z->out, false);
  return add(t, mul(t, sub(t, z, still), factor), still);
}

void copy_values(Var from, Var to) {
  std::memcpy(to->out.data, from->out.data, static_cast<size_t>(to->out.count()) * size_of(to->out.dtype));
}

class Iwae final : public RowObjective {
 public:
  struct Config final : libnf::Config {
    int64_t samples = 5;
    bool doubly_reparameterized = false;
    void fields(Fields& f) override {
      f.integer("draws", "draws of z per row", samples, 1, 10000);
      f.flag("doubly_reparameterized", "gradients of the encoder whose noise falls with the number of draws",
             doubly_reparameterized);
    }
  };
  Iwae(const Config& c, const ObjectiveScope& s) : RowObjective(s), c_(c), vae_(vae_of(s.model, "iwae")) {
    if (c.doubly_reparameterized && !vae_.posterior().layers().empty())
      fail(Code::spec, "\"doubly_reparameterized\" is for a posterior without layers");
  }

  Var losses(Lane& lane, const Block& b) override {
    Tape& t = lane.tape();
    const Scope s = lane.scope();
    const VaeModel::Encoded e = vae_.encode(s, b.x, b.context);
    const int64_t n = b.x->out.shape[0];
    const bool twice = c_.doubly_reparameterized && t.training;
    Var all = nullptr;                                           // log weights [n, S]
    Var* shares = twice ? t.scratch<Var>(c_.samples) : nullptr;  // v_s [n, 1], whose values are known only at the end
    for (int64_t k = 0; k < c_.samples; ++k) {
      VaeModel::Drawn d = vae_.draw(s, e, scope_.memory);
      if (twice) {
        shares[k] = t.zeros({n, 1});
        d.z = with_gradient_times(t, d.z, shares[k]);
        // Gradients through z alone.
        d.log_q = normal_log_prob(t, d.z, t.input(e.mean->out, false), t.input(e.log_scale->out, false));
      }
      Var one = reshape(t, vae_.log_weight(s, b.x, b.context, d, scope_.memory), {n, 1});
      all = all ? concat_columns(t, all, one) : one;
    }
    if (twice) {
      Var v = softmax(t, t.input(all->out, false));
      for (int64_t k = 0; k < c_.samples; ++k) {
        Var of_draw = contiguous(t, slice_columns(t, v, k, 1));
        if (!t.measuring) copy_values(of_draw, shares[k]);
      }
    }
    return add_scalar(t, scale(t, logsumexp(t, all), -1), std::log(static_cast<double>(c_.samples)));
  }

 private:
  const Config c_;
  const VaeModel& vae_;
};

}  // namespace

NF_PART(Objective, iwae, Iwae,
        "minus the importance-weighted bound of a variational autoencoder, of several draws per row",
        "Burda et al. 2016, Importance weighted autoencoders, eq. 8", true, false, false);

}  // namespace libnf
