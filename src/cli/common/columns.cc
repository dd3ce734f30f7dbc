// See columns.h. Reads the first row here because nf::Table parses the numbers too and fails on text columns that
// are not selected; it is then given the indices of the columns found here.
#include "src/cli/common/columns.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string_view>

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

std::string trimmed(const std::string& s) {
  const size_t from = s.find_first_not_of(" \t\r");
  return from == std::string::npos ? std::string() : s.substr(from, s.find_last_not_of(" \t\r") - from + 1);
}

// Returns the first row that is not blank, including quoted newlines.
std::string first_row(std::istream& in) {
  std::string row, line;
  while (std::getline(in, line)) {
    if (row.empty() && line.starts_with("\xEF\xBB\xBF")) line.erase(0, 3);
    row += row.empty() ? line : "\n" + line;
    if (std::count(row.begin(), row.end(), '"') % 2 == 0 && !trimmed(row).empty()) return row;
  }
  return row;
}

char separator_of(const std::string& row) {
  bool quoted = false, semicolon = false;
  for (const char c : row) {
    quoted ^= c == '"';
    if (!quoted && c == '\t') return c;
    semicolon |= !quoted && c == ';';
  }
  return semicolon ? ';' : ',';
}

std::vector<std::string> cells_of(const std::string& row, char separator) {
  std::vector<std::string> cells;
  for (size_t at = 0, end = 0; end < row.size() + 1; at = end + 1) {
    bool quoted = false;
    for (end = at; end < row.size() && (quoted || row[end] != separator); ++end) quoted ^= row[end] == '"';
    std::string cell = trimmed(row.substr(at, end - at));
    if (cell.size() > 1 && cell.front() == '"' && cell.back() == '"') {
      cell = cell.substr(1, cell.size() - 2);
      for (size_t i = 0; (i = cell.find("\"\"", i)) != std::string::npos; ++i) cell.erase(i, 1);
    }
    cells.push_back(cell);
    if (end == row.size()) break;
  }
  return cells;
}

bool is_name(const std::string& cell) {
  for (const std::string_view mark : {"", "?", "NA", "N/A", "n/a", "null", "NULL", "None", "none", "-"})
    if (cell == mark) return false;
  double ignored = 0;
  const char* from = cell.data() + (cell[0] == '+');
  return std::from_chars(from, cell.data() + cell.size(), ignored).ptr != cell.data() + cell.size();
}
}  // namespace

ColumnNames column_names(const nf::Model& model) {
  return {names_in(model, "columns"), names_in(model, "context_columns")};
}

void set_column_names(nf::Model& model, const ColumnNames& names) {
  const auto set = [&](const char* key, const std::vector<std::string>& list) {
    if (!list.empty()) model.set_note(key, nlohmann::json(list).dump());
  };
  set("columns", names.data);
  set("context_columns", names.context);
}

std::vector<std::string> header_of(const std::string& path, const Settings& settings) {
  std::error_code ignored;
  const std::string header = settings.get("table.header", "");
  // A pipe cannot be read twice.
  if (header == "absent" || !std::filesystem::is_regular_file(path, ignored)) return {};
  std::ifstream in(path, std::ios::binary);
  if (in.peek() == 0x93) return {};  // .npy
  const std::string row = first_row(in), separator = settings.get("table.separator", "");
  const std::vector<std::string> cells = cells_of(row, separator.empty() ? separator_of(row) : separator[0]);
  if (header != "present" && std::none_of(cells.begin(), cells.end(), is_name)) return {};
  return cells;
}

std::string find_columns(const std::string& path, const Settings& settings, const std::vector<std::string>& names) {
  if (names.empty() || settings.has("table.columns")) return {};
  const std::vector<std::string> header = header_of(path, settings);
  if (header.empty()) return {};
  std::string columns;
  for (const std::string& name : names) {
    const auto count = std::count(header.begin(), header.end(), name);
    if (count != 1) {
      std::vector<std::string> others = header;  // names that the model does not use
      std::erase_if(others,
                    [&](const std::string& h) { return std::find(names.begin(), names.end(), h) != names.end(); });
      const std::string near = count ? "" : nearest(name, others);
      throw Failure(path + (count ? " has more than one column '" : " has no column '") + name +
                        "', which the model was trained on",
                    (near.empty() ? std::string() : "did you mean '" + near + "'? ") +
                        "the file has: " + join(header, ", ") + "; select columns with --columns");
    }
    columns +=
        (columns.empty() ? "" : ",") + std::to_string(std::find(header.begin(), header.end(), name) - header.begin());
  }
  return columns;
}

}  // namespace cli
