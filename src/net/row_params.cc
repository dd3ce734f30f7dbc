#include "src/net/row_params.h"

namespace nf {

void RowParamsConfig::fields(Fields& f) {
  static constexpr const char* kSources[] = {"free", "context"};
  f.choice("parameters", "of the layer: one set for all rows, or one for every row from a net of its context", source,
           kSources);
  net.fields(f);
}

RowParams::RowParams(const RowParamsConfig& c, Declare d, int64_t count, Init init)
    : free_(d.param("parameters", {count}, std::move(init))) {
  if (c.source == ParamSource::free) return;
  if (d.context == 0)
    fail(Code::spec, "spec.context: a layer with \"parameters\": \"context\" needs a context of at least one column");
  net_.emplace(c.net, d.inside("net"), 0, count);
}

Var RowParams::operator()(const Scope& s, Var context) const {
  Var p = s.param(free_);
  if (!net_) return p;
  return add(s.tape, (*net_)(s, s.tape.zeros({context->out.shape[0], 0}), context), p);
}

}  // namespace nf
