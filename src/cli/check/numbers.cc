// See numbers.h.
#include "src/cli/check/numbers.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace cli {

Spread spread_of(std::vector<double> values) {
  Spread s;
  s.nonfinite = static_cast<int64_t>(std::erase_if(values, [](double v) { return !std::isfinite(v); }));
  if (values.empty()) return s;
  std::sort(values.begin(), values.end());
  const auto at = [&](double share) {
    return values[static_cast<size_t>(share * static_cast<double>(values.size() - 1))];
  };
  s.median = at(0.5);
  s.p99 = at(0.99);
  s.max = values.back();
  return s;
}

std::string Spread::words() const {
  std::string out = text("median %.1e, 99 %% %.1e, worst %.1e", median, p99, max);
  if (nonfinite) out += text("; %s not finite", counted(nonfinite, "row").c_str());
  return out;
}

nlohmann::ordered_json Spread::json() const {
  return {{"median", median}, {"p99", p99}, {"max", max}, {"nonfinite", nonfinite}};
}

}  // namespace cli
