// Conditioner nets: the ordinary neural networks inside flows. Maps x [n, in] and context [n, c] to [n, out].
//   mlp       h = act(W_i h + b_i) over the hidden sizes, then a linear output
//   residual  h = W_0 [x, c] + b_0; per block h += t * sigmoid(C c),  t = W_2 act(dropout?(W_1 act(h)));  linear output
//             (He et al. 2016 with pre-activation, as in Durkan et al. 2019, appendix B.1; the gate only with a
//             context)
// The context is concatenated to x at the input of both; or it modulates hidden units, FiLM (Perez et al. 2018):
//   h <- h (1 + G c + g) + B c + b   before the activation of every hidden layer; of a residual net, on W_0 x + b_0 and
//   between the two layers of a block. G, g, B and b start at 0, so that a fresh net does not see the context.
#pragma once
#include <vector>

#include "runtime/op/ops.h"
#include "src/part/declare.h"
#include "src/part/fields.h"
#include "src/part/scope.h"

namespace nf {

enum class NetKind : uint8_t { mlp, residual };
enum class ContextBy : uint8_t { concatenate, film };
enum class NetInit : uint8_t { identity, random };
enum class ActivationKind : uint8_t { relu, tanh, elu, leaky_relu, silu, gelu, softplus };

struct NetConfig {
  NetKind kind = NetKind::mlp;
  std::vector<int64_t> hidden = {64, 64};
  int64_t blocks = 2;
  ActivationKind activation = ActivationKind::relu;
  double dropout = 0;
  NetInit init = NetInit::identity;
  ContextBy context_by = ContextBy::concatenate;
  void fields(Fields& f);
  // Bound of the uniform initial weights of an output layer that reads `width` units.
  double output_bound(int64_t width) const;
  // Whether a net of `in` inputs is modulated; refuses one that has nothing to modulate.
  bool modulates(const Declare& d, int64_t in) const;
};

Activation activation_of(ActivationKind kind);

class Net {
 public:
  // in = 0: a net of the context alone, which is its input then; x may be nullptr.
  Net(const NetConfig& config, const Declare& d, int64_t in, int64_t out);
  Var operator()(const Scope& s, Var x, Var context) const;

 private:
  struct Dense {
    ParamId weight, bias;
  };
  struct Hidden : Dense {
    Dense film{-1, -1};  // [scales | shifts] of the units by the context
  };
  struct Block {
    Hidden first;
    Dense second, gate;  // gate.weight < 0: no context, or FiLM
  };
  static Dense dense(const Declare& d, const std::string& name, int64_t in, int64_t out, double bound);
  Hidden hidden(const Declare& d, const std::string& name, int64_t in, int64_t out, double bound) const;
  Var activated(const Scope& s, const Hidden& layer, Var x, Var context) const;
  static Var modulated(const Scope& s, const Hidden& layer, Var h, Var context);
  static Var apply(const Scope& s, const Dense& layer, Var x, Var residual = nullptr);

  NetKind kind_;
  Activation act_;
  double dropout_;
  bool film_;
  std::vector<Hidden> layers_;  // mlp: all hidden layers; residual: the first one
  std::vector<Block> blocks_;
  Dense output_;
};

}  // namespace nf
