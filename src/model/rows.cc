#include "src/model/rows.h"

#include <cstring>

#include "runtime/core/rows.h"

namespace nf {
namespace {

// Elementwise so that misaligned memory of the caller is fine.
template <class From, class To>
void copy_matrix(const View& from, const View& to) {
  const int64_t rows = from.shape[0], cols = from.shape.rank > 1 ? from.shape[1] : 1;
  const int64_t from_step = from.shape.rank > 1 ? from.stride[1] : 1, to_step = to.shape.rank > 1 ? to.stride[1] : 1;
  for (int64_t r = 0; r < rows; ++r) {
    const char* a = static_cast<const char*>(from.data) + r * from.stride[0] * static_cast<int64_t>(sizeof(From));
    char* b = static_cast<char*>(to.data) + r * to.stride[0] * static_cast<int64_t>(sizeof(To));
    if (std::is_same_v<From, To> && from_step == 1 && to_step == 1) {
      if (cols) std::memcpy(b, a, static_cast<size_t>(cols) * sizeof(To));
      continue;
    }
    for (int64_t c = 0; c < cols; ++c) {
      From v;
      std::memcpy(&v, a + c * from_step * static_cast<int64_t>(sizeof(From)), sizeof v);
      const To w = static_cast<To>(v);
      std::memcpy(b + c * to_step * static_cast<int64_t>(sizeof(To)), &w, sizeof w);
    }
  }
}

}  // namespace

void copy_rows(const View& from, const View& to) {
  if (to.count() == 0) return;
  with_dtype(from.dtype,
             [&]<class From>() { with_dtype(to.dtype, [&]<class To>() { copy_matrix<From, To>(from, to); }); });
}

namespace {

View rows_of_view(const View& v, int64_t first, int64_t count) {
  View part = v;
  part.shape[0] = count;
  part.data = static_cast<char*>(v.data) + first * v.stride[0] * size_of(v.dtype);
  return part;
}

}  // namespace

Var load_rows(Tape& t, const View& from, int64_t first, int64_t count) {
  Var v = t.empty({count, from.shape[1]});
  if (count == 0 || from.shape[1] == 0) return v;
  View source = from;
  if (from.shape[0] == 1) source.stride[0] = 0;
  copy_rows(rows_of_view(source, first, count), v->out);
  return v;
}

void store_rows(const Var v, const View& to, int64_t first) {
  if (v->out.count() == 0) return;
  copy_rows(v->out, rows_of_view(to, first, v->out.shape[0]));
}

double scalar_at(const View& v, int64_t r) {
  double value = 0;
  with_dtype(v.dtype, [&]<class T>() {
    T x;
    std::memcpy(&x, static_cast<const char*>(v.data) + r * v.stride[0] * static_cast<int64_t>(sizeof(T)), sizeof x);
    value = static_cast<double>(x);
  });
  return value;
}

}  // namespace nf
