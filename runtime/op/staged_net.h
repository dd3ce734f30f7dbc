// A masked net as a list of stages that can be completed step by step: the units of step e depend only on inputs of the
// steps before e. Data are stored by unit, [units, n], so the units of a step are contiguous. Used for the nets of
// autoregressive maps (src/net/made.h builds them).
//
// Vector 0 is the input, [context, features]; vector i > 0 is the result of stage i - 1.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "runtime/kernel/staircase.h"
#include "runtime/op/ops.h"

namespace libnf {

struct NetStage {
  enum Kind : uint8_t {
    linear,    // W^T in + b, then + residual or the activation
    activate,  // act(in)
    dropout,   // in times a random mask
    film,      // in (1 + scale) + shift
  } kind = linear;
  int in = 0;                  // input vector
  int64_t first = 0;           // first unit of it that is read
  int residual = -1;           // vector to add
  int scale = -1, shift = -1;  // vectors
  bool activated = false;
  int32_t weight = -1, bias = -1;  // of a linear stage: indices in the list of parameters
  kernel::Staircase mask;
  int range = 0;       // the linear stage whose columns are this stage's units
  int64_t units = 0;   // number of units of the result
  int64_t offset = 0;  // of the result, in units, when all vectors are stored together; a dropout's mask follows it
};

struct StagedNet {
  std::vector<NetStage> stages;
  int64_t context = 0, features = 0;  // units of vector 0
  int64_t event = 0;                  // number of inputs, which is the number of steps
  int64_t per = 0;                    // numbers that the last stage computes per input
  int64_t units = 0;                  // total of all vectors
  int32_t params = 0;                 // number of parameters
  Activation act;
  double dropout = 0;

  // Appends a stage of `count` units and returns its vector.
  int add(NetStage stage, int64_t count);
  // Units [first_unit(e), first_unit(e + 1)) of a stage are complete after step e.
  int64_t first_unit(const NetStage& stage, int64_t step) const;
  // Records the whole net: inputs x [n, features] and context [n, context] (nullptr without one) -> [event * per, n].
  Var operator()(Tape& t, std::span<const Var> params, Var x, Var context) const;
};

}  // namespace libnf
