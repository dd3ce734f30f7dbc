// Reads NumPy's .npy format, versions 1 to 3, as float or double, or bytes as they are: boolean, integer and float16/32/64 arrays of either byte
// order, in C or Fortran order, up to rank 4. (Integers above 2^24 or 2^53 are rounded to nearest.)
//
// Header, size check and row conversion are separate steps, so that an array larger than memory can be used in place
// from a mapped file. Other dtypes (object, structured, text, complex) are Error{format} that says what to do.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "runtime/core/view.h"
#include "src/io/byte_sink.h"

namespace libnf {

struct NpyHeader {
  enum class Kind : uint8_t { boolean, signed_int, unsigned_int, real };
  Kind kind = Kind::real;
  int item_bytes = 8;
  bool big_endian = false;
  bool fortran_order = false;
  Dims shape;              // rank 0: one element
  int64_t data_bytes = 0;  // of all elements; checked so that no product of nonzero extents overflows
  size_t data_offset = 0;  // from the start of the file

  // Numbers of 0 to 255: uint8 or bool.
  bool holds_bytes() const { return item_bytes == 1 && (kind == Kind::unsigned_int || kind == Kind::boolean); }
  int64_t rows() const { return shape.rank ? shape[0] : 1; }
  int64_t row_elements() const {
    int64_t n = 1;
    for (int i = 1; i < shape.rank; ++i) n *= shape[i];
    return n;
  }
};

bool is_npy(std::span<const std::byte> file);  // checks the magic bytes

// Parses the header from `head`, which need not include the data. `source` names the file in messages.
NpyHeader parse_npy_header(std::span<const std::byte> head, const char* source);

// Returns the data part of the whole file; Error{format} unless it has exactly the size the header calls for.
std::span<const std::byte> npy_data(std::span<const std::byte> file, const NpyHeader& header, const char* source);

// Converts rows [first, first + count) of extent 0, in C order, to out[count * row_elements()]. `data` is from
// npy_data. T: float, double, or uint8_t for an array that holds bytes.
template <class T>
void read_npy_rows(const NpyHeader& header, std::span<const std::byte> data, int64_t first, int64_t count, T* out);

// Writes version 1, little-endian, C order, with the data 64-byte aligned in the file.
void write_npy(ByteSink& sink, DType dtype, const Dims& shape, const void* data);

}  // namespace libnf
