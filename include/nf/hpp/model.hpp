// nf::Model: spec and parameters. Include <nf/nf.hpp>.
#ifndef NF_HPP_MODEL_HPP_
#define NF_HPP_MODEL_HPP_
#include <nf/hpp/options.hpp>
#include <nf/hpp/view.hpp>

NF_HPP_BEGIN

using ModelInfo = nf_model_info;

// One layer of a model: nf_layer_info.
struct Layer {
  std::string type, path, name, where;
  bool inverted = false;
  int64_t repetition = 0, columns = 0, first_tensor = 0, tensor_count = 0;
};

// One tensor of a model: nf_tensor_info.
struct Tensor {
  std::string name;
  std::vector<int64_t> shape;
  nf_dtype dtype = NF_F32;
  bool trainable = false, masked = false;
  int64_t size() const noexcept {
    int64_t n = 1;
    for (const int64_t extent : shape) n *= extent;
    return n;
  }
};

class Model : public detail::Handle<nf_model, nf_model_free> {
 public:
  // Builds a model from a JSON spec and draws its initial parameters from `seed`.
  static Returned<Model> create(const Runtime &rt, std::string_view spec, uint64_t seed) {
    return create(rt.get(), spec, seed);
  }
  static Returned<Model> create(std::string_view spec, uint64_t seed) { return create(nullptr, spec, seed); }
#ifndef NF_NO_EXCEPTIONS
  Model(const Runtime &rt, std::string_view spec, uint64_t seed) : Model(create(rt.get(), spec, seed)) {}
  Model(std::string_view spec, uint64_t seed) : Model(create(nullptr, spec, seed)) {}
#endif
  explicit Model(nf_model *m) noexcept : Handle(m) {}  // takes ownership

  // Options of scope "load".
  static Returned<Model> load(const Runtime &rt, const std::string &path, const Options &options = {}) {
    return load(rt.get(), path, options);
  }
  static Returned<Model> load(const std::string &path, const Options &options = {}) {
    return load(nullptr, path, options);
  }
  static Returned<Model> from_bytes(const Runtime &rt, const void *bytes, size_t n, const Options &options = {}) {
    return from_bytes(rt.get(), bytes, n, options);
  }
  static Returned<Model> from_bytes(const void *bytes, size_t n, const Options &options = {}) {
    return from_bytes(nullptr, bytes, n, options);
  }
  Returned<void> save(const std::string &path) const {
    return detail::done(detail::invoke(nf_model_save, get(), path.c_str()));
  }
  Returned<void> save_to(const Write &write) const { return detail::write_to(nf_model_save_stream, get(), write); }
  Returned<std::vector<unsigned char>> to_bytes() const {
    return detail::written<std::vector<unsigned char>>(nf_model_save_stream, get());
  }
  // Files saved from now on hold `rows` samples and their log_prob, for option "load.verify" to check.
  Returned<void> set_self_test(int64_t rows) {
    return detail::done(detail::invoke(nf_model_set_self_test, get(), rows));
  }

  // An independent copy, in the same runtime or in another.
  Returned<Model> clone() const { return clone(nullptr); }
  Returned<Model> clone(const Runtime &rt) const { return clone(rt.get()); }
  // Copies parameters, buffers and notes of a model with the same spec; sessions of this one stay valid.
  Returned<void> copy_from(const Model &other) {
    return detail::done(detail::invoke(nf_model_copy, get(), other.get()));
  }
  // Another number after each change of the parameters; cheap.
  uint64_t generation() const noexcept { return nf_model_generation(get()); }
  // Hash of the bits of all tensors; reads them all.
  uint64_t hash() const noexcept { return nf_model_hash(get()); }

