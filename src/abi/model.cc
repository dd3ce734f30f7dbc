// Implements nf_model: creation, files, copies, data-dependent initialization, notes.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>

#include "src/abi/guard.h"
#include "src/abi/handles.h"
#include "src/abi/options.h"
#include "src/abi/self_test.h"
#include "src/abi/sink.h"
#include "src/io/atomic_file.h"
#include "src/io/quote.h"
#include "src/io/utf8.h"
#include "src/model/flow_model.h"
#include "src/model/model.h"
#include "src/model/rows.h"
#include "src/train/start.h"

using namespace libnf;

namespace {

nf_model* wrap(const std::shared_ptr<RuntimeState>& runtime, LoadedModel loaded, bool verify = false) {
  auto state = std::make_shared<ModelState>();
  if (!loaded.self_test.empty()) state->self_test_rows = self_test_rows(loaded.self_test);
  if (verify) {
    if (loaded.self_test.empty())
      fail(Code::checksum, "\"load.verify\" is set, but the file holds no self-test: nf_model_set_self_test adds one");
    verify_self_test(runtime->allocator(), *runtime->executor, *loaded.model, loaded.self_test);
  }
  state->runtime = runtime;
  state->model = std::move(loaded.model);
  state->notes = std::move(loaded.notes);
  return new nf_model{std::move(state)};
}

}  // namespace

extern "C" {

nf_status nf_model_create(nf_runtime* rt, const char* spec_json, size_t spec_len, uint64_t seed, nf_model** out,
                          nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(spec_json, "spec_json");
    need(out, "out");
    const std::shared_ptr<RuntimeState> runtime = runtime_of(rt);
    LoadedModel m;
    m.model = make_model(runtime->allocator(), parse_spec(text_of(spec_json, spec_len)), seed);
    *out = wrap(runtime, std::move(m));
  });
}

nf_status nf_model_load(nf_runtime* rt, const char* path, const nf_options* options, nf_model** out,
                        nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(path, "path");
    need(out, "out");
    check_scopes(options, {"load"}, "nf_model_load");
    const LoadOptions o = load_options(options);
    const std::shared_ptr<RuntimeState> runtime = runtime_of(rt);
    const FileBytes file = FileBytes::read(runtime->allocator(), path, o.max_bytes);
    try {
      *out = wrap(runtime, read_model(runtime->allocator(), file.bytes()), o.verify);
    } catch (const Error& e) {
      throw Error(e.code(), (quote_path(path) + ": " + e.what()).c_str(), e.os_errno(), e.place());
    }
  });
}

nf_status nf_model_load_memory(nf_runtime* rt, const void* bytes, size_t n, const nf_options* options, nf_model** out,
                               nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    if (!bytes) fail(Code::argument, "bytes is NULL");
    need(out, "out");
    check_scopes(options, {"load"}, "nf_model_load_memory");
    const LoadOptions o = load_options(options);
    if (n > o.max_bytes)
      fail_os(Code::io, EFBIG, "%zu bytes exceed the limit of %zu (option \"load.max_file_bytes\")", n, o.max_bytes);
    const std::shared_ptr<RuntimeState> runtime = runtime_of(rt);
    *out = wrap(runtime, read_model(runtime->allocator(), {static_cast<const std::byte*>(bytes), n}), o.verify);
  });
}

nf_status nf_model_save(const nf_model* m, const char* path, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(m, "model");
    need(path, "path");
    AtomicFile file(path);
    write_model(file, *m->state->model, m->state->notes, self_test_of(*m->state));
    file.commit();
  });
}

nf_status nf_model_save_stream(const nf_model* m, nf_write_fn write, void* user, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(m, "model");
    if (!write) fail(Code::argument, "write is NULL");
    CallbackSink sink(write, user);
    write_model(sink, *m->state->model, m->state->notes, self_test_of(*m->state));
  });
}

nf_status nf_model_set_self_test(nf_model* m, int64_t rows, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(m, "model");
    const Density& model = *m->state->model;
    const int64_t most =
        std::clamp<int64_t>(kMaxSelfTestNumbers / (model.columns() + model.context()), 1, kMaxSelfTestRows);
    if (rows < 0 || rows > most)
      fail(Code::argument, "rows is %lld, expected 0 to %lld for this model", static_cast<long long>(rows),
           static_cast<long long>(most));
    m->state->self_test_rows = rows;
  });
}

nf_status nf_model_clone(const nf_model* m, nf_runtime* rt, nf_model** out, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(m, "model");
    need(out, "out");
    const std::shared_ptr<RuntimeState> runtime = rt ? rt->state : m->state->runtime;
    const Density& from = *m->state->model;
    LoadedModel copy;
    copy.model = make_model(runtime->allocator(), parse_spec(from.canonical()), 0);
    copy.model->params().copy_from(from.params());
    copy.notes = m->state->notes;
    nf_model* model = wrap(runtime, std::move(copy));
    model->state->self_test_rows = m->state->self_test_rows;
    *out = model;
  });
}

nf_status nf_model_copy(nf_model* to, const nf_model* from, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(to, "to");
    need(from, "from");
    if (to->state == from->state) return;
    if (to->state->model->canonical() != from->state->model->canonical())
      fail(Code::spec,
           "the models have different specs (compare nf_model_spec): only models of one spec can be copied");
    Notes notes = from->state->notes;
    to->state->model->params().copy_from(from->state->model->params());
    to->state->notes.swap(notes);
    to->state->self_test_rows = from->state->self_test_rows;
    to->state->changed();
  });
}

nf_status nf_model_init_from_data(nf_model* m, const nf_view* x, const nf_view* ctx, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(m, "model");
    Density& model = *m->state->model;
    const View xv = data_of(x, "x"), c = data_of(ctx, "ctx", true);
    check_context(c, check_rows(xv, "x", model.event()), model.context());
    RuntimeState& rt = *m->state->runtime;
    if (const FlowModel* flow = model.flow())
      start_from_data(rt.allocator(), *rt.executor, *flow, cut_of(model), xv, c, {}, {});
    m->state->changed();
  });
}

nf_status nf_model_set_note(nf_model* m, const char* key, const char* value, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(m, "model");
    need(key, "key");
    if (!*key) fail(Code::argument, "key is empty");
    if (!is_utf8(key)) fail(Code::argument, "key is not valid UTF-8");
    if (value && !is_utf8(value)) fail(Code::argument, "value of note \"%.80s\" is not valid UTF-8", key);
    if (value)
      m->state->notes[key] = value;
    else
      m->state->notes.erase(key);
  });
}

const char* nf_model_note(const nf_model* m, const char* key) NF_NOEXCEPT {
  if (!m || !key) return nullptr;
  const auto it = m->state->notes.find(std::string_view(key));
  return it == m->state->notes.end() ? nullptr : it->second.c_str();
}

const char* nf_model_note_key(const nf_model* m, int64_t index) NF_NOEXCEPT {
  if (!m || index < 0 || index >= static_cast<int64_t>(m->state->notes.size())) return nullptr;
  return std::next(m->state->notes.begin(), index)->first.c_str();
}

void nf_model_free(nf_model* m) NF_NOEXCEPT { delete m; }

}  // extern "C"
