#include "src/model/flow.h"

#include "src/model/flow_model.h"
#include "src/model/model.h"

namespace libnf {
namespace {

void check(const ModelSpec& s) {
  const auto& flow = static_cast<const FlowConfig&>(*s.config);
  if (flow.embedding && s.context == 0)
    fail(Code::spec,
         "spec.embedding: there is no context to embed; write its number of columns, as in \"context\": [3]");
  if (flow.prepare_context && s.context == 0)
    fail(Code::spec,
         "spec.prepare_context: there is no context to prepare; write its number of columns, as in \"context\": [3]");
  if (flow.prepare_context && flow.prepare_context->standardize && !flow.embedding &&
      flow.base.part().name == std::string_view("class_normal"))
    fail(Code::spec,
         "spec.prepare_context.standardize: the base \"class_normal\" reads labels from the context, which are no "
         "labels once standardized; leave it out");
  const int64_t count = expanded_size(flow.chain.layers, "spec.layers").layers, columns = s.event.count();
  if (count * columns > kMaxLayerColumns)
    fail(Code::spec, "spec.event: %lld columns x %lld layers is above the limit of %lld",
         static_cast<long long>(columns), static_cast<long long>(count), static_cast<long long>(kMaxLayerColumns));
}

}  // namespace

void EmbeddingConfig::fields(Fields& f) {
  f.integer("out", "number of columns that layers and the base get instead of the context", out, 1, 1 << 20);
  f.one_of("net", "net of the context", net);
}

void ContextConfig::fields(Fields& f) {
  f.flag("standardize", "map every column to mean 0 and standard deviation 1, as fitted on the training data",
         standardize);
}

void FlowConfig::fields(Fields& f) {
  f.optional("prepare_context", "what happens to the context before the embedding, layers and base see it",
             prepare_context);
  f.optional("embedding", "a net of the context, whose output layers and the base get instead", embedding);
  f.one_of("base", "distribution of z", base);
  f.flag("invert", "swap forward and inverse of the whole chain", chain.invert);
  f.chain("layers", "the chain from x to z", chain.layers);
}

NF_PART(Model, flow, FlowModel,
        "layers between data and latents, and a base distribution: log_prob by change of variables",
        "Rezende & Mohamed 2015, Variational inference with normalizing flows, eq. 5", check, "layers",
        "a list of layers");

}  // namespace libnf
