// Shapes and borrowed tensors. A View owns nothing and is trivially copyable.
#pragma once
#include <concepts>
#include <cstdint>
#include <string>

#include "runtime/core/checked.h"

namespace libnf {

// Numbers of NF_F32, NF_F64, NF_U8. Bytes are only read, as rows of data: nothing is computed in them.
enum class DType : uint8_t { f32 = 1, f64 = 2, u8 = 3 };
inline constexpr int64_t size_of(DType t) { return t == DType::f64 ? 8 : t == DType::u8 ? 1 : 4; }
inline constexpr const char* name_of(DType t) {
  return t == DType::f64 ? "float64" : t == DType::u8 ? "uint8" : "float32";
}
[[noreturn]] void refuse_bytes();  // Error{internal}: a bug, because bytes are refused or converted before
template <class T>
inline constexpr DType dtype_of = sizeof(T) == 8 ? DType::f64 : DType::f32;

inline constexpr int kMaxRank = 4;

// Extents, outermost first. Rank 0 is a scalar (one element); an extent may be 0.
struct Dims {
  int32_t rank = 0;
  int64_t d[kMaxRank] = {0, 0, 0, 0};

  Dims() = default;
  // One argument per extent, as an initializer list would be read back in a loop: this runs once per node.
  template <std::signed_integral... E>
  requires(sizeof...(E) <= kMaxRank) Dims(E... extents) : rank{sizeof...(E)}, d{extents...} {}
  int64_t operator[](int i) const { return d[i]; }
  int64_t& operator[](int i) { return d[i]; }
  int64_t last() const { return rank ? d[rank - 1] : 1; }
  int64_t count() const {
    int64_t n = 1;
    for (int i = 0; i < rank; ++i) n = checked_mul(n, d[i]);
    return n;
  }
  bool operator==(const Dims& o) const {
    if (rank != o.rank) return false;
    for (int i = 0; i < rank; ++i)
      if (d[i] != o.d[i]) return false;
    return true;
  }
};

std::string to_string(const Dims& dims);  // "[3, 4]"

// A strided tensor in memory that it does not own; strides count elements.
struct View {
  void* data = nullptr;
  Dims shape;
  int64_t stride[kMaxRank] = {0, 0, 0, 0};
  DType dtype = DType::f32;

  template <class T>
  T* as() const {
    return static_cast<T*>(data);
  }
  int64_t count() const { return shape.count(); }
  int64_t rows() const { return shape.rank ? shape[0] : 1; }      // outermost extent
  int64_t cols() const { return shape.rank > 1 ? shape[1] : 1; }  // second extent, for 2-D views
  int64_t ld() const { return stride[0]; }                        // distance between rows, for 2-D views
  bool contiguous() const {
    int64_t expect = 1;
    for (int i = shape.rank - 1; i >= 0; --i) {
      if (shape[i] != 1 && stride[i] != expect) return false;
      expect *= shape[i];
    }
    return true;
  }
};

inline View contiguous_view(void* data, DType dtype, const Dims& shape) {
  View v;
  v.data = data;
  v.dtype = dtype;
  v.shape = shape;
  int64_t step = 1;
  for (int i = shape.rank - 1; i >= 0; --i) {
    v.stride[i] = step;
    step = checked_mul(step, shape[i]);
  }
  return v;
}

}  // namespace libnf
