// The contents of a whole file, either read into memory or mapped read-only.
// read and map take only regular files, which may be empty: directories, pipes and devices are refused.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "runtime/core/allocator.h"
#include "src/io/posix.h"

namespace libnf {

class FileBytes {
 public:
  static constexpr size_t kNoLimit = SIZE_MAX;

  // Throws Error{io} with errno and path. Refuses a file above `limit` bytes (EFBIG) before allocating anything.
  static FileBytes read(const Allocator& allocator, const char* path, size_t limit = kNoLimit);
  // Also reads a pipe, a socket or a terminal up to its end, for which it waits.
  static FileBytes read_or_wait(const Allocator& allocator, const char* path, size_t limit = kNoLimit);
  // Makes no copy, but if another program truncates the file while it is mapped, reading it raises SIGBUS, so use it
  // only for data larger than memory. intact() detects a truncation, unless it happens between the check and the read.
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
  bool intact() const;         // the mapped file has not become shorter
  void release_pages() const;  // frees the resident pages of a mapped file; they are read again on access

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
  Fd fd_;  // only for a mapped file
};

}  // namespace libnf
