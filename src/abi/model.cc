// Implements nf_model: creation, files, introspection, parameters by name, notes.
#include <cerrno>
#include <cstring>
#include <iterator>

#include "src/abi/guard.h"
#include "src/abi/handles.h"
#include "src/abi/options.h"
#include "src/io/atomic_file.h"
#include "src/io/quote.h"
#include "src/io/utf8.h"
#include "src/model/describe.h"
#include "src/model/flow_model.h"
#include "src/model/model.h"
#include "src/model/rows.h"
#include "src/train/start.h"

using namespace nf;

namespace {

struct CallbackSink final : ByteSink {
  nf_write_fn fn;
  void* user;
  CallbackSink(nf_write_fn f, void* u) : fn(f), user(u) {}
  void write(const void* data, size_t bytes) override {
    if (const int32_t r = fn(user, data, bytes); r != 0) fail(Code::callback, "the write callback returned %d", r);
  }
};

nf_model* wrap(const std::shared_ptr<RuntimeState>& runtime, LoadedModel loaded) {
  auto state = std::make_shared<ModelState>();
  state->runtime = runtime;
  state->model = std::move(loaded.model);
  state->notes = std::move(loaded.notes);
  return new nf_model{std::move(state)};
}

// Copies between views of equal shape, with any strides and dtypes.
void copy_tensor(const View& from, const View& to) {
  const int64_t n = from.shape.count();
  for (int64_t i = 0; i < n; ++i) {
    int64_t rest = i, a = 0, b = 0;
    for (int axis = from.shape.rank - 1; axis >= 0; --axis) {
      a += rest % from.shape[axis] * from.stride[axis];
      b += rest % from.shape[axis] * to.stride[axis];
      rest /= from.shape[axis];
    }
    View one = from;
    one.data = static_cast<char*>(from.data) + a * size_of(from.dtype);
    const double v = scalar_at(one, 0);
    const auto f = static_cast<float>(v);
    char* p = static_cast<char*>(to.data) + b * size_of(to.dtype);
    if (to.dtype == DType::f64)
      std::memcpy(p, &v, sizeof v);
    else
      std::memcpy(p, &f, sizeof f);
  }
}

View named_tensor(const Density& model, const char* name) {
  need(name, "name");
  const int64_t slot = model.params().find(name);
  if (slot < 0) fail(Code::argument, "the model has no tensor \"%.80s\" (nf_model_tensor lists them)", name);
  return model.params().view(static_cast<size_t>(slot));
}

void need_same_shape(const View& v, const View& tensor, const char* what) {
  if (!(v.shape == tensor.shape))
    fail(Code::shape, "%s has shape %s, but the tensor has %s", what, to_string(v.shape).c_str(),
         to_string(tensor.shape).c_str());
}

}  // namespace

extern "C" {

const char* nf_layers_describe(void) NF_NOEXCEPT {
  try {
    static const std::string text = describe_parts();
    return text.c_str();
  } catch (...) {
    return nullptr;
  }
}

nf_status nf_model_create(nf_runtime* rt, const char* spec_json, size_t spec_len, uint64_t seed, nf_model** out,
                          nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(rt, "runtime");
    need(spec_json, "spec_json");
    need(out, "out");
    LoadedModel m;
    m.model = make_model(rt->state->allocator(), parse_spec({spec_json, spec_len}), seed);
    *out = wrap(rt->state, std::move(m));
  });
}

nf_status nf_model_load(nf_runtime* rt, const char* path, const nf_options* limits, nf_model** out,
                        nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(rt, "runtime");
    need(path, "path");
    need(out, "out");
    const Allocator a = rt->state->allocator();
    const FileBytes file = FileBytes::read(a, path, load_limit(limits));
    try {
      *out = wrap(rt->state, read_model(a, file.bytes()));
    } catch (const Error& e) {
      throw Error(e.code(), (quote_path(path) + ": " + e.what()).c_str(), e.os_errno());
    }
  });
}

nf_status nf_model_load_memory(nf_runtime* rt, const void* bytes, size_t n, const nf_options* limits, nf_model** out,
                               nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(rt, "runtime");
    if (!bytes) fail(Code::argument, "bytes is NULL");
    need(out, "out");
    if (n > load_limit(limits))
      fail_os(Code::io, EFBIG, "%zu bytes exceed the limit of %zu (option \"max_file_bytes\")", n, load_limit(limits));
    *out = wrap(rt->state, read_model(rt->state->allocator(), {static_cast<const std::byte*>(bytes), n}));
  });
}

