#include "src/flow/scale.h"

#include <map>
#include <string>

#include "runtime/op/ops.h"

namespace libnf {
namespace {

ScaleMap map_of(ScaleKind kind) {
  switch (kind) {
    case ScaleKind::bounded_exp:
      return ScaleMap::bounded_exp;
    case ScaleKind::sigmoid:
      return ScaleMap::sigmoid;
    case ScaleKind::softplus:
      return ScaleMap::softplus;
    case ScaleKind::soft_exp:
      return ScaleMap::soft_exp;
    case ScaleKind::plain_sigmoid:
      return ScaleMap::plain_sigmoid;
    case ScaleKind::exp:
    case ScaleKind::learned_bound:  // the raw scale is bounded before
      break;
  }
  return ScaleMap::exp;
}

}  // namespace

void ScaleConfig::fields(Fields& f, const char* what) {
  static constexpr const char* kNames[] = {"bounded_exp", "exp",           "sigmoid",      "softplus",
                                           "soft_exp",    "plain_sigmoid", "learned_bound"};
  const std::string doc = std::string("map from the net's raw output a to the ") + what +
                          ": exp(cap tanh(a/cap)), exp(a), sigmoid(a+2)+1e-3, min(softplus(a)+1e-3, 3), "
                          "exp(a/(1+|a|/log(1000))), sigmoid(a+2) (Glow), exp(e^c tanh(a/e^c)) with a learned c per "
                          "channel";
  f.choice("scale", doc.c_str(), kind, kNames);
  f.real("cap", "bound on |log scale| of bounded_exp", cap, 1e-3, 20);
}

AffineColumns::AffineColumns(const ScaleConfig& c, const Declare& d, std::vector<int32_t> columns,
                             std::span<const int32_t> places)
    : columns_(std::move(columns)), config_(c) {
  if (c.kind != ScaleKind::learned_bound || columns_.empty()) return;
  const auto channels = static_cast<int32_t>(d.event.last());
  std::map<int32_t, int32_t> slot;
  for (const int32_t j : places) slot[j % channels] = 0;
  int32_t next = 0;
  for (auto& s : slot) s.second = next++;
  for (const int32_t j : places) channel_.push_back(slot[j % channels]);
  bound_ = d.param("log_bound", {next}, Init::zeros());
}

Mapped AffineColumns::operator()(const Scope& s, Var x, Var h, bool inverse) const {
  Tape& t = s.tape;
  const int64_t m = count();
  if (bound_ >= 0) {
    Var c = s.param(bound_);
    c = gather_columns(t, reshape(t, c, {1, c->out.count()}), channel_.data(), m);
    Var bound = unary(t, Unary::exp, reshape(t, c, {m})), raw = slice_columns(t, h, m, m);
    raw = mul(t, unary(t, Unary::tanh, div(t, raw, bound)), bound);
    h = concat_columns(t, slice_columns(t, h, 0, m), raw);
  }
  return affine_coupling(t, x, h, columns_.data(), m, map_of(config_.kind), config_.cap, inverse, config_.shift_first);
}

}  // namespace libnf
