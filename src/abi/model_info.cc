// Implements what a model tells about itself, and its tensors by name.
#include <algorithm>
#include <span>

#include "src/abi/guard.h"
#include "src/abi/handles.h"
#include "src/abi/sink.h"
#include "src/model/describe.h"
#include "src/model/flow_model.h"
#include "src/model/tensors.h"

using namespace libnf;

namespace {

void need_index(int64_t index, size_t count) {
  if (index < 0 || index >= static_cast<int64_t>(count))
    fail(Code::argument, "index %lld is outside [0, %zu)", static_cast<long long>(index), count);
}

size_t slot_of(const Density& model, const char* name) {
  need(name, "name");
  const int64_t slot = model.params().find(name);
  if (slot < 0) fail(Code::argument, "the model has no tensor \"%.80s\" (nf_model_tensor lists them)", name);
  return static_cast<size_t>(slot);
}

}  // namespace

extern "C" {

const char* nf_parts_describe(void) NF_NOEXCEPT { return static_text<describe_parts>(); }

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
    struct_size(info, "info");
    const Density& f = *m->state->model;
    nf_model_info out = NF_MODEL_INFO_INIT;
    out.dtype = static_cast<nf_dtype>(f.dtype());
    out.event_size = f.columns();
    out.latent_size = f.latent().count();
    out.context_size = f.context();
    out.param_count = f.params().param_count();
    out.tensor_count = static_cast<int64_t>(f.params().slots().size());
    out.layer_count = static_cast<int64_t>(f.layers().size());
    out.log_prob = f.exact() ? NF_EXACT : NF_BOUND;
    out.has_layers = f.flow() != nullptr;
    out.event_ndim = f.event().rank;
    out.latent_ndim = f.latent().rank;
    std::copy_n(f.event().d, f.event().rank, out.event);
    std::copy_n(f.latent().d, f.latent().rank, out.latent);
    write_struct(info, out);
  });
}

uint64_t nf_model_hash(const nf_model* m) NF_NOEXCEPT { return m ? m->state->model->params().hash() : 0; }

uint64_t nf_model_generation(const nf_model* m) NF_NOEXCEPT {
  return m ? m->state->generation.load(std::memory_order_relaxed) : 0;
}

nf_status nf_model_layer(const nf_model* m, int64_t index, nf_layer_info* info, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(m, "model");
    struct_size(info, "info");
    const std::span<const LayerInstance> layers = m->state->model->layers();
    need_index(index, layers.size());
    const LayerInstance& l = layers[static_cast<size_t>(index)];
    nf_layer_info out = NF_LAYER_INFO_INIT;
    out.inverted = l.inverted;
    out.repetition = l.repetition;
    out.columns = l.columns;
    out.first_tensor = l.first;
    out.tensor_count = l.count;
    out.type = l.kind->name;
    out.path = l.path.c_str();
    out.where = l.where.c_str();
    out.name = l.name.c_str();
    write_struct(info, out);
  });
}

nf_status nf_model_tensor(const nf_model* m, int64_t index, nf_tensor_info* info, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(m, "model");
    struct_size(info, "info");
    const auto& slots = m->state->model->params().slots();
    need_index(index, slots.size());
    const ParamSlot& s = slots[static_cast<size_t>(index)];
    nf_tensor_info out = NF_TENSOR_INFO_INIT;
    out.dtype = static_cast<nf_dtype>(m->state->model->dtype());
    const Dims& shape = dense_shape(s);
    out.ndim = shape.rank;
    out.trainable = s.trainable;
    out.masked = s.form && s.form->masked();
    std::copy_n(shape.d, shape.rank, out.shape);
    out.name = s.name.c_str();
    write_struct(info, out);
  });
}

nf_status nf_model_get_tensor(const nf_model* m, const char* name, const nf_out* out, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(m, "model");
    const size_t slot = slot_of(*m->state->model, name);
    get_tensor(*m->state->model, slot, out_of(out, "out"));
  });
}

nf_status nf_model_set_tensor(nf_model* m, const char* name, const nf_view* value, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(m, "model");
    const size_t slot = slot_of(*m->state->model, name);
    set_tensor(m->state->runtime->allocator(), *m->state->model, slot, view_of(value, "value"));
    m->state->changed();
  });
}

nf_status nf_model_get_mask(const nf_model* m, const char* name, const nf_out* out, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(m, "model");
    const size_t slot = slot_of(*m->state->model, name);
    get_mask(*m->state->model, slot, out_of(out, "out"));
  });
}

}  // extern "C"
