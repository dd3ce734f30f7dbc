// Parses any bytes as a model spec: returns a status, and an accepted spec survives its canonical form, a file and
// scoring.
#include <nf/nf.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

nf_runtime *runtime() {
  static nf_runtime *rt = [] {
    nf_options *o = nullptr;
    nf_runtime *made = nullptr;
    if (nf_options_create(&o, nullptr) != NF_OK) std::abort();
    if (nf_options_set_i64(o, "runtime.threads", 1, nullptr) != NF_OK) std::abort();
    if (nf_options_set_i64(o, "runtime.max_bytes", 64 << 20, nullptr) != NF_OK)
      std::abort();  // large models are refused quickly
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

// Scores a few rows; any result is fine as long as nothing crashes.
void score(nf_model *m) {
  nf_model_info info = NF_MODEL_INFO_INIT;
  nf_session *s = nullptr;
  if (nf_model_get_info(m, &info, nullptr) != NF_OK) std::abort();
  if (info.event_size > 4096 || info.context_size > 4096 || nf_session_create(m, nullptr, &s, nullptr) != NF_OK) return;
  std::vector<double> x(static_cast<size_t>(3 * info.event_size), 0.25),
      ctx(static_cast<size_t>(info.context_size), 0.5), out(3);
  const nf_view vx = nf_rows_f64(x.data(), 3, info.event_size);
  const nf_view vc = nf_rows_f64(ctx.data(), 1, info.context_size);
  const nf_out vo = nf_out_vec_f64(out.data(), 3);
  const nf_status status = nf_log_prob(s, &vx, info.context_size ? &vc : nullptr, &vo, nullptr);
  if (status == NF_ERR_INTERNAL || status == NF_ERR_ARGUMENT || status == NF_ERR_SHAPE) std::abort();
  nf_session_free(s);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  nf_model *m = nullptr;
  nf_error e = NF_ERROR_INIT;
  const nf_status status = nf_model_create(runtime(), reinterpret_cast<const char *>(data), size, 1, &m, &e);
  if (status != NF_OK) {
    // The spec can only be invalid or too large, and the message must say so.
    if (m || (status != NF_ERR_SPEC && status != NF_ERR_NOMEM) || !e.message[0]) std::abort();
    return 0;
  }
  const std::string spec = nf_model_spec(m);
  nf_model *again = nullptr;
  if (nf_model_create(runtime(), spec.data(), spec.size(), 1, &again, nullptr) != NF_OK) std::abort();
  if (spec != nf_model_spec(again) || hash_of(m) != hash_of(again)) std::abort();
  nf_model_free(again);

  std::vector<unsigned char> file;
  nf_model *loaded = nullptr;
  if (nf_model_save_stream(m, append, &file, nullptr) != NF_OK) std::abort();
  if (nf_model_load_memory(runtime(), file.data(), file.size(), nullptr, &loaded, nullptr) != NF_OK) std::abort();
  if (hash_of(m) != hash_of(loaded)) std::abort();
  score(loaded);
  nf_model_free(loaded);
  nf_model_free(m);
  return 0;
}
