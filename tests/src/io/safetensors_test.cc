// The container: round trips, determinism, the checksum, every kind of invalid header, every flipped bit.
#include "src/io/safetensors.h"

#include <cmath>
#include <cstring>
#include <numeric>

#include "src/io/file_bytes.h"
#include "tests/src/io/io_test_util.h"

namespace libnf {
namespace {

using namespace io_test;

// Returns a file with this header and `data_bytes` zeros.
std::string file_of(const std::string& header, size_t data_bytes) {
  const uint64_t n = header.size();
  std::string s(8, '\0');
  std::memcpy(s.data(), &n, 8);
  return s + header + std::string(data_bytes, '\0');
}

SafeTensors parse(std::string_view file) { return SafeTensors::parse(bytes_of(file)); }

void expect_bad(const std::string& header, size_t data_bytes, std::string_view part) {
  SCOPED_TRACE(header);
  const std::string file = file_of(header, data_bytes);
  expect_error(Code::format, part, [&] { parse(file); });
}

struct Sample {
  std::vector<float> f32{1.5f, -2.0f, 3.25f};
  std::vector<double> f64{1e300, -0.0};
  std::vector<int64_t> i64{-1};
  std::vector<uint8_t> u8{1, 2, 3, 4, 5};
  std::vector<uint64_t> u64{UINT64_MAX};
  int64_t s3[1] = {3}, s12[2] = {1, 2}, s5[1] = {5}, s0[3] = {0, 7, 2};
  Metadata metadata{{"format", "nf"}, {"z \"quoted\"\n", "\xC3\xA9"}, {"a", ""}};
  std::vector<TensorRef> refs() const {
    return {{"w\xC3\xA9/1", TensorType::u8, s5, u8.data()}, {"f", TensorType::f32, s3, f32.data()},
            {"d", TensorType::f64, s12, f64.data()},        {"i", TensorType::i64, {}, i64.data()},
            {"u", TensorType::u64, {}, u64.data()},         {"empty", TensorType::f32, s0, nullptr}};
  }
  std::string file() const { return file(refs()); }
  std::string file(std::span<const TensorRef> r) const {
    MemorySink sink;
    write_safetensors(sink, metadata, r);
    return text_of(sink.bytes());
  }
};

TEST(SafeTensors, RoundTrip) {
  const Sample s;
  const std::string file = s.file();
  const SafeTensors t = parse(file);
  ASSERT_EQ(t.entries().size(), 6u);
  for (const TensorRef& r : s.refs()) {
    const SafeTensors::Entry* e = t.find(r.name);
    ASSERT_TRUE(e) << r.name;
    EXPECT_EQ(e->type, r.type);
    EXPECT_TRUE(std::equal(e->shape.begin(), e->shape.end(), r.shape.begin(), r.shape.end()));
    ASSERT_EQ(e->bytes, byte_size(r));
    EXPECT_TRUE(e->bytes == 0 || std::memcmp(e->data, r.data, e->bytes) == 0);
    EXPECT_EQ(static_cast<size_t>(e->data - bytes_of(file).data()) % size_of(e->type), 0u) << "aligned in the file";
  }
  EXPECT_FALSE(t.find("none"));
  EXPECT_FALSE(t.find(""));
  Metadata got = t.metadata();
  EXPECT_EQ(got.erase(kChecksumKey), 1u);
  EXPECT_EQ(got, s.metadata);
  EXPECT_EQ(*t.metadata("format"), "nf");
  EXPECT_FALSE(t.metadata("none"));
}

TEST(SafeTensors, SameContentSameBytesInAnyOrder) {
  const Sample s;
  std::vector<TensorRef> refs = s.refs();
  std::reverse(refs.begin(), refs.end());
  EXPECT_EQ(s.file(refs), s.file());
  uint64_t header;
  std::memcpy(&header, s.file().data(), 8);
  EXPECT_EQ(header % 8, 0u);
}

TEST(SafeTensors, MisalignedMemoryIsRead) {
  const Sample s;
  const std::string shifted = "x" + s.file();
  const SafeTensors t = parse(std::string_view(shifted).substr(1));
  EXPECT_EQ(std::memcmp(t.find("d")->data, s.f64.data(), 16), 0);
}

TEST(SafeTensors, NothingAtAll) {
  MemorySink sink;
  write_safetensors(sink, {}, {});
  EXPECT_TRUE(SafeTensors::parse(sink.bytes()).entries().empty());
  EXPECT_TRUE(parse(file_of("{}", 0)).entries().empty());
  EXPECT_TRUE(parse(file_of("{\"__metadata__\":{}}   ", 0)).metadata().empty());
}

TEST(SafeTensors, WriterRefusesBadNames) {
  const float x = 0;
  const int64_t negative[] = {-1}, huge[] = {INT64_MAX, INT64_MAX};
  MemorySink sink;
  const auto write = [&](std::vector<TensorRef> t, const Metadata& m = {}) { write_safetensors(sink, m, t); };
  const TensorType f = TensorType::f32;
  expect_error(Code::argument, "reserved", [&] { write({{"", f, {}, &x}}); });
  expect_error(Code::argument, "reserved", [&] { write({{"__metadata__", f, {}, &x}}); });
  expect_error(Code::argument, "two tensors", [&] { write({{"a", f, {}, &x}, {"a", f, {}, &x}}); });
  expect_error(Code::argument, "UTF-8", [&] { write({{"a\xFF", f, {}, &x}}); });
  expect_error(Code::argument, "NUL", [&] { write({{std::string_view("a\0", 2), f, {}, &x}}); });
  expect_error(Code::argument, "negative", [&] { write({{"a", f, negative, &x}}); });
  expect_error(Code::argument, "too large", [&] { write({{"a", f, huge, &x}}); });
  expect_error(Code::argument, "nf.checksum", [&] { write({}, {{kChecksumKey, "1"}}); });
  expect_error(Code::argument, "metadata value", [&] { write({}, {{"k", "\xC3"}}); });
  EXPECT_TRUE(sink.bytes().empty()) << "an error comes before the first byte";
}

TEST(SafeTensors, Length) {
  expect_error(Code::format, "its size is 0", [] { parse(""); });
  expect_error(Code::format, "its size is 7", [] { parse("1234567"); });
  expect_error(Code::format, "'{'", [] { parse(std::string(8, '\0')); });
  expect_error(Code::format, "not a safetensors file", [] { parse("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF{}"); });
  expect_error(Code::format, "not a safetensors file", [] { parse("age,height\n30,1.75\n41,1.68\n"); });
  std::string file = file_of("{}      ", 0);
  file.pop_back();
  expect_error(Code::format, "8 bytes, but only 7 follow", [&] { parse(file); });
  SafeTensors::Limits small;
  small.max_header_bytes = 7;
  file += ' ';
  expect_error(Code::format, "limit of 7", [&] { SafeTensors::parse(bytes_of(file), small); });
}

TEST(SafeTensors, JsonErrors) {
  expect_bad("[]", 0, "'{'");
  expect_bad(" {}", 0, "'{'");
  expect_bad("\xEF\xBB\xBF{}", 0, "'{'");
  expect_bad("{", 0, "byte");
  expect_bad("{} x", 0, "byte 11");
  expect_bad(std::string("{}\0{}", 5), 0, "NUL character at byte 10");
  expect_bad("{\"a\": nan}", 0, "JSON");
  expect_bad("{\"a\":{\"dtype\":\"F32\",}}", 0, "JSON");
  expect_bad("{\"\xFF\":{}}", 0, "JSON");
  expect_bad("{\"a\":{\"shape\":[1e999]}}", 0, "JSON");
  expect_bad(std::string("{\"a\":") + std::string(100000, '['), 0, "value of 'a' is an array");
  std::string deep = "{\"a\":";
  for (int i = 0; i < 10000; ++i) deep += "{\"dtype\":";
  expect_bad(deep, 0, "an object as dtype");
}

TEST(SafeTensors, StructureErrors) {
  const auto t = [](const std::string& attributes) { return "{\"a\":{" + attributes + "}}"; };
  const std::string d = "\"dtype\":\"F32\"", s = "\"shape\":[1]", o = "\"data_offsets\":[0,4]";
  EXPECT_EQ(parse(file_of(t(o + "," + s + "," + d), 4)).entries().size(), 1u) << "attributes in any order";
  expect_bad("{\"a\":null}", 0, "value of 'a' is null");
  expect_bad("{\"a\":\"F32\"}", 0, "value of 'a' is a string");
  expect_bad(t(d + "," + s), 0, "'a' has no data_offsets");
  expect_bad(t(d + "," + o), 4, "'a' has no shape");
  expect_bad(t(s + "," + o), 4, "'a' has no dtype");
  expect_bad(t(d + "," + s + "," + o + "," + s), 4, "'shape' twice");
  expect_bad(t(d + "," + s + "," + o + ",\"strides\":[1]"), 4, "unknown key 'strides'");
  expect_bad("{\"a\":{" + d + "," + s + "," + o + "},\"a\":{" + d + "," + s + "," + o + "}}", 4, "'a' appears twice");
  expect_bad("{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}", 0, "'k' appears twice");
  expect_bad("{\"__metadata__\":{},\"__metadata__\":{}}", 0, "'__metadata__' appears twice");
  expect_bad("{\"__metadata__\":{\"k\":1}}", 0, "metadata 'k' is a number");
  expect_bad("{\"__metadata__\":{\"k\":{}}}", 0, "metadata 'k' is an object");
  expect_bad("{\"__metadata__\":[]}", 0, "'__metadata__' is an array");
  expect_bad("{\"__metadata__\":{\"k\":\"\\u0000\"}}", 0, "NUL");
  expect_bad("{\"a\\u0000\":{}}", 0, "NUL");
  for (const char* type : {"BF16", "F16", "BOOL", "I32", "", "f32"})
    expect_bad(t("\"dtype\":\"" + std::string(type) + "\"," + s + "," + o), 4, "dtype '" + std::string(type) + "'");
  expect_bad(t("\"dtype\":7"), 4, "a number as dtype");
  expect_bad(t(d + ",\"shape\":[-1]," + o), 4, "negative number in its shape");
  expect_bad(t(d + ",\"shape\":[1.0]," + o), 4, "in its shape");
  expect_bad(t(d + ",\"shape\":[\"1\"]," + o), 4, "a string in its shape");
  expect_bad(t(d + ",\"shape\":[[1]]," + o), 4, "an array in its shape");
  expect_bad(t(d + ",\"shape\":1," + o), 4, "a number as shape");
  expect_bad(t(d + ",\"shape\":[1,1,1,1,1,1,1,1,1]," + o), 4, "more than 8");
  expect_bad(t(d + ",\"shape\":[9223372036854775808]," + o), 4, "2^63 or more");
  expect_bad(t(d + "," + s + ",\"data_offsets\":[0]"), 4, "fewer than two");
  expect_bad(t(d + "," + s + ",\"data_offsets\":[0,4,8]"), 4, "more than two");
  expect_bad(t(d + "," + s + ",\"data_offsets\":[true,4]"), 4, "true or false in its data_offsets");
}

std::string tensor(const std::string& name, const std::string& shape, const std::string& offsets) {
  return "\"" + name + "\":{\"dtype\":\"F32\",\"shape\":[" + shape + "],\"data_offsets\":[" + offsets + "]}";
}

TEST(SafeTensors, LayoutErrors) {
  expect_bad("{" + tensor("a", "1", "0,8") + "}", 8, "need 4 bytes, but data_offsets span 8");
  expect_bad("{" + tensor("a", "2", "0,4") + "}", 4, "need 8 bytes");
  expect_bad("{" + tensor("a", "1", "4,0") + "}", 4, "are not within");
  expect_bad("{" + tensor("a", "1", "0,4") + "}", 3, "are not within the 3 bytes");
  expect_bad("{" + tensor("a", "1", "18446744073709551612,18446744073709551615") + "}", 4, "are not within");
  expect_bad("{" + tensor("a", "4611686018427387904,4", "0,0") + "}", 0, "overflows");
  expect_bad("{" + tensor("a", "4611686018427387904", "0,0") + "}", 0, "overflows");
  expect_bad("{" + tensor("a", "1", "0,4") + "}", 5, "5 bytes of data");
  expect_bad("{" + tensor("a", "1", "4,8") + "}", 8, "a hole");
  expect_bad("{" + tensor("a", "1", "0,4") + "," + tensor("b", "1", "8,12") + "}", 12, "'b'");
  expect_bad("{" + tensor("a", "2", "0,8") + "," + tensor("b", "1", "4,8") + "}", 8, "an overlap");
  expect_bad("{" + tensor("a", "1", "0,4") + "," + tensor("b", "1", "0,4") + "}", 4, "an overlap");
  expect_bad("{" + tensor("a", "2", "0,8") + "," + tensor("b", "0", "4,4") + "}", 8, "an overlap");
  expect_bad("{}", 1, "1 bytes of data");
  // Any order in the header, with empty tensors anywhere.
  const std::string ok = "{" + tensor("b", "1", "4,8") + "," + tensor("e", "0", "4,4") + "," + tensor("a", "1", "0,4") +
                         "," + tensor("z", "3,0", "8,8") + "," + tensor("y", "0", "0,0") + "}";
  EXPECT_EQ(parse(file_of(ok, 8)).entries().size(), 5u);
}

TEST(SafeTensors, Checksum) {
  const Sample s;
  std::string file = s.file();
  const SafeTensors t = parse(file);
  const size_t data = static_cast<size_t>(t.find("f")->data - bytes_of(file).data());
  std::string bad = file;
  bad[data] ^= 1;
  expect_error(Code::checksum, "damaged", [&] { parse(bad); });
  SafeTensors::Limits trusting;
  trusting.verify_checksum = false;
  EXPECT_EQ(SafeTensors::parse(bytes_of(bad), trusting).entries().size(), 6u);
  bad = file;
  bad.replace(bad.find("\"nf\""), 4, "\"NF\"");
  expect_error(Code::checksum, "damaged", [&] { parse(bad); });
  bad = file;
  bad.replace(bad.find("\"U64\""), 5, "\"I64\"");  // names, types and shapes are covered too
  expect_error(Code::checksum, "damaged", [&] { parse(bad); });
  SafeTensors::Limits strict;
  strict.require_checksum = true;
  const std::string plain = file_of("{}", 0);
  expect_error(Code::checksum, "no checksum", [&] { SafeTensors::parse(bytes_of(plain), strict); });
}

TEST(SafeTensors, EveryFlippedBitAndEveryTruncationIsFound) {
  const Sample s;
  const std::string file = s.file();
  SafeTensors::Limits strict;
  strict.require_checksum = true;
  ASSERT_NO_THROW(SafeTensors::parse(bytes_of(file), strict));
  for (size_t i = 0; i < file.size() * 8; ++i) {
    std::string bad = file;
    bad[i / 8] = static_cast<char>(bad[i / 8] ^ (1 << i % 8));
    EXPECT_THROW(SafeTensors::parse(bytes_of(bad), strict), Error) << "bit " << i;
  }
  for (size_t n = 0; n < file.size(); ++n)
    EXPECT_THROW(SafeTensors::parse(bytes_of(file).first(n), strict), Error) << "length " << n;
  EXPECT_THROW(parse(file + "x"), Error);
}

TEST(SafeTensors, ChecksumSurvivesAnotherOrderOfTensors) {
  // Another program may reorder tensors when it saves the same content.
  const std::vector<float> x{1, 2};
  const int64_t one[] = {1};
  const std::vector<TensorRef> refs{{"a", TensorType::f32, one, &x[0]}, {"b", TensorType::f32, one, &x[1]}};
  char sum[17];
  std::snprintf(sum, sizeof sum, "%016llx", static_cast<unsigned long long>(content_checksum({{"k", "v"}}, refs)));
  std::string file = file_of("{" + tensor("b", "1", "0,4") + "," + tensor("a", "1", "4,8") +
                                 ",\"__metadata__\":{\"k\":\"v\",\"nf.checksum\":\"" + sum + "\"}}",
                             8);
  std::memcpy(file.data() + file.size() - 8, &x[1], 4);
  std::memcpy(file.data() + file.size() - 4, &x[0], 4);
  EXPECT_EQ(parse(file).entries().size(), 2u);
}

// Reference vectors written by another program: the project's, or all in $NF_GOLDEN_DIR.
TEST(SafeTensors, ReadsGoldenFiles) {
  const char* all = std::getenv("NF_GOLDEN_DIR");
  const char* dir = all ? all : NF_GOLDEN_DIR;
  if (!std::filesystem::is_directory(dir)) GTEST_SKIP() << "no directory " << dir;
  int files = 0;
  for (const auto& item : std::filesystem::directory_iterator(dir)) {
    if (item.path().extension() != ".safetensors") continue;
    SCOPED_TRACE(item.path());
    ++files;
    const FileBytes file = FileBytes::map(item.path().c_str());
    const SafeTensors t = SafeTensors::parse(file.bytes());
    EXPECT_FALSE(t.entries().empty());
    std::vector<TensorRef> refs;
    for (const SafeTensors::Entry& e : t.entries()) {
      EXPECT_EQ(e.type, TensorType::f64);
      for (size_t i = 0; i + 8 <= e.bytes; i += 8) {
        double v;
        std::memcpy(&v, e.data + i, 8);
        ASSERT_TRUE(std::isfinite(v)) << e.name;
      }
      refs.push_back(e.ref());
    }
    MemorySink sink;
    write_safetensors(sink, t.metadata(), refs);
    const SafeTensors again = SafeTensors::parse(sink.bytes());
    ASSERT_EQ(again.entries().size(), t.entries().size());
    for (size_t i = 0; i < refs.size(); ++i)
      EXPECT_EQ(std::memcmp(again.entries()[i].data, t.entries()[i].data, t.entries()[i].bytes), 0);
  }
  EXPECT_GT(files, 0);
}

}  // namespace
}  // namespace libnf
