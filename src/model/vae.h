// The fields of a variational autoencoder's spec beyond the shape of its rows.
#pragma once
#include <memory>

#include "src/base/base.h"
#include "src/flow/chain.h"
#include "src/likelihood/likelihood.h"
#include "src/likelihood/scale_bounds.h"
#include "src/net/net.h"
#include "src/part/part_config.h"

namespace libnf {

// q(z | x): a normal distribution whose means and deviations the encoder gives, moved by a chain of layers.
struct PosteriorConfig : Config {
  int64_t features = 0;
  ScaleBounds bounds;
  LayerSpec chain;
  void fields(Fields& f) override;
};

// p(z): a base, moved by a chain of layers; or a mixture of what the encoder makes of pseudo-inputs.
struct PriorConfig : Config {
  OneOf<BaseKind> base{"normal"};
  LayerSpec chain;
  int64_t pseudo_inputs = 0;
  void fields(Fields& f) override;
};

struct VaeConfig : Config {
  VaeConfig();
  int64_t latent = 0;
  NetChoice encoder, decoder;
  PosteriorConfig posterior;
  PriorConfig prior;
  OneOf<LikelihoodKind> likelihood{"bernoulli"};
  void fields(Fields& f) override;
};

}  // namespace libnf
