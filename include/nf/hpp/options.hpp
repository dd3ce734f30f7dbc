// nf::Options and nf::Runtime. Include <nf/nf.hpp>.
#ifndef NF_HPP_OPTIONS_HPP_
#define NF_HPP_OPTIONS_HPP_
#include <nf/hpp/error.hpp>

#include <functional>
#include <initializer_list>
#include <string_view>
#include <vector>

NF_HPP_BEGIN

// Receives text or a file in pieces. Returning false fails the call that writes.
using Write = std::function<bool(const void *bytes, size_t n)>;

namespace detail {

// Calls f(handle, write, user, err), which writes a text or a file.
template <class F, class T>
Returned<void> write_to(F f, const T *handle, const Write &write) {
  struct Writer {
    const Write *write;
    Thrown thrown;
  } writer{&write, {}};
  const nf_write_fn forward = [](void *user, const void *bytes, size_t n) -> int32_t {
    auto *w = static_cast<Writer *>(user);
    return w->thrown.run(1, [&] { return (*w->write)(bytes, n) ? 0 : 1; });
  };
  const Error e = invoke(f, handle, forward, static_cast<void *>(&writer));
  writer.thrown.rethrow();
  return done(e);
}
template <class Out, class F, class T>
Returned<Out> written(F f, const T *handle) {
  struct Writer {
    Out out;
    Thrown thrown;
  } writer;
  const nf_write_fn append = [](void *user, const void *bytes, size_t n) -> int32_t {
    auto *w = static_cast<Writer *>(user);
    const auto *p = static_cast<const typename Out::value_type *>(bytes);
    return w->thrown.run(1, [&] { return w->out.insert(w->out.end(), p, p + n), 0; });
  };
  const Error e = invoke(f, handle, append, static_cast<void *>(&writer));
  writer.thrown.rethrow();
  return done(e, std::move(writer.out));
}

}  // namespace detail

// Keys and values: Options{{"trainer.lr", 1e-3}, {"batches.batch", 512}, {"trainer.optimizer", "adam"}}. describe_options()
// lists them. Without exceptions the first error is kept, and a call that is given the options fails with it.
class Options {
 public:
  class Value {
   public:
    template <class T, std::enable_if_t<std::is_integral_v<T>, int> = 0>
    Value(T v) {
      if (std::is_unsigned_v<T> && static_cast<uint64_t>(v) > INT64_MAX)
        kind_ = Kind::parsed, text_ = std::to_string(v);
      else
        integer_ = static_cast<int64_t>(v);
    }
    Value(double v) : kind_(Kind::real), real_(v) {}
    Value(const char *v) : kind_(Kind::text), text_(v) {}
    Value(std::string v) : kind_(Kind::text), text_(std::move(v)) {}

   private:
    friend class Options;
    enum class Kind { integer, real, text, parsed };
    Kind kind_ = Kind::integer;
    int64_t integer_ = 0;
    double real_ = 0;
    std::string text_;
  };

  Options() = default;
  Options(std::initializer_list<std::pair<const char *, Value>> list) {
    for (const auto &item : list) set(item.first, item.second);
  }
  // An unknown key, a wrong type or a value out of bounds is NF_ERR_SPEC.
  Options &set(const char *key, const Value &v) {
    switch (v.kind_) {
      case Value::Kind::integer:
        return call(nf_options_set_i64, key, v.integer_);
      case Value::Kind::real:
        return call(nf_options_set_f64, key, v.real_);
      case Value::Kind::text:
        return call(nf_options_set_str, key, v.text_.c_str());
      case Value::Kind::parsed:
        break;
    }
    return parse(key, v.text_.c_str());
  }
  // Parses `value` according to the key's type, for command lines and configuration files.
  Options &parse(const char *key, const char *value) { return call(nf_options_set, key, value); }
  // The options that were set, {"trainer.lr": 0.001, ...}.
  Returned<std::string> json() const {
    if (error_) return detail::done(error_, std::string());
    if (!h_.get()) return std::string("{}");
    return detail::written<std::string>(nf_options_json, h_.get());
  }
  const Error &error() const noexcept { return error_; }
  // For calling nf.h directly; NULL if no option was set.
  const nf_options *get() const noexcept { return h_.get(); }

 private:
  template <class F, class V>
  Options &call(F f, const char *key, V value) {
    if (error_) return *this;
    nf_options *h = h_.get();
    Error e;
    if (!h && !(e = detail::invoke(nf_options_create, &h))) h_.reset(h);
    if (!e) e = detail::invoke(f, h, key, value);
#ifndef NF_NO_EXCEPTIONS
    detail::done(e);
#else
    error_ = e;
#endif
    return *this;
  }
  struct Deleter {
    void operator()(nf_options *o) const noexcept { nf_options_free(o); }
  };
  std::unique_ptr<nf_options, Deleter> h_;
  Error error_;
};

namespace detail {

// Calls an X_create function and returns the handle as an object of C.
template <class C, class F, class... Args>
Returned<C> make(const Options &options, F f, Args... args) {
  decltype(std::declval<C &>().get()) out = nullptr;
  const Error e = options.error() ? options.error() : invoke(f, args..., &out);
  return done(e, C(out));
}

}  // namespace detail

// Threads and hooks of the host; nf.h says which threads a program wants. Handles that are created without a runtime have
// one of their own with default options.
class Runtime : public detail::Handle<nf_runtime, nf_runtime_free> {
 public:
  // The function tables are copied; their `user` must outlive the runtime and everything created with it.
  static Returned<Runtime> create(const Options &options = {}, const nf_allocator *allocator = nullptr,
                                  const nf_executor *executor = nullptr, nf_log_fn log = nullptr,
                                  void *log_user = nullptr) {
    return detail::make<Runtime>(options, nf_runtime_create_v, static_cast<uint32_t>(NF_VERSION), options.get(),
                                 allocator, executor, log, log_user);
  }
#ifndef NF_NO_EXCEPTIONS
  explicit Runtime(const Options &options = {}, const nf_allocator *allocator = nullptr,
                   const nf_executor *executor = nullptr, nf_log_fn log = nullptr, void *log_user = nullptr)
      : Runtime(create(options, allocator, executor, log, log_user)) {}
#endif
  // Takes ownership.
  explicit Runtime(nf_runtime *rt) noexcept : Handle(rt) {}
};

// What there is, as JSON: see nf_options_describe and nf_parts_describe.
inline std::string describe_options() { return detail::text(nf_options_describe()); }
inline std::string describe_parts() { return detail::text(nf_parts_describe()); }
// Of the loaded library: NF_VERSION is the header's.
inline uint32_t version() noexcept { return nf_version(); }
inline std::string version_string() { return detail::text(nf_version_string()); }

NF_HPP_END
#endif  // NF_HPP_OPTIONS_HPP_
