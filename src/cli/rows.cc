// See rows.h.
#include "src/cli/rows.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace nf::cli {
namespace {
// SplitMix64 (Steele, Lea & Flood 2014): the same hold-out on every machine, which std::shuffle does not promise.
uint64_t mixed(uint64_t& state) {
  uint64_t z = state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}
}  // namespace

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
  r.table_ = make<Table>(nf_table_open, runtime, path.c_str(), bag.get());
  nf_view view = NF_VIEW_INIT;
  call(nf_table_view, r.table_.get(), &view);
  r.data_ = static_cast<std::byte*>(view.data);
  r.dtype_ = view.dtype;
  r.rows_ = view.shape[0];
  r.cols_ = view.shape[1];
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
  out.names_ = names_;
  out.own_.resize(indices.size() * static_cast<size_t>(cols_) * element());
  out.data_ = out.own_.data();
  std::byte* to = out.data_;
  for (int64_t r : indices)
    for (int64_t c = 0; c < cols_; ++c, to += element())
      std::memcpy(to, row(r) + static_cast<int64_t>(element()) * c * col_stride_, element());
  return out;
}

std::vector<Moments> Rows::moments() const {
  const auto at = [&](int64_t r, int64_t c) {
    const std::byte* from = row(r) + static_cast<int64_t>(element()) * c * col_stride_;
    return dtype_ == NF_F64 ? *reinterpret_cast<const double*>(from) : *reinterpret_cast<const float*>(from);
  };
  std::vector<Moments> all(static_cast<size_t>(cols_));
  const auto n = static_cast<double>(rows_);
  for (int64_t r = 0; r < rows_; ++r)
    for (int64_t c = 0; c < cols_; ++c) all[static_cast<size_t>(c)].mean += at(r, c) / n;
  for (int64_t r = 0; r < rows_; ++r)
    for (int64_t c = 0; c < cols_; ++c) {
      const double off = at(r, c) - all[static_cast<size_t>(c)].mean;
      all[static_cast<size_t>(c)].std += off * off / n;
    }
  for (Moments& m : all) {
    m.std = std::sqrt(m.std);
    if (m.std <= 1e-12 * std::abs(m.mean)) m.std = 0;  // a constant, but for the rounding of the mean
  }
  return all;
}

uint64_t Rows::fingerprint() const {
  uint64_t h = static_cast<uint64_t>(rows_) * 31 + static_cast<uint64_t>(cols_);
  for (int64_t r = 0; r < rows_; ++r)
    for (int64_t c = 0; c < cols_; ++c) {
      uint64_t bits = 0;
      std::memcpy(&bits, row(r) + static_cast<int64_t>(element()) * c * col_stride_, element());
      h = (h ^ bits) * 0x100000001b3u;
      h ^= h >> 29;
    }
  return h;
}

std::pair<std::vector<int64_t>, std::vector<int64_t>> hold_out(int64_t n, int64_t held, uint64_t seed) {
  std::vector<int64_t> order(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) order[static_cast<size_t>(i)] = i;
  for (int64_t i = 0; i < held; ++i) {  // the first `held` steps of a Fisher-Yates shuffle
    const uint64_t left = static_cast<uint64_t>(n - i);
    std::swap(order[static_cast<size_t>(i)], order[static_cast<size_t>(i) + mixed(seed) % left]);
  }
  std::sort(order.begin(), order.begin() + held);
  std::sort(order.begin() + held, order.end());
  return {{order.begin(), order.begin() + held}, {order.begin() + held, order.end()}};
}

}  // namespace nf::cli
