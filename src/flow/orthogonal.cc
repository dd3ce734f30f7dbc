// A fixed random rotation, uniform over the orthogonal matrices and a pure function of (seed, layer):
// z = Q x, x = Q^T z, log_det = 0. Nothing is learned; "rotation" is stored transposed.
#include "src/flow/dense_matrix.h"

namespace libnf {
namespace {

class Orthogonal final : public Layer {
 public:
  struct Config final : libnf::Config {
    int64_t seed = 0;
    void fields(Fields& f) override {
      f.integer("seed", "seed of the random rotation; layers of a model differ even with equal seeds", seed, 0,
                INT64_MAX);
    }
  };

  Orthogonal(const Config& c, const Declare& d) {
    check_dense(d, "type");
    const int64_t n = d.columns();
    rotation_ =
        d.buffer("rotation", {n, n}, Init::exactly(random_rotation(n, static_cast<uint64_t>(c.seed), d.ordinal)),
                 Invariant::rotation, "", transposed_form(n, n));
  }

  Mapped forward(const Scope& s, Var x, Var) const override { return {matmul(s.tape, x, s.param(rotation_)), nullptr}; }
  Mapped inverse(const Scope& s, Var z, Var) const override {
    return {matmul(s.tape, z, transpose(s.tape, s.param(rotation_))), nullptr};
  }

 private:
  ParamId rotation_ = -1;
};

}  // namespace

NF_PART(Layer, orthogonal, Orthogonal, "fixed random rotation",
        "Mezzadri 2007, How to generate random matrices from the classical compact groups", Domain::real, Domain::real,
        OnImages::per_pixel);

}  // namespace libnf
