// See column_kinds.h.
#include "src/cli/common/column_kinds.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace cli {
namespace {
constexpr char kNote[] = "column_kinds";
constexpr int64_t kExamined = 20'000;  // rows
constexpr int64_t kFewRows = 20;       // below, nothing can be said
constexpr int64_t kIndexRows = 10;
constexpr int64_t kOften = 10;  // values that occur this often on average repeat

bool multiple_of(double v, double step) {
  const double q = v / step;
  return std::abs(q - std::nearbyint(q)) < 0.01 && std::abs(q) < 1e6;  // 0.01: what the layer dequantize accepts
}

// 99, 999, ..., and the same below 0, -9 and -1 included.
bool is_code(double v) {
  for (double nines = 9; nines < 1e7; nines = 10 * nines + 9)
    if (v == -nines || (v == nines && nines > 9)) return true;
  return v == -1;
}

// Looks for a code among sorted values: farther from the others than they lie apart, and more than once.
void find_code(const std::vector<double>& sorted, ColumnKind& k) {
  const auto of = [&](double code, bool lowest) {
    const auto [from, to] = std::equal_range(sorted.begin(), sorted.end(), code);
    if (!is_code(code) || to - from < 2 || to - from == static_cast<int64_t>(sorted.size())) return;
    const double nearest = lowest ? *to : *(from - 1), farthest = lowest ? sorted.back() : sorted.front();
    if (nearest != farthest && std::abs(nearest - code) > std::abs(farthest - nearest))
      k.code = code, k.coded = to - from;
  };
  of(sorted.front(), true);
  of(sorted.back(), false);
}

ColumnKind kind_of(const std::vector<double>& values, bool consecutive) {
  ColumnKind k;
  const auto n = static_cast<int64_t>(values.size());
  k.whole = std::all_of(values.begin(), values.end(), [](double v) { return v == std::nearbyint(v); });
  k.counts = consecutive && k.whole && n >= kIndexRows;
  // With gaps, because rows are left out of files: at most one in ten.
  for (size_t i = 1; i < values.size() && k.counts; ++i) k.counts = values[i] >= values[i - 1] + 1;
  k.counts = k.counts && values.back() - values.front() <= 1.1 * static_cast<double>(n);
  std::vector<double> sorted = values;
  std::sort(sorted.begin(), sorted.end());
  if (n >= kFewRows) find_code(sorted, k);
  k.distinct = std::unique(sorted.begin(), sorted.end()) - sorted.begin();
  k.repeats = n >= kFewRows && k.distinct > 1 && k.distinct * (k.whole ? 2 : kOften) <= n;
  for (const double step : {1.0, 0.5, 0.25, 0.1, 0.05, 0.01, 0.001})
    if (k.step == 0 && std::all_of(values.begin(), values.end(), [&](double v) { return multiple_of(v, step); }))
      k.step = step;
  return k;
}
}  // namespace

std::vector<ColumnKind> column_kinds(const Rows& rows) {
  const int64_t n = rows.count(), examined = std::min(n, kExamined);
  std::vector<ColumnKind> kinds;
  std::vector<double> values(static_cast<size_t>(examined));
  for (int64_t c = 0; c < rows.cols(); ++c) {
    bool finite = true;
    for (int64_t i = 0; i < examined; ++i) {
      // Runs of rows where the file is sampled, to read few of its pages.
      const double v = rows.at(n == examined ? i : i / 100 * (n / (examined / 100)) + i % 100, c);
      finite = finite && std::isfinite(v);
      values[static_cast<size_t>(i)] = v;
    }
    kinds.push_back(finite ? kind_of(values, n == examined) : ColumnKind());
  }
  return kinds;
}

void set_column_kinds(nf::Model& model, const std::vector<ColumnKind>& kinds) {
  auto list = nlohmann::json::array();
  for (const ColumnKind& k : kinds) list.push_back(k.whole ? "integer" : "real");
  if (std::any_of(kinds.begin(), kinds.end(), [](const ColumnKind& k) { return k.whole; }))
    model.set_note(kNote, list.dump());
}

std::vector<bool> integer_columns(const nf::Model& model) {
  std::vector<bool> integers;
  const auto json = nlohmann::json::parse(model.note(kNote), nullptr, false);
  if (json.is_array())
    for (const auto& kind : json) integers.push_back(kind == "integer");
  return integers;
}

}  // namespace cli
