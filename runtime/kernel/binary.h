// Element-wise functions of two arguments and the basic linear updates, on contiguous spans of length n >= 0, and
// broadcasts over row-major matrices [rows, cols] whose rows are ld elements apart.
// Results are correctly rounded, up to one fused multiply-add where the target has it. An output may be the same span
// as an input but must not partially overlap one. max and min give NaN if either argument is NaN.
#pragma once
#include <cstdint>

namespace libnf::kernel {

enum class Binary : uint8_t { add, sub, mul, div, max, min };

template <class T>
void binary(Binary f, const T* x, const T* b, T* y, int64_t n);  // y = x op b
template <class T>
void binary_scalar(Binary f, const T* x, T b, T* y, int64_t n);  // y = x op b, one b
template <class T>
void scalar_binary(Binary f, T a, const T* x, T* y, int64_t n);  // y = a op x, one a

template <class T>
void fill(T a, T* y, int64_t n);  // y = a
template <class T>
void copy(const T* x, T* y, int64_t n);  // y = x; spans may overlap
template <class T>
void scale(T a, const T* x, T* y, int64_t n);  // y = a x
template <class T>
void accumulate(const T* x, T* y, int64_t n);  // y += x
template <class T>
void axpy(T a, const T* x, T* y, int64_t n);  // y += a x
template <class T>
void mul_add(const T* a, const T* b, T* y, int64_t n);  // y += a b
template <class T>
void mul_sub(const T* a, const T* b, T* y, int64_t n);  // y -= a b
template <class T>
void clamp(T low, T high, const T* x, T* y, int64_t n);  // y = min(max(x, low), high); NaN stays NaN

template <class T>
void add_row(const T* b, T* y, int64_t ld, int64_t rows, int64_t cols);  // y[r, c] += b[c], a bias
template <class T>
void add_col(const T* b, T* y, int64_t ld, int64_t rows, int64_t cols);  // y[r, c] += b[r]
template <class T>
void mul_row(const T* b, T* y, int64_t ld, int64_t rows, int64_t cols);  // y[r, c] *= b[c]
template <class T>
void mul_col(const T* b, T* y, int64_t ld, int64_t rows, int64_t cols);  // y[r, c] *= b[r]

}  // namespace libnf::kernel
