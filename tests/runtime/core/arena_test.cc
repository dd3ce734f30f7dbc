// Arena: alignment, mark and rewind, high water, and that a measuring run predicts a reserved one exactly.
#include "runtime/core/arena.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "runtime/core/checked.h"
#include "tests/support/counting_allocator.h"
#include "tests/support/expect_error.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define NF_TEST_POISON 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#define NF_TEST_POISON 1
#endif
#endif

namespace libnf {
namespace {

bool aligned(const void* p) { return reinterpret_cast<uintptr_t>(p) % kAlign == 0; }

TEST(Arena, BlocksAreAlignedAndApart) {
  Arena reserved(system_allocator(), 4096), measuring(system_allocator());
  for (Arena* arena : {&reserved, &measuring}) {
    std::vector<char*> blocks;
    const size_t sizes[] = {1, 64, 65, 0, 127, 8};
    for (size_t n : sizes) {
      blocks.push_back(static_cast<char*>(arena->take(n)));
      EXPECT_TRUE(aligned(blocks.back()));
    }
    for (size_t i = 0; i < blocks.size(); ++i) std::memset(blocks[i], static_cast<int>(i), sizes[i]);
    for (size_t i = 0; i < blocks.size(); ++i)
      for (size_t k = 0; k < sizes[i]; ++k)
        ASSERT_EQ(blocks[i][k], static_cast<char>(i)) << "block " << i << " byte " << k;
    EXPECT_EQ(arena->high_water(), 64u + 64 + 128 + 0 + 128 + 64);
  }
}

TEST(Arena, RewindReusesMemoryAndKeepsTheHighWater) {
  Arena reserved(system_allocator(), 1024), measuring(system_allocator());
  for (Arena* arena : {&reserved, &measuring}) {
    arena->take(100);
    const Arena::Mark m = arena->mark();
    void* first = arena->take(300);
    EXPECT_EQ(arena->mark().top, 128u + 320);
    arena->rewind(m);
    EXPECT_EQ(arena->mark().top, 128u);
    EXPECT_EQ(arena->high_water(), 448u);
    EXPECT_EQ(arena->take(10), first);
    EXPECT_EQ(arena->high_water(), 448u);
  }
}

TEST(Arena, FullIsAnErrorAndLosesNothing) {
  Arena arena(system_allocator(), 256);
  EXPECT_EQ(arena.capacity(), 256u);
  arena.take(192);
  EXPECT_ERROR(arena.take(65), Code::internal, "arena of 256 bytes is full: 128 more are needed");
  EXPECT_EQ(arena.mark().top, 192u);
  EXPECT_NE(arena.take(64), nullptr);
  EXPECT_ERROR(arena.take(1), Code::internal, "full");
}

TEST(Arena, AbsurdSizesAreErrors) {
  Arena reserved(system_allocator(), 256), measuring(system_allocator());
  for (size_t n : {SIZE_MAX, SIZE_MAX - 100, size_t{INT64_MAX}, size_t{INT64_MAX} - 62}) {
    EXPECT_ERROR(reserved.take(n), Code::nomem, "overflow");
    EXPECT_ERROR(measuring.take(n), Code::nomem, "overflow");
  }
  EXPECT_ERROR(measuring.take(size_t{1} << 62), Code::nomem, "measuring a graph");
}

TEST(Arena, ReservedAllocatesOnce) {
  CountingAllocator counter;
  {
    Arena arena(counter.hook(), 1 << 16);
    EXPECT_EQ(counter.calls, 1);
    for (int pass = 0; pass < 10; ++pass) {
      const Arena::Mark m = arena.mark();
      for (int i = 0; i < 100; ++i) arena.take(500);
      arena.rewind(m);
    }
    EXPECT_EQ(counter.calls, 1);
  }
  EXPECT_TRUE(counter.alive.empty());
  EXPECT_EQ(counter.wrong_frees, 0);
}

TEST(Arena, RefusedMemoryIsAnErrorAndCanBeRetried) {
  CountingAllocator counter;
  counter.refuse_after = 0;
  EXPECT_ERROR(Arena(counter.hook(), 4096), Code::nomem, "4096 bytes for an arena");
  Arena measuring(counter.hook());
  EXPECT_ERROR(measuring.take(100), Code::nomem, "measuring a graph");
  EXPECT_EQ(measuring.high_water(), 0u);
  counter.refuse_after = -1;
  EXPECT_NE(measuring.take(100), nullptr);
  EXPECT_EQ(measuring.high_water(), 128u);
}

// A miniature graph: blocks that are written, nested scopes, some larger than a growth step.
void build(Arena& arena, size_t depth) {
  for (size_t i = 0; i < 3; ++i) std::memset(arena.take(40 + 30 * depth), 7, 40 + 30 * depth);
  std::memset(arena.take(200000 * depth), 8, 200000 * depth);
  if (depth == 0) return;
  const Arena::Mark m = arena.mark();
  build(arena, depth - 1);
  arena.rewind(m);
  build(arena, depth / 2);
}

TEST(Arena, MeasuringPredictsReserved) {
  for (size_t depth = 0; depth < 8; ++depth) {
    Arena measuring(system_allocator());
    EXPECT_EQ(measuring.capacity(), 0u);
    build(measuring, depth);
    Arena reserved(system_allocator(), measuring.high_water());
    build(reserved, depth);
    EXPECT_EQ(reserved.mark().top, measuring.mark().top);
    EXPECT_EQ(reserved.high_water(), measuring.high_water());
    EXPECT_EQ(reserved.high_water(), reserved.capacity());
  }
}

TEST(Arena, MeasuringKeepsWhatItHandedOut) {
  Arena arena(system_allocator());
  std::vector<unsigned char*> blocks;
  const size_t bytes = 300000;
  for (int i = 0; i < 20; ++i) {  // several growth steps
    blocks.push_back(static_cast<unsigned char*>(arena.take(bytes)));
    ASSERT_TRUE(aligned(blocks.back()));
    std::memset(blocks.back(), i, bytes);
  }
  for (size_t i = 0; i < blocks.size(); ++i) {
    ASSERT_EQ(blocks[i][0], i);
    ASSERT_EQ(blocks[i][bytes - 1], i);
  }
}

// After the arena has grown, a second run of the same graph reuses the memory of the first.
TEST(Arena, MeasuringReusesItsMemoryAfterRewind) {
  CountingAllocator counter;
  Arena arena(counter.hook());
  const Arena::Mark start = arena.mark();
  build(arena, 6);
  const int64_t calls = counter.calls;
  const size_t high = arena.high_water();
  arena.rewind(start);
  EXPECT_EQ(arena.mark().top, 0u);
  build(arena, 6);
  EXPECT_EQ(counter.calls, calls);
  EXPECT_EQ(arena.high_water(), high);
}

TEST(Arena, MovesWithItsState) {
  CountingAllocator counter;
  {
    Arena a(counter.hook(), 1024);
    a.take(100);
    Arena b(std::move(a));
    EXPECT_EQ(b.mark().top, 128u);
    EXPECT_EQ(b.capacity(), 1024u);
    std::memset(b.take(896), 1, 896);
    EXPECT_ERROR(b.take(1), Code::internal, "full");
    Arena c(counter.hook());
    c = std::move(b);
    EXPECT_EQ(c.high_water(), 1024u);
    EXPECT_EQ(c.capacity(), 1024u);
  }
  EXPECT_TRUE(counter.alive.empty());
  EXPECT_EQ(counter.wrong_frees, 0);
}

#ifdef NF_TEST_POISON
TEST(Arena, MemoryBeyondTheTopIsPoisoned) {
  Arena arena(system_allocator(), 1024);
  const Arena::Mark m = arena.mark();
  auto* p = static_cast<char*>(arena.take(100));
  EXPECT_FALSE(__asan_region_is_poisoned(p, 100));
  EXPECT_TRUE(__asan_address_is_poisoned(p + 128));
  arena.rewind(m);
  EXPECT_TRUE(__asan_address_is_poisoned(p));
  EXPECT_FALSE(__asan_region_is_poisoned(arena.take(8), 8));
  EXPECT_TRUE(__asan_address_is_poisoned(p + 64));
}
#endif

}  // namespace
}  // namespace libnf
