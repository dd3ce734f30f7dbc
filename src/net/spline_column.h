// Splines as maps of columns, shared by the layers spline, spline_coupling and spline_autoregressive. For formulas,
// accuracy and behavior outside the interval see runtime/kernel/spline.h and spline_pieces.h.
#pragma once
#include <vector>

#include "runtime/kernel/spline.h"
#include "runtime/kernel/spline_pieces.h"
#include "runtime/op/column_map.h"
#include "src/part/declare.h"
#include "src/part/fields.h"

namespace libnf {

enum class SplineKind : uint8_t { rational_quadratic, linear, quadratic, cubic };
enum class SplineTailsKind : uint8_t { linear, none, circular };
enum class SplineConvention : uint8_t { identity, nflows, zuko };

struct SplineConfig {
  SplineKind kind = SplineKind::rational_quadratic;
  int64_t bins = 8;
  SplineTailsKind tails = SplineTailsKind::linear;
  std::vector<int64_t> circular;
  double bound = 3;
  std::vector<double> interval;
  SplineConvention convention = SplineConvention::identity;
  double min_bin_width = 1e-3, min_bin_height = 1e-3, min_derivative = 1e-3;
  void fields(Fields& f);
};

class SplineColumn final : public ColumnMap {
 public:
  // Raw widths and heights are multiplied by raw_scale.
  SplineColumn(const SplineConfig& c, const Declare& d, double raw_scale = 1);

  int64_t per() const override { return per_; }
  void map(const RowScope&, const Column<float>& c, bool inverse) const override;
  void map(const RowScope&, const Column<double>& c, bool inverse) const override;
  void vjp(const RowScope&, const ColumnGrad<float>& c, bool inverse) const override;
  void vjp(const RowScope&, const ColumnGrad<double>& c, bool inverse) const override;
  ColumnVars expand(Tape& t, Var x, Var h, std::span<const int32_t> columns) const override;
  void features(int32_t column, std::vector<ColumnFeature>& list) const override;

 private:
  const kernel::SplineBox& box(int64_t column) const { return boxes_[static_cast<size_t>(column)]; }
  template <class T>
  void apply(const Column<T>& c, bool inverse) const;
  template <class T>
  void differentiate(const ColumnGrad<T>& c, bool inverse) const;
  int64_t used(int64_t column) const;  // number of parameters the column needs
  bool rational_;
  kernel::SplineShape shape_;             // if rational_
  kernel::PiecesShape pieces_;            // otherwise
  std::vector<kernel::SplineBox> boxes_;  // one per column of the event
  int64_t per_;                           // the largest used(column); columns that need fewer ignore the last ones
};

}  // namespace libnf
