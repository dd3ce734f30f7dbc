#include "src/base/parameters.h"

#include "runtime/op/ops.h"

namespace libnf {

void ParametersConfig::fields(Fields& f) {
  static constexpr const char* kKinds[] = {"free", "context", "fixed"};
  f.choice("parameters",
           "free: learned, the same for all rows; context: from the net of the context, per row; fixed: at their "
           "initial values, not learned",
           parameters, kKinds);
  f.one_of("net", "net of the context, for \"parameters\": \"context\"", net);
}

Parameters::Parameters(const ParametersConfig& c, const Declare& d, const std::vector<Tensor>& tensors) {
  int64_t all = 0;
  for (const Tensor& tensor : tensors) {
    ids_.push_back(c.parameters == ParametersKind::fixed
                       ? d.buffer(tensor.name, tensor.shape, tensor.init, Invariant::none, "", tensor.form)
                       : d.param(tensor.name, tensor.shape, tensor.init, tensor.form));
    counts_.push_back(tensor.shape.count());
    all = checked_add(all, counts_.back());
  }
  if (c.parameters != ParametersKind::context) return;
  if (d.context == 0) d.reject("parameters", "\"context\" needs a model with a context: write \"context\": [columns]");
  net_ = c.net.build(d.part("net"), 0, all);
}

Parameters::Values Parameters::operator()(const Scope& s, Var context) const {
  Values v{};
  for (size_t i = 0; i < ids_.size(); ++i) v.at[i] = s.param(ids_[i]);
  if (!net_) return v;
  Tape& t = s.tape;
  Var h = (*net_)(s, nullptr, context);
  int64_t first = 0;
  for (size_t i = 0; i < ids_.size(); ++i) {
    Var free = v.at[i]->out.shape.rank == 1 ? v.at[i] : reshape(t, v.at[i], {counts_[i]});
    v.at[i] = add(t, slice_columns(t, h, first, counts_[i]), free);
    first += counts_[i];
  }
  return v;
}

}  // namespace libnf
