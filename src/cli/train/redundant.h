// Columns that add nothing to a table: linear functions of others. Rows then lie on a plane, where a density has no upper
// bound, and a log-likelihood says more about the rounding of the numbers than about the rows.
#pragma once
#include <cstdint>
#include <vector>

#include "src/cli/common/rows.h"

namespace cli {

struct Redundant {
  int64_t column;
  std::vector<int64_t> of;  // the earlier columns that it is a function of; empty: more than four
};
// Among the first 300 columns, judged by up to 5,000 rows. Nothing is said of tables with fewer than two rows per column.
std::vector<Redundant> redundant_columns(const Rows& rows);

}  // namespace cli
