#include "src/model/spacing.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

namespace libnf {
namespace {

constexpr int64_t kMostRows = 4096;

struct Extent {
  double mean = 0, squares = 0, largest = 0;
};

// The distance of neighboring numbers with `bits` bits near v.
double distance_at(double v, int bits) { return std::ldexp(1.0, std::ilogb(v) - bits + 1); }

}  // namespace

std::string coarse_column(const Density& model, const View& rows, bool is_context, const char* name) {
  const int64_t n = rows.shape[0], taken = std::min(n, kMostRows);
  const int64_t columns = is_context ? model.context() : model.columns();
  if (n < 2 || columns == 0) return "";
  std::vector<double> row(static_cast<size_t>(columns));
  std::vector<Extent> all(row.size());
  const View one = contiguous_view(row.data(), DType::f64, {1, columns});
  for (int64_t i = 0; i < taken; ++i) {  // Welford's update
    copy_rows(rows_of_view(rows, i * (n - 1) / (taken - 1), 1), one);
    for (size_t j = 0; j < row.size(); ++j) {
      Extent& e = all[j];
      const double away = row[j] - e.mean;
      e.mean += away / static_cast<double>(i + 1);
      e.squares += away * (row[j] - e.mean);
      e.largest = std::max(e.largest, std::abs(row[j]));
    }
  }
  const bool low = is_context ? model.uses_context_low() : model.uses_low();
  const bool narrow_rows = rows.dtype == DType::f32, narrow_model = model.dtype() == DType::f32 && !low;
  const int bits = narrow_rows || narrow_model ? 24 : low ? 48 : 53;
  for (size_t j = 0; j < row.size(); ++j) {
    const Extent& e = all[j];
    const double spread = std::sqrt(e.squares / static_cast<double>(taken - 1));
    if (!std::isfinite(spread) || !std::isfinite(e.largest) || !(spread > 0)) continue;
    const double step = distance_at(e.largest, bits);
    if (!(step > std::ldexp(spread, -10))) continue;
    std::string advice;
    if (bits == 24 && narrow_rows) advice = "pass them as float64";
    if (bits == 24 && narrow_model)
      advice +=
          std::string(advice.empty() ? "" : " and ") +
          (is_context ? "set \"prepare_context\": {\"standardize\": true}" : "begin the layers with \"standardize\"");
    if (bits == 24 && narrow_model) advice += std::string(advice.empty() ? "" : ", or ") + "use \"dtype\": \"float64\"";
    if (bits > 24) advice += std::string(advice.empty() ? "" : ", or ") + "subtract a constant first";
    char text[400];
    std::snprintf(
        text, sizeof text,
        "column %zu of %s has values near %.6g that spread over %.3g, but numbers there are %.3g apart in %s: %s", j,
        name, e.mean, spread, step, bits == 24 ? "float32" : "float64", advice.c_str());
    return text;
  }
  return "";
}

}  // namespace libnf
