#include "src/model/flow_model.h"

#include "runtime/op/ops.h"
#include "runtime/op/repeat_rows.h"
#include "src/model/rows.h"

namespace nf {

FlowModel::FlowModel(const Config& config, const ModelBuild& b) : Density(std::move(b.spec)) {
  std::vector<ParamInfo> infos;
  const int64_t columns = config.embedding ? config.embedding->out : context();
  chain_.emplace(config.chain, "spec", event(), columns, "layers", infos);
  const size_t count = layers().size();
  base_ = config.base.build(Declare(infos, "base.", chain_->latent(), columns, count, "spec.base"));
  if (config.embedding)
    embedding_ =
        config.embedding->net.build(Declare(infos, "embedding.", event(), context(), count + 1, "spec.embedding.net"),
                                    int64_t{0}, config.embedding->out);
  create_params(b.allocator, infos, b.seed, b.max_params);
  measure_cost(b.allocator);
}

Var FlowModel::layer_context(const Scope& s, Var context, int64_t n) const {
  if (!context) return nullptr;
  Var c = embedding_ ? (*embedding_)(s, nullptr, context) : context;
  return c->out.shape[0] == n ? c : repeat_rows(s.tape, c, n);
}

Mapped FlowModel::forward(const Scope& s, Var x, Var context, Memory memory) const {
  return chain_->run(s, false, x, layer_context(s, context, x->out.shape[0]), memory);
}

Mapped FlowModel::inverse(const Scope& s, Var z, Var context, Memory memory) const {
  return chain_->run(s, true, z, layer_context(s, context, z->out.shape[0]), memory);
}

Mapped FlowModel::trace(const Scope& s, Var from, Var context, bool inverse, const Chain::After& after) const {
  return chain_->trace(s, inverse, from, layer_context(s, context, from->out.shape[0]), after);
}

Var FlowModel::log_prob(const Scope& s, Var x, Var context, Memory memory) const {
  Var c = layer_context(s, context, x->out.shape[0]);
  const Mapped m = chain_->run(s, false, x, c, memory);
  Var lp = base_->log_prob(s, m.y, c);
  return m.log_det ? add(s.tape, lp, m.log_det) : lp;
}

FlowModel::Sampled FlowModel::sample(const Scope& s, int64_t rows, Var context, bool with_log_prob,
                                     Memory memory) const {
  Var c = layer_context(s, context, rows);
  Var z = base_->sample(s, rows, c);
  const Mapped m = chain_->run(s, true, z, c, memory);
  if (!with_log_prob) return {m.y, nullptr, z};
  Var lp = base_->log_prob(s, z, c);
  return {m.y, m.log_det ? sub(s.tape, lp, m.log_det) : lp, z};
}

std::string FlowModel::first_nonfinite(const Scope& s, Var from, Var context, bool inverse) const {
  if (context && !all_finite(context)) return kContext;
  context = layer_context(s, context, from->out.shape[0]);
  if (context && !all_finite(context)) return "spec.embedding";
  const std::string error = context ? base_->context_error(context) : "";
  if (!error.empty()) return error;
  if (!all_finite(from)) return inverse ? kLatent : kData;
  const LayerInstance* layer = chain_->first_nonfinite(s, inverse, from, context);
  return layer ? layer->where : kAllFinite;
}

}  // namespace nf
