// Implements what a model tells about itself, and its tensors by name.
#include <algorithm>
#include <cstring>
#include <span>

#include "src/abi/guard.h"
#include "src/abi/handles.h"
#include "src/abi/sink.h"
#include "src/model/describe.h"
#include "src/model/flow_model.h"
#include "src/model/rows.h"

using namespace nf;

namespace {

void need_index(int64_t index, size_t count) {
  if (index < 0 || index >= static_cast<int64_t>(count))
    fail(Code::argument, "index %lld is outside [0, %zu)", static_cast<long long>(index), count);
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
    out.ndim = s.shape.rank;
    out.trainable = s.trainable;
    std::copy_n(s.shape.d, s.shape.rank, out.shape);
    out.name = s.name.c_str();
    write_struct(info, out);
  });
}

nf_status nf_model_get_tensor(const nf_model* m, const char* name, const nf_out* out, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(m, "model");
    const View tensor = named_tensor(*m->state->model, name);
    const View to = out_of(out, "out");
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
    m->state->changed();
  });
}

}  // extern "C"
