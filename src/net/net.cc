#include "src/net/net.h"

#include <cmath>

#include "runtime/op/film.h"

namespace nf {

void NetConfig::fields(Fields& f) {
  static constexpr const char* kContextBys[] = {"concatenate", "film"};
  static constexpr const char* kInits[] = {"identity", "random"};
  static constexpr const char* kKinds[] = {"mlp", "residual"};
  static constexpr const char* kActivations[] = {"relu", "tanh", "elu", "leaky_relu", "silu", "gelu", "softplus"};
  f.choice("net", "conditioner: a multilayer perceptron, or a residual net of the width hidden[0]", kind, kKinds);
  f.integers("hidden", "sizes of the hidden layers; a residual net takes one", hidden, 1, 1 << 20, 64);
  f.integer("blocks", "number of residual blocks, each of two layers", blocks, 0, 256);
  f.choice("activation", "activation function of the net", activation, kActivations);
  f.real("dropout", "share of hidden units dropped in training", dropout, 0, 0.99);
  f.choice("init", "output layer: near zero, so that a fresh flow is near the identity, or random as the other layers",
           init, kInits);
  f.choice("context_by",
           "how a context enters: concatenate to the inputs, or film: it scales and shifts the hidden units",
           context_by, kContextBys);
}

bool NetConfig::modulates(const Declare& d, int64_t in) const {
  if (context_by != ContextBy::film || d.context == 0 || in == 0) return false;
  if (hidden.empty()) d.reject("context_by", "\"film\" changes hidden units: \"hidden\" needs at least one layer");
  return true;
}

double NetConfig::output_bound(int64_t width) const {
  return init == NetInit::identity ? 1e-3 : 1 / std::sqrt(static_cast<double>(width > 0 ? width : 1));
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
  }
  return {};
}

Net::Dense Net::dense(const Declare& d, const std::string& name, int64_t in, int64_t out, double bound) {
  Declare layer = d.inside(name);
  return {layer.param("weight", {in, out}, Init::uniform_pm(bound)),
          layer.param("bias", {out}, Init::uniform_pm(bound))};
}

Net::Hidden Net::hidden(const Declare& d, const std::string& name, int64_t in, int64_t out, double bound) const {
  Hidden h{dense(d, name, in, out, bound)};
  if (film_) {
    Declare inside = d.inside(name);
    h.film = dense(inside, "film", d.context, checked_mul(2, out), 0);
  }
  return h;
}

Net::Net(const NetConfig& c, const Declare& d, int64_t in, int64_t out)
    : kind_(c.kind), act_(activation_of(c.activation)), dropout_(c.dropout), film_(c.modulates(d, in)) {
  const auto fan = [](int64_t n) { return 1 / std::sqrt(static_cast<double>(n > 0 ? n : 1)); };
  constexpr double kNearZero = 1e-3;
  int64_t width = film_ ? in : checked_add(in, d.context);
  if (kind_ == NetKind::mlp) {
    for (size_t i = 0; i < c.hidden.size(); ++i) {
      layers_.push_back(hidden(d, "hidden." + std::to_string(i), width, c.hidden[i], fan(width)));
      width = c.hidden[i];
    }
  } else {
    if (c.hidden.size() != 1) d.reject("hidden", "a residual net takes one hidden size, the width of all its blocks");
    layers_.push_back(hidden(d, "input", width, c.hidden[0], fan(width)));
    width = c.hidden[0];
    for (int64_t b = 0; b < c.blocks; ++b) {
      Declare inside = d.inside("blocks." + std::to_string(b));
      Block block;
      block.first = hidden(inside, "0", width, width, fan(width));
      block.second = dense(inside, "1", width, width, kNearZero);
      block.gate = d.context && !film_ ? dense(inside, "gate", d.context, width, fan(d.context)) : Dense{-1, -1};
      blocks_.push_back(block);
    }
  }
  output_ = dense(d, "output", width, out, c.output_bound(width));
}

Var Net::apply(const Scope& s, const Dense& layer, Var x, Var residual) {
  return linear_add(s.tape, x, s.param(layer.weight), s.param(layer.bias), residual);
}

Var Net::modulated(const Scope& s, const Hidden& layer, Var h, Var context) {
  const int64_t width = h->out.shape[1];
  Var both = apply(s, layer.film, context);
  return film(s.tape, h, slice_columns(s.tape, both, 0, width), slice_columns(s.tape, both, width, width));
}

// act(W x + b), or act(modulated(W x + b)).
Var Net::activated(const Scope& s, const Hidden& layer, Var x, Var context) const {
  if (film_) return activate(s.tape, act_, modulated(s, layer, apply(s, layer, x), context));
  return linear_activated(s.tape, x, s.param(layer.weight), s.param(layer.bias), act_);
}

Var Net::operator()(const Scope& s, Var x, Var context) const {
  Tape& t = s.tape;
  Var h = !x ? context : context && !film_ ? concat_columns(t, x, context) : x;
  if (kind_ == NetKind::mlp) {
    for (const Hidden& layer : layers_) h = dropout(t, activated(s, layer, h, context), dropout_);
    return apply(s, output_, h);
  }
  h = apply(s, layers_[0], h);
  if (film_) h = modulated(s, layers_[0], h, context);
  for (const Block& b : blocks_) {
    Var a = dropout(t, activated(s, b.first, activate(t, act_, h), context), dropout_);
    if (b.gate.weight < 0) {
      h = apply(s, b.second, a, h);
    } else {
      Var gate = unary(t, Unary::sigmoid, apply(s, b.gate, context));
      h = add(t, h, mul(t, apply(s, b.second, a), gate));
    }
  }
  return apply(s, output_, h);
}

}  // namespace nf
