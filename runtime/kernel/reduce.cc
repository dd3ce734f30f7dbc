// Loops of runtime/kernel/reduce.h. A row is folded into four SIMD accumulators, then across lanes; the partial vector
// at the end of a row is padded with the neutral element. Exponentials and logarithms are those of math-inl.h.
#include "runtime/kernel/reduce.h"

#include "runtime/kernel/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernel/reduce.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h
#include "runtime/kernel/math-inl.h"
#include "runtime/kernel/span-inl.h"

HWY_BEFORE_NAMESPACE();
namespace libnf::kernel::HWY_NAMESPACE {

// Returns the sum over i < n of f(i, lanes); f loads its own vectors and pads with zeros.
template <class T, class F>
HWY_INLINE T SumOf(const F& f, size_t n) {
  const hn::ScalableTag<T> d;
  const size_t lanes = hn::Lanes(d);
  auto s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
  size_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    s0 = f.Add(d, i, s0);
    s1 = f.Add(d, i + lanes, s1);
    s2 = f.Add(d, i + 2 * lanes, s2);
    s3 = f.Add(d, i + 3 * lanes, s3);
  }
  for (; i + lanes <= n; i += lanes) s0 = f.Add(d, i, s0);
  if (i < n) s1 = f.AddTail(d, i, n - i, s1);
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(s0, s1), hn::Add(s2, s3))));
}

template <class T>
struct Plain {
  const T* x;
  template <class D, class V>
  HWY_INLINE V Add(D d, size_t i, V s) const {
    return hn::Add(s, hn::LoadU(d, x + i));
  }
  template <class D, class V>
  HWY_INLINE V AddTail(D d, size_t i, size_t rest, V s) const {
    return hn::Add(s, LoadTail(d, x + i, rest));
  }
};
template <class T>
struct Product {
  const T *x, *y;
  template <class D, class V>
  HWY_INLINE V Add(D d, size_t i, V s) const {
    return hn::MulAdd(hn::LoadU(d, x + i), hn::LoadU(d, y + i), s);
  }
  template <class D, class V>
  HWY_INLINE V AddTail(D d, size_t i, size_t rest, V s) const {
    return hn::MulAdd(LoadTail(d, x + i, rest), LoadTail(d, y + i, rest), s);
  }
};
template <class T>
struct ShiftedExp {  // e^(x - shift), also stored in y if there is one
  const T* x;
  T shift;
  T* y;
  template <class D, class V>
  HWY_INLINE V Add(D d, size_t i, V s) const {
    const V e = Exp(d, hn::Sub(hn::LoadU(d, x + i), hn::Set(d, shift)));
    if (y) hn::StoreU(e, d, y + i);
    return hn::Add(s, e);
  }
  template <class D, class V>
  HWY_INLINE V AddTail(D d, size_t i, size_t rest, V s) const {
    const V e = Exp(d, hn::Sub(LoadTail(d, x + i, rest), hn::Set(d, shift)));
    if (y) StoreTail(e, d, y + i, rest);
    return hn::Add(s, hn::IfThenElseZero(hn::FirstN(d, rest), e));
  }
};

template <class T>
HWY_INLINE T MaxOf(const T* x, size_t n) {
  const hn::ScalableTag<T> d;
  const size_t lanes = hn::Lanes(d);
  const auto lowest = hn::Set(d, -Limits<T>::kInf);
  auto top = lowest;
  auto nan = hn::Zero(d);  // becomes NaN if an element is NaN
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto v = hn::LoadU(d, x + i);
    nan = hn::IfThenElse(hn::IsNaN(v), v, nan);
    top = hn::Max(top, v);
  }
  if (i < n) {
    const auto v = hn::IfThenElse(hn::FirstN(d, n - i), LoadTail(d, x + i, n - i), lowest);
    nan = hn::IfThenElse(hn::IsNaN(v), v, nan);
    top = hn::Max(top, v);
  }
  if (!hn::AllFalse(d, hn::IsNaN(nan))) return std::numeric_limits<T>::quiet_NaN();
  return hn::GetLane(hn::MaxOfLanes(d, top));
}

// Returns the maximum if it is finite, else 0. Subtracting it keeps e^x in range; infinities need no shift.
template <class T>
HWY_INLINE T ShiftOf(const T* x, size_t n) {
  const T top = MaxOf(x, n);
  return top - top == 0 ? top : 0;
}
template <class T>
HWY_INLINE T LogOf(T s) {
  const hn::CappedTag<T, 1> d;
  return hn::GetLane(Log(d, hn::Set(d, s)));
}

