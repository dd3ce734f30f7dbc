#include "runtime/core/arena.h"

#include <algorithm>

#include "runtime/core/checked.h"

namespace libnf {
namespace {
constexpr size_t kChunk = 1 << 20;  // growth step while measuring
}  // namespace

Arena::Arena(const Allocator& allocator, size_t bytes) : allocator_(allocator) {
  chunks_.emplace_back(allocator, std::max(align_up(bytes), kAlign), "an arena");
  NF_POISON(chunks_[0].data(), chunks_[0].bytes());
}

Arena::~Arena() {
  for (Buffer& b : chunks_) NF_UNPOISON(b.data(), b.bytes());
}

void* Arena::take_slowly(size_t bytes) {
  const size_t need = align_up(bytes);
  while (at_.chunk < chunks_.size() && need > chunks_[at_.chunk].bytes() - at_.offset && growing_) {
    ++at_.chunk;
    at_.offset = 0;
  }
  if (at_.chunk == chunks_.size() && growing_) {
    chunks_.emplace_back(allocator_, std::max(kChunk, need), "measuring a graph");
    NF_POISON(chunks_.back().data(), chunks_.back().bytes());
  }
  Buffer& chunk = chunks_[at_.chunk];
  if (need > chunk.bytes() - at_.offset)
    fail(Code::internal, "arena of %zu bytes is full: %zu more are needed (measure and use disagree)", chunk.bytes(),
         need);
  return bump(need, bytes);
}

void Arena::rewind(const Mark& m) {
  for (size_t c = m.chunk; c < chunks_.size() && c <= at_.chunk; ++c) {
    const size_t from = c == m.chunk ? m.offset : 0;
    NF_POISON(chunks_[c].as<char>() + from, chunks_[c].bytes() - from);
  }
  at_ = m;
}

}  // namespace libnf
