// Activations that read or write two runs of channels per pixel. Rows are pixels, contiguous: [rows, channels] on one
// side and [rows, 2 channels] on the other. Total: NaN gives NaN, infinities and huge values the mathematical limit.
// Errors: those of elu and sigmoid in runtime/kernel/unary.h, and one rounding per product and sum.
#pragma once
#include <cstdint>

namespace libnf::kernel {

// y = [elu(x) | elu(-x)], with alpha = 1.
template <class T>
void concat_elu(const T* x, int64_t rows, int64_t channels, T* y);
// Adds the gradient of x, or sets it if fresh; from y, with derivative 1 at 0 on both sides.
template <class T>
void concat_elu_grad(const T* y, const T* gy, int64_t rows, int64_t channels, T* gx, bool fresh);

// y = a sigmoid(b) + r for x = [a | b]; r may be nullptr: 0.
template <class T>
void gate(const T* x, const T* r, int64_t rows, int64_t channels, T* y);
// Adds the gradient of x, or sets it if fresh; that of r is gy.
template <class T>
void gate_grad(const T* x, const T* gy, int64_t rows, int64_t channels, T* gx, bool fresh);

}  // namespace libnf::kernel
