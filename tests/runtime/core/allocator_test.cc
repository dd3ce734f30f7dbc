// Buffer and the memory hook: alignment, zero fill, ownership, and refused allocations that become Error{nomem}.
#include "runtime/core/allocator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "runtime/core/checked.h"
#include "tests/support/counting_allocator.h"
#include "tests/support/expect_error.h"

namespace libnf {
namespace {

bool aligned(const void* p, size_t align) { return reinterpret_cast<uintptr_t>(p) % align == 0; }

TEST(SystemAllocator, HonorsAlignment) {
  const Allocator a = system_allocator();
  for (size_t align : {16, 64, 4096}) {
    for (size_t size : {1, 63, 64, 65, 100000}) {
      void* p = a.alloc(a.user, size, align);
      ASSERT_NE(p, nullptr);
      EXPECT_TRUE(aligned(p, align)) << size << " bytes at " << align;
      std::memset(p, 1, size);
      a.free(a.user, p, size, align);
    }
  }
}

TEST(SystemAllocator, RefusesWithNull) {
  const Allocator a = system_allocator();
  EXPECT_EQ(a.alloc(a.user, size_t{1} << 62, 64), nullptr);
}

TEST(Buffer, IsZeroFilledAlignedAndFreed) {
  CountingAllocator counter;
  for (size_t bytes : {1, 64, 1000, 100000}) {
    Buffer b(counter.hook(), bytes, "a test");
    ASSERT_NE(b.data(), nullptr);
    EXPECT_EQ(b.bytes(), bytes);
    EXPECT_TRUE(aligned(b.data(), kAlign));
    EXPECT_EQ(std::count(b.as<char>(), b.as<char>() + bytes, 0), static_cast<int64_t>(bytes));
    std::memset(b.data(), 0xFF, bytes);  // so that reused memory is not zero by chance
    ASSERT_EQ(counter.alive.size(), 1u);
    EXPECT_EQ(counter.alive[0].align, kAlign);
  }
  EXPECT_TRUE(counter.alive.empty());
  EXPECT_EQ(counter.wrong_frees, 0);
}

TEST(Buffer, OfZeroBytesAllocatesNothing) {
  CountingAllocator counter;
  Buffer none;
  Buffer zero(counter.hook(), 0, "a test");
  EXPECT_EQ(none.data(), nullptr);
  EXPECT_EQ(zero.data(), nullptr);
  EXPECT_EQ(zero.bytes(), 0u);
  EXPECT_EQ(counter.calls, 0);
}

TEST(Buffer, RefusalNamesPurposeAndSize) {
  CountingAllocator counter;
  counter.refuse_after = 1;
  Buffer first(counter.hook(), 10, "the first");
  EXPECT_ERROR(Buffer(counter.hook(), 12345, "parameters"), Code::nomem, "12345 bytes for parameters");
  EXPECT_EQ(counter.alive.size(), 1u);
}

TEST(Buffer, MovesOwnership) {
  CountingAllocator a, b;
  {
    Buffer x(a.hook(), 100, "x");
    void* p = x.data();
    Buffer y(std::move(x));
    EXPECT_EQ(y.data(), p);
    EXPECT_EQ(y.bytes(), 100u);
    Buffer z(b.hook(), 200, "z");
    z = std::move(y);  // the block of z must be returned to b in the end
    EXPECT_EQ(z.data(), p);
    EXPECT_EQ(z.bytes(), 100u);
  }
  for (const CountingAllocator* c : {&a, &b}) {
    EXPECT_TRUE(c->alive.empty());
    EXPECT_EQ(c->wrong_frees, 0);
  }
}

}  // namespace
}  // namespace libnf
