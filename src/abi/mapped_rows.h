// Rows of the caller that lie in mapped files (nf_table_open with "table.map"): notices a truncated file, and releases
// pages after so many reads that they do not fill the memory.
#pragma once
#include <memory>
#include <vector>

#include "runtime/core/view.h"
#include "src/io/file_bytes.h"

namespace libnf {

class RuntimeState;

class MappedRows {
 public:
  // Looks up the file of a view, if it has one.
  void watch(RuntimeState& runtime, const View& rows);
  bool any() const { return !files_.empty(); }
  // Called before reading; Error{io}.
  void check() const;
  // Called after reading `rows` rows.
  void read(int64_t rows);

 private:
  std::vector<std::shared_ptr<const FileBytes>> files_;
  size_t row_pages_ = 0;  // upper bound of the bytes read in per row
  size_t resident_ = 0;   // upper bound of the bytes read since the last release
};

}  // namespace libnf
