// Which rows of --data train, validate and test: drawn by seed, the same on every machine. Rows in memory are drawn one
// by one; those of a mapped file, which may be larger than memory, in blocks that stay where they are.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "src/cli/train_plan.h"

namespace nf::cli {

struct Shares {
  double train = 1, valid = 0, test = 0;
};
Shares parse_shares(const std::string& words);  // "0.8,0.1,0.1"

// Row numbers of the three parts, each ascending: `valid` and then `test` of n are drawn.
std::array<std::vector<int64_t>, 3> draw_parts(int64_t n, int64_t valid, int64_t test, uint64_t seed);

// Moves the rows that do not train from plan.train to plan.valid and plan.test.
void split_rows(TrainArgs& args, TrainPlan& plan);

// One number per row of --data: 0 trains, 1 validates, 2 tests.
void write_parts(const TrainPlan& plan, const std::string& path);

}  // namespace nf::cli
