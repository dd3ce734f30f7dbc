// Loads any bytes as a model file: returns a defined status, and a model that loads can be saved and loaded again to an
// equal model. Repairs a wrong checksum, because otherwise no mutation would get past it.
#include "fuzz/checksum.h"
#include "fuzz/random_model.h"

namespace {

using fuzz::require;

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
  if (status == NF_ERR_CHECKSUM && fuzz::repair(bytes)) status = load(bytes, m);
  require(status == NF_OK || status == NF_ERR_FORMAT || status == NF_ERR_CHECKSUM || status == NF_ERR_VERSION ||
          status == NF_ERR_SPEC || status == NF_ERR_NUMERIC || status == NF_ERR_NOMEM);
  if (status != NF_OK) return 0;
  const std::vector<unsigned char> file = m->to_bytes();
  require(m->hash() == nf::Model::from_bytes(fuzz::runtime(), file.data(), file.size()).hash());
  return 0;
}
