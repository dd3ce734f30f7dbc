// Splits --data into training, validation and test rows by seed, the same on every machine. Rows in memory are drawn
// one by one; rows of a mapped file, which may be larger than memory, in blocks that are not copied.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "src/cli/train/plan.h"

namespace cli {

struct Shares {
  double train = 1, valid = 0, test = 0;
};
Shares parse_shares(const std::string& words);  // "0.8,0.1,0.1"

// Returns the row numbers of the three parts, each ascending: draws `valid` of n rows, then `test`.
std::array<std::vector<int64_t>, 3> draw_parts(int64_t n, int64_t valid, int64_t test, uint64_t seed);

// Sets plan.parts, and plan.test to its rows; of a mapped file the options that split it.
void split_rows(TrainArgs& args, TrainPlan& plan);

// Writes one number per row of --data: 0 training, 1 validation, 2 test.
void write_parts(const TrainPlan& plan, const std::string& path);

}  // namespace cli
