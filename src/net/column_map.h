// Maps of one column at a time, with parameters for every row: what an autoregressive layer does to x_i given h_i, on
// data stored by unit, so that a column of the rows of a block is one run of memory.
#pragma once
#include "src/net/periodic.h"
#include "src/part/scope.h"

namespace nf {

// One column of n rows; `params` holds its numbers, [per, n].
template <class T>
struct Column {
  int64_t n;
  const T *in, *params;
  T *out, *log_det;  // log_det += log |d out / d in|
  T* scratch;
  int64_t column;  // of the event
};
template <class T>
struct ColumnGrad {
  int64_t n;
  const T *in, *params, *out;
  const T *g_out, *g_log_det;  // g_log_det may be nullptr: zero
  T *g_in, *g_params;          // are overwritten
  T* scratch;
  int64_t column;
};

// z = tau(x; h), or its inverse.
class ColumnMap {
 public:
  virtual ~ColumnMap() = default;
  virtual int64_t per() const = 0;      // numbers for a column
  virtual int64_t scratch() const = 0;  // numbers for a row of a column
  virtual void map(const Column<float>& c, bool inverse) const = 0;
  virtual void map(const Column<double>& c, bool inverse) const = 0;
  virtual void vjp(const ColumnGrad<float>& c, bool inverse) const = 0;
  virtual void vjp(const ColumnGrad<double>& c, bool inverse) const = 0;
  // Adds what a net that reads this column sees of it: the column, or sine and cosine of one that is a circle.
  virtual void see(int32_t column, std::vector<Seen>& seen) const { seen.push_back({Seen::plain, column}); }
};

// z[:, order[i]] = tau(x[:, order[i]]; h_i) for x [n, D] and h [D * per, n] by unit; `map` and `order` are borrowed.
Mapped map_columns(Tape& t, const ColumnMap& map, const int32_t* order, Var x, Var h);

// z[:, index[j]] = tau(x[:, index[j]]; h_j) for j < m, or its inverse; other columns pass. h is [n, m * per], the numbers
// of a column one after the other in every row, or [m * per], [1, m * per] or
// [m, per]: the same numbers for all rows. `map` and `index` are
// borrowed.
Mapped couple_columns(Tape& t, const ColumnMap& map, const int32_t* index, int64_t m, Var x, Var h, bool inverse);

}  // namespace nf
