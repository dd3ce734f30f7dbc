// Arena: alignment, mark and rewind, high water, and the promise that a counting run predicts a reserved one exactly.
#include "runtime/core/arena.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "runtime/core/checked.h"
#include "tests/runtime/core/counting_allocator.h"
#include "tests/runtime/core/expect_error.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define NF_TEST_POISON 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#define NF_TEST_POISON 1
#endif
#endif

namespace nf {
namespace {

bool aligned(const void* p) { return reinterpret_cast<uintptr_t>(p) % kAlign == 0; }

TEST(Arena, BlocksAreAlignedAndApart) {
  Arena arena(system_allocator(), 4096);
  std::vector<char*> blocks;
  const size_t sizes[] = {1, 64, 65, 0, 127, 8};
  for (size_t n : sizes) {
    blocks.push_back(static_cast<char*>(arena.data(n)));
    EXPECT_TRUE(aligned(blocks.back()));
  }
  for (size_t i = 0; i < blocks.size(); ++i) std::memset(blocks[i], static_cast<int>(i), sizes[i]);
  for (size_t i = 0; i < blocks.size(); ++i)
    for (size_t k = 0; k < sizes[i]; ++k)
      ASSERT_EQ(blocks[i][k], static_cast<char>(i)) << "block " << i << " byte " << k;
  EXPECT_EQ(arena.used(), 64u + 64 + 128 + 0 + 128 + 64);
}

TEST(Arena, RewindReusesMemoryAndKeepsTheHighWater) {
  Arena arena(system_allocator(), 1024);
  arena.data(100);
  const Arena::Mark m = arena.mark();
  void* first = arena.data(300);
  EXPECT_EQ(arena.used(), 128u + 320);
  arena.rewind(m);
  EXPECT_EQ(arena.used(), 128u);
  EXPECT_EQ(arena.high_water(), 448u);
  EXPECT_EQ(arena.node(10), first);
  EXPECT_EQ(arena.high_water(), 448u);
}

TEST(Arena, FullIsAnErrorAndLosesNothing) {
  Arena arena(system_allocator(), 256);
  EXPECT_FALSE(arena.counting());
  EXPECT_EQ(arena.capacity(), 256u);
  arena.data(192);
  EXPECT_ERROR(arena.data(65), Code::internal, "arena of 256 bytes is full: 128 more are needed");
  EXPECT_EQ(arena.used(), 192u);
  EXPECT_NE(arena.data(64), nullptr);
  EXPECT_ERROR(arena.node(1), Code::internal, "full");
}

TEST(Arena, AbsurdSizesAreErrors) {
  Arena reserved(system_allocator(), 256), counting(system_allocator());
  for (size_t n : {size_t{INT64_MAX}, size_t{INT64_MAX} - 62}) {
    EXPECT_ERROR(reserved.data(n), Code::nomem, "overflow");
    EXPECT_ERROR(counting.data(n), Code::nomem, "overflow");
  }
  counting.data(size_t{1} << 62);
  EXPECT_ERROR(counting.data(size_t{1} << 62), Code::nomem, "overflow");
}

TEST(Arena, ReservedAllocatesOnce) {
  CountingAllocator counter;
  {
    Arena arena(counter.hook(), 1 << 16);
    EXPECT_EQ(counter.calls, 1);
    for (int pass = 0; pass < 10; ++pass) {
      const Arena::Mark m = arena.mark();
      for (int i = 0; i < 100; ++i) pass % 2 ? arena.data(500) : arena.node(100);
      arena.rewind(m);
    }
    EXPECT_EQ(counter.calls, 1);
  }
  EXPECT_TRUE(counter.alive.empty());
  EXPECT_EQ(counter.wrong_frees, 0);
}

TEST(Arena, RefusedBlockIsAnError) {
  CountingAllocator counter;
  counter.refuse_after = 0;
  EXPECT_ERROR(Arena(counter.hook(), 4096), Code::nomem, "4096 bytes for an arena");
  Arena counting(counter.hook());
  EXPECT_ERROR(counting.node(100), Code::nomem, "sizing a graph");
}

// A graph in miniature: nodes that are written, data that is not, nested scopes.
void build(Arena& arena, int depth) {
  for (int i = 0; i < 3; ++i)
    std::memset(arena.node(40 + 30 * static_cast<size_t>(depth)), 7, 40 + 30 * static_cast<size_t>(depth));
  arena.data(1000 * static_cast<size_t>(depth));
  if (depth == 0) return;
  const Arena::Mark m = arena.mark();
  build(arena, depth - 1);
  arena.rewind(m);
  build(arena, depth / 2);
}

TEST(Arena, CountingPredictsReserved) {
  for (int depth = 0; depth < 8; ++depth) {
    Arena counting(system_allocator());
    EXPECT_TRUE(counting.counting());
    build(counting, depth);
    Arena reserved(system_allocator(), counting.high_water());
    build(reserved, depth);
    EXPECT_EQ(reserved.used(), counting.used());
    EXPECT_EQ(reserved.high_water(), counting.high_water());
    EXPECT_EQ(reserved.high_water(), reserved.capacity());
  }
}

TEST(Arena, CountingHandsOutNodesThatKeepTheirContent) {
  Arena arena(system_allocator());
  std::vector<unsigned char*> nodes;
  const size_t bytes = 3000;
  for (int i = 0; i < 100; ++i) {  // several chunks
    nodes.push_back(static_cast<unsigned char*>(arena.node(bytes)));
    ASSERT_TRUE(aligned(nodes.back()));
    std::memset(nodes.back(), i, bytes);
  }
  auto* large = static_cast<unsigned char*>(arena.node(1 << 20));  // larger than a chunk
  std::memset(large, 1, 1 << 20);
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(nodes[static_cast<size_t>(i)][0], i);
    ASSERT_EQ(nodes[static_cast<size_t>(i)][bytes - 1], i);
  }
  EXPECT_TRUE(aligned(arena.data(5)));
}

TEST(Arena, MovesWithItsState) {
  CountingAllocator counter;
  {
    Arena a(counter.hook(), 1024);
    a.data(100);
    Arena b(std::move(a));
    EXPECT_EQ(b.used(), 128u);
    EXPECT_EQ(b.capacity(), 1024u);
    std::memset(b.data(896), 1, 896);
    EXPECT_ERROR(b.data(1), Code::internal, "full");
    Arena c(counter.hook());
    c = std::move(b);
    EXPECT_EQ(c.used(), 1024u);
    EXPECT_FALSE(c.counting());
  }
  EXPECT_TRUE(counter.alive.empty());
  EXPECT_EQ(counter.wrong_frees, 0);
}

#ifdef NF_TEST_POISON
TEST(Arena, MemoryBeyondTheTopIsPoisoned) {
  Arena arena(system_allocator(), 1024);
  const Arena::Mark m = arena.mark();
  auto* p = static_cast<char*>(arena.data(100));
  EXPECT_FALSE(__asan_region_is_poisoned(p, 100));
  EXPECT_TRUE(__asan_address_is_poisoned(p + 128));
  arena.rewind(m);
  EXPECT_TRUE(__asan_address_is_poisoned(p));
  EXPECT_FALSE(__asan_region_is_poisoned(arena.data(8), 8));
  EXPECT_TRUE(__asan_address_is_poisoned(p + 64));
}
#endif

}  // namespace
}  // namespace nf
