// Rows of numbers, read through nf_table: subsets, and chunks as views.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "src/cli/handle.h"
#include "src/cli/settings.h"

namespace nf::cli {

nf_view matrix_view(void* data, int32_t dtype, int64_t rows, int64_t cols);  // row-major
nf_view vector_view(double* data, int64_t n);

struct Moments {
  double mean = 0, std = 0;
};

class Rows {
 public:
  Rows() = default;
  // `columns` is "" for all, otherwise as in the table option "columns".
  static Rows open(nf_runtime* runtime, const std::string& path, const Settings& settings, int32_t dtype,
                   const std::string& columns = {});
  static Rows of(const std::vector<double>& values, int64_t cols, int32_t dtype);  // row-major
  Rows pick(std::span<const int64_t> indices) const;

  explicit operator bool() const { return data_ != nullptr; }
  int64_t count() const { return rows_; }
  int64_t cols() const { return cols_; }
  // Extents of a row: [height, width, channels] of images in a .npy of rank 4, otherwise [cols].
  const std::vector<int64_t>& extents() const { return extents_; }
  bool mapped() const {
    return table_ && nf_table_mapped(table_.get());
  }  // used in place in a file, possibly larger than memory
  const std::vector<std::string>& names() const { return names_; }  // one per column, or empty
  nf_view view(int64_t from, int64_t count) const;
  nf_view view() const { return view(0, rows_); }
  // For a mapped file, these sample 64 runs of 1,024 rows.
  std::vector<Moments> moments() const;  // of each column
  uint64_t fingerprint() const;          // of shape and bits, to detect changed data

 private:
  size_t element() const { return dtype_ == NF_F64 ? 8 : 4; }
  std::vector<std::pair<int64_t, int64_t>> runs() const;  // first row and count: all rows, or a sample
  const std::byte* row(int64_t r) const { return data_ + static_cast<int64_t>(element()) * r * row_stride_; }

  Table table_;
  std::vector<std::byte> own_;
  std::byte* data_ = nullptr;
  int32_t dtype_ = NF_F32;
  int64_t rows_ = 0, cols_ = 0, row_stride_ = 0, col_stride_ = 1;
  std::vector<int64_t> extents_;
  std::vector<std::string> names_;
};

}  // namespace nf::cli
