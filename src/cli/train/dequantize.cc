// See dequantize.h.
#include "src/cli/train/dequantize.h"

#include <map>
#include <nlohmann/json.hpp>

#include "src/cli/common/columns.h"
#include "src/cli/common/failure.h"
#include "src/cli/common/text.h"
#include "src/cli/run/spec.h"

namespace cli {
namespace {
using Json = nlohmann::ordered_json;

void find(const Json& at, std::vector<bool>& found) {
  if (at.value("type", "") == "dequantize") {
    const Json columns = at.value("columns", Json::array());
    if (columns.empty()) found.assign(found.size(), true);
    for (const Json& c : columns)
      if (const auto i = c.get<size_t>(); i < found.size()) found[i] = true;
  }
  if (at.contains("layers"))
    for (const Json& layer : at["layers"]) find(layer, found);
}

std::vector<int64_t> chosen(const std::string& list, const Rows& rows, const std::vector<ColumnKind>& kinds) {
  std::vector<int64_t> columns;
  if (list == "auto") {
    for (size_t c = 0; c < kinds.size(); ++c)
      if (kinds[c].repeats && !kinds[c].counts && kinds[c].step > 0) columns.push_back(static_cast<int64_t>(c));
    return columns;
  }
  TableFacts names;
  names.names = rows.names();
  names.columns = rows.cols();
  for (const ColumnWord& word : split_columns(list)) {
    columns.push_back(index_of(word, names));
    if (columns.back() < 0)
      throw Failure("--dequantize " + list + ": the data has no column '" + word.text + "'",
                    rows.names().empty() ? "give indices from 0" : "it has: " + join(rows.names(), ", "), kUsage);
  }
  return columns;
}
}  // namespace

std::vector<bool> dequantized_columns(const std::string& spec, size_t columns) {
  std::vector<bool> found(columns);
  find(Json::parse(spec), found);
  return found;
}

std::string dequantized_spec(const std::string& spec, const std::string& list, const Rows& rows,
                             const std::vector<ColumnKind>& kinds) {
  if (is_dequantized(spec))
    throw Failure("--dequantize: the spec has a layer \"dequantize\" already", "drop one of the two", kUsage);
  if (spec_kind(spec) != "flow")
    throw Failure(
        "--dequantize adds a layer to a model of kind \"flow\", but this one is of kind \"" + spec_kind(spec) + "\"",
        "choose a likelihood of levels", kUsage);
  std::map<double, Json> by_step;
  for (const int64_t c : chosen(list, rows, kinds)) {
    const double step = kinds[static_cast<size_t>(c)].step;
    if (step == 0)
      throw Failure(text("--dequantize %s: the values of column %lld are not multiples of 1, 0.5, 0.1 or other steps",
                         list.c_str(), static_cast<long long>(c)),
                    "leave it out of the list");
    by_step.try_emplace(step, Json::array()).first->second.push_back(c);
  }
  Json layers = Json::array();
  for (const auto& [step, columns] : by_step) {
    Json layer = {{"type", "dequantize"}};
    if (step != 1) layer["step"] = step;
    if (columns.size() < kinds.size()) layer["columns"] = columns;
    layers.push_back(layer);
  }
  return spec_behind(layers.dump(), spec);
}

std::string dequantized_like(const std::string& trained, const std::string& spec) {
  const Json from = Json::parse(trained);
  if (!from.contains("layers") || is_dequantized(spec)) return spec;
  Json layers = Json::array();
  for (const Json& layer : from["layers"]) {
    if (layer.value("type", "") != "dequantize") break;
    layers.push_back(layer);
  }
  return spec_behind(layers.dump(), spec);
}

}  // namespace cli
