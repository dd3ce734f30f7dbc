// nf.hpp - header-only C++17 layer over nf.h: RAII handles, nf::Exception instead of status codes, vectors for data.
//
//   nf::Runtime rt;
//   nf::Model model(rt, R"({"event": [2], "layers": [{"type": "affine_coupling", "hidden": [64]}]})", /*seed=*/1);
//   nf::Trainer trainer(model, {{"lr", 1e-3}});
//   for (uint64_t k = 0; k < 1000; ++k) trainer.step(nf::View(batch, 2));
//   std::vector<float> ll = nf::Session(model).log_prob(nf::View(test, 2));
//
// The inline namespace `api` separates these symbols from libnf's internal namespace nf, which a program linked to
// libnf.a also contains. Users write nf::Model; a file that also includes libnf's internals writes nf::api::Model.
// Handles are move-only and may be destroyed in any order. Thread classes are those of nf.h.
#ifndef NF_HPP_
#define NF_HPP_
#include <nf/nf.h>

#include <cmath>
#include <cstdint>
#include <exception>
#include <functional>
#include <initializer_list>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace nf {
inline namespace api {

// Thrown when a call fails; carries the status of nf.h and its message.
class Exception : public std::runtime_error {
 public:
  Exception(nf_status status, const char *message, int os_errno = 0)
      : std::runtime_error(message), status_(status), os_errno_(os_errno) {}
  nf_status status() const noexcept { return status_; }
  int os_errno() const noexcept { return os_errno_; }  // for NF_ERR_IO, otherwise 0

 private:
  nf_status status_;
  int os_errno_;
};

namespace detail {

// Calls f with an nf_error appended to the arguments; throws if it reports an error.
template <class F, class... Args>
void invoke(F f, Args... args) {
  nf_error e = NF_ERROR_INIT;
  const nf_status status = f(args..., &e);
  if (status != NF_OK) throw Exception(status, e.message, e.os_errno);
}

// Calls an X_create function and returns the new handle.
template <class T, class F, class... Args>
T *make(F f, Args... args) {
  T *out = nullptr;
  invoke(f, args..., &out);
  return out;
}

// Owns one handle of nf.h.
template <class T, auto Free>
class Handle {
 public:
  T *get() const noexcept { return h_.get(); }

 protected:
  explicit Handle(T *p) noexcept : h_(p) {}

 private:
  struct Deleter {
    void operator()(T *p) const noexcept { Free(p); }
  };
  std::unique_ptr<T, Deleter> h_;
};

template <class T>
constexpr int32_t dtype() {
  static_assert(std::is_same_v<T, float> || std::is_same_v<T, double>, "data is float or double");
  return std::is_same_v<T, double> ? NF_F64 : NF_F32;
}

inline void need_dtype(int32_t is, int32_t asked) {
  const auto name = [](int32_t d) { return d == NF_F64 ? "double" : d == NF_F32 ? "float" : "nothing"; };
  if (is != asked)
    throw Exception(
        NF_ERR_SHAPE,
        (std::string("data<") + name(asked) + ">() on an nf::View of " + name(is) + ": check dtype() first").c_str());
}

inline std::string text(const char *s) { return s ? s : ""; }

// What f(handle, write, user, err) writes.
template <class F, class T>
std::vector<unsigned char> written(F f, T *handle) {
  std::vector<unsigned char> out;
  const nf_write_fn append = [](void *user, const void *bytes, size_t n) -> int32_t {
    const auto *p = static_cast<const unsigned char *>(bytes);
    auto *to = static_cast<std::vector<unsigned char> *>(user);
    try {
      to->insert(to->end(), p, p + n);
    } catch (...) {
      return 1;
    }
    return 0;
  };
  invoke(f, handle, append, &out);
  return out;
}

}  // namespace detail

// Borrowed numbers: rank 1 [n], or rank 2 [rows, cols] in row-major order. A default-constructed View is "none" (NULL).
class View {
 public:
  View() = default;
  template <class T>
  View(const T *data, int64_t n) : View(detail::dtype<T>(), const_cast<T *>(data), 1, n, 1) {}
  template <class T>
  View(const T *data, int64_t rows, int64_t cols) : View(detail::dtype<T>(), const_cast<T *>(data), 2, rows, cols) {}
  template <class T>
  View(const std::vector<T> &v) : View(v.data(), static_cast<int64_t>(v.size())) {}
  // A vector of rows with `cols` numbers each.
  template <class T>
  View(const std::vector<T> &v, int64_t cols)
      : View(v.data(), cols > 0 ? static_cast<int64_t>(v.size()) / cols : 0, cols) {
    if (cols <= 0 || static_cast<int64_t>(v.size()) % cols != 0)
      throw Exception(NF_ERR_SHAPE, "nf::View: the vector's size is not a multiple of cols");
  }
  // From a view that libnf filled in: copies the shape, borrows the data.
  explicit View(const nf_view &v) : dtype_(v.dtype), ndim_(v.ndim), data_(v.data) {
    if (v.ndim < 0 || v.ndim > 4) throw Exception(NF_ERR_SHAPE, "nf::View: the rank is outside 0..4");
    for (int i = 0; i < v.ndim; ++i) shape_[i] = v.shape[i];
    if (v.flags & NF_STRIDED)
      throw Exception(NF_ERR_SHAPE, "nf::View: strided views are not supported, only row-major ones");
  }

  bool none() const { return dtype_ == 0; }
  int32_t dtype() const { return dtype_; }
  int64_t rows() const { return ndim_ > 0 ? shape_[0] : 1; }
  int64_t cols() const { return ndim_ > 1 ? shape_[1] : 1; }
  template <class T>
  const T *data() const {
    detail::need_dtype(dtype_, detail::dtype<T>());
    return static_cast<const T *>(data_);
  }

  // For calling nf.h directly.
  nf_view raw() const {
    nf_view v = NF_VIEW_INIT;
    v.dtype = dtype_, v.ndim = ndim_, v.data = data_;
    for (int i = 0; i < ndim_; ++i) v.shape[i] = shape_[i];
    return v;
  }

 private:
  View(int32_t dtype, void *data, int32_t ndim, int64_t d0, int64_t d1)
      : dtype_(dtype), ndim_(ndim), shape_{d0, d1, 1, 1}, data_(data) {}
  int32_t dtype_ = 0, ndim_ = 0;
  int64_t shape_[4] = {0, 0, 0, 0};
  void *data_ = nullptr;
};

// A View that a call writes to; built from non-const memory.
class Out : public View {
 public:
  Out() = default;
  template <class T>
  Out(T *data, int64_t n) : View(data, n) {}
  template <class T>
  Out(T *data, int64_t rows, int64_t cols) : View(data, rows, cols) {}
  template <class T>
  Out(std::vector<T> &v) : View(v) {}
  template <class T>
  Out(std::vector<T> &v, int64_t cols) : View(v, cols) {}
  explicit Out(const nf_view &v) : View(v) {}
  template <class T>
  T *data() const {
    return const_cast<T *>(View::data<T>());
  }
};

namespace detail {

// Passes a View as the pointer that a C call takes: NULL for none.
class Arg {
 public:
  Arg(const View &v) : raw_(v.raw()), none_(v.none()) {}
  operator const nf_view *() const { return none_ ? nullptr : &raw_; }

 private:
  nf_view raw_;
  bool none_;
};

}  // namespace detail

// Typed keys and values; nf_options_describe lists them. Options{{"lr", 1e-3}, {"batch", 512}, {"optimizer", "adam"}}.
class Options : public detail::Handle<nf_options, nf_options_free> {
 public:
  class Value {
   public:
    template <class T, std::enable_if_t<std::is_integral_v<T>, int> = 0>
    Value(T v) : kind_(kInteger), i_(static_cast<int64_t>(v)) {}
    Value(double v) : kind_(kReal), f_(v) {}
    Value(const char *v) : kind_(kText), s_(v) {}
    Value(std::string v) : kind_(kText), s_(std::move(v)) {}

   private:
    friend class Options;
    enum { kInteger, kReal, kText } kind_;
    int64_t i_ = 0;
    double f_ = 0;
    std::string s_;
  };

  Options() : Handle(detail::make<nf_options>(nf_options_create)) {}
  Options(std::initializer_list<std::pair<const char *, Value>> list) : Options() {
    for (const auto &[key, value] : list) set(key, value);
  }
  Options &set(const char *key, const Value &v) {
    if (v.kind_ == Value::kInteger) detail::invoke(nf_options_set_i64, get(), key, v.i_);
    if (v.kind_ == Value::kReal) detail::invoke(nf_options_set_f64, get(), key, v.f_);
    if (v.kind_ == Value::kText) detail::invoke(nf_options_set_str, get(), key, v.s_.c_str());
    return *this;
  }
  // Parses `value` according to the key's type, for command lines and configuration files.
  Options &parse(const char *key, const char *value) {
    detail::invoke(nf_options_set, get(), key, value);
    return *this;
  }
};

class Runtime : public detail::Handle<nf_runtime, nf_runtime_free> {
 public:
  explicit Runtime(const Options &options = {}, const nf_allocator *allocator = nullptr,
                   const nf_executor *executor = nullptr, nf_log_fn log = nullptr, void *log_user = nullptr)
      : Handle(detail::make<nf_runtime>(nf_runtime_create_v, static_cast<uint32_t>(NF_VERSION), options.get(),
                                        allocator, executor, log, log_user)) {}
};

class Model : public detail::Handle<nf_model, nf_model_free> {
 public:
  Model(const Runtime &rt, std::string_view spec, uint64_t seed)
      : Handle(detail::make<nf_model>(nf_model_create, rt.get(), spec.data(), spec.size(), seed)) {}
  static Model load(const Runtime &rt, const std::string &path, const Options &limits = {}) {
    return Model(detail::make<nf_model>(nf_model_load, rt.get(), path.c_str(), limits.get()));
  }
  static Model from_bytes(const Runtime &rt, const void *bytes, size_t n, const Options &limits = {}) {
    return Model(detail::make<nf_model>(nf_model_load_memory, rt.get(), bytes, n, limits.get()));
  }
  void save(const std::string &path) const { detail::invoke(nf_model_save, get(), path.c_str()); }
  std::vector<unsigned char> to_bytes() const { return detail::written(nf_model_save_stream, get()); }

  std::string spec() const { return detail::text(nf_model_spec(get())); }
  // JSON: shapes of event and latents, whether log_prob is exact, layers, scales (nf_model_describe).
  std::string describe() const {
    const std::vector<unsigned char> text = detail::written(nf_model_describe, get());
    return {text.begin(), text.end()};
  }
  nf_model_info info() const {
    nf_model_info i = NF_MODEL_INFO_INIT;
    detail::invoke(nf_model_get_info, get(), &i);
    return i;
  }
  // Describes the layers after nesting and repeats are expanded, in forward order.
  std::vector<std::string> steps() const {
    std::vector<std::string> names;
    while (const char *name = nf_model_step(get(), static_cast<int64_t>(names.size()))) names.emplace_back(name);
    return names;
  }
  // The `name` field is borrowed from the model.
  nf_tensor_info tensor(int64_t index) const {
    nf_tensor_info i = NF_TENSOR_INFO_INIT;
    detail::invoke(nf_model_tensor, get(), index, &i);
    return i;
  }
  // Take raw views because tensors have any rank: build them from tensor(i).shape.
  void get_tensor(const char *name, const nf_view &out) const {
    detail::invoke(nf_model_get_tensor, get(), name, &out);
  }
  void set_tensor(const char *name, const nf_view &value) { detail::invoke(nf_model_set_tensor, get(), name, &value); }
  // Initializes the layers that take their initial parameters from data.
  void fit_data(const View &x, const View &ctx = {}) {
    detail::invoke(nf_model_fit_data, get(), detail::Arg(x), detail::Arg(ctx));
  }
  void set_note(const char *key, const char *value) { detail::invoke(nf_model_set_note, get(), key, value); }
  std::string note(const char *key) const { return detail::text(nf_model_note(get(), key)); }
  std::vector<std::string> note_keys() const {
    std::vector<std::string> keys;
    while (const char *key = nf_model_note_key(get(), static_cast<int64_t>(keys.size()))) keys.emplace_back(key);
    return keys;
  }

 private:
  explicit Model(nf_model *m) : Handle(m) {}
};

// A density known up to a constant factor: to fit, to weight samples by, or to run MCMC on.
class Target : public detail::Handle<nf_target, nf_target_free> {
 public:
  // Fills log_density [n] and, unless it is none, gradient [n, d] at the rows of x; ctx may be none. Returning false
  // stops the call that evaluates the target; an exception propagates out of it.
  using Function = std::function<bool(const View &x, const View &ctx, const Out &log_density, const Out &gradient)>;

  // A built-in target: "u1", or {"type": "u1", "radius": 4}.
  Target(const Runtime &rt, std::string_view spec, int64_t event_size)
      : Handle(detail::make<nf_target>(nf_target_create, rt.get(), spec.data(), spec.size(), event_size)) {}
  Target(const Runtime &rt, int64_t event_size, Function f) : Target(rt, event_size, make_state(std::move(f))) {}

  nf_target_info info() const {
    nf_target_info i = NF_TARGET_INFO_INIT;
    detail::invoke(nf_target_get_info, get(), &i);
    return i;
  }
  void log_density(const View &x, const Out &log_density, const Out &gradient = {}, const View &ctx = {}) const {
    guard([&] {
      detail::invoke(nf_target_log_density, get(), detail::Arg(x), detail::Arg(ctx), detail::Arg(log_density),
                     detail::Arg(gradient));
    });
  }
  // Returns the largest |gradient - central difference| / (1 + |gradient|) at the rows of x: about 1e-9 in double and
  // 1e-3 in float if the gradient is right, NaN if a density is not finite. Call it once before training, because a
  // wrong gradient trains without an error and gives a bad fit. Errors: those of log_density. Evaluates without a
  // context.
  template <class T>
  double gradient_error(const std::vector<T> &x) const {
    const auto d = static_cast<size_t>(info().event_size);
    const auto columns = static_cast<int64_t>(d);
    const size_t n = static_cast<size_t>(View(x, columns).rows());
    std::vector<T> value(n), gradient(x.size()), low(n), high(n), moved(x.size());
    log_density(View(x, columns), value, Out(gradient, columns));
    const double step = std::cbrt(static_cast<double>(std::numeric_limits<T>::epsilon()));
    double worst = 0;
    for (size_t c = 0; c < d; ++c) {
      const auto at = [&](int sign, std::vector<T> &out) {
        moved = x;
        for (size_t i = c; i < x.size(); i += d)
          moved[i] = static_cast<T>(static_cast<double>(x[i]) + sign * step * std::fmax(1, std::fabs(x[i])));
        log_density(View(moved, columns), out);
        return moved;
      };
      const std::vector<T> below = at(-1, low), above = at(1, high);
      for (size_t r = 0; r < n; ++r) {
        const size_t i = r * d + c;
        const double slope = (static_cast<double>(high[r]) - static_cast<double>(low[r])) /
                             (static_cast<double>(above[i]) - static_cast<double>(below[i]));
        const double g = static_cast<double>(gradient[i]), error = std::fabs(g - slope) / (1 + std::fabs(g));
        if (!(error <= worst)) worst = error;  // written so that NaN counts as an error
      }
    }
    return worst;
  }

 private:
  friend class Session;
  friend class Trainer;
  struct State {
    Function function;
    std::exception_ptr thrown;
  };
  static std::shared_ptr<State> make_state(Function f) {
    auto s = std::make_shared<State>();
    s->function = std::move(f);
    return s;
  }
  Target(const Runtime &rt, int64_t event_size, const std::shared_ptr<State> &state)
      : Handle(detail::make<nf_target>(nf_target_create_callback, rt.get(), event_size, &Target::ask, state.get())),
        state_(state) {}
  static int32_t ask(void *user, const nf_view *x, const nf_view *ctx, const nf_view *log_density,
                     const nf_view *gradient) {
    auto *s = static_cast<State *>(user);
    try {
      return s->function(View(*x), ctx ? View(*ctx) : View(), Out(*log_density), gradient ? Out(*gradient) : Out()) ? 0
                                                                                                                    : 1;
    } catch (...) {  // callbacks must not unwind through libnf
      s->thrown = std::current_exception();
      return -1;
    }
  }
  // Runs a call that may evaluate the target, and rethrows what the target threw.
  template <class F>
  static void guard(const std::shared_ptr<State> &state, F &&body) {
    try {
      body();
    } catch (const Exception &) {
      if (state && state->thrown) std::rethrow_exception(std::exchange(state->thrown, nullptr));
      throw;
    }
  }
  template <class F>
  void guard(F &&body) const {
    guard(state_, std::forward<F>(body));
  }
  std::shared_ptr<State> state_;  // null for a built-in target
};

// Self-normalized estimates of E[g] under a target, from values g [n, k] at samples with the given log weights.
struct Estimate {
  std::vector<double> mean, error;
};
inline Estimate importance_mean(const View &log_weight, const View &values) {
  const auto k = static_cast<size_t>(values.cols());
  Estimate e{std::vector<double>(k), std::vector<double>(k)};
  detail::invoke(nf_importance_mean, detail::Arg(log_weight), detail::Arg(values), detail::Arg(Out(e.mean)),
                 detail::Arg(Out(e.error)));
  return e;
}

// Scores and samples; one per thread. Calls that fill a View of the caller do not allocate.
class Session : public detail::Handle<nf_session, nf_session_free> {
 public:
  explicit Session(const Model &m, const Options &options = {})
      : Handle(detail::make<nf_session>(nf_session_create, m.get(), options.get())) {
    const nf_model_info info = m.info();
    event_size_ = info.event_size, steps_ = info.layer_count;
  }
  template <class T = float>
  std::vector<T> log_prob(const View &x, const View &ctx = {}) {
    std::vector<T> out(static_cast<size_t>(x.rows()));
    log_prob_into(out, x, ctx);
    return out;
  }
  void log_prob_into(const Out &out, const View &x, const View &ctx = {}) {
    detail::invoke(nf_log_prob, get(), detail::Arg(x), detail::Arg(ctx), detail::Arg(out));
  }
  // Maps x to z; fills log_det unless it is none.
  template <class T = float>
  std::vector<T> forward(const View &x, const Out &log_det = {}, const View &ctx = {}) {
    return map<T>(nf_forward, x, ctx, log_det);
  }
  // Maps z to x.
  template <class T = float>
  std::vector<T> inverse(const View &z, const Out &log_det = {}, const View &ctx = {}) {
    return map<T>(nf_inverse, z, ctx, log_det);
  }
  // Returns the rows before, between and after all layers: layers + 1 blocks of from.rows() rows, the first being
  // `from`.
  template <class T = float>
  std::vector<T> trace(const View &from, bool inverse = false, const View &ctx = {}) {
    std::vector<T> out(static_cast<size_t>((steps_ + 1) * from.rows() * event_size_));
    nf_view target = NF_VIEW_INIT;
    target.dtype = detail::dtype<T>(), target.ndim = 3, target.data = out.data();
    target.shape[0] = steps_ + 1, target.shape[1] = from.rows(), target.shape[2] = event_size_;
    detail::invoke(nf_trace, get(), detail::Arg(from), detail::Arg(ctx), static_cast<int32_t>(inverse), &target);
    return out;
  }
  // Returns samples first .. first + n - 1 of the stream `seed`. Fills log_prob unless it is none.
  template <class T = float>
  std::vector<T> sample(int64_t n, uint64_t seed, uint64_t first = 0, const Out &log_prob = {}, const View &ctx = {}) {
    std::vector<T> out(static_cast<size_t>(n * event_size_));
    sample_into(Out(out.data(), n, event_size_), seed, first, log_prob, ctx);
    return out;
  }
  void sample_into(const Out &out, uint64_t seed, uint64_t first = 0, const Out &log_prob = {}, const View &ctx = {}) {
    detail::invoke(nf_sample, get(), seed, first, detail::Arg(ctx), detail::Arg(out), detail::Arg(log_prob));
  }
  // Weights samples first .. first + n - 1 of the stream `seed` by a target. Fills x and log_weight unless they are
  // none.
  nf_importance_info importance(const Target &target, uint64_t seed, int64_t n, uint64_t first = 0, const Out &x = {},
                                const Out &log_weight = {}, const View &ctx = {}) {
    nf_importance_info info = NF_IMPORTANCE_INFO_INIT;
    target.guard([&] {
      detail::invoke(nf_importance, get(), target.get(), seed, first, n, detail::Arg(ctx), detail::Arg(x),
                     detail::Arg(log_weight), &info);
    });
    return info;
  }
  // Runs Markov chains on a target with this model as proposal. Returns [draws, chains, event_size].
  template <class T = float>
  std::vector<T> metropolis(const Runtime &rt, const Target &target, int64_t draws, int64_t chains,
                            const Options &options = {}, const View &start = {}, nf_metropolis_info *info = nullptr,
                            const View &ctx = {}) {
    return walk<T>(rt, target, get(), draws, chains, options, start, info, ctx);
  }
  // The same with random-walk proposals, without a model.
  template <class T = float>
  static std::vector<T> random_walk(const Runtime &rt, const Target &target, int64_t draws, int64_t chains,
                                    const Options &options = {}, const View &start = {},
                                    nf_metropolis_info *info = nullptr) {
    return walk<T>(rt, target, nullptr, draws, chains, options, start, info, {});
  }
  size_t bytes() const { return nf_session_bytes(get()); }

 private:
  template <class T>
  static std::vector<T> walk(const Runtime &rt, const Target &target, nf_session *proposal, int64_t draws,
                             int64_t chains, const Options &options, const View &start, nf_metropolis_info *info,
                             const View &ctx) {
    const int64_t columns = target.info().event_size;
    std::vector<T> out(static_cast<size_t>(draws * chains * columns));
    nf_view view = NF_VIEW_INIT;
    view.dtype = detail::dtype<T>(), view.ndim = 3, view.data = out.data();
    view.shape[0] = draws, view.shape[1] = chains, view.shape[2] = columns;
    target.guard([&] {
      detail::invoke(nf_metropolis, rt.get(), target.get(), proposal, options.get(), detail::Arg(start),
                     detail::Arg(ctx), &view, info);
    });
    return out;
  }
  template <class T, class F>
  std::vector<T> map(F f, const View &in, const View &ctx, const Out &log_det) {
    std::vector<T> out(static_cast<size_t>(in.rows() * event_size_));
    const Out target(out.data(), in.rows(), event_size_);
    detail::invoke(f, get(), detail::Arg(in), detail::Arg(ctx), detail::Arg(target), detail::Arg(log_det));
    return out;
  }
  int64_t event_size_ = 0, steps_ = 0;
};

// Rows of numbers from a .npy or .csv file.
class Table : public detail::Handle<nf_table, nf_table_free> {
 public:
  Table(const Runtime &rt, const std::string &path, const Options &options = {})
      : Handle(detail::make<nf_table>(nf_table_open, rt.get(), path.c_str(), options.get())) {}
  View view() const {  // borrowed
    nf_view v = NF_VIEW_INIT;
    detail::invoke(nf_table_view, get(), &v);
    return View(v);
  }
  bool mapped() const { return nf_table_mapped(get()) != 0; }
  std::string column(int64_t index) const { return detail::text(nf_table_column(get(), index)); }
};

// Writes a view of rank 1 or 2 as .npy or .csv.
inline void save_table(const View &v, const std::string &path) {
  const nf_view raw = v.raw();
  detail::invoke(nf_table_save, &raw, path.c_str());
}

// Mini-batches of rows that the caller keeps alive. Batch k is a pure function of the options and k.
class Batches : public detail::Handle<nf_batches, nf_batches_free> {
 public:
  struct Batch {
    View x, ctx, weight;  // ctx and weight are none if not given
  };
  Batches(const Runtime &rt, const View &x, const Options &options = {}, const View &ctx = {}, const View &weight = {})
      : Handle(detail::make<nf_batches>(nf_batches_create, rt.get(), detail::Arg(x), detail::Arg(ctx),
                                        detail::Arg(weight), options.get())) {}
  uint64_t per_epoch() const { return nf_batches_per_epoch(get()); }
  // Borrowed until the next call.
  Batch at(uint64_t step) {
    nf_view x = NF_VIEW_INIT, ctx = NF_VIEW_INIT, weight = NF_VIEW_INIT;
    detail::invoke(nf_batches_get, get(), step, &x, &ctx, &weight);
    return {View(x), ctx.data ? View(ctx) : View(), weight.data ? View(weight) : View()};
  }
  nf_source source() {  // borrows this object
    nf_source s{};
    s.struct_size = sizeof(s);
    detail::invoke(nf_batches_source, get(), &s);
    return s;
  }
};

class Trainer : public detail::Handle<nf_trainer, nf_trainer_free> {
 public:
  explicit Trainer(Model &m, const Options &options = {}, const nf_collective *collective = nullptr)
      : Handle(detail::make<nf_trainer>(nf_trainer_create, m.get(), options.get(), collective)) {}
  // Sets the target of objectives that need one, and keeps it alive.
  void set_target(const Target &target) {
    detail::invoke(nf_trainer_set_target, get(), target.get());
    asked_ = target.state_;
  }
  // x is none for objectives without data.
  nf_step_info step(const View &x = {}, const View &ctx = {}, const View &weight = {}) {
    nf_step_info info = NF_STEP_INFO_INIT;
    Target::guard(asked_, [&] {
      detail::invoke(nf_train_step, get(), detail::Arg(x), detail::Arg(ctx), detail::Arg(weight), &info);
    });
    return info;
  }
  // Trains until max_steps steps have been applied in total (0 = no limit), the source ends, or on_step returns false.
  // Returns true if on_step stopped it. A source or target that stops the run is an Exception with NF_ERR_CANCELLED;
  // exceptions of on_step and of the target propagate.
  bool run(const nf_source &source, uint64_t max_steps, const std::function<bool(const nf_step_info &)> &on_step = {}) {
    return run(&source, max_steps, on_step);
  }
  bool run(Batches &batches, uint64_t max_steps, const std::function<bool(const nf_step_info &)> &on_step = {}) {
    return run(batches.source(), max_steps, on_step);
  }
  // For objectives without data.
  bool run(uint64_t max_steps, const std::function<bool(const nf_step_info &)> &on_step = {}) {
    return run(nullptr, max_steps, on_step);
  }
  void observe(double validation_loss) { detail::invoke(nf_trainer_observe, get(), validation_loss); }
  void save(const std::string &path) const { detail::invoke(nf_trainer_save, get(), path.c_str()); }
  void restore(const std::string &path) { detail::invoke(nf_trainer_restore, get(), path.c_str()); }
  uint64_t step_count() const { return nf_trainer_step_count(get()); }
  void use_average(bool on) { detail::invoke(nf_trainer_use_average, get(), int32_t{on}); }
  size_t bytes() const { return nf_trainer_bytes(get()); }

 private:
  bool run(const nf_source *source, uint64_t max_steps, const std::function<bool(const nf_step_info &)> &on_step) {
    struct Watch {
      const std::function<bool(const nf_step_info &)> *on_step;
      std::exception_ptr thrown;
      bool stopped;
    } watch{&on_step, nullptr, false};
    const nf_progress_fn forward = [](void *user, const nf_step_info *info) -> int32_t {
      auto *w = static_cast<Watch *>(user);
      try {
        w->stopped = !(*w->on_step)(*info);
        return w->stopped ? 1 : 0;
      } catch (...) {  // callbacks must not unwind through libnf
        w->thrown = std::current_exception();
        return 1;
      }
    };
    nf_error e = NF_ERROR_INIT;
    const nf_status status = nf_train_run(get(), source, max_steps, on_step ? forward : nullptr, &watch, &e);
    if (watch.thrown) std::rethrow_exception(watch.thrown);
    if (asked_ && asked_->thrown) std::rethrow_exception(std::exchange(asked_->thrown, nullptr));
    if (status != NF_OK && !watch.stopped) throw Exception(status, e.message, e.os_errno);
    return watch.stopped;
  }
  std::shared_ptr<Target::State> asked_;
};

}  // namespace api
}  // namespace nf
#endif  // NF_HPP_
