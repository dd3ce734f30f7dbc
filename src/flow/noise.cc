// Normal noise in training: z = x + s e, with e standard normal per row and column and log s normal per row with mean
// log std and standard deviation `spread`; z = x otherwise. log_det = 0.
//
// A model that maximizes the likelihood of noisy rows learns the density of the data smoothed by the distribution of
// the noise (Bishop 1995; Rothfuss et al. 2019). It cannot spike at repeated values, at levels or at single rows. With
// a spread the kernel has heavy tails: rows near the bulk stay sharp, and the density falls with the distance from the
// data at all scales. Scoring, sampling and the inverse have no noise, so the density of a row is a function of the row.
#include <cmath>

#include "runtime/kernel/binary.h"
#include "runtime/kernel/random.h"
#include "runtime/op/dropout.h"
#include "runtime/op/ops.h"
#include "src/flow/layer.h"

namespace libnf {
namespace {

class Noise final : public Layer {
 public:
  struct Config final : libnf::Config {
    double std = 0.1, spread = 0;
    void fields(Fields& f) override {
      f.real("std", "standard deviation of the noise, in units of the columns that arrive", std, 0, 1e6);
      f.real("spread", "standard deviation of its logarithm over the rows; 0: the same for all", spread, 0, 5);
    }
  };
  Noise(const Config& c, const Declare&) : std_(c.std), spread_(c.spread) {}

  Mapped forward(const Scope& s, Var x, Var) const override {
    Tape& t = s.tape;
    if (!t.training || std_ == 0) return {x, nullptr};
    Var e = t.empty(x->out.shape);
    const kernel::RandomKey key{t.random.seed, next_random_stream(t)};
    with_dtype(t.dtype(), [&]<class T>() { draw<T>(t, key, x->out.shape[1], e->out); });
    return {add(t, x, e), nullptr};
  }
  Mapped inverse(const Scope&, Var z, Var) const override { return {z, nullptr}; }
  bool rebuilds() const override { return std_ == 0; }

 private:
  template <class T>
  void draw(Tape& t, kernel::RandomKey key, int64_t columns, const View& e) const {
    const ScratchScope scope(t);
    T* drawn = t.scratch<T>(columns + 1);
    if (t.measuring) return kernel::fill<T>(T(0), e.as<T>(), e.count());
    for (int64_t r = 0; r < e.shape[0]; ++r) {
      kernel::normal(key, t.random.row_of(r), 1, columns + 1, drawn, columns + 1);
      const T scale = static_cast<T>(std_ * std::exp(spread_ * static_cast<double>(drawn[columns])));
      T* row = e.as<T>() + r * columns;
      for (int64_t j = 0; j < columns; ++j) row[j] = scale * drawn[j];
    }
  }
  double std_, spread_;
};

}  // namespace

NF_PART(Layer, noise, Noise, "adds normal noise in training only, so that the density is smooth",
        "Bishop 1995, Training with noise is equivalent to Tikhonov regularization; Rothfuss et al. 2019");

}  // namespace libnf
