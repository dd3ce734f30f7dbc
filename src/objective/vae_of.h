#pragma once
#include "src/model/vae_model.h"

namespace libnf {

// Returns the model as a variational autoencoder. Throws Error{unsupported} if it is none.
inline const VaeModel& vae_of(const Density& model, const char* objective) {
  if (const VaeModel* vae = model.vae()) return *vae;
  fail(Code::unsupported,
       "objective \"%s\" trains variational autoencoders (\"kind\": \"vae\"); use nll for a model of kind \"%s\"",
       objective, model.spec().kind->name);
}

}  // namespace libnf
