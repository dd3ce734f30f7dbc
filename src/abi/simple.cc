// Implements the simple tier: whole jobs in one call.
#include <algorithm>

#include "src/abi/guard.h"
#include "src/abi/handles.h"

using namespace libnf;

namespace {

// A session for one call, with memory for as many threads as the rows can use.
nf_session session_of(const nf_model* m, int64_t rows) {
  RuntimeState& rt = *m->state->runtime;
  SessionOptions options;
  const int64_t blocks = rows / m->state->model->block_rows() + 1;
  options.threads = static_cast<uint32_t>(std::min<int64_t>(blocks, rt.executor->concurrency()));
  return {m->state, std::make_unique<Session>(rt.allocator(), *rt.executor, *m->state->model, options)};
}

int64_t rows_of(const View& v) { return v.shape.rank > 0 ? v.shape[0] : 1; }

void check(nf_status status, const nf_error& e) {
  if (status != NF_OK) throw Error(static_cast<Code>(status), e.message, e.os_errno, {e.row, e.layer});
}

}  // namespace

extern "C" {

nf_status nf_score(const nf_model* m, const nf_view* x, const nf_view* ctx, const nf_out* log_prob,
                   nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(m, "model");
    nf_session session = session_of(m, rows_of(data_of(x, "x")));
    nf_error e = NF_ERROR_INIT;
    check(nf_log_prob(&session, x, ctx, log_prob, &e), e);
  });
}

nf_status nf_draw(const nf_model* m, uint64_t seed, const nf_view* ctx, const nf_out* out, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(m, "model");
    nf_session session = session_of(m, rows_of(out_of(out, "out")));
    nf_sampling how = NF_SAMPLING_INIT;
    how.seed = seed;
    nf_error e = NF_ERROR_INIT;
    check(nf_sample(&session, &how, ctx, out, nullptr, &e), e);
  });
}

}  // extern "C"
