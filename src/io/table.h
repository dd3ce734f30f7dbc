// A data file as rows x columns of numbers: .npy (recognised by content) or CSV; and the reverse.
// Arrays of other ranks become a table by keeping extent 0 as rows; their shape is kept beside it.
// A .npy of little-endian floats can be used in place, in its own dtype, from a file that may exceed the memory.
#pragma once
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "runtime/core/view.h"
#include "src/io/csv.h"
#include "src/io/file_bytes.h"

namespace nf {

enum class MapFile : uint8_t { automatic, on, off };
inline constexpr size_t kMapFrom = size_t{1} << 30;  // bytes of a file: MapFile::automatic

struct TableOptions {
  DType dtype = DType::f32;
  MapFile map = MapFile::automatic;
  CsvOptions csv = {};                     // its `columns` select from .npy too (there by index only)
  size_t max_bytes = FileBytes::kNoLimit;  // of the file
};

struct Table {
  Buffer data;                            // rows x cols, row-major, of dtype
  std::shared_ptr<const FileBytes> file;  // instead of data: the rows are in_place
  View in_place;                          // may be strided, and of any alignment
  std::string why_not_mapped;             // with MapFile::on
  DType dtype = DType::f32;
  int64_t rows = 0, cols = 0;
  Dims shape;                      // as in the file: [rows, cols] except for .npy arrays of another rank
  std::vector<std::string> names;  // of the columns; empty if the file has none

  View view() const { return file ? in_place : contiguous_view(data.data(), dtype, {rows, cols}); }
};

Table load_table(const Allocator& allocator, const char* path, const TableOptions& options);

// Atomic (atomic_file.h). `m` is a contiguous rows x cols view.
void save_npy(const char* path, const View& m);
void save_csv(const char* path, const View& m, std::span<const std::string> names);

}  // namespace nf
