// How much of a long sweep to run: under sanitizers and Valgrind, which take 10 to 60 times as long, ./dev sets
// NF_TEST_CONFIGS, and memory errors show in a few cases as well as in many.
#pragma once
#include <cstdint>
#include <cstdlib>

namespace libnf::test {

// Random configurations per layer.
inline uint64_t configs() {
  const char* fewer = std::getenv("NF_TEST_CONFIGS");
  return fewer ? std::strtoull(fewer, nullptr, 10) : 50;
}
// Whether sweeps over sizes and values are cut short.
inline bool brief() { return configs() < 50; }

}  // namespace libnf::test
