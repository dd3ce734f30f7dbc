// Maps of one column at a time with parameters per row, z = tau(x; h), on data stored by unit: the rows of a column are
// contiguous. These are the column maps of autoregressive layers and couplings, with the ops that apply them.
#pragma once
#include <span>
#include <vector>

#include "runtime/op/column_features.h"
#include "runtime/op/mapped.h"
#include "runtime/op/row_scope.h"

namespace libnf {

// One column of n rows; `params` are its parameters, [per, n].
template <class T>
struct Column {
  int64_t n;
  const T *in, *params;
  T *out, *log_det;  // log_det += log |d out / d in|
  int64_t column;    // index in the event
};
template <class T>
struct ColumnGrad {
  int64_t n;
  const T *in, *params, *out;
  const T *g_out, *g_log_det;  // g_log_det may be nullptr, which means zero
  T *g_in, *g_params;          // overwritten
  int64_t column;
};

// tau as ordinary ops: z and log |dz/dx|, for one or several columns.
struct ColumnVars {
  Var z, log_slope;
};

// A map tau and its inverse. The bits of a row depend only on that row. Scratch memory comes from the scope's tape in a
// ScratchScope. An iterative inverse reports a row that it fails to invert as find_roots does (runtime/op/root.h).
class ColumnMap {
 public:
  virtual ~ColumnMap() = default;
  virtual int64_t per() const = 0;  // parameters per column
  virtual void map(const RowScope& s, const Column<float>& c, bool inverse) const = 0;
  virtual void map(const RowScope& s, const Column<double>& c, bool inverse) const = 0;
  virtual void vjp(const RowScope& s, const ColumnGrad<float>& c, bool inverse) const = 0;
  virtual void vjp(const RowScope& s, const ColumnGrad<double>& c, bool inverse) const = 0;
  // Returns tau as ordinary ops, from which tangents in both directions are derived: z and its log slope [N, 1] of x
  // [N, 1] with parameters h [N, per] per row. The first N / columns.size() rows are of columns[0], and so on.
  virtual ColumnVars expand(Tape& t, Var x, Var h, std::span<const int32_t> columns) const = 0;
  // Appends the features by which a net reads this column: the column itself, or sine and cosine if it is circular.
  virtual void features(int32_t column, std::vector<ColumnFeature>& list) const {
    list.push_back({ColumnFeature::value, column});
  }
};

// Returns tau of x[:, columns[j]], j < m, as ordinary ops: z and log slopes [n, m]. h is [m * per, n] by unit
// (`by_unit`) or [n, m * per].
ColumnVars expand_columns(Tape& t, const ColumnMap& map, std::span<const int32_t> columns, Var x, Var h, bool by_unit);

// Computes z[:, order[i]] = tau(x[:, order[i]]; h_i) for x [n, D] and h [D * per, n] by unit. `map` and `order` are
// borrowed.
Mapped map_columns(Tape& t, const ColumnMap& map, const int32_t* order, Var x, Var h);

// Computes z[:, index[j]] = tau(x[:, index[j]]; h_j) for j < m, or the inverse; other columns pass through. h is
// [n, m * per], with the parameters of a column consecutive in every row; or the same parameters for all rows, as
// [m * per], [1, m * per] or [m, per]. `map` and `index` are borrowed.
Mapped couple_columns(Tape& t, const ColumnMap& map, const int32_t* index, int64_t m, Var x, Var h, bool inverse);

}  // namespace libnf
