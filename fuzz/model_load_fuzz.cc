// Loads any bytes as a model file: returns a defined status, and a model that loads can be saved and loaded again to an
// equal model. Repairs a wrong checksum, because otherwise no mutation would get past it.
#include <nf/nf.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <vector>

#include "runtime/core/status.h"
#include "src/io/safetensors.h"

namespace {

nf_runtime *runtime() {
  static nf_runtime *rt = [] {
    nf_options *o = nullptr;
    nf_runtime *made = nullptr;
    if (nf_options_create(&o, nullptr) != NF_OK) std::abort();
    if (nf_options_set_i64(o, "runtime.threads", 1, nullptr) != NF_OK) std::abort();
    if (nf_options_set_i64(o, "runtime.max_bytes", 64 << 20, nullptr) != NF_OK) std::abort();
    if (nf_runtime_create(o, nullptr, nullptr, nullptr, nullptr, &made, nullptr) != NF_OK) std::abort();
    nf_options_free(o);
    return made;
  }();
  return rt;
}

int32_t append(void *user, const void *bytes, size_t n) {
  const auto *p = static_cast<const unsigned char *>(bytes);
  auto *to = static_cast<std::vector<unsigned char> *>(user);
  to->insert(to->end(), p, p + n);
  return 0;
}

uint64_t hash_of(const nf_model *m) { return nf_model_hash(m); }

// Corrects the checksum; returns false if there is none.
bool repair(std::vector<uint8_t> *file) {
  std::string stored;
  char computed[17];
  try {
    libnf::SafeTensors::Limits limits;
    limits.verify_checksum = false;
    const libnf::SafeTensors t = libnf::SafeTensors::parse(std::as_bytes(std::span(*file)), limits);
    const std::string *text = t.metadata(libnf::kChecksumKey);
    if (!text || text->size() != sizeof computed - 1) return false;
    stored = *text;
    std::vector<libnf::TensorRef> refs;
    for (const libnf::SafeTensors::Entry &e : t.entries()) refs.push_back(e.ref());
    std::snprintf(computed, sizeof computed, "%016llx",
                  static_cast<unsigned long long>(libnf::content_checksum(t.metadata(), refs)));
  } catch (const libnf::Error &) {
    return false;
  }
  const auto at = std::search(file->begin(), file->end(), stored.begin(), stored.end());
  if (at == file->end()) return false;  // the checksum is written with escapes
  std::copy_n(computed, sizeof computed - 1, at);
  return true;
}

nf_status load(std::span<const uint8_t> file, nf_model **m) {
  static const uint8_t none = 0;
  nf_error e = NF_ERROR_INIT;
  const nf_status status =
      nf_model_load_memory(runtime(), file.empty() ? &none : file.data(), file.size(), nullptr, m, &e);
  if (status != NF_OK && (*m || !e.message[0])) std::abort();
  return status;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  nf_model *m = nullptr, *again = nullptr;
  nf_status status = load({data, size}, &m);
  if (status == NF_ERR_CHECKSUM) {
    std::vector<uint8_t> repaired(data, data + size);
    if (repair(&repaired)) status = load(repaired, &m);
  }
  switch (status) {
    case NF_OK:
      break;
    case NF_ERR_FORMAT:
    case NF_ERR_CHECKSUM:
    case NF_ERR_VERSION:
    case NF_ERR_SPEC:
    case NF_ERR_NUMERIC:
    case NF_ERR_NOMEM:
      return 0;
    default:
      std::abort();
  }
  std::vector<unsigned char> file;
  if (nf_model_save_stream(m, append, &file, nullptr) != NF_OK) std::abort();
  if (nf_model_load_memory(runtime(), file.data(), file.size(), nullptr, &again, nullptr) != NF_OK) std::abort();
  if (hash_of(m) != hash_of(again)) std::abort();
  nf_model_free(again);
  nf_model_free(m);
  return 0;
}
