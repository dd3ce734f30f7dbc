// Rows of numbers out, chunk by chunk: .npy (version 1.0) or .csv by the path's extension, or CSV to standard output
// for "-" and "". A file appears under its name only when it is complete.
#pragma once
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

namespace nf::cli {

class RowWriter {
 public:
  // A vector of `rows` numbers when flat; then cols is 1. `names` of the columns may be empty: no CSV header.
  RowWriter(const std::string& path, int32_t dtype, int64_t rows, int64_t cols, bool flat,
            const std::vector<std::string>& names);
  ~RowWriter();
  RowWriter(const RowWriter&) = delete;
  RowWriter& operator=(const RowWriter&) = delete;

  void write(const void* data, int64_t rows);  // row-major
  void commit();

 private:
  void put(const void* bytes, size_t n);
  std::string path_, temporary_;
  FILE* file_ = nullptr;
  bool npy_ = false;
  int32_t dtype_;
  int64_t cols_;
};

// Refuses a path whose folder is not there or cannot be written, before any work is spent on it; `flag` leads the message.
void check_folder(const std::string& path, const std::string& flag = {});
// The same, and a path whose format is not known.
void check_output(const std::string& path);

}  // namespace nf::cli
