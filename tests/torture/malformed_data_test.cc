// Data files with one thing wrong: the status and a word of the message for each kind, through nf_table_open and
// nf_table_parse, quickly, in little memory and without a leak. The unit tests of src/io have more rows for each format.
#include <zlib.h>

#include <ctime>
#include <fstream>

#include "tests/abi/abi_support.h"

namespace abi_test {
namespace {

constexpr int64_t kMostBytes = int64_t{64} << 20;
constexpr double kSeconds = kSanitized ? 60 : 6;  // of CPU; usually far below 1

struct Kind {
  const char* name;
  nf_status status;
  const char* word;  // the message has it
  std::string file;
};

std::string gzip(const std::string& content, int64_t copies = 1) {
  std::string out(1 << 16, '\0');
  std::string all;
  z_stream z = {};
  if (deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY) != Z_OK) return "";
  for (int64_t i = 0; i < copies; ++i) {
    z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(content.data()));
    z.avail_in = static_cast<uInt>(content.size());
    do {
      z.next_out = reinterpret_cast<Bytef*>(out.data());
      z.avail_out = static_cast<uInt>(out.size());
      deflate(&z, i + 1 == copies ? Z_FINISH : Z_NO_FLUSH);
      all.append(out, 0, out.size() - z.avail_out);
    } while (z.avail_out == 0);
  }
  deflateEnd(&z);
  return all;
}

std::string npy(const std::string& shape, size_t data, const std::string& descr = "<f4",
                const std::string& order = "False") {
  std::string dict = "{'descr': '" + descr + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }";
  dict += std::string(63 - (10 + dict.size()) % 64, ' ') + '\n';
  return std::string("\x93NUMPY\x01\0", 8) + static_cast<char>(dict.size() & 255) +
         static_cast<char>(dict.size() >> 8) + dict + std::string(data, '\0');
}
std::string npy_of(float v) {
  std::string file = npy("(2, 2)", 16);
  memcpy(file.data() + file.size() - 8, &v, sizeof v);
  return file;
}
std::string idx(const std::string& type_and_rank, std::initializer_list<uint32_t> extents, size_t data) {
  std::string file = std::string(2, '\0') + type_and_rank;
  for (const uint32_t e : extents)
    for (int shift = 24; shift >= 0; shift -= 8) file += static_cast<char>(e >> shift & 255);
  return file + std::string(data, '\1');
}
std::string with_byte(std::string file, size_t at, char c) {
  file[at] = c;
  return file;
}
std::string cut(const std::string& file, size_t bytes) { return file.substr(0, file.size() - bytes); }

