// Structs that grow, by a struct that has grown already: callers of the first version, of this one and of a later one.
#include "src/abi/structs.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/expect_error.h"

namespace {

struct Grown {
  uint32_t struct_size;
  int32_t first;
  double second;
  double later;  // came with version 2
  int64_t last;  // came with version 3
};

}  // namespace

namespace libnf {
template <>
constexpr uint32_t kFirstSize<Grown> = offsetof(Grown, later);

namespace test {
namespace {

constexpr uint32_t kVersion1 = offsetof(Grown, later), kVersion2 = offsetof(Grown, last), kVersion3 = sizeof(Grown);
constexpr unsigned char kBeyond = 0x5a;

// Memory of a caller whose struct has `size` bytes, with other memory behind it.
struct Caller {
  explicit Caller(uint32_t size) : bytes(5000, kBeyond) {
    Grown g{size, 7, 1.5, 2.5, -9};
    std::fill(bytes.begin(), bytes.begin() + std::max<long>(size, 4), static_cast<unsigned char>(0));
    std::memcpy(bytes.data(), &g, std::max<size_t>(std::min<size_t>(size, sizeof g), 4));
  }
  Grown* get() { return reinterpret_cast<Grown*>(bytes.data()); }
  bool beyond_is_untouched(uint32_t size) const {
    return std::all_of(bytes.begin() + size, bytes.end(), [](unsigned char c) { return c == kBeyond; });
  }
  std::vector<unsigned char> bytes;
};

TEST(Structs, OlderCallersAreReadAsIfTheirMissingFieldsWere0) {
  const struct {
    uint32_t size;
    double later;
    int64_t last;
  } versions[] = {
      {kVersion1, 0, 0}, {kVersion2, 2.5, 0}, {kVersion3, 2.5, -9}, {kVersion3 + 8, 2.5, -9}, {4096, 2.5, -9}};
  for (const auto& v : versions) {
    Caller c(v.size);
    const Grown g = read_struct(c.get(), "g");
    EXPECT_EQ(g.struct_size, sizeof(Grown));
    EXPECT_EQ(g.first, 7);
    EXPECT_EQ(g.second, 1.5);
    EXPECT_EQ(g.later, v.later) << v.size;
    EXPECT_EQ(g.last, v.last) << v.size;
  }
}

// A field that a caller has in part does not exist in any version, but the part that is there counts.
TEST(Structs, SizesBetweenVersionsAreReadAsFarAsTheyGo) {
  for (uint32_t size = kVersion1; size <= kVersion3; ++size) {
    Caller c(size);
    Grown want{};
    std::memcpy(&want, c.get(), size);
    want.struct_size = sizeof(Grown);
    const Grown got = read_struct(c.get(), "g");
    EXPECT_EQ(std::memcmp(&got, &want, sizeof want), 0) << size;
  }
}

TEST(Structs, SizesThatNoCallerCanHaveAreRefused) {
  EXPECT_ERROR(read_struct(static_cast<const Grown*>(nullptr), "g"), Code::argument, "g is NULL");
  for (const uint32_t size : {0u, 4u, kVersion1 - 1, 4097u, UINT32_MAX}) {
    Caller c(std::min(size, 4100u));
    std::memcpy(c.get(), &size, sizeof size);
    EXPECT_ERROR(read_struct(c.get(), "g"), Code::argument, "g.struct_size is");
    EXPECT_ERROR(struct_size(c.get(), "g"), Code::argument, "expected 32");
  }
}

TEST(Structs, WhatANewerCallerAsksForIsRefused) {
  for (const uint32_t size : {kVersion3 + 1, kVersion3 + 8, 4096u})
    for (const uint32_t at : {kVersion3, size - 1}) {
      Caller c(size);
      c.bytes[at] = 1;
      EXPECT_ERROR(read_struct(c.get(), "g"), Code::argument, ("byte " + std::to_string(at)).c_str());
      c.bytes[at] = 0;
      c.bytes[size] = 1;  // not the caller's struct
      EXPECT_EQ(read_struct(c.get(), "g").last, -9);
    }
}

TEST(Structs, WritingFillsWhatTheCallerHas) {
  const Grown value{sizeof(Grown), 1, 2, 3, 4};
  for (const uint32_t size : {kVersion1, kVersion2, kVersion3, kVersion3 + 8, 4096u}) {
    Caller c(size);
    std::fill(c.bytes.begin() + 4, c.bytes.begin() + size, static_cast<unsigned char>(0xff));
    EXPECT_EQ(struct_size(c.get(), "g"), size);
    write_struct(c.get(), value);
    Grown want = value;
    want.struct_size = size;
    std::vector<unsigned char> expected(size, 0);
    std::memcpy(expected.data(), &want, std::min<size_t>(size, sizeof want));
    EXPECT_TRUE(std::equal(expected.begin(), expected.end(), c.bytes.begin())) << size;
    EXPECT_TRUE(c.beyond_is_untouched(size)) << size;
  }
}

TEST(Structs, ReadAndWrittenStructsAgree) {
  const Grown value{sizeof(Grown), 1, 2, 3, 4};
  Caller c(kVersion3);
  write_struct(c.get(), value);
  const Grown back = read_struct(c.get(), "g");
  EXPECT_EQ(std::memcmp(&back, &value, sizeof value), 0);
}

}  // namespace
}  // namespace test
}  // namespace libnf
