// A masked net as a list of stages that can be completed step by step: the units of step e read inputs of the steps
// before e only. Data are by unit, [units, n], so that the units of a step are one run of memory. The nets of
// autoregressive maps (src/net/made.h builds them).
//
// Vector 0 is the input, [context, features]; vector i > 0 is the result of stage i - 1.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "runtime/kernel/staircase.h"
#include "runtime/op/ops.h"

namespace nf {

struct NetStage {
  enum Kind : uint8_t {
    linear,    // W^T in + b, then + residual, or then the activation
    activate,  // act(in)
    dropout,   // in times a random mask
    film,      // in (1 + scale) + shift
  } kind = linear;
  int in = 0;                  // vector
  int64_t first = 0;           // its first unit that is read
  int residual = -1;           // vector
  int scale = -1, shift = -1;  // vectors
  bool activated = false;
  int32_t weight = -1, bias = -1;  // of a linear stage: their places in the list of parameters
  kernel::Staircase mask;
  int range = 0;       // the linear stage whose columns are the units of this one
  int64_t units = 0;   // of the result
  int64_t offset = 0;  // in units: where the result lies when all vectors are stored together; a dropout's mask follows
};

struct StagedNet {
  std::vector<NetStage> stages;
  int64_t context = 0, features = 0;  // units of vector 0
  int64_t event = 0;                  // inputs, and steps
  int64_t per = 0;                    // numbers that the last stage gives for every input
  int64_t units = 0;                  // of all vectors together
  int32_t params = 0;                 // how many
  Activation act;
  double dropout = 0;

  // Appends a stage of `count` units; returns its vector.
  int add(NetStage stage, int64_t count);
  // Units of a stage that are complete after step e: [first_unit(e), first_unit(e + 1)).
  int64_t first_unit(const NetStage& stage, int64_t step) const;
  // Records the whole net: inputs x [n, features] and context [n, context] (nullptr without one) -> [event * per, n].
  Var operator()(Tape& t, std::span<const Var> params, Var x, Var context) const;
};

}  // namespace nf
