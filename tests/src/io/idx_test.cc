// IDX: every type, images, and every malformed header; as a table, also compressed.
#include "src/io/idx.h"

#include "src/io/table.h"
#include "tests/src/io/io_test_util.h"

namespace libnf {
namespace {

using namespace io_test;

std::string idx(int type, std::vector<uint32_t> extents, const std::string& data) {
  std::string s{'\0', '\0', static_cast<char>(type), static_cast<char>(extents.size())};
  for (const uint32_t e : extents)
    for (int shift = 24; shift >= 0; shift -= 8) s += static_cast<char>(e >> shift & 255);
  return s + data;
}

TEST(Idx, Types) {
  const auto load = [](const std::string& file) {
    const NpyHeader h = parse_idx_header(bytes_of(file), "f");
    std::vector<double> out(static_cast<size_t>(h.rows() * h.row_elements()));
    read_npy_rows(h, npy_data(bytes_of(file), h, "f"), 0, h.rows(), out.data());
    return out;
  };
  EXPECT_EQ(load(idx(0x08, {2}, "\x01\xFF")), (std::vector<double>{1, 255}));
  EXPECT_EQ(load(idx(0x09, {2}, "\x01\xFF")), (std::vector<double>{1, -1}));
  EXPECT_EQ(load(idx(0x0B, {1, 2}, std::string("\x01\x00\xFF\xFE", 4))), (std::vector<double>{256, -2}));
  EXPECT_EQ(load(idx(0x0C, {1}, std::string("\x00\x01\x00\x00", 4))), (std::vector<double>{65536}));
  EXPECT_EQ(load(idx(0x0D, {1}, std::string("\x3F\xC0\x00\x00", 4))), (std::vector<double>{1.5}));
  EXPECT_EQ(load(idx(0x0E, {1}, std::string("\xC0\x04\x00\x00\x00\x00\x00\x00", 8))), (std::vector<double>{-2.5}));
}

TEST(Idx, ImagesHaveOneChannel) {
  const std::string file = idx(0x08, {2, 3, 2}, std::string("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0A\x0B", 12));
  const Table t = parse_table(system_allocator(), bytes_of(file), "f", {.dtype = DType::f64});
  EXPECT_EQ(t.shape, (Dims{2, 3, 2, 1}));
  EXPECT_EQ(t.rows, 2);
  EXPECT_EQ(t.cols, 6);
  for (int64_t i = 0; i < 12; ++i) EXPECT_EQ(t.view().as<double>()[i], static_cast<double>(i));
  const Table bytes = parse_table(system_allocator(), bytes_of(file), "f", {.dtype = DType::u8});
  EXPECT_EQ(bytes.shape, t.shape);
  for (int64_t i = 0; i < 12; ++i) EXPECT_EQ(bytes.view().as<uint8_t>()[i], i);
  expect_error(Code::argument, "f: its numbers are not bytes", [&] {
    parse_table(system_allocator(), bytes_of(idx(0x09, {2}, "\x01\xFF")), "f", {.dtype = DType::u8});
  });
  const TableFacts facts = describe_table(system_allocator(), bytes_of(file), "f", {});
  EXPECT_STREQ(facts.format, "idx");
  EXPECT_EQ(facts.columns, 6);
  EXPECT_EQ(facts.dtype, "uint8");
  TableOptions some;
  some.csv.columns = {{5, ""}, {0, ""}};
  const Table two = parse_table(system_allocator(), bytes_of(file), "f", some);
  EXPECT_EQ(two.shape, (Dims{2, 2}));
  EXPECT_EQ(two.view().as<float>()[2], 11);
}

TEST(Idx, Malformed) {
  const std::string file = idx(0x08, {2, 1, 2}, std::string("\x00\x01\x02\x03", 4));
  const auto read = [](const std::string& s) { parse_table(system_allocator(), bytes_of(s), "f.idx", {}); };
  read(file);
  for (size_t n = 4; n < file.size(); ++n)
    expect_error(Code::format, "f.idx: the file is truncated", [&] { read(file.substr(0, n)); });
  expect_error(Code::format, "1 extra byte", [&] { read(file + "x"); });
  expect_error(Code::format, "rank 5", [&] { read(idx(0x08, {1, 1, 1, 1, 1}, "x")); });
  expect_error(Code::format, "impossible extents", [&] { read(idx(0x0E, {0xFFFFFFFF, 0xFFFFFFFF}, "")); });
  expect_error(Code::format, "impossible extents", [&] { read(idx(0x08, {0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF}, "")); });
  EXPECT_FALSE(is_idx(bytes_of(std::string("\0\0\x0A\x01", 4)))) << "no such type";
  EXPECT_FALSE(is_idx(bytes_of(idx(0x08, {}, "")))) << "rank 0";
  EXPECT_EQ(parse_table(system_allocator(), bytes_of(idx(0x08, {0, 28, 28}, "")), "f", {}).rows, 0);
}

}  // namespace
}  // namespace libnf
