#include "src/model/rows.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "runtime/core/rows.h"
#include "runtime/kernel/low.h"
#include "runtime/kernel/reduce.h"
#include "src/io/xxh64.h"

namespace libnf {
namespace {

// The elements of one row of a view, in row-major order of its extents, as runs of `run()` elements that are `step()`
// apart. Adjacent extents without a gap are merged, so a contiguous image is a single run.
struct RowLayout {
  explicit RowLayout(const View& v) {
    for (int i = 1; i < v.shape.rank; ++i) {
      if (v.shape[i] == 1) continue;
      if (rank > 0 && stride[rank - 1] == v.stride[i] * v.shape[i]) {
        shape[rank - 1] *= v.shape[i];
        stride[rank - 1] = v.stride[i];
      } else {
        shape[rank] = v.shape[i];
        stride[rank++] = v.stride[i];
      }
    }
    if (rank == 0) shape[rank++] = 1;
  }
  int64_t run() const { return shape[rank - 1]; }
  int64_t step() const { return stride[rank - 1]; }
  // Returns the distance from the start of the row to element number j, in elements.
  int64_t offset(int64_t j) const {
    int64_t at = 0;
    for (int axis = rank - 1; axis >= 0; --axis) {
      at += j % shape[axis] * stride[axis];
      j /= shape[axis];
    }
    return at;
  }

  int rank = 0;
  int64_t shape[kMaxRank] = {}, stride[kMaxRank] = {};
};

// Copies by element, because the caller's memory may be misaligned.
template <class From, class To>
void copy_run(const char* a, int64_t a_step, char* b, int64_t b_step, int64_t n) {
  if (std::is_same_v<From, To> && a_step == 1 && b_step == 1) {
    std::memcpy(b, a, static_cast<size_t>(n) * sizeof(To));
    return;
  }
  const auto copy = [&](int64_t from_step, int64_t to_step) {
    for (int64_t c = 0; c < n; ++c) {
      From v;
      std::memcpy(&v, a + c * from_step * static_cast<int64_t>(sizeof(From)), sizeof v);
      const To w = static_cast<To>(v);
      std::memcpy(b + c * to_step * static_cast<int64_t>(sizeof(To)), &w, sizeof w);
    }
  };
  if (a_step == 1 && b_step == 1) return copy(1, 1);  // with steps known to the compiler, it vectorizes
  copy(a_step, b_step);
}

template <class From, class To>
void copy_each_row(const View& from, const View& to) {
  const int64_t rows = from.shape[0], cols = from.count() / rows;
  const RowLayout in(from), out(to);
  const int64_t low = std::min(in.run(), out.run()), high = std::max(in.run(), out.run());
  const int64_t run = high % low == 0 ? low : 1;
  for (int64_t r = 0; r < rows; ++r) {
    const char* a = static_cast<const char*>(from.data) + r * from.stride[0] * static_cast<int64_t>(sizeof(From));
    char* b = static_cast<char*>(to.data) + r * to.stride[0] * static_cast<int64_t>(sizeof(To));
    if (run == cols) {
      copy_run<From, To>(a, in.step(), b, out.step(), cols);
      continue;
    }
    for (int64_t j = 0; j < cols; j += run)
      copy_run<From, To>(a + in.offset(j) * static_cast<int64_t>(sizeof(From)), in.step(),
                         b + out.offset(j) * static_cast<int64_t>(sizeof(To)), out.step(), run);
  }
}

// Writes high + low, both in row-major order, to a float64 view.
void store_sums(const float* high, const float* low, const View& to) {
  constexpr int64_t kAtOnce = 64;
  double sums[kAtOnce];
  const auto store = [&](char* at, int64_t step, int64_t n) {
    for (int64_t i = 0; i < n; i += kAtOnce) {
      const int64_t m = std::min(kAtOnce, n - i);
      kernel::join_low(high, low, sums, m);
      copy_run<double, double>(static_cast<const char*>(static_cast<const void*>(sums)), 1,
                               at + i * step * size_of(DType::f64), step, m);
      high += m;
      low += m;
    }
  };
  char* begin = to.as<char>();
  if (to.contiguous()) return store(begin, 1, to.count());
  const RowLayout out(to);
  const int64_t rows = to.shape[0], cols = to.count() / rows;
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t j = 0; j < cols; j += out.run())
      store(begin + (r * to.stride[0] + out.offset(j)) * size_of(DType::f64), out.step(), out.run());
}

// Returns the same bits for equal numbers (0 for -0) and for all NaN.
uint64_t canonical_bits(double v) { return std::bit_cast<uint64_t>(v == 0 ? 0.0 : v != v ? std::nan("") : v); }

}  // namespace

