#include "src/model/flow_model.h"

#include "runtime/op/affine_low.h"
#include "runtime/op/ops.h"
#include "runtime/op/repeat_rows.h"
#include "src/model/rows.h"

namespace libnf {

FlowModel::FlowModel(const Config& config, const ModelBuild& b) : Density(std::move(b.spec)) {
  std::vector<ParamInfo> infos;
  const int64_t columns = config.embedding ? config.embedding->out : context();
  chain_.emplace(config.chain, "spec", event(), columns, "layers", infos);
  const size_t count = layers().size();
  base_name_ = config.base.part().name;
  base_ = config.base.build(Declare(infos, "base.", chain_->latent(), columns, count, "spec.base"));
  if (config.embedding)
    embedding_ =
        config.embedding->net.build(Declare(infos, "embedding.", event(), context(), count + 1, "spec.embedding.net"),
                                    int64_t{0}, config.embedding->out);
  if (config.prepare_context && config.prepare_context->standardize) {
    const Declare d(infos, "prepare_context.", Dims{context()}, 0, count + 2, "spec.prepare_context");
    context_params_ = {d.buffer("mean", {context()}, Init::zeros()),
                       d.buffer("std", {context()}, Init::fill(1), Invariant::positive),
                       d.buffer("initialized", {1}, Init::zeros(), Invariant::flag), d.low_part("mean_low", context())};
  }
  create_params(b.allocator, infos, b.seed, b.max_params);
  measure_cost(b.allocator);
}

Var FlowModel::layer_context(const Scope& s, Var context, int64_t n) const {
  if (!context) return nullptr;
  Var c = context;
  if (const ContextParams& p = context_params_; p.mean >= 0)  // the op's inverse is (c - shift) exp(-log_scale)
    c = affine_low(s.tape, c, unary(s.tape, Unary::log, s.param(p.std)), s.param(p.mean), s.param(p.mean_low), true).y;
  if (embedding_) c = (*embedding_)(s, nullptr, c);
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
  Var lp = s.tape.training ? base_->fitted_log_prob(s, m.y, c) : base_->log_prob(s, m.y, c);
  return m.log_det ? add(s.tape, lp, m.log_det) : lp;
}

FlowModel::Sampled FlowModel::sample(const Scope& s, int64_t rows, Var context, bool with_log_prob, Memory memory,
                                     double temperature) const {
  Var c = layer_context(s, context, rows);
  Var z = draw_base(s, rows, c, temperature);
  const Mapped m = chain_->run(s, true, z, c, memory);
  if (!with_log_prob) return {m.y, nullptr, z};
  Var lp = base_->log_prob(s, z, c);
  return {m.y, m.log_det ? sub(s.tape, lp, m.log_det) : lp, z};
}

Var FlowModel::draw_base(const Scope& s, int64_t rows, Var context, double temperature) const {
  Var z = base_->sample(s, rows, context);
  if (temperature == 1) return z;
  if (Var moved = base_->temper(s, z, context, temperature)) return moved;
  if (s.tape.measuring) return z;
  fail(Code::unsupported, "the base \"%s\" has no scale: how.temperature is %g, expected 1", base_name_.c_str(),
       temperature);
}

Var FlowModel::base_log_prob(const Scope& s, Var z, Var context) const {
  return base_->log_prob(s, z, layer_context(s, context, z->out.shape[0]));
}

Var FlowModel::base_sample(const Scope& s, int64_t rows, Var context, double temperature) const {
  return draw_base(s, rows, layer_context(s, context, rows), temperature);
}

Var FlowModel::base_quantile(const Scope& s, const double* u, int64_t rows, Var context) const {
  if (Var z = base_->quantile(s, u, rows, layer_context(s, context, rows))) return z;
  if (s.tape.measuring) return nullptr;
  fail(Code::unsupported, "the base \"%s\" has no quantiles%s", base_name_.c_str(),
       latent().count() == 1 ? "" : " column by column: its columns depend on each other");
}

std::string FlowModel::before_layers(const Scope& s, Var from, Var& context, int64_t n, const char* name) const {
  if (context && !all_finite(context)) return kContext;
  context = layer_context(s, context, n);
  if (context && !all_finite(context)) return embedding_ ? "spec.embedding" : "spec.prepare_context";
  std::string error = context ? base_->context_error(context) : "";
  if (error.empty() && from && !all_finite(from)) return name;
  return error;
}

bool FlowModel::valid_context(const Scope& s, Var context) const {
  return all_finite(context) && base_->context_error(layer_context(s, context, 1)).empty();
}

Density::Location FlowModel::first_nonfinite_in_base(const Scope& s, Var z, Var context) const {
  const std::string where = before_layers(s, z, context, 1, kLatent);
  return {where.empty() ? "spec.base" : where};
}

Density::Location FlowModel::first_nonfinite(const Scope& s, Var from, Var context, bool inverse) const {
  const std::string where = before_layers(s, from, context, from->out.shape[0], inverse ? kLatent : kData);
  if (!where.empty()) return {where};
  const LayerInstance* layer = chain_->first_nonfinite(s, inverse, from, context);
  if (!layer) return {kAllFinite};
  return {layer->where, layer->index};
}

}  // namespace libnf
