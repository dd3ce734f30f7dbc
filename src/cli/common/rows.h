// Rows of numbers, read from a file: subsets, moments, and a fingerprint.
#pragma once
#include <cstdint>
#include <nf/nf.hpp>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "src/cli/common/settings.h"

namespace cli {

struct Moments {
  double mean = 0, std = 0;
};

class Rows {
 public:
  Rows() = default;
  // For a model of this dtype: the rows are in float64, because float32 models use what rounding takes from columns far
  // from 0, unless the option "table.dtype" says that float32 holds them, or that they are bytes, which stay bytes for any
  // model. `columns` is "" for all, otherwise as in option "table.columns".
  static Rows open(const nf::Runtime& runtime, const std::string& path, const Settings& settings, nf_dtype dtype,
                   const std::string& columns = {});
  static Rows of(const std::vector<double>& values, int64_t cols, nf_dtype dtype);  // row-major
  static Rows of_bytes(std::vector<uint8_t> values, int64_t cols, nf_dtype dtype);
  Rows pick(std::span<const int64_t> indices) const;
  // Of a whole file: the rows that `other` has of its own, by their number in the file. Failure if one is missing.
  Rows pick_like(const Rows& other) const;

  explicit operator bool() const { return !view_.none(); }
  int64_t count() const { return view_.none() ? 0 : view_.rows(); }
  int64_t cols() const { return view_.none() ? 0 : view_.cols(); }
  // Extents of a row: [height, width, channels] of images in a .npy of rank 4, otherwise [cols].
  const std::vector<int64_t>& extents() const { return extents_; }
  bool mapped() const { return table_.is_mapped(); }  // used in place in a file, possibly larger than memory
  const std::vector<std::string>& names() const { return names_; }  // one per column, or empty
  // Names a row for messages: "line 125 of x.csv", or "row 123 (counted from 0) of x.npy".
  std::string place(int64_t row) const;
  int64_t number(int64_t row) const;              // of a row in its file, from 0
  bool has_gaps() const;                          // rows of the file are left out, so row i is not the file's row i
  bool has_ids() const { return !ids_.empty(); }  // with option "table.id", or of pictures
  const std::string& id(int64_t row) const { return ids_[static_cast<size_t>(row)]; }
  const std::string& path() const { return path_; }
  const nf::View& view() const { return view_; }
  double at(int64_t row, int64_t column) const { return view_.at(row, column); }
  // For a mapped file, these sample 64 runs of 1,024 rows.
  std::vector<Moments> moments() const;  // of each column
  uint64_t fingerprint() const;          // of shape and bits in the model's dtype, to detect changed data
  uint64_t fingerprint(std::span<const int64_t> which) const;  // that of pick(which), without the copy

 private:
  std::vector<std::pair<int64_t, int64_t>> runs() const;  // first row and count: all rows, or a sample
  uint64_t hashed(int64_t row, uint64_t h, bool wide) const;

  nf::Table table_{nullptr};
  std::vector<float> narrow_;  // what view_ shows, unless that is the table
  std::vector<double> wide_;
  std::vector<uint8_t> bytes_;
  nf::View view_;
  nf_dtype model_dtype_ = NF_F32;
  std::vector<int64_t> extents_;
  std::vector<std::string> names_;
  std::string path_;
  std::vector<int64_t> numbers_, lines_;  // of picked rows; lines_ is empty if the file has none
  std::vector<std::string> ids_;
};

// Returns a message of the library in which "row N", or "row N of x", is replaced by the place of `row` in its file.
// Without a row, -1, the message stays.
std::string with_place(std::string message, int64_t n, const Rows& rows, int64_t row);

}  // namespace cli
