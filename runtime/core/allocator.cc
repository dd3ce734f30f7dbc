#include "runtime/core/allocator.h"

#include <cstring>
#include <new>

#include "runtime/core/checked.h"

namespace libnf {

Allocator system_allocator() {
  Allocator a;
  a.alloc = [](void*, size_t size, size_t align) -> void* {
    return ::operator new (size, std::align_val_t{align}, std::nothrow);
  };
  a.free = [](void*, void* p, size_t, size_t align) { ::operator delete (p, std::align_val_t{align}); };
  return a;
}

Buffer::Buffer(const Allocator& allocator, size_t bytes, const char* what) : allocator_(allocator) {
  if (bytes == 0) return;
  data_ = allocator.alloc(allocator.user, bytes, kAlign);
  if (!data_) fail(Code::nomem, "out of memory: %zu bytes for %s", bytes, what);
  bytes_ = bytes;
  std::memset(data_, 0, bytes);
}

Buffer::~Buffer() {
  if (data_) allocator_.free(allocator_.user, data_, bytes_, kAlign);
}

}  // namespace libnf