template <class T>
struct TimesConstant {
  T c;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return hn::Mul(x, hn::Set(d, c));
  }
};
template <class T>
struct MinusTwo {  // (x - a) - b: the order that keeps log softmax of large logits exact
  T a, b;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return hn::Sub(hn::Sub(x, hn::Set(d, a)), hn::Set(d, b));
  }
};
template <class T>
struct SoftmaxGrad {
  T dot;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V y, V gy, V gx) const {
    return hn::MulAdd(y, hn::Sub(gy, hn::Set(d, dot)), gx);
  }
};
template <class T>
struct LogSoftmaxGrad {
  T sum;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V y, V gy, V gx) const {
    return hn::Add(gx, hn::NegMulAdd(Exp(d, y), hn::Set(d, sum), gy));
  }
};

// Adds out[c] += sum_r x (or x y) in row order; a strip of columns stays in registers for all rows.
template <class T, class V, class D>
HWY_INLINE V AddColumn(D d, const T* x, size_t ldx, const T* y, size_t ldy, size_t rows, V s) {
  for (size_t r = 0; r < rows; ++r) {
    const V v = hn::LoadU(d, x + r * ldx);
    s = y ? hn::MulAdd(v, hn::LoadU(d, y + r * ldy), s) : hn::Add(s, v);
  }
  return s;
}
template <class T>
void ColumnSums(const T* x, size_t ldx, const T* y, size_t ldy, size_t rows, size_t cols, T* out) {
  const hn::ScalableTag<T> d;
  const size_t lanes = hn::Lanes(d);
  size_t c = 0;
  for (; c + 4 * lanes <= cols; c += 4 * lanes) {
    auto s0 = hn::LoadU(d, out + c), s1 = hn::LoadU(d, out + c + lanes);
    auto s2 = hn::LoadU(d, out + c + 2 * lanes), s3 = hn::LoadU(d, out + c + 3 * lanes);
    for (size_t r = 0; r < rows; ++r) {
      const T* xr = x + r * ldx + c;
      const T* yr = y ? y + r * ldy + c : nullptr;
      s0 = AddColumn(d, xr, 0, yr, 0, 1, s0);
      s1 = AddColumn(d, xr + lanes, 0, yr ? yr + lanes : nullptr, 0, 1, s1);
      s2 = AddColumn(d, xr + 2 * lanes, 0, yr ? yr + 2 * lanes : nullptr, 0, 1, s2);
      s3 = AddColumn(d, xr + 3 * lanes, 0, yr ? yr + 3 * lanes : nullptr, 0, 1, s3);
    }
    hn::StoreU(s0, d, out + c);
    hn::StoreU(s1, d, out + c + lanes);
    hn::StoreU(s2, d, out + c + 2 * lanes);
    hn::StoreU(s3, d, out + c + 3 * lanes);
  }
  for (; c + lanes <= cols; c += lanes) {
    hn::StoreU(AddColumn(d, x + c, ldx, y ? y + c : nullptr, ldy, rows, hn::LoadU(d, out + c)), d, out + c);
  }
  if (c < cols) {
    const size_t rest = cols - c;
    auto s = LoadTail(d, out + c, rest);
    for (size_t r = 0; r < rows; ++r) {
      const auto v = LoadTail(d, x + r * ldx + c, rest);
      s = y ? hn::MulAdd(v, LoadTail(d, y + r * ldy + c, rest), s) : hn::Add(s, v);
    }
    StoreTail(s, d, out + c, rest);
  }
}

template <class T>
bool Finite(const T* x, size_t n) {
  const hn::ScalableTag<T> d;
  const size_t lanes = hn::Lanes(d);
  auto s = hn::Zero(d);  // 0 x is NaN unless x is finite
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) s = hn::MulAdd(hn::LoadU(d, x + i), hn::Zero(d), s);
  if (i < n) s = hn::MulAdd(LoadTail(d, x + i, n - i), hn::Zero(d), s);
  return hn::AllFalse(d, hn::IsNaN(s));
}

