// Writes rows of numbers chunk by chunk: .npy (version 1.0) or .csv by the path's extension, or CSV to standard output
// for "-" and "". A file appears under its name only when it is complete.
#pragma once
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

namespace nf::cli {

class RowWriter {
 public:
  // A row has these extents: [] for one number, [cols], or [height, width, channels], which .npy keeps and CSV flattens.
  // Without column `names` CSV has no header.
  RowWriter(const std::string& path, int32_t dtype, int64_t rows, const std::vector<int64_t>& extents,
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

// Failure if the folder of `path` does not exist or is not writable, to be found before any work; `flag` starts the
// message.
void check_folder(const std::string& path, const std::string& flag = {});
// Also fails if the extension is not a known format.
void check_output(const std::string& path);

}  // namespace nf::cli
