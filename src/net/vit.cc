// Vision transformer (Dosovitskiy et al. 2021), as in the couplings of Jet (Kolesnikov et al. 2024):
//   h = patches(x) E + b + P + C c;  per block  h += attention(norm(h)) W,  h += mlp(norm(h));  y = patches^T(norm(h)) + b'
// Patches do not overlap; an image whose sides they do not divide is padded by zeros below and on the right. P is a learned
// position of every patch, norm is layer norm over the units of a token. mlp is act(h A) B, or gelu(h A) * (h A') B for
// "geglu" (Shazeer 2020). The last map starts at zero.
#include "runtime/op/heads.h"
#include "runtime/op/norm.h"
#include "runtime/op/ops.h"
#include "src/net/conv_net.h"

namespace libnf {
namespace {

constexpr double kPosition = 0.02;  // half the range of new positions

enum class TokenMlp : uint8_t { gelu, geglu };

struct VitConfig final : ConvNetConfig {
  std::vector<int64_t> hidden = {64};
  int64_t blocks = 2, heads = 4, patch = 4, expansion = 4;
  TokenMlp mlp = TokenMlp::gelu;
  bool causal = false;
  int64_t width() const override { return hidden.empty() ? 0 : hidden.back(); }
  void fields(Fields& f) override {
    static constexpr const char* kMlps[] = {"gelu", "geglu"};
    f.integers("hidden", "one size, the units of a token; a multiple of heads", hidden, 1, 1 << 20, 64);
    f.integer("blocks", "number of blocks of attention and an MLP", blocks, 0, 256);
    f.integer("heads", "number of attention heads", heads, 1, 1 << 10);
    f.integer("patch", "height and width of the patches that become tokens", patch, 1, 63);
    f.integer("expansion", "units of the MLP's hidden layer, in multiples of those of a token", expansion, 1, 64);
    f.choice("mlp", "MLP of a token: gelu, or geglu, which has a gate", mlp, kMlps);
    f.flag("causal", "let a token attend to itself and the tokens before it only, line by line", causal);
    init_field(f);
  }
  int64_t size(const Declare& d) const {
    if (hidden.size() != 1) d.reject("hidden", "a vit net takes one hidden size, the units of its tokens");
    if (hidden[0] % heads) d.reject("hidden", "the units of a token must be a multiple of \"heads\"");
    return hidden[0];
  }
};

class Vit final : public ConvNet {
 public:
  using Config = VitConfig;

  Vit(const Config& c, const Declare& d, const NetPlaces* places, int64_t in, int64_t out)
      : ConvNet(c, places, in, out), width_(c.size(d)), geglu_(c.mlp == TokenMlp::geglu) {
    patches_.height = height();
    patches_.width = image_width();
    patches_.stride_h = patches_.stride_w = c.patch;
    patches_.bottom = (c.patch - height() % c.patch) % c.patch;
    patches_.right = (c.patch - image_width() % c.patch) % c.patch;
    const ImageSize grid = conv2d_size(patches_, c.patch, c.patch);
    const int64_t tokens = grid.height * grid.width;
    heads_ = {tokens, c.heads, c.causal};
    const Declare first = d.inside("input");
    const double bound = fan(c.patch, in_channels());
    embed_ = {first.param("weight", {c.patch, c.patch, in_channels(), width_}, Init::uniform_pm(bound)),
              first.param("bias", {width_}, Init::uniform_pm(bound))};
    position_ = first.param("position", {checked_mul(tokens, width_)}, Init::uniform_pm(kPosition));
    if (d.context > 0) {
      context_ = first.param("context", {d.context, width_}, Init::uniform_pm(fan_bound(d.context)));
      at_tokens_.resize(static_cast<size_t>(tokens * width_));
      for (size_t i = 0; i < at_tokens_.size(); ++i)
        at_tokens_[i] = static_cast<int32_t>(i % static_cast<size_t>(width_));
    }
    const int64_t wide = checked_mul(c.expansion, width_);
    for (int64_t b = 0; b < c.blocks; ++b) {
      const Declare inside = d.inside("blocks." + std::to_string(b));
      Block block;
      block.before = norm(inside, "attention.norm");
      block.query = linear(inside, "attention.query", width_, width_);
      block.key = linear(inside, "attention.key", width_, width_);
      block.value = linear(inside, "attention.value", width_, width_);
      block.joined = linear(inside, "attention.output", width_, width_);
      block.middle = norm(inside, "mlp.norm");
      block.wide = linear(inside, "mlp.hidden", width_, wide);
      if (geglu_) block.gate = linear(inside, "mlp.gate", width_, wide);
      block.narrow = linear(inside, "mlp.output", wide, width_);
      blocks_.push_back(block);
    }
    last_ = norm(d, "norm");
    const Declare end = d.inside("output");
    const double last = c.init == NetInit::identity ? 0 : fan(1, width_);
    unpatch_ = {end.param("weight", {c.patch, c.patch, out_channels(), width_}, Init::uniform_pm(last)),
                end.param("bias", {out_channels()}, Init::uniform_pm(last))};
  }
  Vit(const Config& c, const Declare& d, int64_t in, int64_t out) : Vit(c, d, nullptr, in, out) {}
  static std::unique_ptr<Net> at(const libnf::Config& c, const Declare& d, const NetPlaces& places, int64_t in,
                                 int64_t out) {
    return std::make_unique<Vit>(static_cast<const Config&>(c), d, &places, in, out);
  }

