// See inflate.h. Huffman codes are decoded by a table of 2^10 entries, and longer ones by counting (as in Adler's puff).
#include "src/io/inflate.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "runtime/core/status.h"

namespace libnf {

namespace {

constexpr int kMaxBits = 15, kFast = 10;

struct Bits {
  const uint8_t* at;
  const uint8_t* end;
  const char* source;
  uint64_t held = 0;
  int count = 0;

  [[noreturn]] void bad(const char* why) const {
    fail(Code::format, "%s: the compressed data is damaged: %s", source, why);
  }
  void fill() {
    for (; count <= 56 && at < end; count += 8) held |= uint64_t{*at++} << count;
  }
  uint32_t take(int n) {
    if (count < n) fill();
    if (count < n) bad("it ends early");
    const auto v = static_cast<uint32_t>(held & ((uint64_t{1} << n) - 1));
    held >>= n;
    count -= n;
    return v;
  }
  void to_byte() {
    held >>= count % 8;
    count -= count % 8;
  }
};

class Huffman {
 public:
  // Lengths of the codes by symbol. Refuses over-subscribed codes, and incomplete ones of more than one symbol.
  Huffman(const uint8_t* lengths, int n, const Bits& in) {
    for (int i = 0; i < n; ++i) ++counts_[lengths[i]];
    counts_[0] = 0;
    int left = 1, used = 0;
    for (int b = 1; b <= kMaxBits; ++b) {
      left = 2 * left - counts_[b];
      used += counts_[b];
      if (left < 0) in.bad("a code is over-subscribed");
    }
    if (left > 0 && used > 1) in.bad("a code is incomplete");
    std::array<uint16_t, kMaxBits + 2> offset{};
    for (int b = 1; b <= kMaxBits; ++b) offset[b + 1] = static_cast<uint16_t>(offset[b] + counts_[b]);
    std::array<uint16_t, kMaxBits + 2> next{};
    for (int b = 1, code = 0; b <= kMaxBits; ++b) {
      code = (code + counts_[b - 1]) << 1;
      next[b] = static_cast<uint16_t>(code);
    }
    for (int i = 0; i < n; ++i) {
      const int b = lengths[i];
      if (b == 0) continue;
      symbols_[offset[b]++] = static_cast<uint16_t>(i);
      const int code = next[b]++;
      if (b > kFast) continue;
      int reversed = 0;
      for (int k = 0; k < b; ++k) reversed |= (code >> k & 1) << (b - 1 - k);
      for (int k = reversed; k < 1 << kFast; k += 1 << b) fast_[k] = static_cast<uint16_t>(i << 4 | b);
    }
  }

  int decode(Bits& in) const {
    if (in.count < kMaxBits) in.fill();
    if (const uint16_t hit = fast_[in.held & ((1 << kFast) - 1)]; hit && (hit & 15) <= in.count) {
      in.held >>= hit & 15;
      in.count -= hit & 15;
      return hit >> 4;
    }
    int code = 0, first = 0, index = 0;
    for (int b = 1; b <= kMaxBits; ++b) {
      code |= static_cast<int>(in.take(1));
      if (code - counts_[b] < first) return symbols_[index + code - first];
      index += counts_[b];
      first = (first + counts_[b]) << 1;
      code <<= 1;
    }
    in.bad("an unknown code");
  }

