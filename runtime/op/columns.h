// Ops that move data: views of shared memory and copies of columns. contiguous(), the row-major copy, is in tape.h.
#pragma once
#include <cstdint>
#include <initializer_list>

#include "runtime/tape/tape.h"

namespace libnf {

Var reshape(Tape& t, Var x, const Dims& shape);                   // same elements, shared memory
Var slice_columns(Tape& t, Var x, int64_t first, int64_t count);  // [n, d] -> [n, count], shared memory
// y[:, j] = x[:, index[j]]; indices may repeat. `index` is borrowed and must outlive the graph.
Var gather_columns(Tape& t, Var x, const int32_t* index, int64_t count);
// y[:, j] = x[:, order[j]], or y[:, order[j]] = x[:, j] when `inverse`, for a Var order [d] that holds a permutation of
// 0 ... d - 1. Error{numeric} if it holds anything else. `order` has no gradient.
Var permute_columns(Tape& t, Var x, Var order, bool inverse);
Var concat_columns(Tape& t, Var a, Var b);  // [n, d], [n, e] -> [n, d + e]
// Axis i of the result is axis order[i] of x; shared memory. transpose: a matrix, or the last two axes.
Var permute(Tape& t, Var x, std::initializer_list<int> order);
Var transpose(Tape& t, Var x);

}  // namespace libnf
