// Autoregressive maps z_i = tau(x_i; h_i), where h_i is a function of the columns of x before i in some order and of
// the context, computed by a MADE (src/net/made.h). Shared by layers that differ in tau only.
//
// The inverse costs one pass of the net (runtime/op/autoregressive.h). Dropout applies in training in both directions.
// Circular columns enter the net as sine and cosine, so later columns see no jump where the circle closes.
#pragma once
#include "runtime/op/autoregressive.h"
#include "src/net/made.h"

namespace libnf {

enum class OrderKind : uint8_t { natural, reversed, random };

struct AutoregressiveConfig {
  OrderKind order = OrderKind::natural;
  int64_t order_seed = 0;
  MadeConfig made;
  void fields(Fields& f);
};

class Autoregressive {
 public:
  // `map` is borrowed.
  Autoregressive(const AutoregressiveConfig& config, const Declare& d, const ColumnMap& map);
  Autoregressive(const Autoregressive&) = delete;  // graphs point to it
  Autoregressive& operator=(const Autoregressive&) = delete;

  Mapped forward(const Scope& s, Var x, Var context) const;
  Mapped inverse(const Scope& s, Var z, Var context) const;

 private:
  std::vector<int64_t> features_of_all();
  const ColumnMap& map_;
  std::vector<int32_t> order_;  // column order_[i] of x is at position i of the autoregressive order
  std::vector<ColumnFeature> features_;
  std::vector<size_t> first_feature_;
  bool as_is_;  // true if the net reads x unchanged
  Made made_;
};

}  // namespace libnf