  // The canonical spec, with every default written out.
  std::string spec() const { return detail::text(nf_model_spec(get())); }
  // JSON: shapes, layers and scales (nf_model_describe).
  Returned<std::string> describe() const { return detail::written<std::string>(nf_model_describe, get()); }
  Returned<ModelInfo> info() const {
    ModelInfo i = NF_MODEL_INFO_INIT;
    const Error e = detail::invoke(nf_model_get_info, get(), &i);
    return detail::done(e, i);
  }
  // The layers after nesting and repeats are expanded, in forward order.
  Returned<std::vector<Layer>> layers() const {
    ModelInfo count = NF_MODEL_INFO_INIT;
    std::vector<Layer> all;
    Error e = detail::invoke(nf_model_get_info, get(), &count);
    for (int64_t k = 0; !e && k < count.layer_count; ++k) {
      nf_layer_info i = NF_LAYER_INFO_INIT;
      e = detail::invoke(nf_model_layer, get(), k, &i);
      if (!e)
        all.push_back({detail::text(i.type), detail::text(i.path), detail::text(i.name), detail::text(i.where),
                       i.inverted != 0, i.repetition, i.columns, i.first_tensor, i.tensor_count});
    }
    return detail::done(e, std::move(all));
  }
  Returned<std::vector<Tensor>> tensors() const {
    ModelInfo count = NF_MODEL_INFO_INIT;
    std::vector<Tensor> all;
    Error e = detail::invoke(nf_model_get_info, get(), &count);
    for (int64_t k = 0; !e && k < count.tensor_count; ++k) {
      nf_tensor_info i = NF_TENSOR_INFO_INIT;
      e = detail::invoke(nf_model_tensor, get(), k, &i);
      if (!e)
        all.push_back({detail::text(i.name), std::vector<int64_t>(i.shape, i.shape + i.ndim), i.dtype, i.trainable != 0,
                       i.masked != 0});
    }
    return detail::done(e, std::move(all));
  }
  // Tensors are dense: weights are [outputs, inputs]. The view has the tensor's shape.
  Returned<void> get_tensor(const std::string &name, const Out &out) const {
    return detail::done(detail::invoke(nf_model_get_tensor, get(), name.c_str(), out.raw()));
  }
  Returned<void> set_tensor(const std::string &name, const View &value) {
    return detail::done(detail::invoke(nf_model_set_tensor, get(), name.c_str(), value.raw()));
  }
  // 1 where entries of the tensor are used, 0 where they are fixed at 0.
  Returned<void> get_mask(const std::string &name, const Out &out) const {
    return detail::done(detail::invoke(nf_model_get_mask, get(), name.c_str(), out.raw()));
  }
  // The numbers of a tensor or mask, row-major.
  template <class T = float>
  Returned<std::vector<T>> get_tensor(const Tensor &t) const {
    return read<T>(nf_model_get_tensor, t);
  }
  template <class T = float>
  Returned<std::vector<T>> get_mask(const Tensor &t) const {
    return read<T>(nf_model_get_mask, t);
  }
  template <class T>
  Returned<void> set_tensor(const Tensor &t, const std::vector<T> &values) {
    const nf_view v = nf_array(detail::dtype<T>(), values.data(), static_cast<int32_t>(t.shape.size()), t.shape.data());
    if (static_cast<int64_t>(values.size()) != t.size())
      return detail::done(detail::error(NF_ERR_SHAPE, "nf::Model::set_tensor: \"" + t.name + "\" has " +
                                                          std::to_string(t.size()) + " numbers, not " +
                                                          std::to_string(values.size())));
    return detail::done(detail::invoke(nf_model_set_tensor, get(), t.name.c_str(), &v));
  }
  // Initializes the layers that take their initial parameters from data.
  Returned<void> init_from_data(const View &x, const View &ctx = {}) {
    return detail::done(detail::invoke(nf_model_init_from_data, get(), x.raw(), ctx.raw()));
  }

  Returned<void> set_note(const std::string &key, const std::string &value) {
    return detail::done(detail::invoke(nf_model_set_note, get(), key.c_str(), value.c_str()));
  }
  Returned<void> remove_note(const std::string &key) {
    return detail::done(detail::invoke(nf_model_set_note, get(), key.c_str(), static_cast<const char *>(nullptr)));
  }
  bool has_note(const std::string &key) const noexcept { return nf_model_note(get(), key.c_str()) != nullptr; }
  std::string note(const std::string &key) const {
    return detail::text(nf_model_note(get(), key.c_str()));
  }  // "" if none
  std::vector<std::string> note_keys() const {
    std::vector<std::string> keys;
    while (const char *key = nf_model_note_key(get(), static_cast<int64_t>(keys.size()))) keys.emplace_back(key);
    return keys;
  }

 private:
  static Returned<Model> create(nf_runtime *rt, std::string_view spec, uint64_t seed) {
    return detail::make<Model>(Options(), nf_model_create, rt, spec.data(), spec.size(), seed);
  }
  static Returned<Model> load(nf_runtime *rt, const std::string &path, const Options &options) {
    return detail::make<Model>(options, nf_model_load, rt, path.c_str(), options.get());
  }
  static Returned<Model> from_bytes(nf_runtime *rt, const void *bytes, size_t n, const Options &options) {
    return detail::make<Model>(options, nf_model_load_memory, rt, bytes, n, options.get());
  }
  Returned<Model> clone(nf_runtime *rt) const {
    return detail::make<Model>(Options(), nf_model_clone, static_cast<const nf_model *>(get()), rt);
  }
  template <class T, class F>
  Returned<std::vector<T>> read(F f, const Tensor &t) const {
    std::vector<T> values(static_cast<size_t>(t.size()));
    const nf_out out =
        nf_out_array(detail::dtype<T>(), values.data(), static_cast<int32_t>(t.shape.size()), t.shape.data());
    const Error e = detail::invoke(f, static_cast<const nf_model *>(get()), t.name.c_str(), &out);
    return detail::done(e, std::move(values));
  }
};

NF_HPP_END
#endif  // NF_HPP_MODEL_HPP_
