#include "src/flow/chain.h"

namespace libnf {
namespace {

// Called for the parts before the whole, so that nothing overflows.
void check_size(const ChainSize& n, const std::string& path) {
  const auto above = [&](const char* what, int64_t limit) {
    fail(Code::spec, "%s: more than %lld %s after repeats are expanded", path.c_str(), static_cast<long long>(limit),
         what);
  };
  if (n.layers > kMaxLayers) above("layers", kMaxLayers);
  if (n.entries > kMaxEntries) above("layers and chains", kMaxEntries);
}

ChainSize size_of(const LayerSpec& s, const std::string& path) {
  const std::vector<LayerSpec>& inside = s.kind && s.kind->inner ? s.kind->inner(*s.config) : s.layers;
  ChainSize n = expanded_size(inside, path + ".layers");
  n.layers = (n.layers + (s.kind ? 1 : 0)) * s.repeat;
  n.entries = (n.entries + 1) * s.repeat;
  check_size(n, path);
  return n;
}

}  // namespace

ChainSize expanded_size(const std::vector<LayerSpec>& layers, const std::string& path) {
  ChainSize all;
  for (size_t i = 0; i < layers.size(); ++i) {
    const ChainSize one = size_of(layers[i], path + "[" + std::to_string(i) + "]");
    all.layers += one.layers;
    all.entries += one.entries;
    check_size(all, path);
  }
  return all;
}

}  // namespace libnf
