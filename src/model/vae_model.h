// A variational autoencoder (Kingma & Welling 2014). With draws z of the posterior q(z | x),
//   log w = log p(x | z) + log p(z) - log q(z | x)
// has the expectation ELBO <= log p(x), and the logarithm of the mean of w over S draws is a tighter bound, which
// converges to log p(x) (Burda et al. 2016). log_prob is log w of one draw.
//   z_0 = m(x) + e^(v(x)/2) eps,  z = f(z_0; x),  log q(z | x) = log N(z_0; m, e^v) - log |det df/dz_0|   (Rezende &
//   Mohamed 2015, eq. 13), where f is run from data to latents, so that autoregressive layers take one pass.
#pragma once
#include <optional>

#include "src/model/model.h"
#include "src/model/vae.h"

namespace libnf {

class VaeModel final : public Density {
 public:
  using Config = VaeConfig;
  VaeModel(const Config& config, const ModelBuild& build);

  const Dims& latent() const override { return latent_; }
  bool exact() const override { return false; }
  const VaeModel* vae() const override { return this; }

  // What the encoder says of rows. mean and log_scale (half the log variance) [n, latent]; context [n, c]: that of the
  // posterior's layers, or nullptr.
  struct Encoded {
    Var mean, log_scale, context;
  };
  Encoded encode(const Scope& s, Var x, Var context) const;
  // Draws of z, one row for each row that was encoded.
  struct Drawn {
    Var z_0, z, log_q;
  };
  // Draws with the tape's key. constant_q: log_q has gradients through z_0 only, not through mean and log_scale directly (Roeder et al. 2017, eq. 7).
  // Only for posteriors without layers.
  Drawn draw(const Scope& s, const Encoded& e, Memory memory = Memory::full, bool constant_q = false) const;
  // The same for given eps [n, latent].
  Drawn move(const Scope& s, const Encoded& e, Var eps, Memory memory = Memory::full, bool constant_q = false) const;
  Var start(const Scope& s, const Encoded& e) const { return start(s, e, noise(s, e)); }  // z_0 of draw()
  Var log_prior(const Scope& s, Var z, Var context, Memory memory = Memory::full) const;
  Var sample_prior(const Scope& s, int64_t rows, Var context, double temperature = 1,
                   Memory memory = Memory::full) const;
  // The outputs of the decoder, and log p(x | z) given them.
  Var decode(const Scope& s, Var z, Var context) const;
  Var log_likelihood(const Scope& s, Var x, Var decoded) const { return likelihood_->log_prob(s, x, decoded); }
  // Returns log w of a draw for each row.
  Var log_weight(const Scope& s, Var x, Var context, const Drawn& d, Memory memory = Memory::full) const;
  // Whether the KL divergence from the prior has a formula: a normal posterior, and a standard normal prior.
  bool has_analytic_kl() const { return chain_->layers().empty() && standard_normal_prior_; }
  // The divergence of each column, [n, latent].
  Var analytic_kl(const Scope& s, const Encoded& e) const;
  const Chain& posterior() const { return *chain_; }
  const Likelihood& likelihood() const { return *likelihood_; }

  Var log_prob(const Scope& s, Var x, Var context, Memory memory = Memory::full) const override;
  Var prepared(const Scope& s, Var x, Var context) const override;  // what the encoder gives
  Var log_prob_of(const Scope& s, Var x, Var context, Var prepared) const override;
  Sampled sample(const Scope& s, int64_t rows, Var context, bool with_log_prob, Memory memory = Memory::full,
                 double temperature = 1) const override;
  Location first_nonfinite(const Scope& s, Var from, Var context, bool inverse = false) const override;
  bool valid_context(const Scope& s, Var context) const override;

 private:
  Encoded encoded(const Scope& s, Var h, Var context) const;
  Var noise(const Scope& s, const Encoded& e) const;
  Var start(const Scope& s, const Encoded& e, Var eps) const;
  Var with_rows(const Scope& s, Var context, int64_t n) const;
  struct Mixture {
    Var logits, loc, log_scale;
  };
  Mixture pseudo_posteriors(const Scope& s) const;

  Dims latent_;
  int64_t features_;
  ScaleBounds bounds_;
  std::unique_ptr<Net> encoder_, decoder_;
  std::optional<Chain> chain_, prior_chain_;
  std::unique_ptr<Base> prior_;
  std::unique_ptr<Likelihood> likelihood_;
  std::string prior_name_, likelihood_name_;
  ParamId pseudo_inputs_ = -1;
  bool standard_normal_prior_;
};

}  // namespace libnf
