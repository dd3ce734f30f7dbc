// Bytes whose number is not known before: the content of a pipe, or of a compressed file.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "runtime/core/allocator.h"

namespace libnf {

// Bytes that grow by doubling, from an allocator.
class GrowingBytes {
 public:
  // Error{io}, EFBIG, beyond `limit` bytes. `what` names the source in messages.
  GrowingBytes(const Allocator& allocator, size_t limit, const char* what)
      : allocator_(allocator), limit_(limit), what_(what) {}
  void reserve(size_t bytes);
  size_t limit() const { return limit_; }
  size_t capacity() const { return buffer_.bytes(); }
  void append(const void* data, size_t bytes);
  uint8_t* grow(size_t bytes);  // room for as many bytes at the end, which then count
  void shrink(size_t bytes) { size_ -= bytes; }
  const Allocator& allocator() const { return allocator_; }
  size_t size() const { return size_; }
  std::span<const std::byte> bytes() const { return {buffer_.as<std::byte>(), size_}; }
  Buffer take() { return std::move(buffer_); }

 private:
  Allocator allocator_;
  size_t limit_;
  const char* what_;
  Buffer buffer_;
  size_t size_ = 0;
};

}  // namespace libnf
