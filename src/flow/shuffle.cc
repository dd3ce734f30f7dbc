// A fixed random order of the columns, a pure function of (seed, layer): z_j = x_{p(j)}, log_det = 0.
#include "src/flow/column_order.h"

namespace libnf {
namespace {

class Shuffle final : public ColumnOrder {
 public:
  struct Config final : libnf::Config {
    int64_t seed = 0;
    void fields(Fields& f) override {
      f.integer("seed", "seed of the random order; layers of a model differ even with equal seeds", seed, 0, INT64_MAX);
    }
  };
  Shuffle(const Config& c, const Declare& d)
      : ColumnOrder(random_order(d.columns(), static_cast<uint64_t>(c.seed), d.ordinal)) {}
};

}  // namespace

NF_PART(Layer, shuffle, Shuffle, "puts the columns into a fixed random order",
        "Durkan et al. 2019, Neural spline flows, section 3", Domain::real, Domain::real, OnImages::per_pixel);

}  // namespace libnf
