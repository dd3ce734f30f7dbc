// The inverse of an autoregressive map z_i = tau(x_i; h_i), h_i = net(x before i, context)_i, as one op.
//
// The inputs are solved in order, but every hidden unit is computed exactly once, as soon as the last input that it
// depends on is known. All D inputs together cost the arithmetic of one pass of the net; running the whole net for each
// input would cost D passes. The gradient of the inverse visits the units in reverse, again in one pass: with
// x = tau^-1(z; h), the gradient of x_i is complete once those of all units that depend on x_i are, and yields the
// gradients of z_i and h_i. The values have the same bits as one run of the whole net (masked_linear.cc).
#pragma once
#include "runtime/op/column_map.h"
#include "runtime/op/staged_net.h"

namespace libnf {

// All members are borrowed and must outlive the graph.
struct AutoregressiveMap {
  const StagedNet* net;
  const ColumnMap* map;
  std::span<const int32_t> order;           // column order[i] is number i of the autoregressive order
  std::span<const ColumnFeature> features;  // the net's inputs, in that order of columns
  std::span<const size_t>
      first_feature;  // features[first_feature[i]] ... features[first_feature[i + 1] - 1] of order[i]
};

// z [n, D] -> x [n, D] and its log_det. context [n, net.context], nullptr if there is none; params: weights and biases
// indexed as in the net. In training the net's dropout applies, with the masks that dropout.cc would draw.
Mapped autoregressive_inverse(Tape& t, const AutoregressiveMap& map, Var z, Var context, std::span<const Var> params);

}  // namespace libnf