const std::vector<Kind>& kinds() {
  const std::string text = "a,b\n1,2\n3,4\n", zipped = gzip(text), bytes(1 << 20, '\0');
  static const std::vector<Kind> all = {
      {"nothing", NF_ERR_FORMAT, "", ""},
      {"NUL in a number", NF_ERR_FORMAT, "line 2", std::string("1,2\n3\0,4\n", 9)},
      {"NUL bytes only", NF_ERR_FORMAT, "NUL", std::string(1000, '\0')},
      {"UTF-16", NF_ERR_FORMAT, "UTF-16",
       std::string("\xFF\xFE"
                   "1\0,\0"
                   "2\0\n\0",
                   10)},
      {"a row with a column more", NF_ERR_FORMAT, "line 3", "1,2\n3,4\n5,6,7\n8,9\n"},
      {"a row with a column less", NF_ERR_FORMAT, "line 3", "1,2\n3,4\n5\n8,9\n"},
      {"an empty field", NF_ERR_FORMAT, "line 2", "1,2\n3,\n"},
      {"a word", NF_ERR_FORMAT, "'oops'", "1,2\n3,oops\n"},
      {"NaN", NF_ERR_FORMAT, "not finite", "1,2\n3,nan\n"},
      {"infinity", NF_ERR_FORMAT, "not finite", "1,2\n3,-inf\n"},
      {"a number beyond float", NF_ERR_FORMAT, "line 2", "1,2\n3,1e39\n"},
      {"a quote that does not end", NF_ERR_FORMAT, "quote", "1,2\n\"3,4\n5,6\n"},
      {"a line of 4 MB", NF_ERR_FORMAT, "columns", std::string(4 << 20, ',') + "\n"},
      {"a number of a million digits", NF_ERR_FORMAT, "line 2", "1,2\n" + std::string(1 << 20, '9') + ",4\n"},
      {"a header line of a number twice", NF_ERR_FORMAT, "", "1,x\n2,3\n"},

      {"npy: magic only", NF_ERR_FORMAT, "truncated", std::string("\x93NUMPY", 6)},
      {"npy: version 9", NF_ERR_FORMAT, "version", with_byte(npy("(2, 2)", 16), 6, 9)},
      {"npy: a header beyond the end", NF_ERR_FORMAT, "truncated", with_byte(npy("(2, 2)", 0), 9, 127)},
      {"npy: a header of 4 GB", NF_ERR_FORMAT, "header", std::string("\x93NUMPY\x02\0\xFF\xFF\xFF\xFF{", 13)},
      {"npy: no dict", NF_ERR_FORMAT, "header", with_byte(npy("(2, 2)", 16), 10, '[')},
      {"npy: extents whose product overflows", NF_ERR_FORMAT, "overflows", npy("(4294967296, 4294967296, 4)", 16)},
      {"npy: an extent of 2^64", NF_ERR_FORMAT, "too large", npy("(18446744073709551616, 2)", 16)},
      {"npy: a negative extent", NF_ERR_FORMAT, "non-negative", npy("(-2, 2)", 16)},
      {"npy: 10^12 rows", NF_ERR_FORMAT, "truncated", npy("(1000000000000, 2)", 16)},
      {"npy: 2^40 rows of nothing", NF_ERR_FORMAT, "without a column", npy("(1099511627776, 0)", 0)},
      {"npy: five dimensions", NF_ERR_FORMAT, "dimensions", npy("(2, 1, 1, 1, 2)", 16)},
      {"npy: a byte less", NF_ERR_FORMAT, "truncated", cut(npy("(2, 2)", 16), 1)},
      {"npy: a byte more", NF_ERR_FORMAT, "extra byte", npy("(2, 2)", 17)},
      {"npy: pickled objects", NF_ERR_FORMAT, "object", npy("(2, 2)", 16, "|O")},
      {"npy: text", NF_ERR_FORMAT, "dtype", npy("(2, 2)", 16, "<U1")},
      {"npy: complex numbers", NF_ERR_FORMAT, "dtype", npy("(2, 2)", 32, "<c8")},
      {"npy: order of neither kind", NF_ERR_FORMAT, "fortran_order", npy("(2, 2)", 16, "<f4", "None")},
      {"npy: NaN", NF_ERR_FORMAT, "NaN", npy_of(std::nanf(""))},
      {"npy: infinity", NF_ERR_FORMAT, "infinity", npy_of(INFINITY)},

      {"idx: extents whose product overflows", NF_ERR_FORMAT, "impossible",
       idx("\x08\x04", {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX}, 16)},
      {"idx: more rows than bytes", NF_ERR_FORMAT, "truncated", idx("\x08\x03", {1000000, 28, 28}, 784)},
      {"idx: a byte more", NF_ERR_FORMAT, "extra", idx("\x08\x02", {2, 3}, 7)},
      {"idx: 200 dimensions", NF_ERR_FORMAT, "rank", idx("\x08\xC8", {1}, 16)},
      {"idx: a header cut off", NF_ERR_FORMAT, "header", idx("\x08\x03", {2}, 0)},

      {"gzip: magic only", NF_ERR_FORMAT, "", std::string("\x1f\x8b", 2)},
      {"gzip: cut in its data", NF_ERR_FORMAT, "", cut(zipped, 12)},
      {"gzip: cut in its checksum", NF_ERR_FORMAT, "", cut(zipped, 3)},
      {"gzip: another checksum", NF_ERR_FORMAT, "checksum", with_byte(zipped, zipped.size() - 6, 0x55)},
      {"gzip: another size", NF_ERR_FORMAT, "", with_byte(zipped, zipped.size() - 1, 0x7F)},
      {"gzip: a bit of its data", NF_ERR_FORMAT, "", with_byte(zipped, 14, static_cast<char>(zipped[14] ^ 4))},
      {"gzip: garbage after it", NF_ERR_FORMAT, "7 bytes of something else", zipped + "garbage"},
      {"gzip: 256 MB of zeros", NF_ERR_IO, "limit", gzip(bytes, 256)},
      {"gzip: gzip in gzip", NF_ERR_FORMAT, "NUL", gzip(gzip(text))},
      {"zip: an archive of nothing", NF_ERR_FORMAT, "", std::string("PK\5\6") + std::string(18, '\0')},
      {"zip: cut off", NF_ERR_FORMAT, "", std::string("PK\3\4") + std::string(40, 'x')},

      {"bzip2", NF_ERR_FORMAT, "bzip2", "BZh91AY&SY"},
      {"HDF5", NF_ERR_FORMAT, "HDF5", "\x89HDF\r\n\x1a\n"},
      {"Parquet", NF_ERR_FORMAT, "Parquet", "PAR1xxxxPAR1"},
  };
  return all;
}