enum class Row { sum, max, logsumexp };
template <class T>
void Rows(Row f, const T* x, size_t ld, size_t rows, size_t cols, T* out) {
  // What the vectors below come to for one or two columns, zeros and their signs included.
  if (f == Row::sum && (cols == 1 || cols == 2)) {
    for (size_t r = 0; r < rows; ++r, x += ld) out[r] = cols == 1 ? T(0) + x[0] : T(0) + x[0] + x[1];
    return;
  }
  for (size_t r = 0; r < rows; ++r, x += ld) {
    if (f == Row::sum) out[r] = SumOf<T>(Plain<T>{x}, cols);
    if (f == Row::max) out[r] = MaxOf(x, cols);
    if (f == Row::logsumexp) {
      const T shift = ShiftOf(x, cols);
      out[r] = shift + LogOf(SumOf<T>(ShiftedExp<T>{x, shift, nullptr}, cols));
    }
  }
}
template <class T>
void Dots(const T* x, size_t ldx, const T* y, size_t ldy, size_t rows, size_t cols, T* out) {
  if (cols == 1 || cols == 2) {  // as above
    for (size_t r = 0; r < rows; ++r, x += ldx, y += ldy)
      out[r] = cols == 1 ? T(0) + x[0] * y[0] : T(0) + x[0] * y[0] + x[1] * y[1];
    return;
  }
  for (size_t r = 0; r < rows; ++r) out[r] = SumOf<T>(Product<T>{x + r * ldx, y + r * ldy}, cols);
}
template <class T>
void Softmax(bool log, const T* x, size_t ldx, T* y, size_t ldy, size_t rows, size_t cols) {
  for (size_t r = 0; r < rows; ++r, x += ldx, y += ldy) {
    const T shift = ShiftOf(x, cols);
    const T sum = SumOf<T>(ShiftedExp<T>{x, shift, log ? nullptr : y}, cols);
    if (log) {
      Map(MinusTwo<T>{shift, LogOf(sum)}, x, y, cols);
    } else {
      Map(TimesConstant<T>{1 / sum}, y, y, cols);
    }
  }
}
template <class T>
void SoftmaxBack(bool log, const T* y, size_t ldy, const T* gy, size_t ldgy, T* gx, size_t ldgx, size_t rows,
                 size_t cols) {
  for (size_t r = 0; r < rows; ++r, y += ldy, gy += ldgy, gx += ldgx) {
    if (log) {
      Update(LogSoftmaxGrad<T>{SumOf<T>(Plain<T>{gy}, cols)}, y, gy, gx, cols);
    } else {
      Update(SoftmaxGrad<T>{SumOf<T>(Product<T>{gy, y}, cols)}, y, gy, gx, cols);
    }
  }
}

#define NF_DEFINE(Name, T)                                                                                   \
  void RowSum##Name(const T* x, size_t l, size_t r, size_t c, T* o) { Rows(Row::sum, x, l, r, c, o); }       \
  void RowMax##Name(const T* x, size_t l, size_t r, size_t c, T* o) { Rows(Row::max, x, l, r, c, o); }       \
  void RowLse##Name(const T* x, size_t l, size_t r, size_t c, T* o) { Rows(Row::logsumexp, x, l, r, c, o); } \
  void RowDot##Name(const T* x, size_t lx, const T* y, size_t ly, size_t r, size_t c, T* o) {                \
    Dots(x, lx, y, ly, r, c, o);                                                                             \
  }                                                                                                          \
  void Soft##Name(bool log, const T* x, size_t lx, T* y, size_t ly, size_t r, size_t c) {                    \
    Softmax(log, x, lx, y, ly, r, c);                                                                        \
  }                                                                                                          \
  void SoftBack##Name(bool log, const T* y, size_t ly, const T* gy, size_t lgy, T* gx, size_t lgx, size_t r, \
                      size_t c) {                                                                            \
    SoftmaxBack(log, y, ly, gy, lgy, gx, lgx, r, c);                                                         \
  }                                                                                                          \
  void ColSum##Name(const T* x, size_t lx, const T* y, size_t ly, size_t r, size_t c, T* o) {                \
    ColumnSums(x, lx, y, ly, r, c, o);                                                                       \
  }                                                                                                          \
  bool Finite##Name(const T* x, size_t n) { return Finite(x, n); }
NF_DEFINE(F32, float)
NF_DEFINE(F64, double)
#undef NF_DEFINE

}  // namespace libnf::kernel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace libnf::kernel {
namespace {
size_t u(int64_t n) { return static_cast<size_t>(n); }
}  // namespace

// Handles the log-dets of narrow couplings, whose rows are shorter than a vector.
template <class T>
bool few_columns(const T* x, int64_t ld, int64_t rows, int64_t cols, T* out) {
  if (cols < 1 || cols > 4) return false;
  for (int64_t r = 0; r < rows; ++r) {
    T s = x[r * ld];
    for (int64_t c = 1; c < cols; ++c) s += x[r * ld + c];
    out[r] = s;
  }
  return true;
}

