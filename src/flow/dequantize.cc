// Uniform dequantization (Uria et al. 2013, section 4.1; Theis et al. 2016, section 3.1): maps columns that hold levels
// of a grid to random points in the cells of those levels.
//   levels = 0  x = i step, i any integer:    z = step (i + u),  log |cell| = log step
//   levels = k  x = i step, 0 <= i < k:       z = (i + u) / k,   log |cell| = -log k
//     merge = m z = (floor(i / m) + u) m / k, log |cell| = log(m / k): fewer bits, as in Glow's 5-bit images
// with u uniform on (0, 1) per row and column. log_det = the number of such columns times log |cell|. The inverse is
// the level whose cell contains z, the lowest one of those that are merged; with k levels, a z outside (0, 1) gives the
// nearest one.
//
// exp(log_prob) is then an unbiased estimate of the probability P(x) of the levels (times the density of the other
// columns), so log_prob <= log P(x) in expectation over u. A session averages exp(log_prob) over several draws (option
// "score_samples"), which gives a tighter lower bound (Burda et al. 2016). In scoring the draws depend on the content
// of the row, in training on (seed, step, row). A value more than 0.01 step away from every level has log_prob
// -infinity.
#include <string>

#include "runtime/op/dequantize.h"
#include "src/flow/layer.h"

namespace libnf {
namespace {

class Dequantize final : public Layer {
 public:
  struct Config final : libnf::Config {
    int64_t levels = 0, merge = 1;
    double step = 1;
    std::vector<int64_t> columns;
    void fields(Fields& f) override {
      f.integer("levels", "number of levels, mapped to (0, 1); 0 = any integer multiple of step, whose scale is kept",
                levels, 0, 1 << 24);
      f.real("step", "distance between neighboring levels in the data; the first level is 0", step, 1e-9, 1e9);
      f.integer("merge",
                "neighboring levels that count as one, a divisor of levels: 8 turns 256 levels into 32 (5 bits)", merge,
                1, 1 << 24);
      f.integers("columns", "columns that hold levels; empty = all", columns, 0, INT32_MAX, INT32_MAX);
    }
  };

  Dequantize(const Config& c, const Declare& d) : grid_{c.step, c.levels, c.merge} {
    if (c.merge > 1 && (c.levels == 0 || c.levels % c.merge != 0)) {
      const std::string why = std::to_string(c.merge) + " does not divide " +
                              (c.levels ? std::to_string(c.levels) + " levels" : "an unlimited number of levels");
      d.reject("merge", why.c_str());
    }
    std::vector<bool> seen(static_cast<size_t>(d.columns()), c.columns.empty());
    for (const int64_t j : c.columns) {
      if (j >= d.columns() || seen[static_cast<size_t>(j)])
        d.reject("columns", ("column " + std::to_string(j) + " is outside the event or listed twice").c_str());
      seen[static_cast<size_t>(j)] = true;
    }
    for (int64_t j = 0; j < d.columns(); ++j)
      if (seen[static_cast<size_t>(j)]) index_.push_back(static_cast<int32_t>(j));
  }

  Mapped forward(const Scope& s, Var x, Var) const override { return dequantize(s.tape, x, index_, grid_); }
  Mapped inverse(const Scope& s, Var z, Var) const override { return quantize(s.tape, z, index_, grid_); }
  bool exact() const override { return false; }
  LowPart low_part() const override { return LowPart::used; }

 private:
  std::vector<int32_t> index_;
  kernel::Grid grid_;
};

}  // namespace

NF_PART(Layer, dequantize, Dequantize,
        "adds uniform noise to columns of integers or levels, which makes them continuous",
        "Theis et al. 2016, A note on the evaluation of generative models, section 3.1", Domain::integer, Domain::real);

}  // namespace libnf
