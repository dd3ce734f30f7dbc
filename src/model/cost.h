// What one row costs on its way through a model, and how many rows are worked on at once because of that.
#pragma once
#include "runtime/tape/params.h"

namespace nf {

class Density;

// Of one row from data to log_prob, counted on shapes (OpCost), so the same on every machine, for any parameters and for
// any Memory. Zero: not known.
struct RowCost {
  int64_t work = 0;  // multiply-adds, plus one for every element that an op touches
  int64_t kept = 0;  // numbers that training keeps for gradients
};

RowCost row_cost(const Allocator& allocator, const Density& model);

inline constexpr int64_t kMaxBlockRows = 256;

// Rows of a block, the unit that a thread works on:
//   256 where every matrix has at most 16 rows and columns, so that recording a node costs little per row
//   64  up to 128, where everything that 64 rows need fits into L2
//   128 above, to make up for reading the weights,
// but at most 2^20 / event rows, and no more than keep 2^24 numbers for gradients: 1 row of a large image model.
int64_t block_rows(const ParamStore& params, int64_t event, const RowCost& cost);

// Rows of a block whose graph is recorded for gradients with respect to the rows: as many of block_rows as keep 2^20
// numbers, so that the way back finds them in the cache.
int64_t gradient_rows(int64_t block_rows, const RowCost& cost);
// Whether a graph for such gradients keeps the inputs of layers only (Memory::recompute): one row keeps 2^24 numbers.
bool gradients_recompute(const RowCost& cost);

// Rows of a block when n rows are scored or sampled. Rows are independent to the bit, so the cut is free: threads share
// a small call once every one of them has 2^20 units of work, about 20 microseconds.
int64_t scoring_rows(const RowCost& cost, int64_t block_rows, int64_t n, int64_t threads);

}  // namespace nf
