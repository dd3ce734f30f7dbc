// Maps residual nets of golden vectors (nflows) to ours: parameter names, and the order of matrices ([out, in] in
// nflows, [in, out] here).
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "tests/support/golden.h"

namespace libnf::test {

// "blocks.1.linear_layers.0.weight" -> "blocks.1.0.weight"
inline std::string our_net_name(std::string name) {
  constexpr std::pair<const char*, const char*> kRenames[] = {
      {"initial_layer", "input"}, {"linear_layers.", ""}, {"context_layer", "gate"}, {"final_layer", "output"}};
  for (const auto& [theirs, ours] : kRenames)
    if (const size_t at = name.find(theirs); at != std::string::npos)
      name.replace(at, std::string(theirs).size(), ours);
  return name;
}

// Transposes a matrix; returns other tensors unchanged.
inline std::vector<double> in_our_order(const GoldenTensor& g) {
  if (g.shape.size() != 2) return g.data;
  const auto out = static_cast<size_t>(g.shape[0]), in = static_cast<size_t>(g.shape[1]);
  std::vector<double> r(g.data.size());
  for (size_t o = 0; o < out; ++o)
    for (size_t i = 0; i < in; ++i) r[i * out + o] = g.data[o * in + i];
  return r;
}

}  // namespace libnf::test
