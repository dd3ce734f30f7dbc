// The rows of one training step, and blocks of them on a lane's tape.
#pragma once
#include <string>

#include "src/lane/lane.h"

namespace nf {

// Rows come from the caller's memory. Objectives that draw their rows have no x.
struct Batch {
  View x;                   // [n, event]
  View context;             // [n or 1, context], or no data
  View weight;              // [n], or no data: all 1
  View scores;              // [n, event], gradients of a log density at x, or no data
  double total_weight = 0;  // over all ranks
  double counting = 0;      // rows of weight above 0, over all ranks
  RandomKey random;         // seed and step

  int64_t rows() const { return x.data ? x.shape[0] : 0; }
};

struct Block {
  int64_t first = 0;                                     // row of the batch
  Var x = nullptr, context = nullptr, scores = nullptr;  // nullptr: the batch has none
};

// Puts rows [first, first + rows) on the lane's tape. Rows without weight hold a copy of one that has weight, so that
// they cannot make anything NaN. Returns false when no row has weight.
bool load_block(Lane& lane, const Batch& batch, int64_t first, int64_t rows, Block* block);

// Writes weight times loss of each row to row_loss[first ...], and seeds the gradient of the batch's loss, the sum of
// weight times loss over `total`.
void seed_losses(Lane& lane, const Batch& batch, int64_t first, Var losses, double total, double* row_loss);

// A batch of n rows of one repeated zero, to find out what a step needs: `zero` must outlive it.
Batch batch_of_zeros(const Density& model, int64_t n, double* zero);

// Whether row `row` of a view of the batch, which may have one row for all, has only finite numbers.
bool is_finite_row(Lane& lane, const View& rows, int64_t row);

// Where values stop being finite when this row is scored alone, on the lane's empty tape (Density::first_nonfinite).
std::string place_of_row(Lane& lane, const Density& model, const Batch& batch, int64_t row);

}  // namespace nf
