// Finds columns of data and context whose scale a fresh model does not expect, and decides what is standardized.
#pragma once
#include <string>
#include <vector>

#include "src/cli/train/plan.h"

namespace cli {

// Columns far from mean 0 and standard deviation 1: "year has mean 2000, std 300". A fresh model is near the identity onto
// a standard normal, so other scales cost many steps or diverge.
struct OddColumns {
  std::vector<std::string> scaled;
  std::vector<std::string> constant;  // "kind (7)"; their likelihood has no bound
};
OddColumns odd_columns(const Rows& rows);

// The spec with a layer that standardizes the data, and with "prepare_context", where the arguments ask for it, or leave it
// open and the columns need it.
struct ScaledSpec {
  std::string spec;
  std::vector<std::string> notes;  // what was added, and warnings of what stays as it is
};
ScaledSpec scaled_spec(const TrainArgs& args, const TrainPlan& plan, const std::string& typed);

}  // namespace cli
