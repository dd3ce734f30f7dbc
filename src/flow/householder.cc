// Orthogonal map by K learned reflections applied in order: x <- x - 2 v (v.x)/(v.v), log_det = 0; the inverse applies
// them in reverse order. K = number of columns reaches every orthogonal matrix of determinant (-1)^K.
#include <algorithm>

#include "runtime/op/ops.h"
#include "src/flow/layer.h"

namespace libnf {
namespace {

class Householder final : public Layer {
 public:
  struct Config final : libnf::Config {
    int64_t reflections = 0;
    void fields(Fields& f) override {
      f.integer("reflections", "number of reflections; 0 = one per column, at most 16", reflections, 0, 4096);
    }
  };

  Householder(const Config& c, const Declare& d)
      : vectors_(d.param("vectors", {c.reflections ? c.reflections : std::min<int64_t>(d.columns(), 16), d.columns()},
                         Init::gaussian(1))) {}

  Mapped forward(const Scope& s, Var x, Var) const override {
    return {householder(s.tape, x, s.param(vectors_), false), nullptr};
  }
  Mapped inverse(const Scope& s, Var z, Var) const override {
    return {householder(s.tape, z, s.param(vectors_), true), nullptr};
  }

 private:
  ParamId vectors_;
};

}  // namespace

NF_PART(Layer, householder, Householder, "learned rotation by a sequence of reflections",
        "Tomczak & Welling 2016, Improving variational auto-encoders using Householder flow", Domain::real,
        Domain::real, OnImages::per_pixel);

}  // namespace libnf
