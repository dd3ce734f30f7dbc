// The recipe of `nf train auto`: a spec and settings of training as a function of the size of the data alone.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace cli {

struct AutoRecipe {
  std::string spec;  // JSON without "event" and "context", for standardized columns
  std::vector<std::pair<const char*, std::string>> options;  // by key, for those that the user did not set
  uint64_t steps = 0, valid_every = 0;                       // valid_every 0: as without the recipe
  bool all_rows = false;                                     // train on all rows, without validation
};

// validates: whether the user asked for validation rows (--valid, --holdout, --split).
//
// Up to 20,000 rows without validation are taken to be rows to rank, possibly with outliers among them: a mixture of small
// flows, fewer of them where there are many columns, a short run on all rows, noise that smooths the density, and bases with
// heavy tails. Otherwise the held-out likelihood counts: autoregressive splines, sized by rows, and the best of the run is
// kept.
AutoRecipe auto_recipe(int64_t rows, int64_t columns, bool validates);

}  // namespace cli
