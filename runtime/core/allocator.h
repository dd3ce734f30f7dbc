// The memory hook: every large block (parameters, arenas, optimizer state, staged files) comes from here.
#pragma once
#include <cstddef>
#include <utility>

namespace libnf {

// alloc returns nullptr when out of memory. Both functions must be callable from any thread.
struct Allocator {
  void* user = nullptr;
  void* (*alloc)(void* user, size_t size, size_t align) = nullptr;
  void (*free)(void* user, void* p, size_t size, size_t align) = nullptr;
};

Allocator system_allocator();

// Owns one block. Throws Error{nomem} naming `what` if the allocator refuses.
class Buffer {
 public:
  Buffer() = default;
  Buffer(const Allocator& allocator, size_t bytes, const char* what);  // zero-filled, 64-byte aligned
  Buffer(Buffer&& o) noexcept { swap(o); }
  Buffer& operator=(Buffer&& o) noexcept {
    swap(o);
    return *this;
  }
  ~Buffer();
  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  template <class T>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  void swap(Buffer& o) noexcept {
    std::swap(allocator_, o.allocator_);
    std::swap(data_, o.data_);
    std::swap(bytes_, o.bytes_);
  }
  Allocator allocator_;
  void* data_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace libnf
