// Loads and saves tables; see table.h.
#include "src/io/table.h"

#include "runtime/core/checked.h"
#include "runtime/core/status.h"
#include "src/io/atomic_file.h"
#include "src/io/npy.h"
#include "src/io/quote.h"

namespace libnf {
namespace {

// Recognizes common other formats, to fail with advice instead of "line 1, column 1: '\x1f\x8b...' is not a number".
void refuse_known_formats(std::string_view bytes, const char* source) {
  struct Known {
    std::string_view magic;
    const char* advice;
  };
  static constexpr Known kKnown[] = {
      {"\x1F\x8B", "it is compressed with gzip; decompress it first"},
      {"PK\x03\x04", "it is a zip archive (.npz, .xlsx); extract one .npy array or save it as CSV"},
      {"\x89HDF", "it is HDF5; save the data as .npy or CSV"},
      {"PAR1", "it is Parquet; save the data as .npy or CSV"},
  };
  for (const Known& k : kKnown)
    if (bytes.starts_with(k.magic)) fail(Code::format, "%s: %s", source, k.advice);
}

std::vector<int64_t> column_indices(std::span<const ColumnRef> columns, int64_t width, const char* source) {
  std::vector<int64_t> from;
  for (const ColumnRef& c : columns) {
    if (c.index < 0)
      fail(Code::argument, "%s: no column %s: a .npy array has no column names; select by index", source,
           quote_text(c.name).c_str());
    if (c.index >= width)
      fail(Code::argument, "%s: column index %lld is out of range: the array has %lld column%s, counted from 0", source,
           static_cast<long long>(c.index), static_cast<long long>(width), width == 1 ? "" : "s");
    from.push_back(c.index);
  }
  return from;
}

template <class T>
void select_npy(const NpyHeader& h, std::span<const std::byte> data, std::span<const ColumnRef> columns,
                const Allocator& allocator, const char* source, Table* t) {
  const int64_t width = h.row_elements();
  const std::vector<int64_t> from = column_indices(columns, width, source);
  t->cols = columns.empty() ? width : static_cast<int64_t>(from.size());
  const int64_t bytes = checked_mul(checked_mul(t->rows, t->cols), sizeof(T));
  t->data = Buffer(allocator, static_cast<size_t>(bytes), "a table");
  if (from.empty()) return read_npy_rows(h, data, 0, t->rows, t->data.as<T>());
  std::vector<T> row(static_cast<size_t>(t->rows ? width : 0));  // with 0 rows the width is unbounded by the file size
  T* out = t->data.as<T>();
  for (int64_t r = 0; r < t->rows; ++r) {
    read_npy_rows(h, data, r, 1, row.data());
    for (const int64_t j : from) *out++ = row[static_cast<size_t>(j)];
  }
}

template <class T>
void load_as(const Allocator& allocator, std::span<const std::byte> file, const TableOptions& options,
             const char* source, Table* t) {
  if (is_npy(file)) {
    const NpyHeader h = parse_npy_header(file, source);
    t->rows = h.rows();
    select_npy<T>(h, npy_data(file, h, source), options.csv.columns, allocator, source, t);
    t->shape = options.csv.columns.empty() && h.shape.rank > 0 ? h.shape : Dims{t->rows, t->cols};
    return;
  }
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  refuse_known_formats(text, source);
  CsvMatrix m = read_csv<T>(allocator, text, options.csv, source);
  t->data = std::move(m.data);
  t->rows = m.rows;
  t->cols = m.cols;
  t->shape = {m.rows, m.cols};
  t->names = std::move(m.names);
}

// Makes the rows and columns a strided view of the file. Returns nullptr, or the reason why that is not possible.
const char* place(const NpyHeader& h, std::span<const std::byte> data, std::span<const ColumnRef> columns,
                  const char* source, Table* t) {
  if (h.kind != NpyHeader::Kind::real || h.big_endian || h.item_bytes < 4)
    return "only little-endian float32 and float64 can be used in place";
  if (h.fortran_order && h.shape.rank > 2) return "a Fortran-order array of rank above 2 cannot be used in place";
  const int64_t width = h.row_elements();
  const std::vector<int64_t> from = column_indices(columns, width, source);
  const int64_t apart = from.size() > 1 ? from[1] - from[0] : 1;
  for (size_t i = 1; i < from.size(); ++i)
    if (from[i] - from[i - 1] != apart) return "the selected columns are not evenly spaced, which a strided view needs";
  t->dtype = h.item_bytes == 8 ? DType::f64 : DType::f32;
  t->rows = h.rows();
  t->cols = columns.empty() ? width : static_cast<int64_t>(from.size());
  t->shape = columns.empty() && h.shape.rank > 0 ? h.shape : Dims{t->rows, t->cols};
  const int64_t row = h.fortran_order ? 1 : width, column = h.fortran_order ? t->rows : 1;
  View& v = t->in_place;
  v = contiguous_view(nullptr, t->dtype, {t->rows, t->cols});
  // The const_cast is safe because the ABI declares borrowed tables read-only.
  v.data = const_cast<std::byte*>(data.data()) + (from.empty() ? 0 : from[0] * column * h.item_bytes);
  v.stride[0] = row;
  v.stride[1] = apart * column;
  return nullptr;
}

// Returns false if the file must be read into memory instead.
bool map_table(const char* path, const TableOptions& options, const std::string& source, Table* t) {
  if (options.map == MapFile::off) return false;
  auto file = std::make_shared<FileBytes>(FileBytes::map(path, options.max_bytes));
  if (options.map == MapFile::automatic && file->bytes().size() < kMapFrom) return false;
  const char* why = "it is not a .npy file";
  if (is_npy(file->bytes())) {
    const NpyHeader h = parse_npy_header(file->bytes(), source.c_str());
    const auto data = npy_data(file->bytes(), h, source.c_str());
    why = data.empty() ? "it is empty" : place(h, data, options.csv.columns, source.c_str(), t);
  }
  if (why) {
    if (options.map == MapFile::on) t->why_not_mapped = why;
    return false;
  }
  t->file = std::move(file);
  return true;
}

void check_matrix(const View& m) {
  if (m.shape.rank != 2 || !m.contiguous()) fail(Code::argument, "the table to save must be a contiguous matrix");
}

}  // namespace

Table load_table(const Allocator& allocator, const char* path, const TableOptions& options) {
  const std::string source = quote_path(path);
  Table t;
  if (map_table(path, options, source, &t)) return t;
  const FileBytes file = FileBytes::read(allocator, path, options.max_bytes);
  if (std::string_view(path).ends_with(".npy") && !is_npy(file.bytes()))
    fail(Code::format, "%s: not a .npy file (it does not start with \\x93NUMPY)", source.c_str());
  t.dtype = options.dtype;
  if (t.dtype == DType::f64)
    load_as<double>(allocator, file.bytes(), options, source.c_str(), &t);
  else
    load_as<float>(allocator, file.bytes(), options, source.c_str(), &t);
  return t;
}

void save_npy(const char* path, const View& m) {
  if (!m.contiguous()) fail(Code::argument, "the array to save must be contiguous");
  AtomicFile file(path);
  write_npy(file, m.dtype, m.shape, m.data);
  file.commit();
}

void save_csv(const char* path, const View& m, std::span<const std::string> names) {
  check_matrix(m);
  AtomicFile file(path);
  if (m.dtype == DType::f64)
    write_csv(file, m.as<double>(), m.rows(), m.cols(), names);
  else
    write_csv(file, m.as<float>(), m.rows(), m.cols(), names);
  file.commit();
}

}  // namespace libnf
