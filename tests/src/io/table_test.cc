// Tables from both kinds of files, column selection, and saving them again.
#include "src/io/table.h"

#include "src/io/npy.h"
#include "tests/src/io/io_test_util.h"

namespace libnf {
namespace {

using namespace io_test;

Table load(const std::string& path, const TableOptions& o = {}) {
  return load_table(system_allocator(), path.c_str(), o);
}

template <class T>
std::vector<T> values(const Table& t) {
  EXPECT_EQ(t.dtype, dtype_of<T>);
  return {t.data.as<T>(), t.data.as<T>() + t.rows * t.cols};
}

TEST(Table, NpyAndCsvRoundTrip) {
  const TempDir dir;
  double x[] = {1, 2, 3, 4, 5, 0.1};
  const View m = contiguous_view(x, DType::f64, {3, 2});
  save_npy((dir / "m.npy").c_str(), m);
  save_csv((dir / "m.csv").c_str(), m, std::vector<std::string>{"a", "b"});
  EXPECT_EQ(dir.files(), (std::vector<std::string>{"m.csv", "m.npy"}));
  for (const char* name : {"m.npy", "m.csv"}) {
    const Table d = load(dir / name, {.dtype = DType::f64});
    EXPECT_EQ(values<double>(d), std::vector<double>(x, x + 6));
    EXPECT_EQ(d.view().shape, (Dims{3, 2}));
    EXPECT_EQ(d.shape, (Dims{3, 2}));
    EXPECT_EQ(d.names.size(), name[2] == 'c' ? 2u : 0u);
    const Table f = load(dir / name);
    EXPECT_EQ(values<float>(f), std::vector<float>(x, x + 6));
    EXPECT_EQ(values<float>(load(dir / name, {.csv = {.columns = {{1, ""}, {0, ""}}}})),
              (std::vector<float>{2, 1, 4, 3, 0.1f, 5}));
  }
  EXPECT_EQ(values<float>(load(dir / "m.csv", {.csv = {.columns = {{-1, "b"}}}})), (std::vector<float>{2, 4, 0.1f}));
  std::filesystem::rename(dir / "m.npy", dir / "renamed.csv");
  EXPECT_EQ(load(dir / "renamed.csv").rows, 3) << "recognized by content";
  View transposed = m;
  std::swap(transposed.shape.d[0], transposed.shape.d[1]);
  std::swap(transposed.stride[0], transposed.stride[1]);
  expect_error(Code::argument, "contiguous", [&] { save_npy((dir / "t").c_str(), transposed); });
  float y[] = {0.1f};
  save_csv((dir / "y.csv").c_str(), contiguous_view(y, DType::f32, {1, 1}), {});
  EXPECT_EQ(get(dir / "y.csv"), "0.1\n");
}

TEST(Table, RanksOfNpy) {
  const TempDir dir;
  const float x[] = {1, 2, 3, 4, 5, 6, 7, 8};
  const auto table = [&](const Dims& shape) {
    MemorySink sink;
    write_npy(sink, DType::f32, shape, x);
    put(dir / "x.npy", text_of(sink.bytes()));
    return load(dir / "x.npy");
  };
  EXPECT_EQ(table({8}).view().shape, (Dims{8, 1}));
  EXPECT_EQ(table({8}).shape, (Dims{8}));
  EXPECT_EQ(table({2, 2, 2}).view().shape, (Dims{2, 4}));
  EXPECT_EQ(table({2, 2, 2}).shape, (Dims{2, 2, 2}));
  EXPECT_EQ(table({}).view().shape, (Dims{1, 1}));
  EXPECT_EQ(table({0, 1000000}).view().shape, (Dims{0, 1000000}));
  EXPECT_EQ(values<float>(load(dir / "x.npy", {.csv = {.columns = {{999999, ""}}}})), std::vector<float>{});
}

// A mapped table shows the same values as one that was read, in the file's dtype.
TEST(Table, MappedInPlace) {
  const TempDir dir;
  double x[12];
  for (int i = 0; i < 12; ++i) x[i] = i + 0.5;
  save_npy((dir / "m.npy").c_str(), contiguous_view(x, DType::f64, {3, 4}));
  const auto numbers = [](const Table& t) {
    std::vector<double> out;
    const View v = t.view();
    for (int64_t r = 0; r < t.rows; ++r)
      for (int64_t c = 0; c < t.cols; ++c) out.push_back(v.as<double>()[r * v.stride[0] + c * v.stride[1]]);
    return out;
  };
  using Columns = std::vector<ColumnRef>;
  for (const Columns& columns : {Columns{}, Columns{{2, ""}}, Columns{{1, ""}, {2, ""}, {3, ""}},
                                 Columns{{3, ""}, {1, ""}}, Columns{{0, ""}, {0, ""}}}) {
    TableOptions o{.map = MapFile::on, .csv = {.columns = columns}};
    const Table mapped = load(dir / "m.npy", o);
    o.map = MapFile::off;
    o.dtype = DType::f64;
    const Table read = load(dir / "m.npy", o);
    EXPECT_TRUE(mapped.file && !read.file && mapped.why_not_mapped.empty());
    EXPECT_EQ(mapped.dtype, DType::f64);
    EXPECT_EQ(numbers(mapped), numbers(read)) << columns.size() << " columns";
    EXPECT_EQ(mapped.shape, read.shape);
  }
  EXPECT_FALSE(load(dir / "m.npy").file) << "small files are read";
  const Columns uneven{{0, ""}, {1, ""}, {3, ""}};
  const Table gathered = load(dir / "m.npy", {.map = MapFile::on, .csv = {.columns = uneven}});
  EXPECT_FALSE(gathered.file);
  EXPECT_NE(gathered.why_not_mapped.find("evenly"), std::string::npos);
  save_csv((dir / "m.csv").c_str(), contiguous_view(x, DType::f64, {3, 4}), {});
  EXPECT_NE(load(dir / "m.csv", {.map = MapFile::on}).why_not_mapped, "");
  std::string fortran = get(dir / "m.npy");
  fortran.replace(fortran.find("False"), 5, "True ");
  put(dir / "f.npy", fortran);
  EXPECT_EQ(numbers(load(dir / "f.npy", {.map = MapFile::on})), numbers(load(dir / "f.npy", {.dtype = DType::f64})));
  std::string big = get(dir / "m.npy");
  big.replace(big.find("<f8"), 3, ">f8");
  put(dir / "b.npy", big);
  EXPECT_FALSE(load(dir / "b.npy", {.map = MapFile::on}).file);
  put(dir / "short.npy", get(dir / "m.npy").substr(0, 200));
  expect_error(Code::format, "short.npy", [&] { load(dir / "short.npy", {.map = MapFile::on}); });
  expect_error(Code::io, "limit", [&] { load(dir / "m.npy", {.map = MapFile::on, .max_bytes = 100}); });
}

TEST(Table, ErrorsNameTheFile) {
  const TempDir dir;
  const auto bad = [&](const std::string& name, std::string_view content, std::string_view part,
                       const TableOptions& o = {}, Code code = Code::format) {
    put(dir / name, content);
    expect_error(code, part, [&] { load(dir / name, o); });
    expect_error(code, name, [&] { load(dir / name, o); });
  };
  bad("a.npy", "1,2\n", "not a .npy");
  bad("a.npy", "\x93NUMPY", "truncated");
  bad("a.csv", "1,2\n3,x\n", "line 2, column 2: 'x'");
  bad("a.csv", "", "empty");
  bad("a.csv.gz", "\x1F\x8B\x08", "the .gz file is truncated");
  bad("a.gz", "1,2\n", "not a .gz file");
  bad("a.npz", "1,2\n", "not a .npz file");
  bad("a.npz", "PK\x03\x04", "zip");
  bad("a.h5", "\x89HDF\r\n", "HDF5");
  bad("a.parquet", "PAR1", "Parquet");
  bad("a.csv", "1,2\n", "limit of 3", {.max_bytes = 3}, Code::io);
  MemorySink sink;
  write_npy(sink, DType::f32, {0, 2}, nullptr);
  bad("b.npy", text_of(sink.bytes()), "has 2 columns", {.csv = {.columns = {{2, ""}}}}, Code::argument);
  bad("b.npy", text_of(sink.bytes()), "no column names", {.csv = {.columns = {{-1, "a"}}}}, Code::argument);
  expect_error(Code::io, "No such file", [&] { load(dir / "none.csv"); });
}

}  // namespace
}  // namespace libnf