 private:
  std::array<uint16_t, kMaxBits + 1> counts_{};
  std::array<uint16_t, 288> symbols_{};
  std::array<uint16_t, 1 << kFast> fast_{};  // symbol << 4 | bits; 0: longer
};

constexpr uint16_t kLengthBase[] = {3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
                                    31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
constexpr uint8_t kLengthBits[] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                   2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
constexpr uint16_t kDistanceBase[] = {1,    2,    3,    4,    5,    7,    9,    13,    17,    25,
                                      33,   49,   65,   97,   129,  193,  257,  385,   513,   769,
                                      1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};
constexpr uint8_t kDistanceBits[] = {0, 0, 0, 0, 1, 1, 2, 2,  3,  3,  4,  4,  5,  5,  6,
                                     6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13};

void compressed_block(Bits& in, const Huffman& literals, const Huffman& distances, GrowingBytes& out) {
  for (;;) {
    const int symbol = literals.decode(in);
    if (symbol < 256) {
      *out.grow(1) = static_cast<uint8_t>(symbol);
      continue;
    }
    if (symbol == 256) return;
    const int l = symbol - 257;
    if (l >= static_cast<int>(std::size(kLengthBase))) in.bad("an unknown length");
    const size_t length = kLengthBase[l] + in.take(kLengthBits[l]);
    const int d = distances.decode(in);
    if (d >= static_cast<int>(std::size(kDistanceBase))) in.bad("an unknown distance");
    const size_t distance = kDistanceBase[d] + in.take(kDistanceBits[d]);
    if (distance > out.size()) in.bad("a distance reaches before the start");
    out.repeat(distance, length);
  }
}

void dynamic_block(Bits& in, GrowingBytes& out) {
  static constexpr uint8_t kOrder[19] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
  const int literals = static_cast<int>(in.take(5)) + 257, distances = static_cast<int>(in.take(5)) + 1;
  const int codes = static_cast<int>(in.take(4)) + 4;
  if (literals > 286 || distances > 30) in.bad("too many codes");
  uint8_t lengths[320] = {};
  for (int i = 0; i < codes; ++i) lengths[kOrder[i]] = static_cast<uint8_t>(in.take(3));
  const Huffman of_lengths(lengths, 19, in);
  std::memset(lengths, 0, sizeof lengths);
  for (int i = 0; i < literals + distances;) {
    const int symbol = of_lengths.decode(in);
    if (symbol < 16) {
      lengths[i++] = static_cast<uint8_t>(symbol);
      continue;
    }
    if (symbol == 16 && i == 0) in.bad("nothing to repeat");
    const uint8_t value = symbol == 16 ? lengths[i - 1] : 0;
    const int times = static_cast<int>(symbol == 16 ? 3 + in.take(2) : symbol == 17 ? 3 + in.take(3) : 11 + in.take(7));
    if (i + times > literals + distances) in.bad("too many code lengths");
    for (int k = 0; k < times; ++k) lengths[i++] = value;
  }
  if (lengths[256] == 0) in.bad("a block has no end");
  compressed_block(in, Huffman(lengths, literals, in), Huffman(lengths + literals, distances, in), out);
}

void fixed_block(Bits& in, GrowingBytes& out) {
  uint8_t lengths[320];
  for (int i = 0; i < 288; ++i) lengths[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
  for (int i = 288; i < 320; ++i) lengths[i] = 5;
  compressed_block(in, Huffman(lengths, 288, in), Huffman(lengths + 288, 32, in), out);
}

void stored_block(Bits& in, GrowingBytes& out) {
  in.to_byte();
  const uint32_t length = in.take(16), inverse = in.take(16);
  if (length != (inverse ^ 0xFFFF)) in.bad("a stored length");
  size_t left = length;
  for (; left > 0 && in.count > 0; --left) *out.grow(1) = static_cast<uint8_t>(in.take(8));
  if (left > static_cast<size_t>(in.end - in.at)) in.bad("it ends early");
  out.append(in.at, left);
  in.at += left;
}

uint32_t little32(std::span<const std::byte> b) {
  uint32_t v = 0;
  for (int i = 3; i >= 0; --i) v = v << 8 | static_cast<uint32_t>(b[static_cast<size_t>(i)]);
  return v;
}

// Returns the length of the header of a gzip member.
size_t gzip_header(std::span<const std::byte> f, const char* source) {
  const auto byte = [&](size_t i) {
    if (i >= f.size()) fail(Code::format, "%s: the .gz file is truncated", source);
    return static_cast<unsigned>(f[i]);
  };
  if (byte(2) != 8) fail(Code::format, "%s: unknown gzip compression method %u", source, byte(2));
  const unsigned flags = byte(3);
  size_t at = 10;
  if (flags & 4) {  // extra field
    const size_t length = byte(at) | byte(at + 1) << 8;
    at += 2 + length;
  }
  for (const unsigned flag : {8u, 16u})  // name, comment
    if (flags & flag) {
      while (byte(at) != 0) ++at;
      ++at;
    }
  if (flags & 2) at += 2;  // CRC of the header
  byte(at);
  return at;
}

}  // namespace

size_t inflate(std::span<const std::byte> in, GrowingBytes& out, const char* source) {
  const auto* from = reinterpret_cast<const uint8_t*>(in.data());
  Bits bits{from, from + in.size(), source};
  for (bool last = false; !last;) {
    last = bits.take(1) != 0;
    const uint32_t kind = bits.take(2);
    if (kind == 0)
      stored_block(bits, out);
    else if (kind == 1)
      fixed_block(bits, out);
    else if (kind == 2)
      dynamic_block(bits, out);
    else
      bits.bad("an unknown kind of block");
  }
  return static_cast<size_t>(bits.at - from) - static_cast<size_t>(bits.count / 8);
}

uint32_t crc32(std::span<const std::byte> bytes) {
  static const auto table = [] {
    std::array<std::array<uint32_t, 256>, 8> t{};
    for (uint32_t i = 0; i < 256; ++i) {
      uint32_t c = i;
      for (int k = 0; k < 8; ++k) c = c & 1 ? 0xEDB88320u ^ c >> 1 : c >> 1;
      t[0][i] = c;
    }
    for (uint32_t i = 0; i < 256; ++i)
      for (size_t k = 1; k < 8; ++k) t[k][i] = t[k - 1][i] >> 8 ^ t[0][t[k - 1][i] & 255];
    return t;
  }();
  uint32_t c = ~0u;
  const auto* p = reinterpret_cast<const uint8_t*>(bytes.data());
  size_t n = bytes.size();
  for (; n >= 8; n -= 8, p += 8) {
    const uint32_t low = c ^ (uint32_t{p[0]} | uint32_t{p[1]} << 8 | uint32_t{p[2]} << 16 | uint32_t{p[3]} << 24);
    c = table[7][low & 255] ^ table[6][low >> 8 & 255] ^ table[5][low >> 16 & 255] ^ table[4][low >> 24] ^
        table[3][p[4]] ^ table[2][p[5]] ^ table[1][p[6]] ^ table[0][p[7]];
  }
  for (; n > 0; --n, ++p) c = table[0][(c ^ *p) & 255] ^ c >> 8;
  return ~c;
}

bool is_gzip(std::span<const std::byte> f) {
  return f.size() >= 2 && f[0] == std::byte{0x1F} && f[1] == std::byte{0x8B};
}

void gunzip(std::span<const std::byte> file, GrowingBytes& out, const char* source) {
  do {
    file = file.subspan(gzip_header(file, source));
    const size_t before = out.size();
    file = file.subspan(inflate(file, out, source));
    if (file.size() < 8) fail(Code::format, "%s: the .gz file is truncated", source);
    const auto content = out.bytes().subspan(before);
    if (little32(file) != crc32(content) || little32(file.subspan(4)) != static_cast<uint32_t>(content.size()))
      fail(Code::format, "%s: the .gz file is damaged: wrong checksum", source);
    file = file.subspan(8);
  } while (is_gzip(file));  // another member; anything else after the last one is padding
}

}  // namespace libnf
