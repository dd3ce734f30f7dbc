// Loading and saving tables; see table.h.
#include "src/io/table.h"

#include "runtime/core/checked.h"
#include "runtime/core/status.h"
#include "src/io/atomic_file.h"
#include "src/io/npy.h"
#include "src/io/quote.h"

namespace nf {
namespace {

// A wrong file gives a helpful answer instead of "line 1, column 1: '\x1f\x8b...' is not a number".
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

template <class T>
void select_npy(const NpyHeader& h, std::span<const std::byte> data, std::span<const ColumnRef> columns,
                const Allocator& allocator, const char* source, Table* t) {
  const int64_t width = h.row_elements();
  std::vector<int64_t> from;
  for (const ColumnRef& c : columns) {
    if (c.index < 0)
      fail(Code::argument, "%s: column %s: a .npy array has no names; select by index", source,
           quote_text(c.name).c_str());
    if (c.index >= width)
      fail(Code::argument, "%s: column index %lld: the array has %lld columns (indices from 0)", source,
           static_cast<long long>(c.index), static_cast<long long>(width));
    from.push_back(c.index);
  }
  t->cols = columns.empty() ? width : static_cast<int64_t>(from.size());
  const int64_t bytes = checked_mul(checked_mul(t->rows, t->cols), sizeof(T));
  t->data = Buffer(allocator, static_cast<size_t>(bytes), "a table");
  if (from.empty()) return read_npy_rows(h, data, 0, t->rows, t->data.as<T>());
  std::vector<T> row(static_cast<size_t>(t->rows ? width : 0));  // without rows the file does not vouch for the width
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

void check_matrix(const View& m) {
  if (m.shape.rank != 2 || !m.contiguous()) fail(Code::argument, "a table to save must be a contiguous matrix");
}

}  // namespace

Table load_table(const Allocator& allocator, const char* path, const TableOptions& options) {
  const FileBytes file = FileBytes::read(allocator, path, options.max_bytes);
  const std::string source = quote_path(path);
  if (std::string_view(path).ends_with(".npy") && !is_npy(file.bytes()))
    fail(Code::format, "%s: not a .npy file (it does not start with \\x93NUMPY)", source.c_str());
  Table t;
  t.dtype = options.dtype;
  if (t.dtype == DType::f64)
    load_as<double>(allocator, file.bytes(), options, source.c_str(), &t);
  else
    load_as<float>(allocator, file.bytes(), options, source.c_str(), &t);
  return t;
}

void save_npy(const char* path, const View& m) {
  check_matrix(m);
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

}  // namespace nf
