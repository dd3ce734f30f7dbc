// A bump arena, the only memory that ops use: 64-byte aligned blocks, mark and rewind, high-water mark.
//
// A *measuring* arena grows while the largest block of rows runs once, which shows how many bytes that takes. A
// *reserved* arena of that size then never allocates again. Under ASan, memory beyond the top is poisoned.
#pragma once
#include <cstddef>
#include <vector>

#include "runtime/core/allocator.h"
#include "runtime/core/checked.h"

#if defined(__SANITIZE_ADDRESS__)
#define NF_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define NF_ASAN 1
#endif
#endif
#ifdef NF_ASAN
#include <sanitizer/asan_interface.h>
#define NF_POISON(p, n) ASAN_POISON_MEMORY_REGION(p, n)
#define NF_UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
#else
#define NF_POISON(p, n) ((void)(p), (void)(n))
#define NF_UNPOISON(p, n) ((void)(p), (void)(n))
#endif

namespace libnf {

class Arena {
 public:
  struct Mark {
    size_t top = 0;
    size_t chunk = 0;
    size_t offset = 0;
  };

  explicit Arena(const Allocator& allocator) : allocator_(allocator), growing_(true) {}  // measuring
  Arena(const Allocator& allocator, size_t bytes);                                       // reserved
  Arena(Arena&&) = default;
  Arena& operator=(Arena&&) = default;
  ~Arena();

  // Returns uninitialized memory, valid until the arena is rewound below it.
  void* take(size_t bytes) {
    const size_t need = (bytes + kAlign - 1) & ~(kAlign - 1);
    if (at_.chunk < chunks_.size() && need >= bytes && need <= chunks_[at_.chunk].bytes() - at_.offset) [[likely]]
      return bump(need, bytes);
    return take_slowly(bytes);
  }
  Mark mark() const { return at_; }
  void rewind(const Mark& m);
  size_t high_water() const { return high_; }                            // most bytes ever in use
  size_t capacity() const { return growing_ ? 0 : chunks_[0].bytes(); }  // 0 while measuring

 private:
  void* take_slowly(size_t bytes);  // adds a chunk, or fails
  void* bump(size_t need, size_t bytes) {
    char* p = chunks_[at_.chunk].as<char>() + at_.offset;
    at_.offset += need;
    at_.top += need;
    if (at_.top > high_) high_ = at_.top;
    NF_UNPOISON(p, bytes);
    return p;
  }
  Allocator allocator_;
  std::vector<Buffer> chunks_;
  Mark at_;
  size_t high_ = 0;
  bool growing_ = false;
};

}  // namespace libnf