View rows_of_view(const View& v, int64_t first, int64_t count) {
  View part = v;
  part.shape[0] = count;
  part.data = static_cast<char*>(v.data) + first * v.stride[0] * size_of(v.dtype);
  return part;
}

void copy_rows(const View& from, const View& to) {
  if (to.count() == 0) return;
  if (from.dtype == DType::u8 && to.dtype == DType::u8) return copy_each_row<uint8_t, uint8_t>(from, to);
  with_dtype(to.dtype, [&]<class To>() {
    if (from.dtype == DType::u8) return copy_each_row<uint8_t, To>(from, to);
    with_dtype(from.dtype, [&]<class From>() { copy_each_row<From, To>(from, to); });
  });
}

Var load_rows(Tape& t, const View& from, int64_t first, int64_t count) {
  int64_t cols = 1;
  for (int i = 1; i < from.shape.rank; ++i) cols *= from.shape[i];
  Var v = t.empty({count, cols});
  if (count == 0 || cols == 0) return v;
  View source = from;
  if (from.shape[0] == 1) source.stride[0] = 0;
  copy_rows(rows_of_view(source, first, count), v->out);
  return v;
}

Var load_rows(Tape& t, const View& from, int64_t first, int64_t count, bool with_low) {
  if (!with_low || from.dtype != DType::f64 || t.dtype() != DType::f32) return load_rows(t, from, first, count);
  const int64_t cols = from.shape[0] ? from.count() / from.shape[0] : 0;
  Var v = t.empty({count, cols});
  v->low = t.take_low(*v);
  const int64_t n = v->out.count();
  if (n == 0) return v;
  View source = from;
  if (from.shape[0] == 1) source.stride[0] = 0;
  source = rows_of_view(source, first, count);
  const ScratchScope scope(t);
  const bool in_place = source.contiguous() && reinterpret_cast<uintptr_t>(source.data) % alignof(double) == 0;
  if (!in_place || t.measuring) {  // a dry run takes the memory that any view may need
    const View copy = contiguous_view(t.scratch<double>(n), DType::f64, v->out.shape);
    copy_rows(source, copy);
    source = copy;
  }
  kernel::split_low(source.as<double>(), v->out.as<float>(), v->low, n);
  return v;
}

View zeros_of(double* zero, const Dims& shape) {
  *zero = 0;
  View v = contiguous_view(zero, DType::f64, shape);
  for (int64_t& step : v.stride) step = 0;
  return v;
}

Var load_row(Tape& t, const Node& v, int64_t row) {
  Var one = load_rows(t, v.out, row, 1);
  if (!v.low) return one;
  one->low = t.take_low(*one);
  const int64_t cols = one->out.count();
  std::memcpy(one->low, v.low + (v.out.shape[0] == 1 ? 0 : row) * cols, static_cast<size_t>(cols) * sizeof(float));
  return one;
}

void store_rows(const Var v, const View& to, int64_t first) {
  const int64_t n = v->out.count();
  if (n == 0) return;
  const View part = rows_of_view(to, first, v->out.shape[0]);
  if (!v->low || to.dtype != DType::f64) return copy_rows(v->out, part);
  store_sums(v->out.as<float>(), v->low, part);
}

bool all_finite(Var v) {
  return with_dtype(v->out.dtype, [&]<class T>() {
    const auto m = matrix_of<T>(v->out);
    return kernel::first_nonfinite_row<T>(m.p, m.ld, m.rows, m.cols) < 0;
  });
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

void hash_rows(Var x, Var context, uint64_t* out) {
  with_dtype(x->out.dtype, [&]<class T>() {
    for (int64_t r = 0; r < x->out.shape[0]; ++r) {
      Xxh64 hash;
      for (Var v : {x, context}) {
        if (!v) continue;
        const auto m = matrix_of<T>(v->out);
        const T* row = m.row(m.rows == 1 ? 0 : r);
        const float* low = v->low ? v->low + (row - m.p) : nullptr;
        for (int64_t j = 0; j < m.cols; ++j) {
          const double x = static_cast<double>(row[j]);
          hash.update_u64(canonical_bits(low ? x + static_cast<double>(low[j]) : x));
        }
      }
      out[r] = hash.digest();
    }
  });
}

uint64_t* draw_by_content(Tape& t, Var x, Var context, uint64_t seed) {
  auto* keys = t.scratch<uint64_t>(x->out.shape[0]);
  hash_rows(x, context, keys);
  t.random = {};
  t.random.seed = seed;
  t.random.row_keys = keys;
  return keys;
}

}  // namespace libnf
