// Loads and saves a data file as rows x columns of numbers: .npy (recognized by content) or CSV.
// An array of another rank becomes a table whose rows are extent 0; its own shape is kept as well.
// A .npy of little-endian floats can be used in place, in its own dtype, from a file that may exceed the memory.
#pragma once
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "runtime/core/view.h"
#include "src/io/csv.h"
#include "src/io/file_bytes.h"

namespace libnf {

enum class MapFile : uint8_t { automatic, on, off };
inline constexpr size_t kMapFrom = size_t{1} << 30;  // MapFile::automatic maps files of at least this many bytes

struct TableOptions {
  DType dtype = DType::f32;
  MapFile map = MapFile::automatic;
  CsvOptions csv = {};                     // `columns` also applies to .npy, by index only
  size_t max_bytes = FileBytes::kNoLimit;  // largest file accepted
};

struct Table {
  Buffer data;                            // rows x cols, row-major, of dtype
  std::shared_ptr<const FileBytes> file;  // if set, data is empty and the rows are in_place
  View in_place;                          // may be strided and have any alignment
  std::string why_not_mapped;             // set if MapFile::on could not map the file
  DType dtype = DType::f32;
  int64_t rows = 0, cols = 0;
  Dims shape;                      // as in the file: [rows, cols] except for .npy arrays of another rank
  std::vector<std::string> names;  // column names; empty if the file has none

  View view() const { return file ? in_place : contiguous_view(data.data(), dtype, {rows, cols}); }
};

Table load_table(const Allocator& allocator, const char* path, const TableOptions& options);

// Save atomically (atomic_file.h). `m` is a contiguous rows x cols view.
void save_npy(const char* path, const View& m);
void save_csv(const char* path, const View& m, std::span<const std::string> names);

}  // namespace libnf
