// See growing_bytes.h.
#include "src/io/growing_bytes.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "runtime/core/status.h"

namespace libnf {

void GrowingBytes::reserve(size_t bytes) {
  if (bytes <= buffer_.bytes()) return;
  Buffer larger(allocator_, bytes, what_);
  if (size_) std::memcpy(larger.data(), buffer_.data(), size_);
  buffer_ = std::move(larger);
}

uint8_t* GrowingBytes::grow(size_t bytes) {
  if (bytes > limit_ - std::min(limit_, size_))
    fail_os(Code::io, EFBIG, "cannot read %s: its content exceeds the limit of %zu bytes", what_, limit_);
  if (bytes > buffer_.bytes() - size_) {
    const size_t double_size = std::max<size_t>(2 * buffer_.bytes(), 4096);
    reserve(std::max(size_ + bytes, std::min(double_size, limit_)));
  }
  size_ += bytes;
  return buffer_.as<uint8_t>() + size_ - bytes;
}

void GrowingBytes::append(const void* data, size_t bytes) {
  if (bytes) std::memcpy(grow(bytes), data, bytes);
}

}  // namespace libnf
