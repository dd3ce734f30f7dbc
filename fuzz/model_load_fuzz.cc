// Loads any bytes as a model file: returns a defined status, and a model that loads can be saved and loaded again to an
// equal model. Repairs a wrong checksum, because otherwise no mutation would get past it.
#include <algorithm>
#include <cstdio>
#include <span>

#include "fuzz/random_model.h"
#include "runtime/core/status.h"
#include "src/io/safetensors.h"

namespace {

using fuzz::require;

// Corrects the checksum; returns false if there is none.
bool repair(std::vector<uint8_t>* file) {
  std::string stored;
  char computed[17];
  try {
    libnf::SafeTensors::Limits limits;
    limits.verify_checksum = false;
    const libnf::SafeTensors t = libnf::SafeTensors::parse(std::as_bytes(std::span(*file)), limits);
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
  const auto at = std::search(file->begin(), file->end(), stored.begin(), stored.end());
  if (at == file->end()) return false;  // the checksum is written with escapes
  std::copy_n(computed, sizeof computed - 1, at);
  return true;
}

nf_status load(const std::vector<uint8_t>& file, std::optional<nf::Model>& m) {
  static const uint8_t none = 0;
  return fuzz::status_of(
      [&] { m.emplace(nf::Model::from_bytes(fuzz::runtime(), file.empty() ? &none : file.data(), file.size())); });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::optional<nf::Model> m;
  std::vector<uint8_t> bytes(data, data + size);
  nf_status status = load(bytes, m);
  if (status == NF_ERR_CHECKSUM && repair(&bytes)) status = load(bytes, m);
  require(status == NF_OK || status == NF_ERR_FORMAT || status == NF_ERR_CHECKSUM || status == NF_ERR_VERSION ||
          status == NF_ERR_SPEC || status == NF_ERR_NUMERIC || status == NF_ERR_NOMEM);
  if (status != NF_OK) return 0;
  const std::vector<unsigned char> file = m->to_bytes();
  require(m->hash() == nf::Model::from_bytes(fuzz::runtime(), file.data(), file.size()).hash());
  return 0;
}
