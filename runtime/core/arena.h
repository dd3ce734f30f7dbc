// A bump arena: the only memory that ops use. 64-byte aligned blocks, mark/rewind, high-water mark.
//
// Life: a *counting* arena runs the same graph without touching data and learns how many bytes it needs;
// a *reserved* arena of that size then never allocates again. Under ASan, memory beyond the top is poisoned.
#pragma once
#include <cstddef>
#include <vector>

#include "runtime/core/allocator.h"

namespace nf {

class Arena {
 public:
  struct Mark {
    size_t top;
  };

  explicit Arena(const Allocator& allocator) : allocator_(allocator) {}  // counting
  Arena(const Allocator& allocator, size_t bytes);                       // reserved
  Arena(Arena&&) = default;
  Arena& operator=(Arena&&) = default;
  ~Arena();

  bool counting() const { return !block_.data(); }
  // Memory for tensor elements. Not initialised. Counting: an address that must not be dereferenced.
  void* data(size_t bytes);
  // Memory for nodes and attributes: real in both modes.
  void* node(size_t bytes);
  Mark mark() const { return {top_}; }
  void rewind(Mark m);
  size_t used() const { return top_; }
  size_t high_water() const { return high_; }
  size_t capacity() const { return block_.bytes(); }

 private:
  void* bump(size_t bytes);
  Allocator allocator_;
  Buffer block_;
  std::vector<Buffer> chunks_;  // counting mode: where nodes live
  size_t chunk_used_ = 0;
  size_t top_ = 0;
  size_t high_ = 0;
};

}  // namespace nf
