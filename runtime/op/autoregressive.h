// The inverse of an autoregressive map z_i = tau(x_i; h_i), h_i = net(x before i, context)_i, as one op.
//
// It goes through the inputs in order, but computes every hidden unit exactly once, when the last input that it depends
// on is known: D inputs for the arithmetic of one pass of the net, where running the whole net for every input costs D
// passes. Gradients of the inverse go the same way backwards, one pass again: with x = tau^-1(z; h), the gradient of
// x_i is complete once all units that depend on it are, and gives those of z_i and h_i. Values are the bits of the net
// run in one go (masked_linear.cc and the others).
#pragma once
#include "runtime/op/column_map.h"
#include "runtime/op/staged_net.h"

namespace libnf {

// Everything is borrowed and must outlive the graph.
struct AutoregressiveMap {
  const StagedNet* net;
  const ColumnMap* map;
  std::span<const int32_t> order;           // column order[i] is number i of the autoregressive order
  std::span<const ColumnFeature> features;  // of the columns, in that order: what the net gets
  std::span<const size_t>
      first_feature;  // features[first_feature[i]] ... features[first_feature[i + 1] - 1] of order[i]
};

// z [n, D] -> x [n, D] and its log_det. context [n, net.context], nullptr without one; params: weights and biases by
// their places in the net. In training the net's dropout applies, with masks as dropout.cc would draw them.
Mapped autoregressive_inverse(Tape& t, const AutoregressiveMap& map, Var z, Var context, std::span<const Var> params);

}  // namespace libnf
