#include "src/model/segment.h"

#include "runtime/op/checkpoint.h"
#include "runtime/op/ops.h"

namespace nf {

Mapped apply_step(const Scope& s, const Step& step, Var x, Var context, bool inverse) {
  try {
    return inverse == step.inverted ? step.layer->forward(s, x, context) : step.layer->inverse(s, x, context);
  } catch (const Error& e) {  // an op knows the row, not the layer
    if (e.code() != Code::not_inverted) throw;
    fail(e.code(), "%s: %s", step.where.c_str(), e.what());
  }
}

Mapped apply_steps(const Scope& s, std::span<const Step> steps, Var x, Var context, bool inverse) {
  Mapped all{x, nullptr};
  for (size_t i = 0; i < steps.size(); ++i) {
    const Mapped m = apply_step(s, steps[inverse ? steps.size() - 1 - i : i], all.y, context, inverse);
    all.y = m.y;
    if (m.log_det) all.log_det = all.log_det ? add(s.tape, all.log_det, m.log_det) : m.log_det;
  }
  return all;
}

Mapped recorded_segment(const Scope& s, std::span<const Step> steps, Var x, Var context, bool inverse) {
  struct Run {
    std::span<const Step> steps;
    Node* params;
    bool inverse;
    Mapped operator()(Tape& t, const Var* data) const {
      return apply_steps({t, params}, steps, data[0], data[1], inverse);
    }
  };
  int64_t most = 0;
  for (const Step& step : steps) most += step.count;
  Var* params = s.tape.scratch<Var>(most);
  size_t count = 0;
  for (const Step& step : steps)
    for (ParamId i = step.first; i < step.first + step.count; ++i) params[count++] = &s.params[i];
  const Var data[] = {x, context};
  return checkpoint(s.tape, x->out.shape, data, {params, count}, Run{steps, s.params, inverse});
}

}  // namespace nf
