// The rows of one training step, and blocks of them on a lane's tape.
#pragma once
#include <string>

#include "src/lane/lane.h"

namespace libnf {

// Rows are in the caller's memory. Objectives that draw their own rows have no x.
struct Batch {
  View x;                            // [n, event]
  View context;                      // [n or 1, context], or no data
  View weight;                       // [n], or no data: all weights are 1
  View scores;                       // [n, event], gradients of a log density at x, or no data
  double total_weight = 0;           // sum over all ranks
  double counting = 0;               // number of rows with weight above 0, over all ranks
  RandomKey random;                  // seed, step, and the index of the first row
  const int64_t* numbers = nullptr;  // row numbers for messages; nullptr: first_number, first_number + 1, ...
  int64_t first_number = 0;
  bool latents = false;  // x are latents

  int64_t rows() const { return x.data ? x.shape[0] : 0; }
  int64_t number(int64_t r) const { return numbers ? numbers[r] : first_number + r; }
};

// Rows [first, first + count) of a batch.
Batch part_of(const Batch& batch, int64_t first, int64_t count);

// Error{argument} for weights that are negative or not finite. sums: all weights, and how many are above 0.
void check_weights(const Batch& batch, double sums[2]);

struct Block {
  int64_t first = 0;                                     // first row, as an index into the batch
  Var x = nullptr, context = nullptr, scores = nullptr;  // nullptr if the batch has none
};

// Puts rows [first, first + rows) on the lane's tape. Rows without weight become a copy of a row that has weight, so
// that they cannot produce NaN. Returns false if no row has weight.
bool load_block(Lane& lane, const Batch& batch, int64_t first, int64_t rows, Block* block);

// Writes weight times loss of each row to row_loss[first ...], and seeds the gradient of the batch's loss, which is the
// sum of weight times loss divided by `total`.
void seed_losses(Lane& lane, const Batch& batch, int64_t first, Var losses, double total, double* row_loss);

// Returns a batch of n rows of zeros (all rows share `zero`, which must outlive it), for measuring what a step needs.
Batch batch_of_zeros(const Density& model, int64_t n, double* zero);

// Returns whether row `row` of a view of the batch, which may have one row for all, has only finite numbers.
bool is_finite_row(Lane& lane, const View& rows, int64_t row);

// Scores one row alone on the lane's empty tape and returns where its values stop being finite
// (Density::first_nonfinite). inverse: the rows are latents.
Density::Location row_nonfinite_at(Lane& lane, const Density& model, const Batch& batch, int64_t row,
                                   bool inverse = false);

}  // namespace libnf
