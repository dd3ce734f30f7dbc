// DEFLATE of all kinds of blocks, gzip members and zip archives, whole, cut short and damaged.
#include "src/io/inflate.h"

#include "src/io/zip.h"
#include "tests/src/io/io_test_util.h"

namespace libnf {
namespace {

using namespace io_test;

// Made by zlib: of text(), of pseudo-random numbers, and text() as a .gz file.
constexpr uint8_t kStored[] = {
    1,   172, 0,   83,  255, 49,  46,  50,  53,  44,  51,  10,  49,  46,  50,  53,  44,  51,  10,  49,  46,  50,  53,
    44,  51,  10,  49,  46,  50,  53,  44,  51,  10,  49,  46,  50,  53,  44,  51,  10,  49,  46,  50,  53,  44,  51,
    10,  49,  46,  50,  53,  44,  51,  10,  49,  46,  50,  53,  44,  51,  10,  49,  46,  50,  53,  44,  51,  10,  45,
    48,  46,  48,  54,  50,  53,  44,  55,  10,  50,  44,  50,  10,  32,  33,  34,  35,  36,  37,  38,  39,  40,  41,
    42,  43,  44,  45,  46,  47,  48,  49,  50,  51,  52,  53,  54,  55,  56,  57,  58,  59,  60,  61,  62,  63,  64,
    65,  66,  67,  68,  69,  70,  71,  72,  73,  74,  75,  76,  77,  78,  79,  80,  81,  82,  83,  84,  85,  86,  87,
    88,  89,  90,  91,  92,  93,  94,  95,  96,  97,  98,  99,  100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110,
    111, 112, 113, 114, 115, 116, 117, 118, 119, 120, 121, 122, 123, 124, 125, 126};
constexpr uint8_t kFixed[] = {
    51, 212, 51,  50,  213, 49,  230, 50, 36, 147, 210, 53,  208, 51,  48,  3,  178, 204, 185, 140, 116, 140, 184, 20,
    20, 149, 148, 85,  84,  213, 212, 53, 52, 181, 180, 117, 116, 245, 244, 13, 12,  141, 140, 77,  76,  205, 204, 45,
    44, 173, 172, 109, 108, 237, 236, 29, 28, 157, 156, 93,  92,  221, 220, 61, 60,  189, 188, 125, 124, 253, 252, 3,
    2,  131, 130, 67,  66,  195, 194, 35, 34, 163, 162, 99,  98,  227, 226, 19, 18,  147, 146, 83,  82,  211, 210, 51,
    50, 179, 178, 115, 114, 243, 242, 11, 10, 139, 138, 75,  74,  203, 202, 43, 42,  171, 170, 107, 106, 235, 0};
constexpr uint8_t kDynamic[] = {
    45,  145, 75,  22,  192, 32,  8,   3,   247, 61,  139, 245, 17,  126, 234, 253, 47,  214, 32,  93,  65,  97,
    12,  129, 98,  234, 222, 3,   15,  166, 251, 25,  206, 168, 190, 199, 98,  132, 235, 200, 71,  38,  100, 13,
    121, 94,  153, 110, 96,  225, 197, 12,  79,  86,  100, 230, 9,   146, 236, 96,  251, 149, 88,  71,  70,  176,
    161, 106, 99,  51,  138, 219, 5,   143, 156, 97,  5,   90,  102, 73,  212, 139, 251, 148, 211, 128, 214, 216,
    11,  63,  35,  194, 138, 18,  177, 102, 115, 197, 85,  115, 9,   26,  100, 65,  145, 28,  199, 68,  142, 178,
    243, 146, 85,  47,  150, 201, 177, 86,  129, 100, 195, 177, 252, 202, 165, 93,  150, 238, 45,  239, 126, 138,
    213, 168, 184, 12,  173, 142, 176, 18,  149, 248, 206, 74,  56,  114, 73,  77,  226, 49,  56,  91,  203, 3,
    87,  47,  47,  129, 232, 163, 108, 216, 85,  11,  193, 189, 150, 43,  46,  104, 129, 190, 145, 102, 77,  193,
    60,  250, 59,  243, 125, 218, 171, 199, 233, 41,  250, 107, 168, 237, 22,  93,  252, 37,  37,  102, 68,  175,
    231, 13,  109, 139, 202, 91,  244, 1,   67,  154, 61,  191, 35,  160, 244, 249, 157, 214, 170, 182, 188, 209,
    37,  181, 13,  215, 83,  239, 155, 59,  145, 94,  56,  193, 183, 31};
constexpr uint8_t kGzip[] = {
    31,  139, 8,   0,   0,   0,   0,   0,   2,   3,   51,  212, 51,  50,  213, 49,  230, 50,  36,  147, 210, 53,  208,
    51,  48,  3,   178, 204, 185, 140, 116, 140, 184, 20,  20,  149, 148, 85,  84,  213, 212, 53,  52,  181, 180, 117,
    116, 245, 244, 13,  12,  141, 140, 77,  76,  205, 204, 45,  44,  173, 172, 109, 108, 237, 236, 29,  28,  157, 156,
    93,  92,  221, 220, 61,  60,  189, 188, 125, 124, 253, 252, 3,   2,   131, 130, 67,  66,  195, 194, 35,  34,  163,
    162, 99,  98,  227, 226, 19,  18,  147, 146, 83,  82,  211, 210, 51,  50,  179, 178, 115, 114, 243, 242, 11,  10,
    139, 138, 75,  74,  203, 202, 43,  42,  171, 170, 107, 106, 235, 0,   207, 101, 155, 173, 172, 0,   0,   0};
constexpr uint32_t kTextCrc = 2912642511u, kDynamicCrc = 2727222258u;
constexpr size_t kDynamicSize = 515;

std::string text() {
  std::string s;
  for (int i = 0; i < 9; ++i) s += "1.25,3\n";
  s += "-0.0625,7\n2,2\n";
  for (char c = 32; c < 127; ++c) s += c;
  return s;
}

std::span<const std::byte> bytes(std::span<const uint8_t> b) { return std::as_bytes(b); }

std::string inflated(std::span<const uint8_t> b, size_t* used = nullptr, size_t limit = SIZE_MAX) {
  GrowingBytes out(system_allocator(), limit, "f");
  const size_t n = inflate(bytes(b), out, "f");
  if (used) *used = n;
  return text_of(out.bytes());
}

TEST(Inflate, AllKindsOfBlocks) {
  size_t used = 0;
  EXPECT_EQ(inflated(kStored, &used), text());
  EXPECT_EQ(used, sizeof kStored);
  EXPECT_EQ(inflated(kFixed), text());
  EXPECT_EQ(crc32(bytes_of(inflated(kFixed))), kTextCrc);
  const std::string numbers = inflated(kDynamic, &used);
  EXPECT_EQ(numbers.size(), kDynamicSize);
  EXPECT_EQ(crc32(bytes_of(numbers)), kDynamicCrc);
  EXPECT_EQ(used, sizeof kDynamic);
  std::vector<uint8_t> more(kDynamic, kDynamic + sizeof kDynamic);
  more.resize(more.size() + 20, 0xAB);
  inflated(more, &used);
  EXPECT_EQ(used, sizeof kDynamic) << "what follows is not taken";
}

TEST(Inflate, CutShortOrDamaged) {
  for (const std::span<const uint8_t> b :
       {std::span<const uint8_t>(kStored), std::span<const uint8_t>(kFixed), std::span<const uint8_t>(kDynamic)}) {
    for (size_t n = 0; n < b.size(); ++n) expect_error(Code::format, "damaged", [&] { inflated(b.first(n)); });
    for (size_t i = 0; i < b.size(); ++i)
      for (const int bit : {0, 3, 7}) {
        std::vector<uint8_t> bad(b.begin(), b.end());
        bad[i] ^= static_cast<uint8_t>(1 << bit);
        try {
          inflated(bad, nullptr, size_t{1} << 20);
        } catch (const Error& e) {
          EXPECT_TRUE(e.code() == Code::format || e.code() == Code::io) << e.what();
        }
      }
  }
  expect_error(Code::io, "limit of 100", [] { inflated(kStored, nullptr, 100); });
}

TEST(Inflate, Gzip) {
  const auto read = [](std::span<const std::byte> b) {
    GrowingBytes out(system_allocator(), SIZE_MAX, "f.gz");
    gunzip(b, out, "f.gz");
    return text_of(out.bytes());
  };
  const auto file = bytes(kGzip);
  EXPECT_TRUE(is_gzip(file));
  EXPECT_EQ(read(file), text());
  const std::string twice = text_of(file) + text_of(file);
  EXPECT_EQ(read(bytes_of(twice)), text() + text()) << "two members";
  EXPECT_EQ(read(bytes_of(text_of(file) + std::string(5, '\0'))), text()) << "padding";
  for (size_t n = 0; n < file.size(); ++n) expect_error(Code::format, "f.gz", [&] { read(file.first(n)); });
  std::string wrong = text_of(file);
  wrong[wrong.size() - 5] ^= 1;
  expect_error(Code::format, "checksum", [&] { read(bytes_of(wrong)); });
}

std::string number(uint64_t v, int n) {
  std::string s;
  for (int i = 0; i < n; ++i) s += static_cast<char>(v >> 8 * i);
  return s;
}

// A zip archive of one member.
std::string archive(const std::string& name, int method, std::string_view packed, size_t size, uint32_t crc,
                    bool wide) {
  const std::string sizes =
      wide ? number(0xFFFFFFFF, 4) + number(0xFFFFFFFF, 4) : number(packed.size(), 4) + number(size, 4);
  const std::string extra = wide ? number(1, 2) + number(16, 2) + number(size, 8) + number(packed.size(), 8) : "";
  const std::string common = number(0, 2) + number(static_cast<uint64_t>(method), 2) + number(0, 4) + number(crc, 4) +
                             sizes + number(name.size(), 2) + number(extra.size(), 2);
  std::string s = number(0x04034B50, 4) + number(20, 2) + common + name + extra + std::string(packed);
  const size_t directory = s.size();
  s += number(0x02014B50, 4) + number(20, 2) + number(20, 2) + common + number(0, 2) + number(0, 4) + number(0, 4) +
       number(0, 4) + name + extra;
  const size_t length = s.size() - directory;
  return s + number(0x06054B50, 4) + number(0, 4) + number(1, 2) + number(1, 2) + number(length, 4) +
         number(directory, 4) + number(7, 2) + "comment";
}

TEST(Zip, StoredAndDeflatedMembers) {
  const auto read = [](const std::string& file) {
    const auto members = list_zip(bytes_of(file), "f.npz");
    EXPECT_EQ(members.size(), 1u);
    EXPECT_EQ(members[0].name, "X.npy");
    GrowingBytes out(system_allocator(), SIZE_MAX, "f.npz");
    read_zip(bytes_of(file), members[0], out, "f.npz");
    return text_of(out.bytes());
  };
  const std::string packed = text_of(bytes(kFixed));
  for (const bool wide : {false, true}) {
    EXPECT_EQ(read(archive("X.npy", 0, text(), text().size(), kTextCrc, wide)), text());
    const std::string file = archive("X.npy", 8, packed, text().size(), kTextCrc, wide);
    EXPECT_TRUE(is_zip(bytes_of(file)));
    EXPECT_EQ(read(file), text());
    for (size_t n = 0; n + 8 < file.size(); ++n) expect_error(Code::format, "f.npz", [&] { read(file.substr(0, n)); });
  }
  expect_error(Code::format, "checksum",
               [&] { read(archive("X.npy", 8, packed, text().size(), kTextCrc + 1, false)); });
  expect_error(Code::format, "method 12", [&] { read(archive("X.npy", 12, packed, text().size(), kTextCrc, false)); });
}

}  // namespace
}  // namespace libnf
