// See warn_data.h.
#include "src/cli/train/warn_data.h"

#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "src/cli/common/column_kinds.h"
#include "src/cli/common/failure.h"
#include "src/cli/common/input.h"
#include "src/cli/common/text.h"

namespace cli {
namespace {
using Json = nlohmann::ordered_json;

std::string name_of(const Rows& rows, size_t c) {
  return rows.names().empty() || rows.names()[c].empty() ? std::to_string(c) : rows.names()[c];
}

// A name as --columns takes it.
std::string column_word(const std::string& name) {
  if (!name.empty() && name.find_first_of(",\" ") == std::string::npos &&
      name.find_first_not_of("0123456789") != std::string::npos)
    return name;
  std::string out = "\"";
  for (const char c : name) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

std::string some_of(std::vector<std::string> words) {
  const size_t more = words.size() > 8 ? words.size() - 8 : 0;
  words.resize(words.size() - more);
  return join(words, ", ") + (more ? text(" and %zu more", more) : std::string());
}

// The columns that layers of a spec dequantize; all of them if `all`.
struct Dequantized {
  bool all = false;
  std::set<int64_t> columns;
};
void find_dequantized(const Json& at, Dequantized& found) {
  if (at.value("type", "") == "dequantize") {
    const Json columns = at.value("columns", Json::array());
    found.all |= columns.empty();
    for (const Json& c : columns) found.columns.insert(c.get<int64_t>());
  }
  if (at.contains("layers"))
    for (const Json& layer : at["layers"]) find_dequantized(layer, found);
}

// Warns of columns that look like an index of the rows.
void warn_of_indices(const Rows& rows, const std::vector<ColumnKind>& kinds) {
  std::vector<std::string> found, others;
  for (size_t c = 0; c < kinds.size(); ++c) {
    const std::string name = rows.names().empty() ? std::string() : rows.names()[c];
    const bool unnamed = !rows.names().empty() && (name.empty() || name.starts_with("Unnamed:"));
    if (unnamed || kinds[c].counts)
      found.push_back(text("column %zu", c) + (name.empty() ? " without a name" : " (" + name + ")"));
    else
      others.push_back(rows.names().empty() ? std::to_string(c) : column_word(name));
  }
  if (found.empty() || others.empty()) return;
  const bool many = others.size() > 12;
  std::fprintf(stderr, "nf: warning: %s of %s %s like an index of the rows: leave %s out with %s\n",
               join(found, ", ").c_str(), rows.path().c_str(), found.size() == 1 ? "looks" : "look",
               found.size() == 1 ? "it" : "them",
               many ? "--columns" : ("--columns " + shell_word(join(others, ","))).c_str());
}

// Warns of numbers that repeat, on which a density can rise without bound.
void warn_of_repeats(const Rows& rows, const std::vector<ColumnKind>& kinds, const nf::Model& model) {
  Dequantized done;
  find_dequantized(Json::parse(model.spec()), done);
  if (done.all) return;
  std::vector<std::string> found;
  std::map<double, Json> layers;  // by step
  for (size_t c = 0; c < kinds.size(); ++c) {
    const ColumnKind& k = kinds[c];
    if (!k.repeats || k.counts || done.columns.count(static_cast<int64_t>(c))) continue;
    found.push_back(name_of(rows, c) + " (" + grouped(k.distinct) + " different " +
                    (k.whole ? "whole numbers" : "values") + ")");
    if (k.step > 0) layers.try_emplace(k.step, Json::array()).first->second.push_back(c);
  }
  if (found.empty()) return;
  std::vector<std::string> fixes;
  for (const auto& [step, columns] : layers) {
    Json layer = {{"type", "dequantize"}};
    if (step != 1) layer["step"] = step;
    if (columns.size() < kinds.size()) layer["columns"] = columns;
    fixes.push_back(columns.size() > 16 ? std::string("{\"type\": \"dequantize\", \"columns\": [..]}") : layer.dump());
  }
  const char* plural = found.size() == 1 ? "" : "s";
  std::fprintf(
      stderr,
      "nf: warning: column%s %s: the density of numbers that repeat has no upper bound, so their log-likelihood "
      "means little; %s%s\n",
      plural, some_of(found).c_str(),
      fixes.empty() ? "" : ("start the layers of the spec with " + some_of(fixes) + ", or ").c_str(),
      "leave them out with --columns");
}
}  // namespace

void check_names(const Data& data, const std::string& path) {
  std::map<std::string, std::string> seen;
  const auto check = [&](const Rows& rows, const char* kind) {
    for (size_t c = 0; c < rows.names().size(); ++c) {
      const std::string place = text("%s column %zu", kind, c);
      const auto [at, is_new] = seen.try_emplace(rows.names()[c], place);
      if (!is_new && !rows.names()[c].empty())
        throw Failure(
            shown_path(path) + " has two columns named '" + rows.names()[c] + "': " + at->second + " and " + place,
            "rename one of them: a model finds its columns by name");
    }
  };
  check(data.x, "data");
  check(data.context, "context");
}

void examine_columns(const Rows& rows, nf::Model& model, bool quiet) {
  const std::vector<ColumnKind> kinds = column_kinds(rows);
  set_column_kinds(model, kinds);
  if (quiet || rows.extents().size() > 1) return;  // pixels: see scale.cc
  warn_of_indices(rows, kinds);
  warn_of_repeats(rows, kinds, model);
}

}  // namespace cli
