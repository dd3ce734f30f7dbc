// A host allocator that fails once, or from some moment on, at any place of a short life: create, score, sample, train, save,
// load. Every call gives NF_OK, NF_ERR_NOMEM, or what it would have given anyway; nothing stays allocated at the end.
#include "fuzz/random_model.h"

namespace fuzz {
namespace {

struct Heap {
  int64_t left = 0;      // allocations until the first failure
  bool recovers = true;  // only one fails
  int64_t live = 0;
  bool failed = false;
  static void* take(void* user, size_t size, size_t align) {
    auto* h = static_cast<Heap*>(user);
    if (h->left-- == 0 || (h->failed && !h->recovers)) {
      h->failed = true;
      return nullptr;
    }
    void* p = std::aligned_alloc(align, (size + align - 1) / align * align);
    h->live += p != nullptr;
    return p;
  }
  static void give(void* user, void* p, size_t, size_t) {
    static_cast<Heap*>(user)->live -= p != nullptr;
    std::free(p);
  }
};

// Returns whether the call succeeded. Without a failure it has the status `usual` allows.
bool fine(nf_status s, const Heap& h) {
  require(s == NF_OK || s == NF_ERR_NOMEM || s == NF_ERR_NUMERIC || s == NF_ERR_NOT_INVERTED ||
          s == NF_ERR_UNSUPPORTED);
  require(s != NF_ERR_NOMEM || h.failed);
  return s == NF_OK;
}

void live(const std::string& spec, Bytes& b) {
  Heap heap;
  heap.left = b.below(2) ? b.below(256) : b.below(4096);
  heap.recovers = b.coin();
  {
    nf_allocator a = NF_ALLOCATOR_INIT;
    a.user = &heap, a.alloc = Heap::take, a.free = Heap::give;
    nf_options* one = nullptr;
    require(nf_options_create(&one, nullptr) == NF_OK &&
            nf_options_set_i64(one, "runtime.threads", 1, nullptr) == NF_OK);
    nf_runtime* rt = nullptr;
    const bool made = fine(nf_runtime_create(one, &a, nullptr, nullptr, nullptr, &rt, nullptr), heap);
    nf_options_free(one);
    nf_options* few = nullptr;  // rows at once, so that a session is quickly made
    require(nf_options_create(&few, nullptr) == NF_OK &&
            nf_options_set_i64(few, "session.block_rows", 2, nullptr) == NF_OK);
    nf_model* m = nullptr;
    nf_session* s = nullptr;
    nf_trainer* t = nullptr;
    if (made && fine(nf_model_create(rt, spec.data(), spec.size(), 1, &m, nullptr), heap)) {
      nf_model_info info = NF_MODEL_INFO_INIT;
      require(nf_model_get_info(m, &info, nullptr) == NF_OK);
      const Rows rows = rows_of(info, 2, b);
      nf_view x = nf_rows_f64(rows.x.data(), 2, info.event_size),
              c = nf_rows_f64(rows.context.data(), 2, info.context_size);
      const nf_view* context = info.context_size ? &c : nullptr;
      std::vector<double> out(static_cast<size_t>(2 * info.event_size)), lp(2);
      const nf_out to = nf_out_rows_f64(out.data(), 2, info.event_size), scores = nf_out_vec_f64(lp.data(), 2);
      const uint64_t before = nf_model_hash(m);
      if (fine(nf_session_create(m, few, &s, nullptr), heap)) {
        (void)fine(nf_log_prob(s, &x, context, &scores, nullptr), heap);
        (void)fine(nf_sample(s, nullptr, context, &to, nullptr, nullptr), heap);
      }
      require(nf_model_hash(m) == before);
      if (fine(nf_trainer_create(m, nullptr, nullptr, &t, nullptr), heap)) {
        nf_batch batch = NF_BATCH_INIT;
        batch.x = &x, batch.ctx = context;
        (void)fine(nf_train_step(t, &batch, nullptr, nullptr), heap);
      }
      nf_model* copy = nullptr;
      (void)fine(nf_model_clone(m, nullptr, &copy, nullptr), heap);
      nf_model_free(copy);
    }
    nf_trainer_free(t);
    nf_session_free(s);
    nf_model_free(m);
    nf_runtime_free(rt);
    nf_options_free(few);
  }
  require(heap.live == 0);
}

}  // namespace
}  // namespace fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Bytes b(data, size);
  const std::string spec = b.below(4) == 1 ? fuzz::vae_spec(b) : fuzz::flow_spec(b);
  if (!spec.empty()) fuzz::live(spec, b);
  return 0;
}
