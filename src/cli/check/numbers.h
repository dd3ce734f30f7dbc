// Order statistics of errors; non-finite values are counted separately.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "src/cli/common/text.h"

namespace cli {

struct Spread {
  double median = 0, p99 = 0, max = 0;
  int64_t nonfinite = 0;
  std::string words() const;  // "median 2.1e-07, 99 % 1.3e-06, worst 4.0e-06"
  nlohmann::ordered_json json() const;
};
Spread spread_of(std::vector<double> values);

}  // namespace cli
