// Turns the bytes of a fuzzer into choices and numbers. Bytes that have run out are zeros, so every input means something,
// and one more byte changes what comes after it only.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <limits>
#include <vector>

namespace fuzz {

inline void require(bool ok) {
  if (!ok) std::abort();  // libFuzzer reports this as a finding
}

class Bytes {
 public:
  Bytes(const uint8_t* data, size_t size) : at_(data), end_(data + size) {}
  size_t left() const { return static_cast<size_t>(end_ - at_); }
  uint8_t byte() { return at_ < end_ ? *at_++ : 0; }
  uint64_t word() {
    uint64_t w = 0;
    for (int i = 0; i < 64; i += 8) w |= uint64_t{byte()} << i;
    return w;
  }
  bool coin() { return byte() & 1; }
  // 0 ... n - 1
  int64_t below(int64_t n) {
    if (n <= 1) return 0;
    if (n <= 256) return byte() % n;
    return static_cast<int64_t>(word() % static_cast<uint64_t>(n));
  }
  double unit() { return (byte() * 256 + byte()) / 65535.0; }
  // Mostly of ordinary size, sometimes at an edge or of any bits.
  double number() {
    const uint8_t kind = byte();
    if (kind < 16) {
      const uint64_t bits = word();
      double v;
      std::memcpy(&v, &bits, sizeof v);
      return v;
    }
    if (kind < 48) {
      constexpr double kEdges[] = {0,   -0.0, 1,    -1,   1e-310, 1e-30, 1e3, -1e3,
                                   1e6, -1e6, 1e15, 1e30, -1e30,  1e200, 0.5, std::numeric_limits<double>::infinity()};
      return kEdges[kind % std::size(kEdges)];
    }
    return (static_cast<double>(byte() * 256 + byte()) - 32768) / 8192;  // in [-4, 4)
  }
  std::vector<double> numbers(int64_t n) {
    std::vector<double> v(static_cast<size_t>(n));
    for (double& e : v) e = number();
    return v;
  }

 private:
  const uint8_t *at_, *end_;
};

}  // namespace fuzz
