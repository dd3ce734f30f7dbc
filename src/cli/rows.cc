// See rows.h.
#include "src/cli/rows.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "src/cli/file_kind.h"

namespace nf::cli {
nf_view matrix_view(void* data, int32_t dtype, int64_t rows, int64_t cols) {
  nf_view v = NF_VIEW_INIT;
  v.dtype = dtype;
  v.ndim = 2;
  v.shape[0] = rows;
  v.shape[1] = cols;
  v.data = data;
  return v;
}

nf_view vector_view(double* data, int64_t n) {
  nf_view v = NF_VIEW_INIT;
  v.dtype = NF_F64;
  v.ndim = 1;
  v.shape[0] = n;
  v.data = data;
  return v;
}

Rows Rows::open(nf_runtime* runtime, const std::string& path, const Settings& settings, int32_t dtype,
                const std::string& columns) {
  Settings mine = settings;
  mine.set("dtype", dtype == NF_F64 ? "float64" : "float32");
  if (!columns.empty()) mine.set("columns", columns);
  const Options bag = mine.bag();
  Rows r;
  try {
    r.table_ = make<Table>(nf_table_open, runtime, path.c_str(), bag.get());
  } catch (const LibraryFailure&) {
    const std::string kind = kind_of_file(path);
    if (kind != "a model" && kind != "JSON") throw;
    throw Failure(path + " is not a table: it looks like " + kind, "data must be a .npy or CSV file");
  }
  nf_view view = NF_VIEW_INIT;
  call(nf_table_view, r.table_.get(), &view);
  r.data_ = static_cast<std::byte*>(view.data);
  r.dtype_ = view.dtype;
  r.rows_ = view.shape[0];
  r.cols_ = view.shape[1];
  int64_t shape[4] = {};
  const bool images = nf_table_shape(r.table_.get(), shape) == 4;
  r.extents_ = images ? std::vector<int64_t>(shape + 1, shape + 4) : std::vector<int64_t>{r.cols_};
  const bool strided = (view.flags & NF_STRIDED) != 0;
  r.row_stride_ = strided ? view.strides[0] : r.cols_;
  r.col_stride_ = strided ? view.strides[1] : 1;
  for (int64_t c = 0; c < r.cols_; ++c) {
    const char* name = nf_table_column(r.table_.get(), c);
    r.names_.emplace_back(name ? name : "");
  }
  if (std::all_of(r.names_.begin(), r.names_.end(), [](const std::string& s) { return s.empty(); })) r.names_.clear();
  if (r.rows_ == 0) throw Failure(path + " has no rows");
  return r;
}

Rows Rows::of(const std::vector<double>& values, int64_t cols, int32_t dtype) {
  Rows r;
  r.dtype_ = dtype;
  r.rows_ = static_cast<int64_t>(values.size()) / cols;
  r.cols_ = r.row_stride_ = cols;
  r.extents_ = {cols};
  r.own_.resize(values.size() * r.element());
  r.data_ = r.own_.data();
  std::byte* to = r.data_;
  for (const double v : values) {
    const auto narrow = static_cast<float>(v);
    std::memcpy(to, dtype == NF_F64 ? static_cast<const void*>(&v) : &narrow, r.element());
    to += r.element();
  }
  return r;
}

nf_view Rows::view(int64_t from, int64_t count) const {
  nf_view v = matrix_view(const_cast<std::byte*>(row(from)), dtype_, count, cols_);
  v.flags = NF_STRIDED;
  v.strides[0] = row_stride_;
  v.strides[1] = col_stride_;
  return v;
}

Rows Rows::pick(std::span<const int64_t> indices) const {
  Rows out;
  out.dtype_ = dtype_;
  out.rows_ = static_cast<int64_t>(indices.size());
  out.cols_ = out.row_stride_ = cols_;
  out.extents_ = extents_;
  out.names_ = names_;
  out.own_.resize(indices.size() * static_cast<size_t>(cols_) * element());
  out.data_ = out.own_.data();
  std::byte* to = out.data_;
  for (int64_t r : indices)
    for (int64_t c = 0; c < cols_; ++c, to += element())
      std::memcpy(to, row(r) + static_cast<int64_t>(element()) * c * col_stride_, element());
  return out;
}

std::vector<std::pair<int64_t, int64_t>> Rows::runs() const {
  constexpr int64_t kRuns = 64, kRun = 1024;
  if (!mapped() || rows_ <= kRuns * kRun) return {{0, rows_}};
  std::vector<std::pair<int64_t, int64_t>> out;
  for (int64_t i = 0; i < kRuns; ++i) out.emplace_back((rows_ - kRun) / (kRuns - 1) * i, kRun);
  return out;
}

std::vector<Moments> Rows::moments() const {
  const auto at = [&](int64_t r, int64_t c) {
    const std::byte* from = row(r) + static_cast<int64_t>(element()) * c * col_stride_;
    double wide = 0;  // rows in a file may be misaligned
    float narrow = 0;
    if (dtype_ == NF_F64)
      std::memcpy(&wide, from, sizeof wide);
    else
      std::memcpy(&narrow, from, sizeof narrow);
    return dtype_ == NF_F64 ? wide : narrow;
  };
  std::vector<Moments> all(static_cast<size_t>(cols_));
  double n = 0;
  for (const auto& [from, count] : runs()) n += static_cast<double>(count);
  for (const auto& [from, count] : runs())
    for (int64_t r = from; r < from + count; ++r)
      for (int64_t c = 0; c < cols_; ++c) all[static_cast<size_t>(c)].mean += at(r, c) / n;
  for (const auto& [from, count] : runs())
    for (int64_t r = from; r < from + count; ++r)
      for (int64_t c = 0; c < cols_; ++c) {
        const double off = at(r, c) - all[static_cast<size_t>(c)].mean;
        all[static_cast<size_t>(c)].std += off * off / n;
      }
  for (Moments& m : all) {
    m.std = std::sqrt(m.std);
    if (m.std <= 1e-12 * std::abs(m.mean)) m.std = 0;  // constant up to the rounding of the mean
  }
  return all;
}

uint64_t Rows::fingerprint() const {
  uint64_t h = static_cast<uint64_t>(rows_) * 31 + static_cast<uint64_t>(cols_);
  for (const auto& [from, count] : runs())
    for (int64_t r = from; r < from + count; ++r)
      for (int64_t c = 0; c < cols_; ++c) {
        uint64_t bits = 0;
        std::memcpy(&bits, row(r) + static_cast<int64_t>(element()) * c * col_stride_, element());
        h = (h ^ bits) * 0x100000001b3u;
        h ^= h >> 29;
      }
  return h;
}

}  // namespace nf::cli
