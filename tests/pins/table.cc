#include "tests/pins/table.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace libnf::test {

Table::Table(std::string path) : path_(std::move(path)), writing_(std::getenv("NF_PINS_WRITE") != nullptr) {
  std::ifstream in(path_);
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream words(line);
    std::string target, name;
    words >> target >> name;
    Values& values = lines_[target][name];
    for (std::string v; words >> v;) values.push_back(v);
  }
}

Table::~Table() {
  if (!writing_) return;
  std::ofstream out(path_);
  out << "# SIMD target, case, hashes. Written by the test: NF_PINS_WRITE=1.\n";
  for (const auto& [target, cases] : lines_)
    for (const auto& [name, values] : cases) {
      out << target << ' ' << name;
      for (const std::string& v : values) out << ' ' << v;
      out << '\n';
    }
}

void Table::check(const std::string& target, const std::string& name, const Values& now,
                  std::span<const char* const> what) {
  if (writing_) {
    lines_[target][name] = now;
    return;
  }
  const auto line = lines_[target].find(name);
  if (line == lines_[target].end()) {
    ADD_FAILURE() << "no line " << target << " " << name << ": write it with NF_PINS_WRITE=1";
    return;
  }
  const Values& pinned = line->second;
  ASSERT_EQ(pinned.size(), now.size()) << target << " " << name;
  for (size_t i = 0; i < now.size(); ++i)
    EXPECT_EQ(now[i], pinned[i]) << target << " " << name << ": " << what[i] << " changed";
}

void Table::check_names(std::vector<std::string> names) {
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  EXPECT_TRUE(twice == names.end()) << *twice << " is the name of two cases";
  for (auto& [target, cases] : lines_)
    std::erase_if(cases, [&, &target = target](const auto& line) {  // clang 14 captures no structured bindings
      const bool known = std::binary_search(names.begin(), names.end(), line.first);
      EXPECT_TRUE(known || writing_) << target << " " << line.first << ": unknown case";
      return writing_ && !known;
    });
}

}  // namespace libnf::test
