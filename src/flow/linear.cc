// Linear map with a free matrix: z = W x + b, log_det = log |det W| by LU factors with partial pivoting; the inverse
// solves with them. The matrix starts as a random rotation, a pure function of (seed, layer). "weight" is stored
// transposed, [in, out]. A singular W gives a log_det of -infinity and an inverse that is not finite.
#include "src/flow/dense_matrix.h"

namespace libnf {
namespace {

class Linear final : public Layer {
 public:
  struct Config final : libnf::Config {
    int64_t seed = 0;
    bool bias = true;
    void fields(Fields& f) override {
      f.integer("seed", "seed of the initial random rotation; layers of a model differ even with equal seeds", seed, 0,
                INT64_MAX);
      f.flag("bias", "learn b", bias);
    }
  };

  Linear(const Config& c, const Declare& d) {
    check_dense(d, "type");
    const int64_t n = d.columns();
    weight_ = d.param("weight", {n, n}, Init::exactly(random_rotation(n, static_cast<uint64_t>(c.seed), d.ordinal)),
                      transposed_form(n, n));
    if (c.bias) bias_ = d.param("bias", {n}, Init::zeros());
  }

  Mapped forward(const Scope& s, Var x, Var) const override {
    Var w = s.param(weight_);
    return {linear(s.tape, x, w, s.param(bias_)), for_every_row(s, x, slogdet(s.tape, w))};
  }
  Mapped inverse(const Scope& s, Var z, Var) const override {
    return solve(s.tape, minus_bias(s, z, s.param(bias_)), s.param(weight_));
  }

 private:
  ParamId weight_ = -1, bias_ = -1;
};

}  // namespace

NF_PART(Layer, linear, Linear, "learned matrix without constraints; its determinant by LU",
        "Kingma & Dhariwal 2018, Glow, eq. 9", Domain::real, Domain::real, OnImages::per_pixel);

}  // namespace libnf
