// Loads and saves a data file as rows x columns of numbers: .npy, .npz, IDX (recognized by content) or CSV, also
// compressed with gzip, from a path, a pipe or memory.
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
#include "src/io/row_places.h"

namespace libnf {

enum class MapFile : uint8_t { automatic, on, off };
inline constexpr size_t kMapFrom = size_t{1} << 30;  // MapFile::automatic maps files of at least this many bytes

struct TableOptions {
  DType dtype = DType::f32;  // u8: only for arrays of bytes; Error{argument} for others
  MapFile map = MapFile::automatic;
  CsvOptions csv = {};     // `columns`, `where`, `id` and `missing` also apply to .npy, with columns by index only
  std::string array = {};  // of a .npz; "": the only one, or the only one of rank 2 and above
  size_t max_bytes = FileBytes::kNoLimit;  // largest file accepted, compressed or not
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
  RowPlaces places;                // of the rows in the file; nothing in it if all of an array were read
  std::vector<std::string> ids;    // one per row, if options.csv.id is set
  int64_t dropped = 0;             // rows left out by Missing::drop
  std::string first_dropped;       // "line 5" or "row 3"

  View view() const { return file ? in_place : contiguous_view(data.data(), dtype, {rows, cols}); }
};

Table load_table(const Allocator& allocator, const char* path, const TableOptions& options);
// `source` names the bytes in messages.
Table parse_table(const Allocator& allocator, std::span<const std::byte> bytes, const char* source,
                  const TableOptions& options);

// What a file holds, found out from its first rows.
struct TableFacts {
  const char* format = "csv";  // or "npy", "npz", "idx"
  char separator = 0;          // of a CSV file
  bool header = false;
  std::vector<std::string> names;  // with a header
  std::vector<char> numeric;       // per column
  int64_t columns = 0;
  std::string dtype;  // of the elements of an array: "uint8", "float32", "bool", ...
};
TableFacts describe_table(const Allocator& allocator, std::span<const std::byte> bytes, const char* source,
                          const TableOptions& options);
TableFacts describe_table(const Allocator& allocator, const char* path, const TableOptions& options);

// Save atomically (atomic_file.h). `m` is a contiguous rows x cols view.
void save_npy(const char* path, const View& m);
void save_csv(const char* path, const View& m, std::span<const std::string> names);

}  // namespace libnf
