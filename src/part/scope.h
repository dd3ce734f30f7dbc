// What a part needs to build a graph: the tape and the parameters.
#pragma once
#include "runtime/op/batch_columns.h"
#include "runtime/op/mapped.h"
#include "runtime/tape/tape.h"
#include "src/part/declare.h"

namespace libnf {

// A graph under construction: the tape and the parameters as its leaves.
struct Scope {
  Tape& tape;
  Node* params;                // indexed by ParamId
  BatchPart* batch = nullptr;  // set when training a layer that couples rows: these rows' part of the batch
  bool wide = false;           // rows of data that come out of the inverse keep what rounding takes (Node::low)
  // With Memory::invert, for each layer of the chain: whether its input is kept all the same. nullptr: for none.
  const char* kept_inputs = nullptr;
  Var param(ParamId id) const { return id < 0 ? nullptr : &params[id]; }
};

}  // namespace libnf
