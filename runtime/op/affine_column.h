// The affine map of a column in autoregressive layers, with (t, raw) for every row:
//   z = x s + t,  log_det = log s,  s = ScaleMap(raw);   inverse x = (z - t)/s
// or gated (Kingma et al. 2016, eq. 13-14: the update of an LSTM, which forgets little at the start):
//   z = x g + (1 - g) t,  log_det = log g,  g = sigmoid(raw + 1);   inverse x = (z - (1 - g) t)/g
#pragma once
#include "runtime/op/column_map.h"
#include "runtime/op/ops.h"

namespace libnf {

enum class ColumnScale : uint8_t { bounded_exp, soft_exp, sigmoid, softplus, gate };

class AffineColumn final : public ColumnMap {
 public:
  // `cap` bounds |log s| of bounded_exp.
  AffineColumn(ColumnScale scale, double cap) : scale_(scale), cap_(cap) {}
  int64_t per() const override { return 2; }
  void map(const RowScope& s, const Column<float>& c, bool inverse) const override;
  void map(const RowScope& s, const Column<double>& c, bool inverse) const override;
  void vjp(const RowScope& s, const ColumnGrad<float>& c, bool inverse) const override;
  void vjp(const RowScope& s, const ColumnGrad<double>& c, bool inverse) const override;
  ColumnVars expand(Tape& t, Var x, Var h, std::span<const int32_t> columns) const override;

 private:
  template <class T, class C>
  void find_scale(const C& c, T* s, T* log_s, T* slope) const;
  template <class T>
  void apply(Tape& t, const Column<T>& c, bool inverse) const;
  template <class T>
  void differentiate(Tape& t, const ColumnGrad<T>& c, bool inverse) const;

  ColumnScale scale_;
  double cap_;
};

}  // namespace libnf
