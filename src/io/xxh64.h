// XXH64 (Yann Collet's xxHash, 64-bit variant, seed 0), streaming, written from the published specification.
//
// Chosen for file checksums because it runs at memory speed without tables or special instructions, has a full
// specification with public test vectors, and is available in every language. It detects accidental damage (bit rot,
// truncation), not forgery.
#pragma once
#include <cstddef>
#include <cstdint>

namespace libnf {

class Xxh64 {
 public:
  void update(const void* data, size_t bytes);
  void update_u64(uint64_t v) { update(&v, sizeof v); }  // assumes a little-endian host, like the file formats here
  uint64_t digest() const;

 private:
  void stripe(const unsigned char* p);
  static constexpr size_t kStripe = 32;
  static constexpr uint64_t kPrime1 = 0x9E3779B185EBCA87, kPrime2 = 0xC2B2AE3D27D4EB4F, kPrime3 = 0x165667B19E3779F9,
                            kPrime4 = 0x85EBCA77C2B2AE63, kPrime5 = 0x27D4EB2F165667C5;
  uint64_t lane_[4] = {kPrime1 + kPrime2, kPrime2, 0, 0 - kPrime1};
  uint64_t total_ = 0;
  unsigned char tail_[kStripe] = {};
  size_t tail_bytes_ = 0;
};

}  // namespace libnf
