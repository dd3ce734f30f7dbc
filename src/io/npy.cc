// Converts .npy elements to float or double, and writes .npy; see npy.h.
#include "src/io/npy.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>

#include "runtime/core/status.h"

static_assert(std::endian::native == std::endian::little, "byte order of .npy elements is relative to little-endian");

namespace libnf {
namespace {

template <class S>
S load(const std::byte* p, bool swap) {
  unsigned char b[sizeof(S)];
  std::memcpy(b, p, sizeof b);
  if (swap) std::reverse(b, b + sizeof b);
  S v;
  std::memcpy(&v, b, sizeof v);
  return v;
}

// Widens IEEE 754 binary16, subnormal numbers, infinities and NaN included.
float from_half(uint16_t h) {
  const uint32_t sign = static_cast<uint32_t>(h & 0x8000) << 16, exponent = h >> 10 & 31, fraction = h & 1023;
  if (exponent == 0) {
    const float v = static_cast<float>(fraction) * 0x1p-24f;
    return sign ? -v : v;
  }
  const uint32_t bits = exponent == 31 ? 0x7F800000u : (exponent + 112) << 23;
  return std::bit_cast<float>(sign | bits | fraction << 13);
}

// Returns the position, in a Fortran-order array, of the element of row 0 whose C-order index within the row is j.
int64_t fortran_position(const Dims& shape, int64_t j) {
  int64_t at = 0;
  for (int i = shape.rank - 1; i >= 1; --i) {
    int64_t stride = 1;
    for (int k = 0; k < i; ++k) stride *= shape[k];
    at += j % shape[i] * stride;
    j /= shape[i];
  }
  return at;
}

template <class S, class T, class Convert>
void convert_rows(const NpyHeader& h, const std::byte* data, int64_t first, int64_t count, T* out, Convert convert) {
  const int64_t width = h.row_elements();
  const bool swap = h.big_endian;
  if (h.fortran_order && h.shape.rank > 1) {
    constexpr int64_t kBlock = 64;  // rows; keeps the strided writes in cache
    for (int64_t r = 0; r < count; r += kBlock)
      for (int64_t j = 0; j < width; ++j) {
        const std::byte* column = data + (fortran_position(h.shape, j) + first) * int64_t{sizeof(S)};
        for (int64_t i = r; i < std::min(r + kBlock, count); ++i)
          out[i * width + j] = convert(load<S>(column + i * int64_t{sizeof(S)}, swap));
      }
    return;
  }
  const std::byte* from = data + first * width * int64_t{sizeof(S)};
  if (std::is_same_v<S, T> && !swap) {
    if (count * width > 0) std::memcpy(out, from, static_cast<size_t>(count * width) * sizeof(T));
    return;
  }
  for (int64_t i = 0; i < count * width; ++i) out[i] = convert(load<S>(from + i * int64_t{sizeof(S)}, swap));
}

}  // namespace

template <class T>
void read_npy_rows(const NpyHeader& h, std::span<const std::byte> data, int64_t first, int64_t count, T* out) {
  if (first < 0 || count < 0 || count > h.rows() - first)
    fail(Code::argument, "rows %lld to %lld are out of range of an array of %lld rows", static_cast<long long>(first),
         static_cast<long long>(first + count), static_cast<long long>(h.rows()));
  if constexpr (std::is_same_v<T, uint8_t>)
    if (!h.holds_bytes()) fail(Code::argument, "the array does not hold bytes");
  const auto as = [&]<class S>(S) {
    convert_rows<S>(h, data.data(), first, count, out, [](S v) { return static_cast<T>(v); });
  };
  const auto integers = [&]<class I1, class I2, class I4, class I8>(I1 i1, I2 i2, I4 i4, I8 i8) {
    if (h.item_bytes == 1) return as(i1);
    if (h.item_bytes == 2) return as(i2);
    return h.item_bytes == 4 ? as(i4) : as(i8);
  };
  switch (h.kind) {
    case NpyHeader::Kind::real:
      if (h.item_bytes == 2)
        return convert_rows<uint16_t>(h, data.data(), first, count, out,
                                      [](uint16_t v) { return static_cast<T>(from_half(v)); });
      return h.item_bytes == 4 ? as(float{}) : as(double{});
    case NpyHeader::Kind::signed_int:
      return integers(int8_t{}, int16_t{}, int32_t{}, int64_t{});
    case NpyHeader::Kind::unsigned_int:
      return integers(uint8_t{}, uint16_t{}, uint32_t{}, uint64_t{});
    case NpyHeader::Kind::boolean:  // any nonzero byte is true
      return convert_rows<uint8_t>(h, data.data(), first, count, out, [](uint8_t v) { return T(v != 0); });
  }
}

template void read_npy_rows(const NpyHeader&, std::span<const std::byte>, int64_t, int64_t, float*);
template void read_npy_rows(const NpyHeader&, std::span<const std::byte>, int64_t, int64_t, double*);
template void read_npy_rows(const NpyHeader&, std::span<const std::byte>, int64_t, int64_t, uint8_t*);

void write_npy(ByteSink& sink, DType dtype, const Dims& shape, const void* data) {
  constexpr size_t kPrefix = 10, kAlignment = 64;
  std::string dict = "{'descr': '";
  dict += dtype == DType::f64 ? "<f8" : dtype == DType::u8 ? "|u1" : "<f4";
  dict += "', 'fortran_order': False, 'shape': (";
  for (int i = 0; i < shape.rank; ++i)
    dict += std::to_string(shape[i]) + (shape.rank == 1 || i + 1 < shape.rank ? ", " : "");
  dict += "), }";
  while ((kPrefix + dict.size() + 1) % kAlignment != 0) dict += ' ';
  dict += '\n';
  const char prefix[kPrefix] = {'\x93',
                                'N',
                                'U',
                                'M',
                                'P',
                                'Y',
                                1,
                                0,
                                static_cast<char>(dict.size() & 0xFF),
                                static_cast<char>(dict.size() >> 8)};
  sink.write(prefix, sizeof prefix);
  sink.write(dict.data(), dict.size());
  sink.write(data, static_cast<size_t>(checked_mul(shape.count(), size_of(dtype))));
}

}  // namespace libnf
