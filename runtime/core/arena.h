// A bump arena: the only memory that ops use. 64-byte aligned blocks, mark/rewind, high-water mark.
//
// Life: a *measuring* arena grows while the largest block of rows runs once, and so learns how many bytes that takes;
// a *reserved* arena of that size then never allocates again. Under ASan, memory beyond the top is poisoned.
#pragma once
#include <cstddef>
#include <vector>

#include "runtime/core/allocator.h"

namespace nf {

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

  // Uninitialised memory, valid until the arena is rewound below it.
  void* take(size_t bytes);
  Mark mark() const { return at_; }
  void rewind(const Mark& m);
  size_t high_water() const { return high_; }                            // most bytes ever in use
  size_t capacity() const { return growing_ ? 0 : chunks_[0].bytes(); }  // 0 while measuring

 private:
  Allocator allocator_;
  std::vector<Buffer> chunks_;
  Mark at_;
  size_t high_ = 0;
  bool growing_ = false;
};

}  // namespace nf
