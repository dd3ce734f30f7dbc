// What one row costs on its way through a model, and how many rows are processed at once as a result.
#pragma once
#include "runtime/tape/params.h"

namespace libnf {

class Density;

// Cost of one row from data to log_prob. It is counted on shapes (OpCost), so it is the same on every machine, for any
// parameters and any Memory. Zero: not known.
struct RowCost {
  int64_t work = 0;  // multiply-adds, plus one for every element that an op touches
  int64_t kept = 0;  // numbers that training keeps for gradients
};

RowCost row_cost(const Allocator& allocator, const Density& model);

inline constexpr int64_t kMaxBlockRows = 256;

// Returns the rows of a block, the unit of work of a thread:
//   256 if every matrix has at most 16 rows and columns, so that recording a node costs little per row
//   64  up to 128, where everything that 64 rows need fits into L2
//   128 above, to amortize reading the weights,
// but at most 2^20 / event rows, and no more than keep 2^24 numbers for gradients: 1 row of a large image model.
int64_t block_rows(const ParamStore& params, int64_t event, const RowCost& cost);

// Rows of a block whose graph is recorded for gradients with respect to the rows: as many of block_rows as keep 2^21
// numbers. With fewer rows the weights are read too often; with more only the memory grows.
int64_t gradient_rows(int64_t block_rows, const RowCost& cost);
// Whether a graph for such gradients keeps the inputs of layers only (Memory::recompute): one row keeps 2^24 numbers.
bool gradients_recompute(const RowCost& cost);

// Returns the rows of a block when n rows are scored or sampled. Rows are independent to the bit, so any cut is
// allowed: threads share a small call once each of them has 2^20 units of work, about 20 microseconds.
int64_t scoring_rows(const RowCost& cost, int64_t block_rows, int64_t n, int64_t threads);

}  // namespace libnf
