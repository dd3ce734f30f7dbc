// See context_columns.h.
#include "src/cli/common/context_columns.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <vector>

#include "src/cli/common/failure.h"

namespace cli {
namespace {
// Skips unknown names, which nf::Table reports.
std::set<int64_t> places_of(const std::string& list, const TableFacts& file) {
  std::set<int64_t> places;
  for (const ColumnWord& word : split_columns(list))
    if (const int64_t index = index_of(word, file); index >= 0) places.insert(index);
  return places;
}
}  // namespace

std::string other_columns(const std::string& path, const TableFacts& file, const std::string& taken,
                          const std::string& id) {
  std::set<int64_t> places = places_of(taken, file);
  places.merge(places_of(id, file));
  std::string columns;
  for (int64_t c = 0; c < file.columns; ++c)
    if (!places.count(c)) columns += (columns.empty() ? "" : ",") + std::to_string(c);
  if (columns.empty()) throw Failure("--context-columns " + taken + " leaves no data column in " + shown_path(path));
  return columns;
}

bool names_column(const std::string& word, const TableFacts& file) {
  if (std::find(file.names.begin(), file.names.end(), word) != file.names.end()) return true;
  std::error_code ignored;
  return word.find_first_not_of("0123456789") == std::string::npos && !std::filesystem::exists(word, ignored);
}

void check_disjoint(const std::string& path, const TableFacts& file, const std::string& data,
                    const std::string& context) {
  const std::set<int64_t> places = places_of(data, file);
  for (const int64_t c : places_of(context, file))
    if (places.count(c))
      throw Failure("column " + (file.names.empty() ? std::to_string(c) : file.names[static_cast<size_t>(c)]) + " of " +
                        shown_path(path) + " is both data and context",
                    "the density of a column given itself has no finite optimum: drop it from one of the two lists");
}

}  // namespace cli