#define NF_DEFINE(Name, T)                                                                                         \
  HWY_EXPORT(RowSum##Name);                                                                                        \
  HWY_EXPORT(RowMax##Name);                                                                                        \
  HWY_EXPORT(RowLse##Name);                                                                                        \
  HWY_EXPORT(RowDot##Name);                                                                                        \
  HWY_EXPORT(Soft##Name);                                                                                          \
  HWY_EXPORT(SoftBack##Name);                                                                                      \
  HWY_EXPORT(ColSum##Name);                                                                                        \
  HWY_EXPORT(Finite##Name);                                                                                        \
  template <>                                                                                                      \
  void row_sum(const T* x, int64_t ld, int64_t rows, int64_t cols, T* out) {                                       \
    if (!few_columns(x, ld, rows, cols, out)) HWY_DYNAMIC_DISPATCH(RowSum##Name)(x, u(ld), u(rows), u(cols), out); \
  }                                                                                                                \
  template <>                                                                                                      \
  void row_max(const T* x, int64_t ld, int64_t rows, int64_t cols, T* out) {                                       \
    HWY_DYNAMIC_DISPATCH(RowMax##Name)(x, u(ld), u(rows), u(cols), out);                                           \
  }                                                                                                                \
  template <>                                                                                                      \
  void row_logsumexp(const T* x, int64_t ld, int64_t rows, int64_t cols, T* out) {                                 \
    HWY_DYNAMIC_DISPATCH(RowLse##Name)(x, u(ld), u(rows), u(cols), out);                                           \
  }                                                                                                                \
  template <>                                                                                                      \
  void row_dot(const T* x, int64_t ldx, const T* y, int64_t ldy, int64_t rows, int64_t cols, T* out) {             \
    HWY_DYNAMIC_DISPATCH(RowDot##Name)(x, u(ldx), y, u(ldy), u(rows), u(cols), out);                               \
  }                                                                                                                \
  template <>                                                                                                      \
  void softmax(const T* x, int64_t ldx, T* y, int64_t ldy, int64_t rows, int64_t cols) {                           \
    HWY_DYNAMIC_DISPATCH(Soft##Name)(false, x, u(ldx), y, u(ldy), u(rows), u(cols));                               \
  }                                                                                                                \
  template <>                                                                                                      \
  void log_softmax(const T* x, int64_t ldx, T* y, int64_t ldy, int64_t rows, int64_t cols) {                       \
    HWY_DYNAMIC_DISPATCH(Soft##Name)(true, x, u(ldx), y, u(ldy), u(rows), u(cols));                                \
  }                                                                                                                \
  template <>                                                                                                      \
  void softmax_grad(const T* y, int64_t ldy, const T* gy, int64_t ldgy, T* gx, int64_t ldgx, int64_t rows,         \
                    int64_t cols) {                                                                                \
    HWY_DYNAMIC_DISPATCH(SoftBack##Name)(false, y, u(ldy), gy, u(ldgy), gx, u(ldgx), u(rows), u(cols));            \
  }                                                                                                                \
  template <>                                                                                                      \
  void log_softmax_grad(const T* y, int64_t ldy, const T* gy, int64_t ldgy, T* gx, int64_t ldgx, int64_t rows,     \
                        int64_t cols) {                                                                            \
    HWY_DYNAMIC_DISPATCH(SoftBack##Name)(true, y, u(ldy), gy, u(ldgy), gx, u(ldgx), u(rows), u(cols));             \
  }                                                                                                                \
  template <>                                                                                                      \
  void col_sum_add(const T* x, int64_t ld, int64_t rows, int64_t cols, T* out) {                                   \
    HWY_DYNAMIC_DISPATCH(ColSum##Name)(x, u(ld), nullptr, 0, u(rows), u(cols), out);                               \
  }                                                                                                                \
  template <>                                                                                                      \
  void col_dot_add(const T* x, int64_t ldx, const T* y, int64_t ldy, int64_t rows, int64_t cols, T* out) {         \
    HWY_DYNAMIC_DISPATCH(ColSum##Name)(x, u(ldx), y, u(ldy), u(rows), u(cols), out);                               \
  }                                                                                                                \
  template <>                                                                                                      \
  bool all_finite(const T* x, int64_t n) {                                                                         \
    return HWY_DYNAMIC_DISPATCH(Finite##Name)(x, u(n));                                                            \
  }
NF_DEFINE(F32, float)
NF_DEFINE(F64, double)
#undef NF_DEFINE

template <class T>
double sum_squares(const T* x, int64_t n) {
  constexpr int64_t kLanes = 8;  // independent of the SIMD target
  double s[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int64_t j = 0; j < kLanes; ++j) s[j] += static_cast<double>(x[i + j]) * static_cast<double>(x[i + j]);
  }
  for (int64_t j = 0; i + j < n; ++j) s[j] += static_cast<double>(x[i + j]) * static_cast<double>(x[i + j]);
  return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

template <class T>
int64_t first_nonfinite_row(const T* x, int64_t ld, int64_t rows, int64_t cols) {
  if (ld == cols && all_finite(x, rows * cols)) return -1;
  for (int64_t r = 0; r < rows; ++r) {
    if (!all_finite(x + r * ld, cols)) return r;
  }
  return -1;
}

template double sum_squares(const float*, int64_t);
template double sum_squares(const double*, int64_t);
template int64_t first_nonfinite_row(const float*, int64_t, int64_t, int64_t);
template int64_t first_nonfinite_row(const double*, int64_t, int64_t, int64_t);

}  // namespace libnf::kernel
#endif
