#include "src/model/vae_model.h"

#include "runtime/op/mixture.h"
#include "runtime/op/ops.h"
#include "runtime/op/repeat_rows.h"
#include "runtime/op/restore.h"
#include "src/model/rows.h"

namespace libnf {
namespace {

// Layers that would need rows of data to start from, or statistics of a batch, see only latents here.
void check_layers(const Chain& chain) {
  for (const LayerInstance& l : chain.layers())
    if (l.layer->started() >= 0 || l.layer->couples_rows() || !l.layer->exact())
      fail(Code::spec,
           "%s: layers of a variational autoencoder act on latents, so there are no data to start from and no "
           "statistics of a batch; use elementwise_affine for scales and shifts",
           l.where.c_str());
}

// Inputs of these chains are not rebuilt from outputs: a trainer counts which layers keep theirs for flows only.
Memory kept(Memory m) { return m == Memory::invert ? Memory::recompute : m; }

}  // namespace

VaeModel::VaeModel(const Config& c, const ModelBuild& b)
    : Density(std::move(b.spec)), latent_{c.latent}, features_(c.posterior.features), bounds_(c.posterior.bounds) {
  std::vector<ParamInfo> infos;
  const int64_t columns = context() + features_;
  chain_.emplace(c.posterior.chain, "spec.posterior", latent_, columns, "posterior.layers", infos);
  prior_chain_.emplace(c.prior.chain, "spec.prior", latent_, context(), "prior.layers", infos);
  bounds_.check(Declare(infos, "posterior.", latent_, 0, 0, "spec.posterior"));
  check_layers(*chain_);
  check_layers(*prior_chain_);
  // Numbers after those of the layers, so that random choices differ.
  const uint64_t count = chain_->layers().size() + prior_chain_->layers().size();
  const auto declare = [&](const char* name, const Dims& event, int64_t of_context, uint64_t number) {
    return Declare(infos, std::string(name) + ".", event, of_context, count + number, std::string("spec.") + name);
  };
  encoder_ = c.encoder.build(declare("encoder", event(), context(), 0), event().count(), 2 * c.latent + features_);
  prior_ = c.prior.base.build(declare("prior", prior_chain_->latent(), context(), 1));
  likelihood_ = c.likelihood.build(declare("likelihood", event(), context(), 2));
  decoder_ = c.decoder.build(declare("decoder", latent_, context(), 3).between(latent_, event()), c.latent,
                             checked_mul(likelihood_->outputs(), event().count()));
  prior_name_ = c.prior.base.part().name;
  likelihood_name_ = c.likelihood.part().name;
  standard_normal_prior_ = prior_name_ == "normal" && prior_chain_->layers().empty() && c.prior.pseudo_inputs == 0;
  if (c.prior.pseudo_inputs > 0)
    pseudo_inputs_ = declare("prior", latent_, 0, 4)
                         .param("pseudo_inputs", {c.prior.pseudo_inputs, event().count()}, Init::gaussian(0.1));
  create_params(b.allocator, infos, b.seed, b.max_params);
  measure_cost(b.allocator);
}

Var VaeModel::with_rows(const Scope& s, Var context, int64_t n) const {
  return context && context->out.shape[0] != n ? repeat_rows(s.tape, context, n) : context;
}

// The parts of the encoder's outputs.
VaeModel::Encoded VaeModel::encoded(const Scope& s, Var h, Var context) const {
  Tape& t = s.tape;
  const int64_t d = latent_.count();
  Var features = features_ ? slice_columns(t, h, 2 * d, features_) : nullptr;
  return {slice_columns(t, h, 0, d), bounds_(t, scale(t, slice_columns(t, h, d, d), 0.5)),
          !features ? context
          : context ? concat_columns(t, context, features)
                    : features};
}

Var VaeModel::prepared(const Scope& s, Var x, Var context) const {
  return (*encoder_)(s, likelihood_->scaled(s, x), with_rows(s, context, x->out.shape[0]));
}

VaeModel::Encoded VaeModel::encode(const Scope& s, Var x, Var context) const {
  return encoded(s, prepared(s, x, context), with_rows(s, context, x->out.shape[0]));
}

VaeModel::Drawn VaeModel::draw(const Scope& s, const Encoded& e, Memory memory, bool constant_q) const {
  return move(s, e, noise(s, e), memory, constant_q);
}

// Of its own in every step, unlike what bases draw.
Var VaeModel::noise(const Scope& s, const Encoded& e) const {
  Tape& t = s.tape;
  const uint32_t stream = next_random_stream(t);
  const Restore next(t.random.stream);
  t.random.stream = stream;
  return standard_normal(t, e.mean->out.shape[0], latent_.count());
}

Var VaeModel::start(const Scope& s, const Encoded& e, Var eps) const {
  return add(s.tape, e.mean, mul(s.tape, eps, unary(s.tape, Unary::exp, e.log_scale)));
}

VaeModel::Drawn VaeModel::move(const Scope& s, const Encoded& e, Var eps, Memory memory, bool constant_q) const {
  Tape& t = s.tape;
  Var z_0 = start(s, e, eps);
  Var log_q = constant_q ? normal_log_prob(t, z_0, t.input(e.mean->out, false), t.input(e.log_scale->out, false))
                         : sub(t, normal_log_prob(t, eps), sum_last(t, e.log_scale));
  const Mapped m = chain_->run(s, false, z_0, e.context, kept(memory));
  return {z_0, m.y, m.log_det ? sub(t, log_q, m.log_det) : log_q};
}

VaeModel::Mixture VaeModel::pseudo_posteriors(const Scope& s) const {
  Tape& t = s.tape;
  Var u = s.param(pseudo_inputs_);
  const Encoded e = encoded(s, (*encoder_)(s, u, nullptr), nullptr);
  return {t.zeros({u->out.shape[0]}), contiguous(t, e.mean), contiguous(t, e.log_scale)};
}

Var VaeModel::log_prior(const Scope& s, Var z, Var context, Memory memory) const {
  Tape& t = s.tape;
  if (pseudo_inputs_ >= 0) {
    const Mixture m = pseudo_posteriors(s);
    return mixture_log_prob(t, z, m.logits, m.loc, m.log_scale);
  }
  Var c = with_rows(s, context, z->out.shape[0]);
  const Mapped m = prior_chain_->run(s, false, z, c, kept(memory));
  Var lp = prior_->log_prob(s, m.y, c);
  return m.log_det ? add(t, lp, m.log_det) : lp;
}

Var VaeModel::decode(const Scope& s, Var z, Var context) const {
  return (*decoder_)(s, z, with_rows(s, context, z->out.shape[0]));
}

Var VaeModel::log_weight(const Scope& s, Var x, Var context, const Drawn& d, Memory memory) const {
  Tape& t = s.tape;
  Var lp = log_likelihood(s, x, decode(s, d.z, context));
  return add(t, lp, sub(t, log_prior(s, d.z, context, memory), d.log_q));
}

Var VaeModel::analytic_kl(const Scope& s, const Encoded& e) const {
  Tape& t = s.tape;
  // (m^2 + e^v - 1 - v) / 2, v = 2 log_scale
  Var v = scale(t, e.log_scale, 2);
  Var kl = add(t, unary(t, Unary::square, e.mean), sub(t, unary(t, Unary::expm1, v), v));
  return scale(t, kl, 0.5);
}

Var VaeModel::log_prob(const Scope& s, Var x, Var context, Memory memory) const {
  return log_weight(s, x, context, draw(s, encode(s, x, context), memory), memory);
}

Var VaeModel::log_prob_of(const Scope& s, Var x, Var context, Var prepared) const {
  return log_weight(s, x, context, draw(s, encoded(s, prepared, with_rows(s, context, x->out.shape[0]))));
}

Var VaeModel::sample_prior(const Scope& s, int64_t rows, Var context, double temperature, Memory memory) const {
  Tape& t = s.tape;
  Var c = with_rows(s, context, rows), u;
  if (pseudo_inputs_ >= 0) {
    const Mixture m = pseudo_posteriors(s);
    u = mixture_sample(t, rows, latent_.count(), m.logits, m.loc, m.log_scale);
  } else {
    u = prior_->sample(s, rows, c);
  }
  if (temperature != 1 && !t.measuring) {
    Var moved = pseudo_inputs_ >= 0 ? nullptr : prior_->temper(s, u, c, temperature);
    if (!moved)
      fail(Code::unsupported, "the prior \"%s\" has no scale: how.temperature is %g, expected 1",
           pseudo_inputs_ >= 0 ? "pseudo_inputs" : prior_name_.c_str(), temperature);
    u = moved;
  }
  return prior_chain_->run(s, true, u, c, kept(memory)).y;
}

VaeModel::Sampled VaeModel::sample(const Scope& s, int64_t rows, Var context, bool, Memory memory,
                                   double temperature) const {
  Var z = sample_prior(s, rows, context, temperature, memory);
  return {likelihood_->sample(s, decode(s, z, context)), nullptr, z};
}

bool VaeModel::valid_context(const Scope& s, Var context) const {
  return all_finite(context) && prior_->context_error(with_rows(s, context, 1)).empty();
}

Density::Location VaeModel::first_nonfinite(const Scope& s, Var from, Var context, bool inverse) const {
  if (context && !all_finite(context)) return {kContext};
  if (!all_finite(from)) return {inverse ? kLatent : kData};
  Var z = from;
  if (!inverse) {
    const Encoded e = encode(s, from, context);
    if (!all_finite(e.mean) || !all_finite(e.log_scale)) return {"spec.encoder"};
    const Drawn d = draw(s, e);
    if (!all_finite(d.z_0)) return {"spec.encoder"};
    if (const LayerInstance* l = chain_->first_nonfinite(s, false, d.z_0, e.context)) return {l->where};
    z = d.z;
    if (!all_finite(log_prior(s, z, context))) return {"spec.prior"};
  }
  Var h = decode(s, z, context);
  if (!all_finite(h)) return {"spec.decoder"};
  if (inverse) return {"spec.likelihood"};
  return {"spec.likelihood (" + likelihood_name_ + " takes " + likelihood_->support() + ")"};
}

}  // namespace libnf
