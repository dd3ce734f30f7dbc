// Checks tangents of a flow, and gradients of them, against five-point differences along random directions: what
// Hessian-vector products and score matching rely on.
#pragma once
#include "tests/support/flow_case.h"

namespace libnf::test {

struct TangentCase {
  FlowCase<double>& f;
  Rows2 in;
  bool density;         // of log_prob; else of forward's y and log_det
  bool context = true;  // false: it holds labels, which nothing is differentiated by
  Memory memory = Memory::full;
};

// Tangents along x, along the context and along every trainable tensor, or `max_tensors` of them at random; and of each
// the gradients by x, context and all parameters together. Both to 1e-6 of the difference, or of 1.
testing::AssertionResult tangents_agree(TangentCase c, uint64_t seed, size_t max_tensors = 1000);

}  // namespace libnf::test
