// Residual net (He et al. 2016 with pre-activation, as in Durkan et al. 2019, appendix B.1):
//   h = W_0 [x, c] + b_0; per block h += t * sigmoid(C c),  t = W_2 dropout?(act(W_1 act(h)));  linear output
// The gate exists only with a concatenated context. FiLM modulates W_0 x + b_0, and the values between the two layers
// of a block. Masked (Papamakarios et al. 2017, with the same blocks but without their gate):
//   h = W_0 x + b_0 + act(C c + a); per block h += W_2 dropout?(act(W_1 act(h) + b_1 + C' c + a')) + b_2;  linear
//   output
#include "src/net/dense_net.h"
#include "src/net/made.h"

namespace libnf {
namespace {

constexpr double kNearZero = 1e-3;  // makes a new block add almost nothing

struct ResidualConfig final : DenseNetConfig {
  int64_t blocks = 2;
  ResidualConfig() { hidden = {64}; }
  void fields(Fields& f) override {
    DenseNetConfig::fields(f);
    f.integer("blocks", "number of residual blocks, each of two layers", blocks, 0, 256);
  }
  int64_t size(const Declare& d) const {
    if (hidden.size() != 1) d.reject("hidden", "a residual net takes one hidden size, the width of all its blocks");
    return hidden[0];
  }
};

class Residual final : public DenseNet {
 public:
  using Config = ResidualConfig;

  Residual(const Config& c, const Declare& d, int64_t in, int64_t out) : DenseNet(c, d, in) {
    const int64_t width = c.size(d);
    input_ = hidden(d, "input", input_width(), width);
    for (int64_t b = 0; b < c.blocks; ++b) {
      const Declare inside = d.inside("blocks." + std::to_string(b));
      Block block;
      block.first = hidden(inside, "0", width, width);
      block.second = dense(inside, "1", width, width, kNearZero);
      if (d.context && !film_) block.gate = dense(inside, "gate", d.context, width, fan_bound(d.context));
      blocks_.push_back(block);
    }
    output_ = dense(d, "output", width, out, c.output_bound(width));
  }

  Var operator()(const Scope& s, Var x, Var context) const override {
    Tape& t = s.tape;
    Var h = linear(s, input_, input(s, x, context), context);
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

  static void mask(const libnf::Config& config, const Declare& d, MadeBuilder& made) {
    const auto& c = static_cast<const Config&>(config);
    const int64_t width = c.size(d);
    const bool film = c.modulates(d, d.columns());
    made.start(activation_of(c.activation), c.dropout);
    const MadeBuilder::Units inputs = made.inputs(false), units = made.hidden(width), context = made.context(),
                             at_once(units.size(), 0);  // context-only units, complete from the start
    const auto from_context = [&](const Declare& inside, bool activated) {
      if (!d.context || film) return -1;
      return made.linear(inside.inside("context"), {.from = context, .to = at_once, .activated = activated});
    };
    const int given = from_context(d, true);
    int h = made.linear(d.inside("input"), {.first = d.context, .from = inputs, .to = units, .residual = given});
    if (film) h = made.modulate(d.inside("input").inside("film"), h);
    for (int64_t b = 0; b < c.blocks; ++b) {
      const Declare inside = d.inside("blocks." + std::to_string(b));
      const int extra = from_context(inside, false);
      int a = made.linear(
          inside.inside("0"),
          {.in = made.activate(h), .from = units, .to = units, .residual = extra, .activated = extra < 0 && !film});
      if (film) a = made.modulate(inside.inside("0").inside("film"), a);
      if (extra >= 0 || film) a = made.activate(a);
      h = made.linear(inside.inside("1"),
                      {.in = made.drop(a), .from = units, .to = units, .bound = kNearZero, .residual = h});
    }
    made.linear(d.inside("output"),
                {.in = h, .from = units, .to = made.outputs(), .bound = c.output_bound(width), .last = true});
  }

 private:
  struct Block {
    Hidden first;
    Dense second, gate;  // gate.weight < 0: no context, or FiLM
  };
  Hidden input_;
  std::vector<Block> blocks_;
  Dense output_;
};

}  // namespace

NF_PART(Net, residual, Residual, "residual net with blocks of two layers",
        "Durkan et al. 2019, Neural spline flows, appendix B.1; masked: Papamakarios et al. 2017", Residual::mask);

}  // namespace libnf
