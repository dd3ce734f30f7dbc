// See writer.h. Unlike nf_table_save, this streams, so that the rows may exceed the memory.
#include "src/cli/writer.h"

#include <unistd.h>

#include <bit>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <functional>
#include <numeric>

#include "src/cli/handle.h"
#include "src/cli/text.h"

namespace nf::cli {
namespace {
bool to_stdout(const std::string& path) { return path.empty() || path == "-"; }

std::string npy_header(int32_t dtype, int64_t rows, const std::vector<int64_t>& extents) {
  const char* order = std::endian::native == std::endian::little ? "<" : ">";
  std::string shape = "(" + std::to_string(rows) + (extents.empty() ? "," : "");
  for (const int64_t n : extents) shape += ", " + std::to_string(n);
  shape += ")";
  std::string dict =
      text("{'descr': '%sf%d', 'fortran_order': False, 'shape': %s, }", order, dtype == NF_F64 ? 8 : 4, shape.c_str());
  dict.append(63 - (10 + dict.size()) % 64, ' ');  // the data starts at a multiple of 64 bytes
  dict += '\n';
  std::string head("\x93NUMPY\x01\x00", 8);
  head += static_cast<char>(dict.size() & 255);
  head += static_cast<char>(dict.size() >> 8);
  return head + dict;
}

std::string csv_cell(const std::string& name) {
  if (name.find_first_of(",\"\r\n") == std::string::npos) return name;
  std::string out = "\"";
  for (char c : name) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}
}  // namespace

void check_folder(const std::string& path, const std::string& flag) {
  std::error_code ignored;
  const std::string what = (flag.empty() ? "" : flag + " ") + path;
  std::filesystem::path folder = std::filesystem::path(path).parent_path();
  if (folder.empty()) folder = ".";
  if (!std::filesystem::is_directory(folder, ignored))
    throw Failure(what + ": the folder " + folder.string() + " does not exist",
                  "mkdir -p " + shell_word(folder.string()));
  if (access(folder.c_str(), W_OK) != 0) throw Failure(what + ": the folder " + folder.string() + " is not writable");
}

void check_output(const std::string& path) {
  if (!to_stdout(path) && !path.ends_with(".npy") && !path.ends_with(".csv"))
    throw Failure(path + ": the output name must end in .npy or .csv, which selects the format", {}, kUsage);
  if (!to_stdout(path)) check_folder(path);
}

RowWriter::RowWriter(const std::string& path, int32_t dtype, int64_t rows, const std::vector<int64_t>& extents,
                     const std::vector<std::string>& names)
    : path_(path),
      npy_(path.ends_with(".npy")),
      dtype_(dtype),
      cols_(std::accumulate(extents.begin(), extents.end(), int64_t{1}, std::multiplies<>())) {
  check_output(path);
  if (to_stdout(path)) {
    path_ = "standard output";
    file_ = stdout;
  } else {
    temporary_ = path + text(".%ld.tmp", static_cast<long>(getpid()));
    file_ = std::fopen(temporary_.c_str(), "wb");
    if (!file_) throw Failure("cannot write " + path + ": " + std::strerror(errno));
  }
  std::string head;
  if (npy_) {
    head = npy_header(dtype, rows, extents);
  } else if (!names.empty()) {
    for (const std::string& n : names) head += (head.empty() ? "" : ",") + csv_cell(n);
    head += '\n';
  }
  put(head.data(), head.size());
}

RowWriter::~RowWriter() {
  if (temporary_.empty()) return;
  if (file_) std::fclose(file_);
  std::remove(temporary_.c_str());
}

void RowWriter::put(const void* bytes, size_t n) {
  if (n && std::fwrite(bytes, 1, n, file_) != n) throw Failure("cannot write " + path_ + ": " + std::strerror(errno));
}

void RowWriter::write(const void* data, int64_t rows) {
  const auto n = static_cast<size_t>(rows * cols_);
  if (npy_) return put(data, n * (dtype_ == NF_F64 ? 8 : 4));
  std::string out;
  char cell[40];
  for (size_t i = 0; i < n; ++i) {
    char* end = dtype_ == NF_F64 ? std::to_chars(cell, cell + sizeof(cell), static_cast<const double*>(data)[i]).ptr
                                 : std::to_chars(cell, cell + sizeof(cell), static_cast<const float*>(data)[i]).ptr;
    out.append(cell, end);
    out += static_cast<int64_t>(i + 1) % cols_ == 0 ? '\n' : ',';
  }
  put(out.data(), out.size());
}

void RowWriter::commit() {
  bool ok = std::fflush(file_) == 0;
  if (!temporary_.empty()) {
    ok = fsync(fileno(file_)) == 0 && ok;
    ok = std::fclose(file_) == 0 && ok;
    file_ = nullptr;
    ok = ok && std::rename(temporary_.c_str(), path_.c_str()) == 0;
    if (ok) temporary_.clear();
  }
  if (!ok) throw Failure("cannot write " + path_ + ": " + std::strerror(errno));
}

}  // namespace nf::cli
