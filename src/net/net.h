// Conditioner nets: the ordinary neural networks inside flows. Maps x [n, in] and context [n, c] to [n, out].
//   mlp       h = act(W_i h + b_i) over the hidden sizes, then a linear output
//   residual  h = W_0 [x, c] + b_0; per block h += t * sigmoid(C c),  t = W_2 act(dropout?(W_1 act(h)));  linear output
//             (He et al. 2016 with pre-activation, as in Durkan et al. 2019, appendix B.1; the gate only with a
//             context)
// The context is concatenated to x at the input of both.
#pragma once
#include <vector>

#include "runtime/op/ops.h"
#include "src/flow/declare.h"
#include "src/flow/fields.h"
#include "src/flow/layer.h"

namespace nf {

enum class NetKind : uint8_t { mlp, residual };
enum class NetInit : uint8_t { identity, random };
enum class ActivationKind : uint8_t { relu, tanh, elu, leaky_relu, silu, gelu, softplus };

struct NetConfig {
  NetKind kind = NetKind::mlp;
  std::vector<int64_t> hidden = {64, 64};
  int64_t blocks = 2;
  ActivationKind activation = ActivationKind::relu;
  double dropout = 0;
  NetInit init = NetInit::identity;
  void fields(Fields& f);
  // Bound of the uniform initial weights of an output layer that reads `width` units.
  double output_bound(int64_t width) const;
};

Activation activation_of(ActivationKind kind);

class Net {
 public:
  // in = 0: a net of the context alone, x is nullptr.
  Net(const NetConfig& config, Declare d, int64_t in, int64_t out);
  Var operator()(const Scope& s, Var x, Var context) const;

 private:
  struct Dense {
    ParamId weight, bias;
  };
  struct Block {
    Dense first, second, gate;  // gate.weight < 0: no context
  };
  static Dense dense(Declare& d, const std::string& name, int64_t in, int64_t out, double bound);
  static Var apply(const Scope& s, const Dense& layer, Var x, Var residual = nullptr);

  NetKind kind_;
  Activation act_;
  double dropout_;
  std::vector<Dense> layers_;  // mlp: all hidden layers; residual: the first one
  std::vector<Block> blocks_;
  Dense output_;
};

}  // namespace nf
