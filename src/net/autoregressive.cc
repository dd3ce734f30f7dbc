#include "src/net/autoregressive.h"

#include <algorithm>
#include <numeric>

#include "src/part/order.h"

namespace libnf {
namespace {

std::vector<int32_t> order_of(const AutoregressiveConfig& c, const Declare& d) {
  if (c.order == OrderKind::random) return random_order(d.columns(), static_cast<uint64_t>(c.order_seed), d.ordinal);
  std::vector<int32_t> order(static_cast<size_t>(d.columns()));
  std::iota(order.begin(), order.end(), 0);
  if (c.order == OrderKind::reversed) std::reverse(order.begin(), order.end());
  return order;
}

}  // namespace

void AutoregressiveConfig::fields(Fields& f) {
  static constexpr const char* kOrders[] = {"natural", "reversed", "random"};
  f.choice("order", "order of the columns; each is mapped depending on those before it", order, kOrders);
  f.integer("order_seed", "seed of the random order; layers of a model differ even with equal seeds", order_seed, 0,
            INT64_MAX);
  made.fields(f);
}

Autoregressive::Autoregressive(const AutoregressiveConfig& config, const Declare& d, const ColumnMap& map)
    : map_(map), order_(order_of(config, d)), made_(config.made, d.part("net"), map.per(), features_of_all(), order_) {}

// Collects the features of all columns and returns how many each column has, in autoregressive order.
std::vector<int64_t> Autoregressive::features_of_all() {
  std::vector<int64_t> counts;
  first_feature_.push_back(0);
  as_is_ = std::is_sorted(order_.begin(), order_.end());
  for (const int32_t column : order_) {
    map_.features(column, features_);
    first_feature_.push_back(features_.size());
    counts.push_back(static_cast<int64_t>(features_.size() - first_feature_[first_feature_.size() - 2]));
  }
  for (const ColumnFeature& f : features_) as_is_ &= f.kind == ColumnFeature::value;
  return counts;
}

Mapped Autoregressive::forward(const Scope& s, Var x, Var context) const {
  Var in = as_is_ ? x : column_features(s.tape, features_, x);
  return map_columns(s.tape, map_, order_.data(), x, made_(s, in, context));
}

Mapped Autoregressive::inverse(const Scope& s, Var z, Var context) const {
  const StagedNet& net = made_.net();
  Var* params = s.tape.scratch<Var>(net.params);
  for (int32_t i = 0; i < net.params; ++i) params[i] = s.param(made_.param(i));
  return autoregressive_inverse(s.tape, {&net, &map_, order_, features_, first_feature_}, z, context,
                                {params, static_cast<size_t>(net.params)});
}

}  // namespace libnf
