#include "runtime/core/arena.h"

#include <algorithm>

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
#define NF_POISON(p, n) (void)0
#define NF_UNPOISON(p, n) (void)0
#endif

namespace nf {
namespace {
constexpr size_t kChunk = 1 << 16;
// Handed out while counting; aligned, never mapped, far from zero so that offsets stay well-defined.
char* const kNowhere = reinterpret_cast<char*>(uintptr_t{1} << 46);
}  // namespace

Arena::Arena(const Allocator& allocator, size_t bytes)
    : allocator_(allocator), block_(allocator, std::max(align_up(bytes), kAlign), "an arena") {
  NF_POISON(block_.data(), block_.bytes());
}

Arena::~Arena() {
  if (block_.data()) NF_UNPOISON(block_.data(), block_.bytes());
}

void* Arena::bump(size_t bytes) {
  const size_t need = align_up(bytes);
  if (block_.data() && need > block_.bytes() - top_)
    fail(Code::internal, "arena of %zu bytes is full: %zu more are needed (sizing and use disagree)", block_.bytes(), need);
  const size_t at = top_;
  top_ = static_cast<size_t>(checked_add(static_cast<int64_t>(top_), static_cast<int64_t>(need)));
  high_ = std::max(high_, top_);
  if (!block_.data()) return nullptr;
  char* p = block_.as<char>() + at;
  NF_UNPOISON(p, bytes);
  return p;
}

void* Arena::data(size_t bytes) {
  void* p = bump(bytes);
  return p ? p : kNowhere;
}

void* Arena::node(size_t bytes) {
  if (void* p = bump(bytes)) return p;
  const size_t need = align_up(bytes);
  if (chunks_.empty() || chunk_used_ + need > chunks_.back().bytes()) {
    chunks_.emplace_back(allocator_, std::max(kChunk, need), "sizing a graph");
    chunk_used_ = 0;
  }
  char* p = chunks_.back().as<char>() + chunk_used_;
  chunk_used_ += need;
  return p;
}

void Arena::rewind(Mark m) {
  if (block_.data() && top_ > m.top) NF_POISON(block_.as<char>() + m.top, top_ - m.top);
  top_ = m.top;
}

}  // namespace nf
