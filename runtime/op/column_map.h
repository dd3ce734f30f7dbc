// Maps of one column at a time with parameters for every row, z = tau(x; h), on data stored by unit: the rows of a
// column are one run of memory. What autoregressive layers and couplings do to a column, and the ops that apply it.
#pragma once
#include <span>
#include <vector>

#include "runtime/op/column_features.h"
#include "runtime/op/mapped.h"
#include "runtime/op/row_scope.h"

namespace nf {

// One column of n rows; `params` holds its numbers, [per, n].
template <class T>
struct Column {
  int64_t n;
  const T *in, *params;
  T *out, *log_det;  // log_det += log |d out / d in|
  int64_t column;    // of the event
};
template <class T>
struct ColumnGrad {
  int64_t n;
  const T *in, *params, *out;
  const T *g_out, *g_log_det;  // g_log_det may be nullptr: zero
  T *g_in, *g_params;          // are overwritten
  int64_t column;
};

// tau as ordinary ops: z and log |dz/dx|, one column or several.
struct ColumnVars {
  Var z, log_slope;
};

// A map tau and its inverse. A row's bits depend on that row only. Scratch comes from the scope's tape in a
// ScratchScope; an inverse by iteration reports a row that it misses as find_roots does (runtime/op/root.h).
class ColumnMap {
 public:
  virtual ~ColumnMap() = default;
  virtual int64_t per() const = 0;  // numbers for a column
  virtual void map(const RowScope& s, const Column<float>& c, bool inverse) const = 0;
  virtual void map(const RowScope& s, const Column<double>& c, bool inverse) const = 0;
  virtual void vjp(const RowScope& s, const ColumnGrad<float>& c, bool inverse) const = 0;
  virtual void vjp(const RowScope& s, const ColumnGrad<double>& c, bool inverse) const = 0;
  // tau itself as ordinary ops, from which tangents in both directions are taken: z and its log slope [N, 1] of x [N, 1]
  // with the numbers h [N, per] of every row. The first N / columns.size() rows are of columns[0], and so on.
  virtual ColumnVars expand(Tape& t, Var x, Var h, std::span<const int32_t> columns) const = 0;
  // Appends what a net that reads this column gets of it: the column, or sine and cosine of one that is a circle.
  virtual void features(int32_t column, std::vector<ColumnFeature>& list) const {
    list.push_back({ColumnFeature::value, column});
  }
};

// tau of x[:, columns[j]], j < m, as ordinary ops: z and log slopes [n, m]. h is [m * per, n] by unit or [n, m * per]
// (`by_unit`).
ColumnVars expand_columns(Tape& t, const ColumnMap& map, std::span<const int32_t> columns, Var x, Var h, bool by_unit);

// z[:, order[i]] = tau(x[:, order[i]]; h_i) for x [n, D] and h [D * per, n] by unit; `map` and `order` are borrowed.
Mapped map_columns(Tape& t, const ColumnMap& map, const int32_t* order, Var x, Var h);

// z[:, index[j]] = tau(x[:, index[j]]; h_j) for j < m, or its inverse; other columns pass. h is [n, m * per], the
// numbers of a column one after the other in every row; or the same numbers for all rows, as [m * per], [1, m * per]
// or [m, per]. `map` and `index` are borrowed.
Mapped couple_columns(Tape& t, const ColumnMap& map, const int32_t* index, int64_t m, Var x, Var h, bool inverse);

}  // namespace nf
