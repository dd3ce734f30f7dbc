// Reverses the columns: z_j = x_{D-1-j}, log_det = 0.
#include "src/flow/column_order.h"

namespace libnf {
namespace {

class Reverse final : public ColumnOrder {
 public:
  using Config = NoConfig;
  Reverse(const Config&, const Declare& d) : ColumnOrder(order(d.columns())) {}

 private:
  static std::vector<int32_t> order(int64_t n) {
    std::vector<int32_t> v;
    for (int64_t i = n; i-- > 0;) v.push_back(static_cast<int32_t>(i));
    return v;
  }
};

}  // namespace

NF_PART(Layer, reverse, Reverse, "reverses the order of the columns", "Papamakarios et al. 2017, MAF, section 3.2",
        Domain::real, Domain::real, OnImages::per_pixel);

}  // namespace libnf
