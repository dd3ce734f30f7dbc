// Multilayer perceptron: h = act(W_i h + b_i) for each hidden layer, then a linear output. The context is concatenated
// to the input, or it modulates every hidden layer before its activation.
#include "src/net/dense_net.h"
#include "src/net/made.h"

namespace libnf {
namespace {

class Mlp final : public DenseNet {
 public:
  using Config = DenseNetConfig;

  Mlp(const Config& c, const Declare& d, int64_t in, int64_t out) : DenseNet(c, d, in) {
    int64_t width = input_width();
    for (size_t i = 0; i < c.hidden.size(); ++i) {
      layers_.push_back(hidden(d, "hidden." + std::to_string(i), width, c.hidden[i]));
      width = c.hidden[i];
    }
    output_ = dense(d, "output", width, out, c.output_bound(width));
  }

  Var operator()(const Scope& s, Var x, Var context) const override {
    Var h = input(s, x, context);
    for (const Hidden& layer : layers_) h = dropout(s.tape, activated(s, layer, h, context), dropout_);
    return apply(s, output_, h);
  }

  static void mask(const libnf::Config& config, const Declare& d, MadeBuilder& made) {
    const auto& c = static_cast<const Config&>(config);
    const bool film = c.modulates(d, d.columns());
    made.start(activation_of(c.activation), c.dropout);
    MadeBuilder::Units from = made.inputs(!film);
    int h = 0;
    for (size_t i = 0; i < c.hidden.size(); ++i) {
      const Declare inside = d.inside("hidden." + std::to_string(i));
      MadeBuilder::Units units = made.hidden(c.hidden[i]);
      h = made.linear(
          inside, {.in = h, .first = film && i == 0 ? d.context : 0, .from = from, .to = units, .activated = !film});
      if (film) h = made.activate(made.modulate(inside.inside("film"), h));
      h = made.drop(h);
      from = std::move(units);
    }
    made.linear(d.inside("output"), {.in = h,
                                     .from = from,
                                     .to = made.outputs(),
                                     .bound = c.output_bound(static_cast<int64_t>(from.size())),
                                     .last = true});
  }

 private:
  std::vector<Hidden> layers_;
  Dense output_;
};

}  // namespace

NF_PART(Net, mlp, Mlp, "multilayer perceptron", "masked: Germain et al. 2015, MADE", Mlp::mask);

}  // namespace libnf
