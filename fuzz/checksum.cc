#include "fuzz/checksum.h"

#include <algorithm>
#include <cstdio>
#include <span>
#include <string>

#include "runtime/core/status.h"
#include "src/io/safetensors.h"

namespace fuzz {

bool repair(std::vector<uint8_t>& file) {
  std::string stored;
  char computed[17];
  try {
    libnf::SafeTensors::Limits limits;
    limits.verify_checksum = false;
    const libnf::SafeTensors t = libnf::SafeTensors::parse(std::as_bytes(std::span(file)), limits);
    const std::string* text = t.metadata(libnf::kChecksumKey);
    if (!text || text->size() != sizeof computed - 1) return false;
    stored = *text;
    std::vector<libnf::TensorRef> refs;
    for (const libnf::SafeTensors::Entry& e : t.entries()) refs.push_back(e.ref());
    std::snprintf(computed, sizeof computed, "%016llx",
                  static_cast<unsigned long long>(libnf::content_checksum(t.metadata(), refs)));
  } catch (const libnf::Error&) {
    return false;
  }
  const auto at = std::search(file.begin(), file.end(), stored.begin(), stored.end());
  if (at == file.end()) return false;  // the checksum is written with escapes
  std::copy_n(computed, sizeof computed - 1, at);
  return true;
}

}  // namespace fuzz
