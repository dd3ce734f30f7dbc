// The one op that the tape itself needs: a copy in row-major order, for ops that do not support the layout of an input.
#include "runtime/kernel/gemm.h"
#include "runtime/tape/tape.h"

namespace libnf {
namespace {

// Calls f(offset in the strided view, index in row-major order) for every element.
template <class F>
void for_elements(const View& v, F&& f) {
  int64_t shape[kMaxRank], stride[kMaxRank];
  const int pad = kMaxRank - v.shape.rank;
  for (int i = 0; i < kMaxRank; ++i) {
    shape[i] = i < pad ? 1 : v.shape[i - pad];
    stride[i] = i < pad ? 0 : v.stride[i - pad];
  }
  int64_t k = 0;
  for (int64_t a = 0; a < shape[0]; ++a)
    for (int64_t b = 0; b < shape[1]; ++b)
      for (int64_t c = 0; c < shape[2]; ++c)
        for (int64_t d = 0; d < shape[3]; ++d) f(a * stride[0] + b * stride[1] + c * stride[2] + d * stride[3], k++);
}

Shapes shape(const Node& n) {
  Shapes s;
  s.out = n.in[0]->out.shape;
  return s;
}

template <class T>
void forward(Tape&, Node& n) {
  const View& v = n.in[0]->out;
  const T* x = n.x<T>(0);
  T* y = n.y<T>();
  if (v.shape.rank == 2 && v.stride[0] == 1)
    return kernel::transpose(v.shape[1], v.shape[0], x, v.stride[1], y, v.shape[1]);
  for_elements(n.view(0), [&](int64_t at, int64_t k) { y[k] = x[at]; });
}

template <class T>
void vjp(Tape& t, Node& n, const InputGrads& grads) {
  const T* gy = t.grad_out(n).template as<T>();
  T* gx = grads.add(0).as<T>();
  for_elements(n.view(0), [&](int64_t at, int64_t k) { gx[at] += gy[k]; });
}

const Op kContiguous = {"contiguous",
                        Layout::strided,
                        shape,
                        {forward<float>, forward<double>},
                        {vjp<float>, vjp<double>},
                        [](Tape& t, Node&, const InputTangents& d) -> OutputTangents { return contiguous(t, d[0]); }};

}  // namespace

Var contiguous(Tape& t, Var x) { return t.record(kContiguous, {x}); }

}  // namespace libnf
