// See presets.h.
#include "src/cli/run/presets.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "src/cli/common/failure.h"
#include "src/cli/run/auto.h"

namespace cli {
namespace {
using Json = nlohmann::ordered_json;

// Units of hidden layers: more where there are rows to fit them with.
int64_t width_for(const DataSize& s) {
  return s.rows < 2'000 ? 32 : s.rows < 20'000 ? 64 : s.rows < 200'000 ? 128 : 256;
}

Json mlp(const DataSize& s) { return {{"type", "mlp"}, {"hidden", {width_for(s), width_for(s)}}}; }

Json repeated(int64_t n, Json layers) { return {{"repeat", n}, {"layers", std::move(layers)}}; }

// Dinh et al. 2017: affine couplings. One column has nothing to couple with: an affine map of the context.
Json realnvp(const DataSize& s) {
  const Json coupling = {{"type", "affine_coupling"}, {"net", mlp(s)}};
  return Json::array(
      {repeated(s.rows < 2'000 ? 3 : 5, {coupling, {{"type", "reverse"}}, coupling, {{"type", "shuffle"}}})});
}

// Papamakarios et al. 2017.
Json maf(const DataSize& s) {
  return Json::array({repeated(5, {{{"type", "masked_autoregressive"}, {"net", mlp(s)}}, {{"type", "reverse"}}})});
}

// Durkan et al. 2019: splines between linear maps.
Json nsf(const DataSize& s) {
  const Json spline = {{"type", "spline_coupling"},
                       {"bins", 8},
                       {"bound", 4},
                       {"unconditional", true},
                       {"net", {{"type", "residual"}, {"hidden", {width_for(s)}}, {"blocks", 2}}}};
  if (s.columns == 1) return Json::array({repeated(2, {{{"type", "spline"}, {"bins", 16}, {"bound", 4}}})});
  return Json::array({repeated(5, {{{"type", "shuffle"}}, {{"type", "lu_linear"}}, spline}), {{"type", "lu_linear"}}});
}

}  // namespace

const std::vector<PresetDoc>& presets() {
  static const std::vector<PresetDoc> all = {
      {"auto",
       "a smooth fit of all rows that ranks outliers; of more than 20,000 rows, or with --valid, --holdout or --split, "
       "autoregressive splines for the likelihood of held-out rows"},
      {"realnvp", "affine couplings; fast in both directions"},
      {"maf", "masked autoregressive; scores fast, samples column by column"},
      {"nsf", "rational-quadratic spline couplings between linear maps; the most accurate with many rows"},
  };
  return all;
}

bool is_preset(const std::string& spec) {
  std::error_code ignored;
  return std::any_of(presets().begin(), presets().end(), [&](const PresetDoc& p) { return spec == p.name; }) &&
         !std::filesystem::is_regular_file(spec, ignored);  // a folder of that name is no spec
}

std::string preset_spec(const std::string& name, const DataSize& size) {
  if (name == "auto") return auto_recipe(size.rows, size.columns, size.validates).spec;
  Json spec = Json::object();
  spec["layers"] = name == "realnvp" ? realnvp(size) : name == "maf" ? maf(size) : nsf(size);
  return spec.dump(2);
}

PresetRun preset_settings(const std::string& name, const DataSize& size, Settings& settings) {
  if (name == "auto") {
    const AutoRecipe recipe = auto_recipe(size.rows, size.columns, size.validates);
    for (const auto& [key, value] : recipe.options)
      if (!settings.has(key)) settings.set(key, value);
    return {recipe.steps, 0, recipe.valid_every, recipe.all_rows};
  }
  const int64_t batch = size.rows < 2'000 ? 64 : size.rows < 20'000 ? 128 : size.rows < 200'000 ? 256 : 512;
  const std::pair<const char*, std::string> usual[] = {{"batches.batch", std::to_string(batch)},
                                                       {"trainer.lr", "0.001"},
                                                       {"trainer.schedule", "cosine"},
                                                       {"trainer.clip_norm", "5"}};
  // Another schedule has other options, and another optimizer other rates: those are the user's to set together.
  for (const auto& [key, value] : usual)
    if (!settings.has(key)) settings.set(key, value);
  return {};
}

}  // namespace cli
