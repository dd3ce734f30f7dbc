// XXH64; see xxh64.h. Names follow the specification (lanes, stripes, avalanche).
#include "src/io/xxh64.h"

#include <algorithm>
#include <bit>
#include <cstring>

static_assert(std::endian::native == std::endian::little, "XXH64 and the file formats here read little-endian words");

namespace libnf {
namespace {

uint64_t load64(const unsigned char* p) {
  uint64_t v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

uint32_t load32(const unsigned char* p) {
  uint32_t v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

}  // namespace

void Xxh64::stripe(const unsigned char* p) {
  for (int i = 0; i < 4; ++i) lane_[i] = std::rotl(lane_[i] + load64(p + 8 * i) * kPrime2, 31) * kPrime1;
}

void Xxh64::update(const void* data, size_t bytes) {
  if (bytes == 0) return;
  const auto* p = static_cast<const unsigned char*>(data);
  total_ += bytes;
  if (tail_bytes_ > 0) {
    const size_t n = std::min(bytes, kStripe - tail_bytes_);
    std::memcpy(tail_ + tail_bytes_, p, n);
    tail_bytes_ += n;
    p += n;
    bytes -= n;
    if (tail_bytes_ < kStripe) return;
    stripe(tail_);
    tail_bytes_ = 0;
  }
  for (; bytes >= kStripe; p += kStripe, bytes -= kStripe) stripe(p);
  std::memcpy(tail_, p, bytes);
  tail_bytes_ = bytes;
}

uint64_t Xxh64::digest() const {
  const auto round = [](uint64_t v) { return std::rotl(v * kPrime2, 31) * kPrime1; };
  uint64_t h = kPrime5;
  if (total_ >= kStripe) {
    h = std::rotl(lane_[0], 1) + std::rotl(lane_[1], 7) + std::rotl(lane_[2], 12) + std::rotl(lane_[3], 18);
    for (const uint64_t lane : lane_) h = (h ^ round(lane)) * kPrime1 + kPrime4;
  }
  h += total_;
  const unsigned char* p = tail_;
  size_t left = tail_bytes_;
  for (; left >= 8; p += 8, left -= 8) h = std::rotl(h ^ round(load64(p)), 27) * kPrime1 + kPrime4;
  if (left >= 4) {
    h = std::rotl(h ^ load32(p) * kPrime1, 23) * kPrime2 + kPrime3;
    p += 4;
    left -= 4;
  }
  for (; left > 0; ++p, --left) h = std::rotl(h ^ *p * kPrime5, 11) * kPrime1;
  h = (h ^ h >> 33) * kPrime2;
  h = (h ^ h >> 29) * kPrime3;
  return h ^ h >> 32;
}

}  // namespace libnf