  Var operator()(const Scope& s, Var x, Var context) const override {
    Tape& t = s.tape;
    Var added = nullptr;
    if (context_ >= 0)
      added = gather_columns(t, matmul(t, context, s.param(context_)), at_tokens_.data(),
                             static_cast<int64_t>(at_tokens_.size()));
    Var h = conv2d(t, image(s, x, context), s.param(embed_.weight), s.param(embed_.bias), patches_, added);
    h = add(t, h, s.param(position_));
    for (const Block& b : blocks_) {
      Var a = normed(s, b.before, h);
      Var y = attention(t, per_token(s, b.query, a), per_token(s, b.key, a), per_token(s, b.value, a), heads_);
      h = per_token(s, b.joined, y, h);
      a = normed(s, b.middle, h);
      y = per_token(s, b.wide, a, nullptr, {false, Unary::gelu, 0});
      if (geglu_) y = mul(t, y, per_token(s, b.gate, a));
      h = per_token(s, b.narrow, y, h);
    }
    Var y = conv2d_transposed(t, normed(s, last_, h), s.param(unpatch_.weight), s.param(unpatch_.bias), patches_);
    return outputs(s, y);
  }

 private:
  struct Norm {
    ParamId weight = -1, bias = -1;
  };
  struct Map {
    ParamId weight = -1, bias = -1;
  };
  struct Block {
    Norm before, middle;
    Map query, key, value, joined, wide, gate, narrow;
  };

  Norm norm(const Declare& d, const std::string& name) const {
    const Declare inside = d.inside(name);
    return {inside.param("weight", {width_}, Init::fill(1)), inside.param("bias", {width_}, Init::zeros())};
  }
  // The same map of every token: a convolution of one pixel.
  static Map linear(const Declare& d, const std::string& name, int64_t in, int64_t out) {
    const Declare inside = d.inside(name);
    const double bound = fan(1, in);
    return {inside.param("weight", {1, 1, in, out}, Init::uniform_pm(bound)),
            inside.param("bias", {out}, Init::uniform_pm(bound))};
  }
  Var normed(const Scope& s, const Norm& n, Var h) const {
    return layer_norm(s.tape, h, width_, s.param(n.weight), s.param(n.bias));
  }
  Var per_token(const Scope& s, const Map& m, Var h, Var residual = nullptr, const Activation& act = {}) const {
    return conv2d(s.tape, h, s.param(m.weight), s.param(m.bias), Conv2d::same(heads_.tokens, 1, 1, 1), residual, act);
  }

  int64_t width_;
  bool geglu_;
  Conv2d patches_;
  Heads heads_;
  Map embed_, unpatch_;
  ParamId position_ = -1, context_ = -1;
  std::vector<int32_t> at_tokens_;  // repeats the context's terms for every token
  std::vector<Block> blocks_;
  Norm last_;
};

}  // namespace

NF_PART(Net, vit, Vit, "vision transformer: attention between the patches of an image",
        "Dosovitskiy et al. 2021; as in Kolesnikov et al. 2024, Jet", nullptr, Vit::at);

}  // namespace libnf
