// The contents of a whole file: read into memory, or mapped read-only.
// Regular files only: directories, FIFOs and devices are refused at once (a FIFO would block). Empty is fine.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "runtime/core/allocator.h"
#include "src/io/posix.h"

namespace nf {

class FileBytes {
 public:
  static constexpr size_t kNoLimit = SIZE_MAX;

  // Error{io} with errno and path; a file above `limit` bytes is refused (EFBIG) before anything is allocated.
  static FileBytes read(const Allocator& allocator, const char* path, size_t limit = kNoLimit);
  // No copy, but if another program truncates the file while it is mapped, reading it kills the process (SIGBUS):
  // only for data larger than memory. intact() tells before, as long as nobody truncates between it and the read.
  static FileBytes map(const char* path, size_t limit = kNoLimit);

  FileBytes() = default;
  FileBytes(FileBytes&& o) noexcept { swap(o); }
  FileBytes& operator=(FileBytes&& o) noexcept {
    swap(o);
    return *this;
  }
  ~FileBytes();

  std::span<const std::byte> bytes() const { return {static_cast<const std::byte*>(data_), size_}; }
  bool mapped() const { return mapped_; }
  bool intact() const;  // the mapped file is still as long as it was
  void let_go() const;  // of the pages of a mapped file; whoever reads them gets them from the file again

 private:
  void swap(FileBytes& o) noexcept {
    std::swap(buffer_, o.buffer_);
    std::swap(data_, o.data_);
    std::swap(size_, o.size_);
    std::swap(mapped_, o.mapped_);
    std::swap(fd_, o.fd_);
  }
  Buffer buffer_;
  void* data_ = nullptr;
  size_t size_ = 0;
  bool mapped_ = false;
  Fd fd_;  // of a mapped file
};

}  // namespace nf
