#include "src/model/vae.h"

#include "src/model/model.h"
#include "src/model/vae_model.h"

namespace libnf {
namespace {

void random_init(Config& c) { static_cast<NetConfig&>(c).init = NetInit::random; }

void check(const ModelSpec& s) {
  const auto& vae = static_cast<const VaeConfig&>(*s.config);
  if (vae.prior.pseudo_inputs > 0 && s.context > 0)
    fail(Code::spec, "spec.prior.pseudo_inputs: they have no context, but the model has one of %lld columns",
         static_cast<long long>(s.context));
  if (vae.prior.pseudo_inputs > 0 &&
      (vae.prior.base.part().name != std::string_view("normal") || !vae.prior.chain.layers.empty()))
    fail(Code::spec, "spec.prior.pseudo_inputs: they are the whole prior; leave out its \"base\" and \"layers\"");
  for (const auto& [layers, path] : {std::pair(&vae.posterior.chain.layers, "spec.posterior.layers"),
                                     {&vae.prior.chain.layers, "spec.prior.layers"}}) {
    const int64_t count = expanded_size(*layers, path).layers;
    if (count * vae.latent > kMaxLayerColumns)
      fail(Code::spec, "spec.latent: %lld columns x %lld layers of %s is above the limit of %lld",
           static_cast<long long>(vae.latent), static_cast<long long>(count), path,
           static_cast<long long>(kMaxLayerColumns));
  }
}

}  // namespace

void PosteriorConfig::fields(Fields& f) {
  f.integer("features", "further outputs of the encoder, which layers get as context, after that of the model",
            features, 0, 1 << 20);
  bounds.fields(f);
  f.chain("layers", "the chain from z_0, which is normal, to z", chain.layers);
}

void PriorConfig::fields(Fields& f) {
  f.one_of("base", "distribution of z, or of what the layers make of it", base);
  f.chain("layers", "the chain from z to the base", chain.layers);
  f.integer("pseudo_inputs",
            "learned rows of data; above 0 the prior is the mixture of the normal distributions that the encoder "
            "gives for them (VampPrior: Tomczak & Welling 2018, eq. 9)",
            pseudo_inputs, 0, 1 << 20);
}

VaeConfig::VaeConfig() : encoder(random_init), decoder(random_init) { encoder.beside = decoder.beside = {}; }

void VaeConfig::fields(Fields& f) {
  f.integer("latent", "columns of z", latent, 1, kMaxEvent);
  f.one_of("encoder", "net of x and the context, which gives the mean and the log variance of z_0", encoder);
  f.one_of("decoder", "net of z and the context, which gives the parameters of the likelihood", decoder);
  f.object("posterior", "q(z | x)", posterior);
  f.object("prior", "p(z)", prior);
  f.one_of("likelihood", "p(x | z)", likelihood);
}

NF_PART(Model, vae, VaeModel,
        "variational autoencoder: an encoder, a posterior that may be a flow, a prior, a decoder and a likelihood; "
        "log_prob is a bound",
        "Kingma & Welling 2014, Auto-encoding variational Bayes; Rezende & Mohamed 2015, eq. 15", check, "latent",
        "the number of columns of z, as in \"latent\": 20");

}  // namespace libnf
