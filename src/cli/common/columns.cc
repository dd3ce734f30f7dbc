// See columns.h.
#include "src/cli/common/columns.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "src/cli/common/failure.h"
#include "src/cli/common/text.h"

namespace cli {
namespace {
std::vector<std::string> names_in(const nf::Model& model, const char* key) {
  const auto json = nlohmann::json::parse(model.note(key), nullptr, false);
  std::vector<std::string> names;
  if (json.is_array())
    for (const auto& name : json) names.push_back(name.is_string() ? name.get<std::string>() : std::string());
  return names;
}

std::string some(const std::vector<std::string>& names) {
  const std::vector<std::string> first(names.begin(),
                                       names.begin() + std::min<int64_t>(8, static_cast<int64_t>(names.size())));
  return join(first, ", ") + (names.size() > 8 ? text(" and %zu more", names.size() - 8) : std::string());
}

std::string listed(const std::vector<int64_t>& indices) {
  std::string out;
  for (const int64_t i : indices) out += (out.empty() ? "" : ",") + std::to_string(i);
  return out;
}

// Returns the index of the column of that name, the only one.
int64_t find_name(const std::string& path, const TableFacts& file, const std::string& name,
                  const std::vector<std::string>& names) {
  const auto count = std::count(file.names.begin(), file.names.end(), name);
  if (count == 1) return std::find(file.names.begin(), file.names.end(), name) - file.names.begin();
  std::vector<std::string> others = file.names;  // names that the model does not use
  std::erase_if(others, [&](const std::string& h) { return std::find(names.begin(), names.end(), h) != names.end(); });
  const std::string near = count ? "" : nearest(name, others);
  throw Failure(shown_path(path) + (count ? " has more than one column '" : " has no column '") + name +
                    "', which the model was trained on",
                (near.empty() ? std::string() : "did you mean '" + near + "'? ") + "the file has: " + some(file.names) +
                    "; the model has: " + some(names) + "; rename the columns of the file");
}
}  // namespace

ColumnNames column_names(const nf::Model& model) {
  return {names_in(model, "columns"), names_in(model, "context_columns"), names_in(model, "classes")};
}

void set_column_names(nf::Model& model, const ColumnNames& names) {
  const auto set = [&](const char* key, const std::vector<std::string>& list) {
    if (!list.empty()) model.set_note(key, nlohmann::json(list).dump());
  };
  set("columns", names.data);
  set("context_columns", names.context);
  set("classes", names.classes);
}

std::vector<ColumnWord> split_columns(const std::string& list) {
  std::vector<ColumnWord> words;
  ColumnWord now;
  bool inside = false;
  for (size_t i = 0; i < list.size(); ++i) {
    const char c = list[i];
    if (c == '"' && inside && i + 1 < list.size() && list[i + 1] == '"') {
      now.text += c;
      ++i;
    } else if (c == '"') {
      inside = !inside;
      now.quoted = true;
    } else if (c == ',' && !inside) {
      words.push_back(std::move(now));
      now = {};
    } else if (inside || (c != ' ' || !now.text.empty())) {
      if (inside || !now.quoted) now.text += c;
    }
  }
  if (!list.empty()) words.push_back(std::move(now));
  for (ColumnWord& w : words)
    while (!w.quoted && w.text.ends_with(' ')) w.text.pop_back();
  return words;
}

int64_t index_of(const ColumnWord& word, const TableFacts& file) {
  int64_t index = -1;
  const char* end = word.text.data() + word.text.size();
  const auto [stop, error] = std::from_chars(word.text.data(), end, index);
  if (!word.quoted && error == std::errc() && stop == end && index >= 0 && index < file.columns) return index;
  const auto at = std::find(file.names.begin(), file.names.end(), word.text);
  return at == file.names.end() || std::count(at, file.names.end(), word.text) > 1 ? -1 : at - file.names.begin();
}

std::string match_columns(const std::string& path, const TableFacts& file, const std::vector<std::string>& names,
                          const std::string& given, const char* flag) {
  const bool named = std::any_of(names.begin(), names.end(), [](const std::string& n) { return !n.empty(); });
  if (named && file.format == "csv" && file.names.empty() && given.empty() &&
      file.columns == static_cast<int64_t>(names.size()) && file.columns > 1)
    std::fprintf(stderr, "nf: note: %s has no names of columns; they are taken in the model's order: %s\n",
                 shown_path(path).c_str(), some(names).c_str());
  if (names.empty() || file.names.empty()) return given;
  std::vector<int64_t> indices;
  if (given.empty()) {
    for (const std::string& name : names) indices.push_back(find_name(path, file, name, names));
    return listed(indices);
  }
  std::vector<std::string> picked;
  for (const ColumnWord& word : split_columns(given)) {
    const int64_t index = index_of(word, file);
    if (index < 0) return given;  // nf::Table says what is wrong with it
    picked.push_back(file.names[static_cast<size_t>(index)]);
    indices.push_back(index);
  }
  if (picked.size() != names.size()) return given;  // check_data says so
  std::vector<int64_t> ordered;
  for (const std::string& name : names) {
    const auto at = std::find(picked.begin(), picked.end(), name);
    if (at == picked.end())
      throw Failure(std::string(flag) + " picks " + some(picked) + " of " + shown_path(path) +
                        ", but the model was trained on " + some(names),
                    "columns are matched by name: drop " + std::string(flag) + ", or rename the columns of the file");
    ordered.push_back(indices[static_cast<size_t>(at - picked.begin())]);
  }
  return listed(ordered);
}

}  // namespace cli
