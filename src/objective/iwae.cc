// The importance-weighted bound of a variational autoencoder (Burda et al. 2016, eq. 8): the mean over rows of
//   -log (1/S) sum_s w_s,   w_s = p(x | z_s) p(z_s) / q(z_s | x),   z_s ~ q(z | x).
// The encoder runs once for all draws of a row. Gradients are those of the bound (eq. 14).
#include <cmath>

#include "runtime/op/ops.h"
#include "src/model/vae_model.h"
#include "src/objective/row_objective.h"
#include "src/objective/vae_of.h"

namespace libnf {
namespace {

class Iwae final : public RowObjective {
 public:
  struct Config final : libnf::Config {
    int64_t samples = 5;
    void fields(Fields& f) override { f.integer("draws", "draws of z per row", samples, 1, 10000); }
  };
  Iwae(const Config& c, const ObjectiveScope& s)
      : RowObjective(s), samples_(c.samples), vae_(vae_of(s.model, "iwae")) {}

  Var losses(Lane& lane, const Block& b) override {
    Tape& t = lane.tape();
    const Scope s = lane.scope();
    const VaeModel::Encoded e = vae_.encode(s, b.x, b.context);
    Var all = nullptr;  // log weights [n, S]
    for (int64_t k = 0; k < samples_; ++k) {
      Var one = vae_.log_weight(s, b.x, b.context, vae_.draw(s, e, scope_.memory), scope_.memory);
      one = reshape(t, one, {one->out.shape[0], 1});
      all = all ? concat_columns(t, all, one) : one;
    }
    return add_scalar(t, scale(t, logsumexp(t, all), -1), std::log(static_cast<double>(samples_)));
  }

 private:
  const int64_t samples_;
  const VaeModel& vae_;
};

}  // namespace

NF_PART(Objective, iwae, Iwae,
        "minus the importance-weighted bound of a variational autoencoder, of several draws per row",
        "Burda et al. 2016, Importance weighted autoencoders, eq. 8", true, false, false);

}  // namespace libnf
