// The evidence lower bound of a variational autoencoder, mean over rows of -L:
//   L = (1/S) sum_s log p(x | z_s) - beta KL,
// where KL is its formula (a normal posterior and a standard normal prior have one) or the mean of
// log q(z_s | x) - log p(z_s) over the same draws z_s.
//
// beta rises linearly from beta_start over warmup_steps; with cycle_steps it does so again at the start of every cycle
// (Fu et al. 2019, Cyclical annealing schedule, eq. 6). free_bits: a latent whose KL is below that many nats is charged
// that many, per row (Kingma et al. 2016, appendix C.8), which needs the formula. sticking_the_landing drops the score
// term of log q, whose expectation is 0 (Roeder et al. 2017, eq. 7).
//
// Outside of training steps the loss is -ELBO itself: beta is 1 and no bits are free.
#include <algorithm>
#include <cmath>

#include "runtime/op/ops.h"
#include "src/model/vae_model.h"
#include "src/objective/row_objective.h"
#include "src/objective/vae_of.h"

namespace libnf {
namespace {

enum class Kl : uint8_t { automatic, analytic, monte_carlo };

class Elbo final : public RowObjective {
 public:
  struct Config final : libnf::Config {
    Kl kl = Kl::automatic;
    double beta = 1, beta_start = 0, free_bits = 0;
    int64_t warmup_steps = 0, cycle_steps = 0, samples = 1;
    bool sticking_the_landing = false;
    void fields(Fields& f) override {
      static constexpr const char* kKls[] = {"auto", "analytic", "monte_carlo"};
      f.choice("kl", "the divergence by its formula or from draws; auto: by its formula if there is one", kl, kKls);
      f.integer("draws", "draws of z per row", samples, 1, 10000);
      f.real("beta", "factor of the divergence; 1: the evidence lower bound", beta, 0, 1e6);
      f.integer("beta_warmup_steps", "steps in which the factor rises linearly", warmup_steps, 0, int64_t{1} << 53);
      f.relevant(warmup_steps > 0, "\"beta_warmup_steps\": 0");
      f.real("beta_start", "the factor at the first step", beta_start, 0, 1e6);
      f.integer("beta_cycle_steps", "length of a cycle, at the start of which the factor rises anew; 0: it rises once",
                cycle_steps, 0, int64_t{1} << 53);
      f.relevant(true);
      f.real("free_bits", "nats of divergence that a latent of a row is charged at least", free_bits, 0, 1e6);
      f.flag("sticking_the_landing", "leave out the part of the gradient whose expectation is zero",
             sticking_the_landing);
    }
  };

  Elbo(const Config& c, const ObjectiveScope& s) : RowObjective(s), c_(c), vae_(vae_of(s.model, "elbo")) {
    analytic_ = c.kl != Kl::monte_carlo && vae_.has_analytic_kl() && !(c.kl == Kl::automatic && c.sticking_the_landing);
    if (c.kl == Kl::analytic && !analytic_)
      fail(Code::spec,
           "\"kl\": \"analytic\" needs a posterior without layers and the prior \"normal\": there is no formula "
           "for others; use \"monte_carlo\"");
    if (c.free_bits > 0 && !analytic_)
      fail(Code::spec,
           "\"free_bits\": %g needs the divergence of each latent, which only a posterior without layers and the "
           "prior \"normal\" have, with \"kl\": \"analytic\"",
           c.free_bits);
    if (c.sticking_the_landing && (analytic_ || !vae_.posterior().layers().empty()))
      fail(Code::spec, "\"sticking_the_landing\" is for a posterior without layers and \"kl\": \"monte_carlo\"");
    if (c.cycle_steps > 0 && c.cycle_steps < c.warmup_steps)
      fail(Code::spec, "\"beta_cycle_steps\": %lld is less than the %lld steps in which beta rises",
           static_cast<long long>(c.cycle_steps), static_cast<long long>(c.warmup_steps));
  }

  uint64_t settles() const override { return static_cast<uint64_t>(c_.warmup_steps); }

  Var losses(Lane& lane, const Block& b) override {
    Tape& t = lane.tape();
    const Scope s = lane.scope();
    const double beta = t.training ? beta_at(t.random.step) : 1;
    const VaeModel::Encoded e = vae_.encode(s, b.x, b.context);
    Var sum = nullptr;  // of what is to be maximized, over draws
    for (int64_t k = 0; k < c_.samples; ++k) {
      const VaeModel::Drawn d = vae_.draw(s, e, scope_.memory, c_.sticking_the_landing && t.training);
      Var lp = vae_.log_likelihood(s, b.x, vae_.decode(s, d.z, b.context));
      if (!analytic_)
        lp = sub(t, lp, scale(t, sub(t, d.log_q, vae_.log_prior(s, d.z, b.context, scope_.memory)), beta));
      sum = sum ? add(t, sum, lp) : lp;
    }
    Var loss = scale(t, sum, -1 / static_cast<double>(c_.samples));
    if (!analytic_) return loss;
    Var kl = vae_.analytic_kl(s, e);
    if (c_.free_bits > 0 && t.training)  // max(kl, free)
      kl = add_scalar(t, unary(t, Unary::relu, add_scalar(t, kl, -c_.free_bits)), c_.free_bits);
    return add(t, loss, scale(t, sum_last(t, kl), beta));
  }

 private:
  double beta_at(uint64_t step) const {
    const auto cycle = static_cast<uint64_t>(c_.cycle_steps), rise = static_cast<uint64_t>(c_.warmup_steps);
    const uint64_t at = cycle ? step % cycle : step;
    if (at >= rise) return c_.beta;
    return c_.beta_start + (c_.beta - c_.beta_start) * static_cast<double>(at) / static_cast<double>(rise);
  }
  const Config c_;
  const VaeModel& vae_;
  bool analytic_;
};

}  // namespace

NF_PART(Objective, elbo, Elbo, "minus the evidence lower bound of a variational autoencoder, with a factor of its KL",
        "Kingma & Welling 2014, eq. 10; Higgins et al. 2017, beta-VAE", true, false, false);

}  // namespace libnf
