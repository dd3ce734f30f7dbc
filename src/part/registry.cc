#include "src/part/registry.h"

#include <algorithm>

namespace libnf {

const PartKind* Family::find(std::string_view name) const {
  for (const PartKind* k : parts)
    if (name == k->name || std::find(k->aliases.begin(), k->aliases.end(), name) != k->aliases.end()) return k;
  return nullptr;
}

}  // namespace libnf