class BadData : public Counted {};

TEST_F(BadData, HasADefinedStatus) {
  const TempDir dir;
  const Options o = options({{"table.max_file_bytes", "33600000"}});
  const std::string path = dir / "data";
  for (const Kind& k : kinds()) {
    SCOPED_TRACE(k.name);
    const std::unique_ptr<char[]> exact(
        new char[k.file.size() + !k.file.size()]);  // so that ASan sees a read beyond the end
    std::copy(k.file.begin(), k.file.end(), exact.get());
    std::ofstream(path, std::ios::binary) << k.file;
    for (const bool memory : {false, true}) {
      nf_table* t = nullptr;
      Err e;
      const int64_t live = allocator.live;
      allocator.peak = live;
      const std::clock_t start = std::clock();
      const nf_status status = memory ? nf_table_parse(rt.get(), exact.get(), k.file.size(), "data", o.get(), &t, &e)
                                      : nf_table_open(rt.get(), path.c_str(), o.get(), &t, &e);
      EXPECT_TRUE(failed(k.status, status, e, k.word)) << (memory ? "parsed" : "opened");
      EXPECT_TRUE(failed(k.status, status, e, "data"));
      EXPECT_EQ(t, nullptr);
      EXPECT_EQ(allocator.live, live) << "leaked";
      EXPECT_LT(allocator.peak - live, kMostBytes + 2 * static_cast<int64_t>(k.file.size()));
      EXPECT_LT(static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC, kSeconds);
      nf_table_free(t);
    }
  }
}

// Every prefix and every flipped bit of small files of each format: a status, and a table only if it can be one.
TEST_F(BadData, EveryPrefixAndEveryBit) {
  std::string archive;
  for (const std::string& good : {std::string("a,b\n1,2\n3,4.5\n"), npy("(2, 2)", 16), idx("\x08\x02", {2, 2}, 4),
                                  gzip("a,b\n1,2\n3,4.5\n"), gzip(npy("(2, 2)", 16))}) {
    const auto read = [&](const std::string& file) {
      nf_table* t = nullptr;
      Err e;
      const nf_status status = nf_table_parse(rt.get(), file.data(), file.size(), "data", nullptr, &t, &e);
      EXPECT_TRUE(status == NF_OK || status == NF_ERR_FORMAT) << nf_status_name(status) << ": " << e.message;
      EXPECT_EQ(t != nullptr, status == NF_OK);
      nf_table_free(t);
    };
    for (size_t n = 0; n < good.size(); ++n) read(good.substr(0, n));
    for (size_t bit = 0; bit < 8 * good.size(); ++bit)
      read(with_byte(good, bit / 8, static_cast<char>(good[bit / 8] ^ 1 << bit % 8)));
  }
}

}  // namespace
}  // namespace abi_test
