#include "src/net/dense_net.h"

#include "runtime/op/film.h"

namespace libnf {

void DenseNetConfig::fields(Fields& f) {
  static constexpr const char* kContextBys[] = {"concatenate", "film"};
  f.integers("hidden", "sizes of the hidden layers; a residual net takes one size, the width of its blocks", hidden, 1,
             1 << 20, 64);
  activation_field(f, activation);
  f.real("dropout", "fraction of hidden units dropped in training", dropout, 0, 0.99);
  init_field(f);
  f.choice("context_by",
           "how a context enters the net: concatenate it to the inputs, or film: it scales and shifts the hidden units",
           context_by, kContextBys);
}

bool DenseNetConfig::modulates(const Declare& d, int64_t in) const {
  if (context_by != ContextBy::film || d.context == 0 || in == 0) return false;
  if (hidden.empty()) d.reject("context_by", "\"film\" changes hidden units: \"hidden\" needs at least one layer");
  return true;
}

void activation_field(Fields& f, ActivationKind& activation) {
  static constexpr const char* kActivations[] = {"relu", "tanh", "elu",  "leaky_relu", "silu",     "gelu",   "softplus",
                                                 "selu", "celu", "mish", "softsign",   "hardtanh", "sigmoid"};
  f.choice("activation", "activation function of the net", activation, kActivations);
}

Activation activation_of(ActivationKind kind) {
  switch (kind) {
    case ActivationKind::relu:
      return {false, Unary::relu, 0};
    case ActivationKind::tanh:
      return {false, Unary::tanh, 0};
    case ActivationKind::elu:
      return {false, Unary::elu, 1};
    case ActivationKind::leaky_relu:
      return {false, Unary::leaky_relu, 0.01};
    case ActivationKind::silu:
      return {false, Unary::silu, 0};
    case ActivationKind::gelu:
      return {false, Unary::gelu, 0};
    case ActivationKind::softplus:
      return {false, Unary::softplus, 1};
    case ActivationKind::selu:
      return {false, Unary::selu, 0};
    case ActivationKind::celu:
      return {false, Unary::celu, 1};
    case ActivationKind::mish:
      return {false, Unary::mish, 0};
    case ActivationKind::softsign:
      return {false, Unary::softsign, 0};
    case ActivationKind::hardtanh:
      return {false, Unary::hardtanh, 1};
    case ActivationKind::sigmoid:
      return {false, Unary::sigmoid, 0};
  }
  return {};
}

DenseNet::DenseNet(const DenseNetConfig& c, const Declare& d, int64_t in)
    : act_(activation_of(c.activation)),
      dropout_(c.dropout),
      film_(c.modulates(d, in)),
      input_width_(film_ ? in : checked_add(in, d.context)) {}

DenseNet::Dense DenseNet::dense(const Declare& d, const std::string& name, int64_t in, int64_t out, double bound) {
  const Declare layer = d.inside(name);
  const ParamId weight = layer.param("weight", {in, out}, Init::uniform_pm(bound), transposed_form(in, out));
  return {weight, layer.param("bias", {out}, Init::uniform_pm(bound))};
}

DenseNet::Hidden DenseNet::hidden(const Declare& d, const std::string& name, int64_t in, int64_t out) const {
  Hidden h{dense(d, name, in, out, fan_bound(in)), {}};
  if (film_) h.film = dense(d.inside(name), "film", d.context, checked_mul(2, out), 0);
  return h;
}

Var DenseNet::input(const Scope& s, Var x, Var context) const {
  return !x ? context : context && !film_ ? concat_columns(s.tape, x, context) : x;
}

Var DenseNet::apply(const Scope& s, const Dense& layer, Var x, Var residual) {
  return linear_add(s.tape, x, s.param(layer.weight), s.param(layer.bias), residual);
}

Var DenseNet::linear(const Scope& s, const Hidden& layer, Var x, Var context) const {
  Var h = apply(s, layer, x);
  if (!film_) return h;
  const int64_t width = h->out.shape[1];
  Var both = apply(s, layer.film, context);
  return film(s.tape, h, slice_columns(s.tape, both, 0, width), slice_columns(s.tape, both, width, width));
}

Var DenseNet::activated(const Scope& s, const Hidden& layer, Var x, Var context) const {
  if (film_) return activate(s.tape, act_, linear(s, layer, x, context));
  return linear_activated(s.tape, x, s.param(layer.weight), s.param(layer.bias), act_);
}

}  // namespace libnf
