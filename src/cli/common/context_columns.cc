// See context_columns.h.
#include "src/cli/common/context_columns.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <set>
#include <sstream>
#include <vector>

#include "src/cli/common/columns.h"
#include "src/cli/common/failure.h"
#include "src/cli/common/rows.h"

namespace cli {
namespace {
// Converts a list of names and indices to indices. Skips unknown names, which nf::Table reports.
std::set<int64_t> places_of(const std::string& list, const std::vector<std::string>& header) {
  std::set<int64_t> places;
  std::stringstream words(list);
  for (std::string word; std::getline(words, word, ',');) {
    int64_t index = 0;
    const char* end = word.data() + word.size();
    if (const auto [stop, error] = std::from_chars(word.data(), end, index); error == std::errc() && stop == end)
      places.insert(index);
    else if (const auto at = std::find(header.begin(), header.end(), word); at != header.end())
      places.insert(at - header.begin());
  }
  return places;
}
}  // namespace

std::string other_columns(const nf::Runtime& runtime, const std::string& path, const Settings& settings,
                          const std::string& taken) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored))
    throw Failure("--context-columns also needs --columns, because " + path + " is not a regular file", {}, kUsage);
  const std::vector<std::string> header = header_of(path, settings);
  const auto count =
      header.empty() ? Rows::open(runtime, path, settings, NF_F32).cols() : static_cast<int64_t>(header.size());
  const std::set<int64_t> places = places_of(taken, header);
  std::string columns;
  for (int64_t c = 0; c < count; ++c)
    if (!places.count(c)) columns += (columns.empty() ? "" : ",") + std::to_string(c);
  if (columns.empty()) throw Failure("--context-columns " + taken + " leaves no data column in " + path);
  return columns;
}

void check_disjoint(const std::string& path, const Settings& settings, const std::string& data,
                    const std::string& context) {
  const std::vector<std::string> header = header_of(path, settings);
  const std::set<int64_t> places = places_of(data, header);
  for (const int64_t c : places_of(context, header))
    if (places.count(c))
      throw Failure("column " +
                        (c < static_cast<int64_t>(header.size()) ? header[static_cast<size_t>(c)] : std::to_string(c)) +
                        " of " + path + " is both data and context",
                    "the density of a column given itself has no finite optimum: drop it from one of the two lists");
}

}  // namespace cli
