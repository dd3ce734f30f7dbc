// An op family describes itself by test cases, so that one generic suite can check gradients, tangents, layouts, sizes
// and non-finite inputs of every op. The list of families is generated from runtime/op/meson.build.
#pragma once
#include "runtime/tape/tape.h"

namespace libnf {

// The range from which tests and fuzzing draw an op's inputs.
enum class Domain : uint8_t {
  real,       // normal, scale 1
  positive,   // log-uniform around 1
  unit,       // (0, 1)
  nonzero,    // real, away from 0, for functions with a kink or a pole there
  symmetric,  // (-1, 1)
  integer,    // 0, 1, ... 7
};

// `dims` names extents by letters, outermost first: "nd" is [n, d]. The suite tries many sizes for the letters,
// including 0 and 1. A digit is a fixed extent. nullptr ends the list.
struct OpInput {
  const char* dims = nullptr;
  Domain domain = Domain::real;
  bool differentiable = true;
};

inline constexpr int kMaxInputs = 10;

struct OpCase {
  const char* name;
  OpInput in[kMaxInputs];
  Var (*build)(Tape& t, const Var* in);
  bool smooth = true;  // false: there is no second derivative to check
};

struct OpFamily {
  const char* name;
  const OpCase* cases;
  int n_cases;
};

// Lists both instantiations of a function template, in the order of Op's arrays.
#define NF_BOTH(fn) \
  { fn<float>, fn<double> }

}  // namespace libnf
