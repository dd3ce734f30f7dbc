// Where the rows of a table stand in their file, which is as read unless rows were left out or lines are blank. Takes
// no memory while rows follow each other.
#pragma once
#include <cstdint>
#include <vector>

namespace libnf {

class RowPlaces {
 public:
  // Call in the order of the rows. `row` counts the rows of the file from 0, `line` its lines from 1; 0: it has none.
  void add(int64_t row, int64_t line) {
    if (count_ == 0) row_ = row, line_ = line;
    const bool follows = row == row_ + count_ && (line_ == 0 || line == line_ + count_);
    if (!follows || !rows_.empty()) {
      for (int64_t i = static_cast<int64_t>(rows_.size()); i < count_; ++i) {
        rows_.push_back(row_ + i);
        lines_.push_back(line_ ? line_ + i : 0);
      }
      rows_.push_back(row);
      lines_.push_back(line);
    }
    ++count_;
  }
  int64_t row(int64_t i) const { return rows_.empty() ? row_ + i : rows_[static_cast<size_t>(i)]; }
  int64_t line(int64_t i) const { return rows_.empty() ? (line_ ? line_ + i : 0) : lines_[static_cast<size_t>(i)]; }

 private:
  int64_t count_ = 0, row_ = 0, line_ = 0;
  std::vector<int64_t> rows_, lines_;
};

}  // namespace libnf
