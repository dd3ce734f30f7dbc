// See auto.h. examples/anomaly.py measures the recipe for rows to rank.
#include "src/cli/run/auto.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace cli {
namespace {
using Json = nlohmann::ordered_json;
constexpr int64_t kFewRows = 20'000;                   // up to here rows are ranked unless validation is asked for
constexpr int64_t kManyRows = 50'000;                  // from here on nets need no dropout
constexpr int64_t kMembers = 4, kMemberColumns = 800;  // flows in a mixture, and their columns together

// Noise of many sizes, bases with heavy tails, few units and few steps each raised the mean area under the ROC curve
// over the sets of examples/anomaly.py, in both halves of the sets. The members differ by chance alone. In wide tables
// there are fewer of them, and beyond that the columns are independent, so that those tables take seconds, too.
AutoRecipe ranking(int64_t columns) {
  const Json net = {{"type", "mlp"}, {"hidden", {32}}};
  const Json maf = {{"type", "masked_autoregressive"}, {"order", "random"}, {"net", net}};
  const Json noise = {{"type", "noise"}, {"std", 0.3}, {"spread", 1}};
  const Json spline = {{"type", "spline"}, {"bins", 8}, {"bound", 4}};
  Json spec;
  spec["base"] = {
      {"type", "flow_mixture"},
      {"members", std::clamp<int64_t>(kMemberColumns / columns, 1, kMembers)},
      {"fit", "each"},
      {"base", {{"type", "student_t"}, {"dof", 1}}},
      {"layers", columns <= kMemberColumns ? Json::array({noise, maf, maf, spline}) : Json::array({noise, spline})}};
  spec["layers"] = Json::array();
  return {spec.dump(2),
          {{"batches.batch", "128"}, {"trainer.lr", "0.005"}, {"trainer.schedule", "cosine"}},
          500,
          100,
          true};
}

// Four times these layers, onto a standard normal.
std::string four_times(const Json& layers) {
  Json chain, spec;
  chain["repeat"] = 4;
  chain["layers"] = layers;
  spec["base"] = "normal";
  spec["layers"] = Json::array({chain});
  return spec.dump(2);
}

std::vector<std::pair<const char*, std::string>> settings(const char* batch, const char* lr, const char* ema) {
  return {{"batches.batch", batch},       {"batches.order", "replacement"}, {"trainer.lr", lr},
          {"trainer.schedule", "cosine"}, {"trainer.clip_norm", "5"},       {"trainer.ema_decay", ema}};
}

AutoRecipe many_rows() {
  const Json linear = {{"type", "lu_linear"}}, reverse = {{"type", "reverse"}};
  const Json net = {{"type", "mlp"}, {"hidden", {128, 128}}};
  const Json spline = {{"type", "spline_autoregressive"}, {"bins", 8}, {"bound", 3}, {"net", net}};
  return {four_times(Json::array({linear, spline, reverse})), settings("512", "0.002", "0.999"), 10'000};
}

// Below 1,000 rows half the width and two thirds of the steps take a quarter of the time and lose nothing on glass and
// Pima, where wide nets are at their best early.
AutoRecipe fewer_rows(int64_t rows) {
  const int64_t width = rows < 1'000 ? 128 : 256;
  const Json reverse = {{"type", "reverse"}}, norm = {{"type", "batch_norm"}};
  const Json net = {{"type", "mlp"}, {"hidden", {width, width}}, {"dropout", 0.3}};
  const Json spline = {{"type", "spline_autoregressive"}, {"bins", 4}, {"bound", 4}, {"net", net}};
  return {four_times(Json::array({reverse, spline, norm})), settings("128", "0.0006", "0.998"),
          rows < 1'000 ? 4'000u : 6'000u};
}
}  // namespace

AutoRecipe auto_recipe(int64_t rows, int64_t columns, bool validates) {
  if (rows <= kFewRows && !validates) return ranking(columns);
  return rows >= kManyRows ? many_rows() : fewer_rows(rows);
}

}  // namespace cli
