// An allocator for tests that tracks live blocks and can be told to refuse allocations.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "runtime/core/allocator.h"

namespace libnf {

class CountingAllocator {
 public:
  struct Block {
    void* p;
    size_t bytes, align;
  };

  int64_t refuse_after = -1;  // number of further allocations that succeed before nullptr; negative: never refuse
  std::vector<Block> alive;
  size_t bytes = 0, peak = 0;  // live bytes, and their maximum
  int64_t calls = 0;
  int64_t wrong_frees = 0;  // frees whose pointer, size or alignment differ from the allocation

  Allocator hook() {
    Allocator a;
    a.user = this;
    a.alloc = [](void* user, size_t size, size_t align) {
      return static_cast<CountingAllocator*>(user)->take(size, align);
    };
    a.free = [](void* user, void* p, size_t size, size_t align) {
      static_cast<CountingAllocator*>(user)->drop(p, size, align);
    };
    return a;
  }

 private:
  void* take(size_t size, size_t align) {
    ++calls;
    if (refuse_after == 0) return nullptr;
    if (refuse_after > 0) --refuse_after;
    void* p = system_.alloc(system_.user, size, align);
    alive.push_back({p, size, align});
    bytes += size;
    peak = std::max(peak, bytes);
    return p;
  }
  void drop(void* p, size_t size, size_t align) {
    for (auto b = alive.begin(); b != alive.end(); ++b) {
      if (b->p != p || b->bytes != size || b->align != align) continue;
      alive.erase(b);
      bytes -= size;
      system_.free(system_.user, p, size, align);
      return;
    }
    ++wrong_frees;
  }
  Allocator system_ = system_allocator();
};

}  // namespace libnf
