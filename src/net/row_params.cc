#include "src/net/row_params.h"

#include "runtime/op/ops.h"

namespace libnf {

void RowParamsConfig::fields(Fields& f) {
  static constexpr const char* kSources[] = {"free", "context"};
  f.choice("parameters", "parameters of the layer: one set for all rows, or one per row from a net of its context",
           source, kSources);
  f.one_of("net", "net of the context, for \"parameters\": \"context\"", net);
}

RowParams::RowParams(const RowParamsConfig& c, const Declare& d, std::initializer_list<Part> parts) {
  int64_t count = 0;
  for (const Part& part : parts) {
    if (part.count == 0) continue;
    slots_.push_back({d.param(part.name, {part.count}, part.init, part.form), count, part.count});
    count = checked_add(count, part.count);
  }
  if (slots_.size() > kMaxParts) fail(Code::internal, "%zu parts of a parameter set", slots_.size());
  if (c.source == ParamSource::free) return;
  if (d.context == 0)
    fail(Code::spec, "spec.context: a layer with \"parameters\": \"context\" needs a context of at least one column");
  net_ = c.net.build(d.part("net"), 0, count);
}

RowParams::Set RowParams::operator()(const Scope& s, Var context) const {
  Set set = {};
  Var all = net_ ? (*net_)(s, nullptr, context) : nullptr;
  for (size_t i = 0; i < slots_.size(); ++i) {
    const Slot& slot = slots_[i];
    set[i] = s.param(slot.free);
    if (!all) continue;
    Var part = slots_.size() == 1 ? all : slice_columns(s.tape, all, slot.first, slot.count);
    set[i] = add(s.tape, part, set[i]);
  }
  return set;
}

}  // namespace libnf
