// Tables used in place in a mapped .npy file; see table.h.
#include "runtime/core/status.h"
#include "src/io/table_parts.h"

namespace libnf {
namespace {

// Makes the rows and columns a strided view of the file. Returns nullptr, or the reason why that is not possible.
const char* place(const NpyHeader& h, std::span<const std::byte> data, const TableOptions& options, const char* source,
                  Table* t) {
  const CsvOptions& o = options.csv;
  const bool bytes = options.dtype == DType::u8 && h.kind == NpyHeader::Kind::unsigned_int && h.item_bytes == 1;
  const bool floats =
      options.dtype != DType::u8 && h.kind == NpyHeader::Kind::real && !h.big_endian && h.item_bytes >= 4;
  if (!bytes && !floats) return "only little-endian float32 and float64, or uint8 read as such, can be used in place";
  if (h.fortran_order && h.shape.rank > 2) return "a Fortran-order array of rank above 2 cannot be used in place";
  if (!o.where.empty() || o.id || o.missing == Missing::drop) return "rows are selected, or have ids";
  const int64_t width = h.row_elements();
  const std::vector<int64_t> from = npy_columns(o.columns, width, source);
  const int64_t apart = from.size() > 1 ? from[1] - from[0] : 1;
  for (size_t i = 1; i < from.size(); ++i)
    if (from[i] - from[i - 1] != apart) return "the selected columns are not evenly spaced, which a strided view needs";
  t->dtype = bytes ? DType::u8 : h.item_bytes == 8 ? DType::f64 : DType::f32;
  t->rows = h.rows();
  t->cols = from.empty() ? width : static_cast<int64_t>(from.size());
  t->shape = from.empty() && h.shape.rank > 0 ? h.shape : Dims{t->rows, t->cols};
  const int64_t row = h.fortran_order ? 1 : width, column = h.fortran_order ? t->rows : 1;
  View& v = t->in_place;
  v = contiguous_view(nullptr, t->dtype, {t->rows, t->cols});
  // The const_cast is safe because the ABI declares borrowed tables read-only.
  v.data = const_cast<std::byte*>(data.data()) + (from.empty() ? 0 : from[0] * column * h.item_bytes);
  v.stride[0] = row;
  v.stride[1] = apart * column;
  return nullptr;
}

}  // namespace

bool map_table(const char* path, const TableOptions& options, const std::string& source, Table* t) {
  if (options.map == MapFile::off) return false;
  auto file = std::make_shared<FileBytes>(FileBytes::map(path, options.max_bytes));
  if (options.map == MapFile::automatic && file->bytes().size() < kMapFrom) return false;
  const char* why = "it is not a .npy file";
  if (is_npy(file->bytes())) {
    const NpyHeader h = parse_npy_header(file->bytes(), source.c_str());
    const auto data = npy_data(file->bytes(), h, source.c_str());
    why = data.empty() ? "it is empty" : place(h, data, options, source.c_str(), t);
  }
  if (why) {
    if (options.map == MapFile::on) t->why_not_mapped = why;
    return false;
  }
  t->file = std::move(file);
  return true;
}

}  // namespace libnf
