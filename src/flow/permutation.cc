// Reorders the columns as given: z_j = x_{order[j]}, log_det = 0.
#include "src/flow/column_order.h"

namespace libnf {
namespace {

class Permutation final : public ColumnOrder {
 public:
  struct Config final : libnf::Config {
    std::vector<int64_t> order;
    void fields(Fields& f) override {
      f.integers("order", "column j of z is column order[j] of x; empty = the order stays", order, 0, INT32_MAX,
                 INT32_MAX);
    }
  };
  Permutation(const Config& c, const Declare& d) : ColumnOrder(checked(c, d)) {}

 private:
  static std::vector<int32_t> checked(const Config& c, const Declare& d) {
    const auto n = static_cast<size_t>(d.columns());
    std::vector<int32_t> order(n);
    if (c.order.empty()) {
      for (size_t i = 0; i < n; ++i) order[i] = static_cast<int32_t>(i);
      return order;
    }
    if (c.order.size() != n) d.reject("order", "must list every column of the event exactly once");
    std::vector<bool> seen(n, false);
    for (size_t i = 0; i < n; ++i) {
      const auto j = static_cast<size_t>(c.order[i]);
      if (j >= n || seen[j]) d.reject("order", "must list every column of the event exactly once");
      seen[j] = true;
      order[i] = static_cast<int32_t>(j);
    }
    return order;
  }
};

}  // namespace

NF_PART(Layer, permutation, Permutation, "puts the columns into a given order", "Dinh et al. 2017, section 3.5",
        Domain::real, Domain::real, OnImages::per_pixel);

}  // namespace libnf
