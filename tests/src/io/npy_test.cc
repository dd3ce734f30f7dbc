// .npy: every dtype, byte order and element order; every malformed header; the writer.
#include "src/io/npy.h"

#include <cmath>
#include <cstring>

#include "tests/src/io/io_test_util.h"

namespace libnf {
namespace {

using namespace io_test;

std::string npy(const std::string& dict, const std::string& data, int version = 1) {
  std::string s = "\x93NUMPY";
  s += static_cast<char>(version);
  s += '\0';
  const size_t n = dict.size();
  for (int i = 0; i < (version == 1 ? 2 : 4); ++i) s += static_cast<char>(n >> 8 * i & 0xFF);
  return s + dict + data;
}

std::string dict(const std::string& descr, const std::string& shape, const char* fortran = "False") {
  return "{'descr': '" + descr + "', 'fortran_order': " + fortran + ", 'shape': " + shape + ", }\n";
}

template <class S>
std::string raw(std::vector<S> v, bool swap = false) {
  std::string out;
  for (const S& x : v) {
    char b[sizeof(S)];
    std::memcpy(b, &x, sizeof b);
    if (swap) std::reverse(b, b + sizeof b);
    out.append(b, sizeof b);
  }
  return out;
}

template <class T>
std::vector<T> load(const std::string& file, Dims* shape = nullptr) {
  const NpyHeader h = parse_npy_header(bytes_of(file), "f");
  const std::span<const std::byte> data = npy_data(bytes_of(file), h, "f");
  std::vector<T> out(static_cast<size_t>(h.rows() * h.row_elements()));
  read_npy_rows(h, data, 0, h.rows(), out.data());
  if (shape) *shape = h.shape;
  return out;
}

template <class S>
void check_type(const std::string& type, std::vector<S> v) {
  SCOPED_TRACE(type);
  const std::vector<double> want(v.begin(), v.end());
  const std::vector<float> want32(v.begin(), v.end());
  const std::string shape = "(" + std::to_string(v.size()) + ",)";
  for (const bool big : {false, true}) {
    const std::string descr = (sizeof(S) == 1 ? "|" : big ? ">" : "<") + type;
    EXPECT_EQ(load<double>(npy(dict(descr, shape), raw(v, big))), want);
    EXPECT_EQ(load<float>(npy(dict(descr, shape), raw(v, big))), want32);
  }
}

TEST(Npy, EveryType) {
  check_type<float>("f4", {1.5f, -3e38f, 0.0f});
  check_type<double>("f8", {1.5, -3e38, 1e-40});
  check_type<int8_t>("i1", {-128, 0, 127});
  check_type<int16_t>("i2", {-32768, 1, 258});
  check_type<int32_t>("i4", {INT32_MIN, 66051, 7});
  check_type<int64_t>("i8", {INT64_MIN, 1, int64_t{1} << 52});
  check_type<uint8_t>("u1", {0, 128, 255});
  check_type<uint16_t>("u2", {0, 258, 65535});
  check_type<uint32_t>("u4", {0, 66051, UINT32_MAX});
  check_type<uint64_t>("u8", {0, 1, UINT64_MAX});
  EXPECT_EQ(load<float>(npy(dict("|b1", "(3,)"), std::string("\0\1\2", 3))), (std::vector<float>{0, 1, 1}));
}

TEST(Npy, HalfPrecision) {
  const std::vector<uint16_t> bits{0x3C00, 0xC000, 0x0001, 0x83FF, 0x7BFF, 0x7C00, 0xFC00, 0x8000, 0x3555, 0x0400};
  const std::vector<double> want{1, -2, 0x1p-24, -0x3FFp-24, 65504, INFINITY, -INFINITY, -0.0, 0x1.554p-2, 0x1p-14};
  for (const bool big : {false, true}) {
    EXPECT_EQ(load<double>(npy(dict(big ? ">f2" : "<f2", "(10,)"), raw(bits, big))), want);
    EXPECT_EQ(load<float>(npy(dict(big ? ">f2" : "<f2", "(10,)"), raw(bits, big))),
              std::vector<float>(want.begin(), want.end()));
  }
  const double nan = load<double>(npy(dict("<f2", "(1,)"), raw<uint16_t>({0x7E01})))[0];
  EXPECT_TRUE(std::isnan(nan));
  EXPECT_TRUE(std::signbit(load<double>(npy(dict("<f2", "(1,)"), raw<uint16_t>({0x8000})))[0]));
}

TEST(Npy, Versions) {
  for (const int v : {1, 2, 3})
    EXPECT_EQ(load<float>(npy(dict("<f4", "(2,)"), raw<float>({1, 2}), v)), (std::vector<float>{1, 2}));
  for (const int v : {0, 4, 255})
    expect_error(Code::format, "version " + std::to_string(v) + ".0", [&] {
      load<float>(npy(dict("<f4", "(2,)"), raw<float>({1, 2}), v));
    });
}

TEST(Npy, RanksAndFortranOrder) {
  Dims shape;
  EXPECT_EQ(load<double>(npy(dict("<f8", "()"), raw<double>({7})), &shape), std::vector<double>{7});
  EXPECT_EQ(shape.rank, 0);
  const std::vector<double> c{1, 2, 3, 4, 5, 6};
  EXPECT_EQ(load<double>(npy(dict("<f8", "(2, 3)"), raw(c)), &shape), c);
  EXPECT_EQ(shape, (Dims{2, 3}));
  EXPECT_EQ(load<double>(npy(dict("<f8", "(2, 3)", "True"), raw<double>({1, 4, 2, 5, 3, 6}))), c);
  EXPECT_EQ(load<double>(npy(dict("<f8", "(0, 3)", "True"), ""), &shape), std::vector<double>{});
  // Rank 4 in Fortran order, more than one block of rows; element (i, j, k, l) = its C-order index.
  const int64_t n[] = {130, 2, 3, 4};
  std::vector<int32_t> f;
  for (int64_t l = 0; l < n[3]; ++l)
    for (int64_t k = 0; k < n[2]; ++k)
      for (int64_t j = 0; j < n[1]; ++j)
        for (int64_t i = 0; i < n[0]; ++i) f.push_back(static_cast<int32_t>(((i * n[1] + j) * n[2] + k) * n[3] + l));
  const std::string file = npy(dict(">i4", "(130, 2, 3, 4)", "True"), raw(f, true));
  const std::vector<float> got = load<float>(file);
  for (size_t i = 0; i < got.size(); ++i) ASSERT_EQ(got[i], static_cast<float>(i));
  // Any range of rows can be converted, as from a mapped file.
  const NpyHeader h = parse_npy_header(bytes_of(file).first(200), "f");
  EXPECT_EQ(h.row_elements(), 24);
  std::vector<double> rows(24 * 70);
  read_npy_rows(h, npy_data(bytes_of(file), h, "f"), 57, 70, rows.data());
  for (size_t i = 0; i < rows.size(); ++i) ASSERT_EQ(rows[i], static_cast<double>(57 * 24 + i));
  expect_error(Code::argument, "rows 57 to 131", [&] { read_npy_rows(h, {}, 57, 74, rows.data()); });
  expect_error(Code::argument, "rows", [&] { read_npy_rows(h, {}, -1, 2, rows.data()); });
}

TEST(Npy, HeaderVariants) {
  const std::string x = raw<float>({1, 2});
  for (const char* d : {
           "{'shape':(2,),'fortran_order':False,'descr':'<f4'}",
           "{\"descr\": \"<f4\", \"fortran_order\": False, \"shape\": (2L,)}",
           " {'descr' : '=f4' , 'fortran_order':True, 'shape':( 2 , ) , } \n",
           "{'descr': 'f4', 'fortran_order': False, 'shape': (2), }",
       })
    EXPECT_EQ(load<float>(npy(d, x)), (std::vector<float>{1, 2})) << d;
}

TEST(Npy, UnsupportedContentsSayWhatToDo) {
  const auto bad = [](const std::string& d, std::string_view part) {
    SCOPED_TRACE(d);
    expect_error(Code::format, part, [&] { load<float>(npy(d, "")); });
  };
  bad(dict("|O", "(1,)"), "pickled");
  bad("{'descr': [('a', '<f4'), ('b', '<i4')], 'fortran_order': False, 'shape': (1,), }", "structured");
  bad("{'descr': ('<f4', (2,)), 'fortran_order': False, 'shape': (1,), }", "structured");
  for (const char* t : {"<U5", "|S3", "<f1", "<c16", "<M8[ns]", "|V8", "<f16", "", "<", "<i3", "|b4", "<i"})
    bad(dict(t, "(1,)"), "astype");
  bad(dict("<f4", "(1, 1, 1, 1, 1)"), "more than 4 dimensions");
}

TEST(Npy, LyingHeaders) {
  const auto bad = [](const std::string& d, const std::string& data, std::string_view part) {
    SCOPED_TRACE(d);
    expect_error(Code::format, part, [&] { load<float>(npy(d, data)); });
  };
  bad(dict("<f4", "(3,)"), "12345678", "needs 12 bytes of data, the file has 8");
  bad(dict("<f4", "(1,)"), "12345678", "4 extra bytes after");
  bad(dict("<f4", "(4611686018427387904, 2)"), "", "overflows");
  bad(dict("<f4", "(2, 0, 9223372036854775807)"), "", "overflows");
  bad(dict("<f4", "(99999999999999999999,)"), "", "too large");
  bad(dict("<f4", "(1000000000000,)"), "", "truncated");
  bad(dict("<f4", "(-1,)"), "", "non-negative");
  bad(dict("<f4", "(1.5,)"), "", "expected ')'");
  bad(dict("<f4", "[1]"), "", "expected '('");
  bad(dict("<f4", "(1,)", "None"), "", "True nor False");
  bad("", "", "expected '{'");
  bad("{}", "", "'descr' is missing");
  bad("{'descr': '<f4'}", "", "'fortran_order' is missing");
  bad("{'descr': '<f4', 'fortran_order': False}", "", "'shape' is missing");
  bad("{'descr': '<f4', 'descr': '<f4'}", "", "duplicate key 'descr'");
  bad("{'x': 1}", "", "unknown key 'x'");
  bad("{'descr: ", "", "unterminated");
  bad("{descr: ", "", "expected");
  bad(dict("<f4", "(1,)") + "x", "1234", "text after");
}

TEST(Npy, Truncation) {
  const std::string file = npy(dict("<f4", "(2,)"), raw<float>({1, 2}));
  for (size_t n = 0; n < file.size(); ++n) expect_error(Code::format, "f: ", [&] { load<float>(file.substr(0, n)); });
  expect_error(Code::format, "at most", [] { load<float>(std::string("\x93NUMPY\2\0\xFF\xFF\xFF\xFF", 12)); });
}

TEST(Npy, WriterRoundTrip) {
  const std::vector<double> x{1.5, -2, 1e300, 0.1, 5, 6};
  for (const Dims& shape : {Dims{2, 3}, Dims{6}, Dims{1, 2, 3}, Dims{3, 1, 1, 2}}) {
    MemorySink sink;
    write_npy(sink, DType::f64, shape, x.data());
    const std::string file = text_of(sink.bytes());
    Dims got;
    EXPECT_EQ(load<double>(file, &got), x);
    EXPECT_EQ(got, shape);
    EXPECT_EQ(parse_npy_header(bytes_of(file), "f").data_offset % 64, 0u);
  }
  MemorySink sink;
  write_npy(sink, DType::f32, {}, std::vector<float>{2.5f}.data());
  EXPECT_EQ(load<float>(text_of(sink.bytes())), std::vector<float>{2.5f});
}

}  // namespace
}  // namespace libnf
