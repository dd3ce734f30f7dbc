// What kind of numbers the columns of the training rows hold: a density needs to know, because it has no upper bound on
// values that repeat, and samples of whole numbers should be whole numbers again.
#pragma once
#include <cstdint>
#include <nf/nf.hpp>
#include <string>
#include <vector>

#include "src/cli/common/rows.h"

namespace cli {

struct ColumnKind {
  bool whole = false;    // all values are integers
  bool repeats = false;  // few different values for the number of rows
  bool counts = false;   // value i is the first one + i: an index
  int64_t distinct = 0;  // different values among the rows that were examined
  double step = 0;       // all values are multiples of it (1, 0.5, 0.1, ...); 0: of none of these
  // A value that seems to stand for a missing one: nines, and far outside of the others. With the rows that have it.
  double code = 0;
  int64_t coded = 0;
};
// Of each column. Large files are sampled.
std::vector<ColumnKind> column_kinds(const Rows& rows);

// The note "column_kinds" of a model, a list of "integer" and "real" per column, which nf sample follows.
void set_column_kinds(nf::Model& model, const std::vector<ColumnKind>& kinds);
// Whether each column holds integers; empty if the model does not say.
std::vector<bool> integer_columns(const nf::Model& model);

}  // namespace cli
