// The map from a net's raw output to a positive scale, as couplings and splits configure it.
#pragma once
#include <span>
#include <vector>

#include "runtime/op/coupling.h"
#include "src/part/fields.h"
#include "src/part/scope.h"

namespace libnf {

enum class ScaleKind : uint8_t { bounded_exp, exp, sigmoid, softplus, soft_exp, plain_sigmoid, learned_bound };

struct ScaleConfig {
  ScaleKind kind = ScaleKind::bounded_exp;
  double cap = 3;
  bool shift_first = false;
  // `what` the scale is, for the documentation.
  void fields(Fields& f, const char* what);
};

// The affine map of some columns of an event by (shift | raw scale) from a net.
class AffineColumns {
 public:
  // `columns` of x are those that the map changes; `places` says which columns of the event they are. Declares "log_bound"
  // for learned_bound: one number c for each channel (of a vector: column) among them, whose log scale is bounded by e^c,
  // initially 1.
  AffineColumns(const ScaleConfig& config, const Declare& d, std::vector<int32_t> columns,
                std::span<const int32_t> places);
  int64_t count() const { return static_cast<int64_t>(columns_.size()); }
  const std::vector<int32_t>& columns() const { return columns_; }
  // x [n, D], h [n, 2 count()]: the shifts, then the raw scales. `inverse` divides by the scales.
  Mapped operator()(const Scope& s, Var x, Var h, bool inverse) const;

 private:
  std::vector<int32_t> columns_;
  ScaleConfig config_;
  ParamId bound_ = -1;
  std::vector<int32_t> channel_;  // of each column, as an index into log_bound
};

}  // namespace libnf
