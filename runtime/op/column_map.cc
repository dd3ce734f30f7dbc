#include "runtime/op/column_map.h"

#include "runtime/op/layout.h"
#include "runtime/op/ops.h"

namespace libnf {

ColumnVars expand_columns(Tape& t, const ColumnMap& map, std::span<const int32_t> columns, Var x, Var h, bool by_unit) {
  const int64_t n = x->out.shape[0], m = static_cast<int64_t>(columns.size()), per = map.per();
  // Columns one after the other, so that the rows of a column are contiguous.
  Var one = transpose(t, gather_columns(t, x, columns.data(), m));
  Var numbers =
      by_unit ? permute(t, reshape(t, h, {m, per, n}), {0, 2, 1}) : permute(t, reshape(t, h, {n, m, per}), {1, 0, 2});
  const ColumnVars e = map.expand(t, reshape(t, one, {m * n, 1}), reshape(t, numbers, {m * n, per}), columns);
  const auto by_row = [&](Var v) { return contiguous(t, transpose(t, reshape(t, v, {m, n}))); };
  return {by_row(e.z), by_row(e.log_slope)};
}

}  // namespace libnf
