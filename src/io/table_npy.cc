// Tables of .npy and IDX arrays: column selection, conditions on rows, missing values; see table.h.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "runtime/core/checked.h"
#include "runtime/core/status.h"
#include "runtime/kernel/reduce.h"
#include "src/io/quote.h"
#include "src/io/table_parts.h"

namespace libnf {
namespace {

long long ll(int64_t v) { return v; }

int64_t npy_column(const ColumnRef& c, int64_t width, const char* source) {
  if (c.index < 0)
    fail(Code::argument, "%s: no column %s: an array has no column names; select by index", source,
         quote_text(c.name).c_str());
  if (c.index >= width)
    fail(Code::argument, "%s: column index %lld is out of range: the array has %lld column%s, counted from 0", source,
         ll(c.index), ll(width), width == 1 ? "" : "s");
  return c.index;
}

std::string shortest(double v) {
  char text[40];
  return {text, std::to_chars(text, text + sizeof text, v).ptr};
}

// Names the first value of a row that is not finite as T; `row` counts from 0.
template <class T>
[[noreturn]] void fail_at(const NpyHeader& h, std::span<const std::byte> data, int64_t row, const T* values,
                          const std::vector<int64_t>& from, int64_t cols, const char* source) {
  int64_t c = 0;
  while (c + 1 < cols && std::isfinite(values[c])) ++c;
  const int64_t column = from.empty() ? c : from[static_cast<size_t>(c)];
  std::vector<double> exact(static_cast<size_t>(h.row_elements()));
  read_npy_rows(h, data, row, 1, exact.data());
  const double v = exact[static_cast<size_t>(column)];
  const std::string where = std::string(source) + ": row " + std::to_string(row) + ", column " +
                            std::to_string(column) + " (both counted from 0)";
  if (std::isfinite(v)) fail(Code::format, "%s: %s is out of range of float32", where.c_str(), shortest(v).c_str());
  fail(Code::format, "%s is %s; set missing to \"drop\" to leave such rows out", where.c_str(),
       std::isnan(v) ? "NaN"
       : v > 0       ? "infinity"
                     : "-infinity");
}

template <class T>
void select(const Allocator& allocator, const NpyHeader& h, std::span<const std::byte> data, const CsvOptions& o,
            const char* source, Table* t) {
  const int64_t width = h.row_elements(), rows = h.rows();
  std::vector<int64_t> from = npy_columns(o.columns, width, source);
  const int64_t id = o.id ? npy_column(*o.id, width, source) : -1;
  for (int64_t j = 0; id >= 0 && o.columns.empty() && j < width; ++j)
    if (j != id) from.push_back(j);
  if (id >= 0 && from.empty()) fail(Code::argument, "%s: the id is the only column, so there are no numbers", source);
  std::vector<std::pair<int64_t, RowCondition>> where;
  for (const RowCondition& c : o.where) where.emplace_back(npy_column(c.column, width, source), c);

  t->cols = from.empty() ? width : static_cast<int64_t>(from.size());
  t->data = Buffer(allocator, static_cast<size_t>(checked_mul(checked_mul(rows, t->cols), sizeof(T))), "a table");
  if (from.empty() && where.empty() && o.missing != Missing::drop) {
    read_npy_rows(h, data, 0, rows, t->data.as<T>());
    if constexpr (!std::is_same_v<T, uint8_t>) {
      const int64_t bad = o.missing == Missing::keep || h.kind != NpyHeader::Kind::real
                              ? -1
                              : kernel::first_nonfinite_row(t->data.as<T>(), t->cols, rows, t->cols);
      if (bad >= 0) fail_at(h, data, bad, t->data.as<T>() + bad * t->cols, from, t->cols, source);
    }
    t->rows = rows;
    return;
  }
  const size_t needed = rows ? static_cast<size_t>(width) : 0;  // with 0 rows the width is unbounded by the file size
  std::vector<T> row(needed);
  std::vector<double> exact(where.empty() && id < 0 ? 0 : needed);
  T* out = t->data.as<T>();
  for (int64_t r = 0; r < rows; ++r) {
    if (!exact.empty()) read_npy_rows(h, data, r, 1, exact.data());
    if (!std::all_of(where.begin(), where.end(),
                     [&](const auto& w) { return holds(w.second, exact[static_cast<size_t>(w.first)]); }))
      continue;
    read_npy_rows(h, data, r, 1, row.data());
    bool finite = true;
    for (int64_t c = 0; c < t->cols; ++c) {
      out[c] = row[static_cast<size_t>(from.empty() ? c : from[static_cast<size_t>(c)])];
      finite = finite && std::isfinite(out[c]);
    }
    if (!finite && o.missing == Missing::error) fail_at(h, data, r, out, from, t->cols, source);
    if (!finite && o.missing == Missing::drop) {
      if (t->dropped++ == 0) t->first_dropped = "row " + std::to_string(r);
      continue;
    }
    t->places.add(r, 0);
    if (id >= 0) t->ids.push_back(shortest(exact[static_cast<size_t>(id)]));
    out += t->cols;
    ++t->rows;
  }
}

}  // namespace

std::vector<int64_t> npy_columns(std::span<const ColumnRef> columns, int64_t width, const char* source) {
  std::vector<int64_t> from;
  for (const ColumnRef& c : columns) from.push_back(npy_column(c, width, source));
  return from;
}

bool take_bytes(GrowingBytes& array, const TableOptions& options, const char* source, Table* t) {
  const CsvOptions& o = options.csv;
  if (options.dtype != DType::u8 || !o.columns.empty() || !o.where.empty() || o.id) return false;
  const NpyHeader h = parse_array_header(array.bytes(), source);
  const bool plain = h.kind == NpyHeader::Kind::unsigned_int && h.item_bytes == 1 && h.shape.rank > 0 &&
                     (!h.fortran_order || h.shape.rank == 1);
  if (!plain || array.capacity() > array.size() + array.size() / 4) return false;
  const auto data = npy_data(array.bytes(), h, source);
  t->data = array.take();
  // `data` still points into that memory.
  if (!data.empty()) std::memmove(t->data.data(), data.data(), data.size());
  t->rows = h.rows();
  t->cols = h.row_elements();
  t->shape = h.shape;
  return true;
}

void read_npy_table(const Allocator& allocator, std::span<const std::byte> file, const TableOptions& options,
                    const char* source, Table* t) {
  const NpyHeader h = parse_array_header(file, source);
  const auto data = npy_data(file, h, source);
  if (t->dtype == DType::u8 && !h.holds_bytes())
    fail(Code::argument, "%s: its numbers are not bytes, so dtype cannot be \"uint8\": use \"float32\"", source);
  if (t->dtype == DType::u8)
    select<uint8_t>(allocator, h, data, options.csv, source, t);
  else if (t->dtype == DType::f64)
    select<double>(allocator, h, data, options.csv, source, t);
  else
    select<float>(allocator, h, data, options.csv, source, t);
  const bool whole = options.csv.columns.empty() && !options.csv.id && h.shape.rank > 0;
  t->shape = whole ? h.shape : Dims{t->rows, t->cols};
  if (whole) t->shape[0] = t->rows;
}

}  // namespace libnf
