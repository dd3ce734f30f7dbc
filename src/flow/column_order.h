// Base class of layers that only reorder columns: z[:, j] = x[:, order[j]], log_det = 0.
#pragma once
#include "runtime/op/ops.h"
#include "src/flow/layer.h"
#include "src/part/order.h"

namespace libnf {

class ColumnOrder : public Layer {
 public:
  explicit ColumnOrder(std::vector<int32_t> order) : order_(std::move(order)), back_(inverse_order(order_)) {}
  Mapped forward(const Scope& s, Var x, Var) const override { return {gather(s, x, order_), nullptr}; }
  Mapped inverse(const Scope& s, Var z, Var) const override { return {gather(s, z, back_), nullptr}; }
  LowPart low_part() const override { return LowPart::passed; }

 private:
  static Var gather(const Scope& s, Var x, const std::vector<int32_t>& order) {
    return gather_columns(s.tape, x, order.data(), static_cast<int64_t>(order.size()));
  }
  std::vector<int32_t> order_, back_;
};

}  // namespace libnf
