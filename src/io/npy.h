// NumPy's .npy format, versions 1 to 3: boolean, integer and float32/64 arrays of either byte order and of C or
// Fortran order, up to rank 4, read as float or double. (Integers above 2^24 / 2^53 are rounded to nearest.)
//
// Header, size check and conversion of rows are separate steps, so that an array larger than memory can be used in
// place from a mapped file. Everything else (object, structured, text, complex) is Error{format} saying what to do.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "runtime/core/view.h"
#include "src/io/byte_sink.h"

namespace nf {

struct NpyHeader {
  enum class Kind : uint8_t { boolean, signed_int, unsigned_int, real };
  Kind kind = Kind::real;
  int item_bytes = 8;
  bool big_endian = false;
  bool fortran_order = false;
  Dims shape;              // rank 0: one element
  int64_t data_bytes = 0;  // of all elements; no product of extents overflows, even beside an extent of 0
  size_t data_offset = 0;  // from the start of the file

  int64_t rows() const { return shape.rank ? shape[0] : 1; }
  int64_t row_elements() const {
    int64_t n = 1;
    for (int i = 1; i < shape.rank; ++i) n *= shape[i];
    return n;
  }
};

bool is_npy(std::span<const std::byte> file);  // by its magic bytes

// `head` must contain the header; the data need not be there. `source` names the file in messages.
NpyHeader parse_npy_header(std::span<const std::byte> head, const char* source);

// The elements in the whole file; Error{format} unless they end exactly where the file ends.
std::span<const std::byte> npy_data(std::span<const std::byte> file, const NpyHeader& header, const char* source);

// Elements of rows [first, first + count) (extent 0), in C order, to out[count * row_elements()]. `data` from npy_data.
template <class T>
void read_npy_rows(const NpyHeader& header, std::span<const std::byte> data, int64_t first, int64_t count, T* out);

// Version 1, little-endian, C order, elements 64-byte aligned in the file.
void write_npy(ByteSink& sink, DType dtype, const Dims& shape, const void* data);

}  // namespace nf