nf_status nf_model_save(const nf_model* m, const char* path, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(m, "model");
    need(path, "path");
    AtomicFile file(path);
    write_model(file, *m->state->model, m->state->notes);
    file.commit();
  });
}

nf_status nf_model_save_stream(const nf_model* m, nf_write_fn write, void* user, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(m, "model");
    if (!write) fail(Code::argument, "write is NULL");
    CallbackSink sink(write, user);
    write_model(sink, *m->state->model, m->state->notes);
  });
}

const char* nf_model_spec(const nf_model* m) NF_NOEXCEPT { return m ? m->state->model->canonical().c_str() : nullptr; }

nf_status nf_model_describe(const nf_model* m, nf_write_fn write, void* user, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(m, "model");
    if (!write) fail(Code::argument, "write is NULL");
    const std::string text = describe_model(*m->state->model);
    CallbackSink(write, user).write(text.data(), text.size());
  });
}

nf_status nf_model_get_info(const nf_model* m, nf_model_info* info, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(m, "model");
    need_struct(info, "info");
    const Density& f = *m->state->model;
    info->dtype = static_cast<int32_t>(f.dtype());
    info->event_size = f.columns();
    info->context_size = f.context();
    info->param_count = f.params().param_count();
    info->tensor_count = static_cast<int64_t>(f.params().slots().size());
    info->layer_count = static_cast<int64_t>(f.layers().size());
    info->hash = f.params().hash();
  });
}

const char* nf_model_step(const nf_model* m, int64_t index) NF_NOEXCEPT {
  if (!m || index < 0 || index >= static_cast<int64_t>(m->state->model->layers().size())) return nullptr;
  return m->state->model->layers()[static_cast<size_t>(index)].where.c_str();
}

nf_status nf_model_tensor(const nf_model* m, int64_t index, nf_tensor_info* info, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(m, "model");
    need_struct(info, "info");
    const auto& slots = m->state->model->params().slots();
    if (index < 0 || index >= static_cast<int64_t>(slots.size()))
      fail(Code::argument, "index %lld is outside [0, %zu)", static_cast<long long>(index), slots.size());
    const ParamSlot& s = slots[static_cast<size_t>(index)];
    info->dtype = static_cast<int32_t>(m->state->model->dtype());
    info->ndim = s.shape.rank;
    info->trainable = s.trainable;
    for (int i = 0; i < 4; ++i) info->shape[i] = i < s.shape.rank ? s.shape[i] : 0;
    info->name = s.name.c_str();
  });
}

nf_status nf_model_get_tensor(const nf_model* m, const char* name, const nf_view* out, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(m, "model");
    const View tensor = named_tensor(*m->state->model, name);
    const View to = view_of(out, "out");
    need_same_shape(to, tensor, "out");
    copy_tensor(tensor, to);
  });
}

nf_status nf_model_set_tensor(nf_model* m, const char* name, const nf_view* value, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(m, "model");
    const View tensor = named_tensor(*m->state->model, name);
    const View from = view_of(value, "value");
    need_same_shape(from, tensor, "value");
    const Buffer staged(m->state->runtime->allocator(), static_cast<size_t>(tensor.count() * size_of(tensor.dtype)),
                        "a tensor");
    const View copy = contiguous_view(staged.data(), tensor.dtype, tensor.shape);
    copy_tensor(from, copy);
    const View flat = contiguous_view(staged.data(), tensor.dtype, {tensor.count()});
    for (int64_t i = 0; i < flat.shape[0]; ++i)
      if (const double v = scalar_at(flat, i); v - v != 0)
        fail(Code::numeric, "value of \"%s\" is not finite at element %lld", name, static_cast<long long>(i));
    if (staged.bytes()) std::memcpy(tensor.data, staged.data(), staged.bytes());
    m->state->version.fetch_add(1);
  });
}

nf_status nf_model_fit_data(nf_model* m, const nf_view* x, const nf_view* ctx, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(m, "model");
    Density& model = *m->state->model;
    const View xv = view_of(x, "x"), c = view_of(ctx, "ctx", true);
    check_context(c, check_rows(xv, "x", model.event()), model.context());
    RuntimeState& rt = *m->state->runtime;
    if (const FlowModel* flow = model.flow())
      start_from_data(rt.allocator(), *rt.executor, *flow, cut_of(model), xv, c, {}, {});
    m->state->version.fetch_add(1);
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
