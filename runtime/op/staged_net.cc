#include "runtime/op/staged_net.h"

#include <utility>

#include "runtime/op/film.h"

namespace libnf {

int StagedNet::add(NetStage stage, int64_t count) {
  stage.units = count;
  stage.offset = units;
  units = checked_add(units, checked_mul(count, stage.kind == NetStage::dropout ? 2 : 1));
  stages.push_back(std::move(stage));
  return static_cast<int>(stages.size());
}

int64_t StagedNet::first_unit(const NetStage& stage, int64_t step) const {
  const kernel::Staircase& mask = stages[static_cast<size_t>(stage.range)].mask;
  return step <= mask.steps() ? mask.first_col(step) : mask.cols();
}

Var StagedNet::operator()(Tape& t, std::span<const Var> params, Var x, Var given) const {
  // Stored by unit. A net reads the context and x jointly or separately.
  Var both = nullptr, only_x = nullptr, only_context = nullptr;
  const auto by_unit = [&](Var& v, Var rows) {
    if (!v) v = contiguous(t, transpose(t, rows));
    return v;
  };
  const auto input = [&](const NetStage& stage) {
    if (!context || stage.first == context) return by_unit(only_x, x);
    if (stage.mask.rows() == context) return by_unit(only_context, given);
    return by_unit(both, both ? nullptr : concat_columns(t, given, x));
  };
  Var* v = t.scratch<Var>(static_cast<int64_t>(stages.size()) + 1);
  for (size_t i = 0; i < stages.size(); ++i) {
    const NetStage& stage = stages[i];
    Var in = stage.in == 0 ? input(stage) : v[stage.in];
    if (stage.kind == NetStage::activate) {
      v[i + 1] = libnf::activate(t, act, in);
    } else if (stage.kind == NetStage::dropout) {
      v[i + 1] = t.training ? transpose(t, libnf::dropout(t, transpose(t, in), dropout)) : in;
    } else if (stage.kind == NetStage::film) {
      v[i + 1] = film(t, in, v[stage.scale], v[stage.shift]);
    } else {
      Var weight = params[static_cast<size_t>(stage.weight)], bias = params[static_cast<size_t>(stage.bias)];
      v[i + 1] = masked_linear(t, stage.mask, in, weight, bias, stage.residual < 0 ? nullptr : v[stage.residual],
                               stage.activated ? act : Activation());
    }
  }
  return v[stages.size()];
}

}  // namespace libnf
