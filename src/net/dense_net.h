// Shared by the nets of dense layers: their fields, dense layers with an activation, and how a context enters them.
//
// A context is either concatenated to x at the input, or it modulates hidden units by FiLM (Perez et al. 2018):
//   h <- h (1 + G c + g) + B c + b
// before an activation. G, g, B and b start at 0, so a fresh net does not depend on the context.
#pragma once
#include <string>
#include <vector>

#include "runtime/op/ops.h"
#include "src/net/net.h"

namespace libnf {

enum class ContextBy : uint8_t { concatenate, film };
enum class ActivationKind : uint8_t {
  relu,
  tanh,
  elu,
  leaky_relu,
  silu,
  gelu,
  softplus,
  selu,
  celu,
  mish,
  softsign,
  hardtanh,
  sigmoid
};

struct DenseNetConfig : NetConfig {
  std::vector<int64_t> hidden = {64, 64};
  ActivationKind activation = ActivationKind::relu;
  double dropout = 0;
  ContextBy context_by = ContextBy::concatenate;
  int64_t width() const override { return hidden.empty() ? 0 : hidden.back(); }
  void fields(Fields& f) override;
  // Returns whether the context modulates a net of `in` inputs; rejects a net without hidden units to modulate.
  bool modulates(const Declare& d, int64_t in) const;
};

void activation_field(Fields& f, ActivationKind& activation);
Activation activation_of(ActivationKind kind);

class DenseNet : public Net {
 protected:
  struct Dense {
    ParamId weight = -1, bias = -1;
  };
  struct Hidden : Dense {
    Dense film;  // [scales | shifts] of the units, from the context
  };

  DenseNet(const DenseNetConfig& config, const Declare& d, int64_t in);
  // Declares a dense layer under `name`, with uniform initial weights within `bound`.
  static Dense dense(const Declare& d, const std::string& name, int64_t in, int64_t out, double bound);
  Hidden hidden(const Declare& d, const std::string& name, int64_t in, int64_t out) const;
  // Returns the input of the first layer.
  Var input(const Scope& s, Var x, Var context) const;
  int64_t input_width() const { return input_width_; }
  // Returns W x + b, plus the residual if there is one.
  static Var apply(const Scope& s, const Dense& layer, Var x, Var residual = nullptr);
  // Returns W x + b, modulated by the context if the net uses FiLM.
  Var linear(const Scope& s, const Hidden& layer, Var x, Var context) const;
  // Returns the activation of linear().
  Var activated(const Scope& s, const Hidden& layer, Var x, Var context) const;

  Activation act_;
  double dropout_;
  bool film_;

 private:
  int64_t input_width_;
};

}  // namespace libnf
