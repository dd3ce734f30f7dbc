// Toy densities in the plane from the flow literature (FFJORD, MAF tutorials, scikit-learn's moons, circles and swiss
// roll), at a scale of a few units. Row i of a seed is the same for any count.
#pragma once
#include <cstdint>
#include <random>
#include <span>

namespace cli {

// Own distributions, because those of std differ between implementations; its engines do not.
class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}
  double uniform() { return static_cast<double>(engine_() >> 11) * 0x1p-53; }        // [0, 1)
  int below(int n) { return static_cast<int>(uniform() * static_cast<double>(n)); }  // 0 .. n - 1
  double normal();                                                                   // mean 0, variance 1

 private:
  std::mt19937_64 engine_;
};

struct Point {
  double x, y;
};

struct Toy {
  const char* name;
  const char* doc;
  Point (*draw)(Random&);
};

std::span<const Toy> toys();

}  // namespace cli
