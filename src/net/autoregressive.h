// Autoregressive maps z_i = tau(x_i; h_i), h_i a function of the x before i in some order and of the context, computed
// by a MADE (src/net/made.h): what layers share that differ in tau only.
//
// The inverse goes through the inputs in order, but computes every hidden unit exactly once, when the last input that
// it depends on is known: D inputs for the arithmetic of one pass of the net, where running the whole net for every
// input costs D passes. Gradients of the inverse go the same way backwards, one pass again: with x = tau^-1(z; h),
// the gradient of x_i is complete once all units that depend on it are, and gives those of z_i and h_i.
// Values are the bits of the net run in one go. Dropout applies in training in both directions.
// Columns that are circles enter the net as sine and cosine: what comes after them is the same at both ends.
#pragma once
#include "src/net/column_map.h"
#include "src/net/made.h"

namespace nf {

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

  // Column order()[i] of x is number i of the autoregressive order.
  const std::vector<int32_t>& order() const { return order_; }
  const Made& made() const { return made_; }
  const ColumnMap& map() const { return map_; }
  // What the net sees of column order()[i]: seen()[first_seen(i)] ... seen()[first_seen(i + 1) - 1].
  const std::vector<Seen>& seen() const { return seen_; }
  size_t first_seen(int64_t i) const { return first_seen_[static_cast<size_t>(i)]; }

  Mapped forward(const Scope& s, Var x, Var context) const;
  Mapped inverse(const Scope& s, Var z, Var context) const;

 private:
  std::vector<int64_t> see_all();
  const ColumnMap& map_;
  std::vector<int32_t> order_;
  std::vector<Seen> seen_;
  std::vector<size_t> first_seen_;
  bool as_is_;  // the net sees x itself
  Made made_;
};

}  // namespace nf
