// The parts of table.cc that stand in files of their own; see there.
#pragma once
#include <optional>
#include <span>
#include <vector>

#include "src/io/growing_bytes.h"
#include "src/io/idx.h"
#include "src/io/npy.h"
#include "src/io/table.h"

namespace libnf {

// An array of numbers, in the words of messages and of describe_table: "npy" or "idx"; nullptr for a text.
inline const char* array_format(std::span<const std::byte> file) {
  return is_npy(file) ? "npy" : is_idx(file) ? "idx" : nullptr;
}
inline NpyHeader parse_array_header(std::span<const std::byte> file, const char* source) {
  return is_idx(file) ? parse_idx_header(file, source) : parse_npy_header(file, source);
}

// Reads an array into `t`; t->dtype is set.
void read_npy_table(const Allocator& allocator, std::span<const std::byte> file, const TableOptions& options,
                    const char* source, Table* t);

// Makes the memory of an array of bytes that of the table, if options.dtype is u8 and all of it is wanted as it is. Returns
// false, and takes nothing, if the array must be copied.
bool take_bytes(GrowingBytes& array, const TableOptions& options, const char* source, Table* t);

// Uses the rows of a .npy in place. Returns false if the file must be read into memory instead.
bool map_table(const char* path, const TableOptions& options, const std::string& source, Table* t);

// Indices of selected columns; empty for all.
std::vector<int64_t> npy_columns(std::span<const ColumnRef> columns, int64_t width, const char* source);

}  // namespace libnf
