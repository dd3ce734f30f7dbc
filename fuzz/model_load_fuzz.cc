// Any bytes as a model file: a defined status, never a crash; what loads can be saved and loaded again to an equal
// model.
#include <nf/nf.h>

#include <cstdint>
#include <cstdlib>
#include <vector>

namespace {

nf_runtime *runtime() {
  static nf_runtime *rt = [] {
    nf_options *o = nullptr;
    nf_runtime *made = nullptr;
    if (nf_options_create(&o, nullptr) != NF_OK) std::abort();
    if (nf_options_set_i64(o, "threads", 1, nullptr) != NF_OK) std::abort();
    if (nf_options_set_i64(o, "max_bytes", 64 << 20, nullptr) != NF_OK) std::abort();
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

uint64_t hash_of(const nf_model *m) {
  nf_model_info info = NF_MODEL_INFO_INIT;
  if (nf_model_get_info(m, &info, nullptr) != NF_OK) std::abort();
  return info.hash;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const uint8_t none = 0;
  nf_model *m = nullptr, *again = nullptr;
  nf_error e = NF_ERROR_INIT;
  const nf_status status = nf_model_load_memory(runtime(), size ? data : &none, size, nullptr, &m, &e);
  switch (status) {
    case NF_OK:
      break;
    case NF_ERR_FORMAT:
    case NF_ERR_CHECKSUM:
    case NF_ERR_VERSION:
    case NF_ERR_SPEC:
    case NF_ERR_NUMERIC:
    case NF_ERR_NOMEM:
      if (m || !e.message[0]) std::abort();
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
