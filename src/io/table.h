// A data file as rows x columns of numbers: .npy (recognised by content) or CSV; and the reverse.
// Arrays of other ranks become a table by keeping extent 0 as rows; their shape is kept beside it.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "runtime/core/view.h"
#include "src/io/csv.h"
#include "src/io/file_bytes.h"

namespace nf {

struct TableOptions {
  DType dtype = DType::f32;
  CsvOptions csv = {};                     // its `columns` select from .npy too (there by index only)
  size_t max_bytes = FileBytes::kNoLimit;  // of the file
};

struct Table {
  Buffer data;  // rows x cols, row-major, of dtype
  DType dtype = DType::f32;
  int64_t rows = 0, cols = 0;
  Dims shape;                      // as in the file: [rows, cols] except for .npy arrays of another rank
  std::vector<std::string> names;  // of the columns; empty if the file has none

  View view() const { return contiguous_view(data.data(), dtype, {rows, cols}); }
};

Table load_table(const Allocator& allocator, const char* path, const TableOptions& options);

// Atomic (atomic_file.h). `m` is a contiguous rows x cols view.
void save_npy(const char* path, const View& m);
void save_csv(const char* path, const View& m, std::span<const std::string> names);

}  // namespace nf
