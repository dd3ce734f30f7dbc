// Errors of nf.hpp: nf::Exception, or nf::Result without exceptions. Include <nf/nf.hpp>.
#ifndef NF_HPP_ERROR_HPP_
#define NF_HPP_ERROR_HPP_
#include <nf/nf.h>

#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

// Define NF_NO_EXCEPTIONS before including nf.hpp for results instead of exceptions; -fno-exceptions implies it.
#if !defined(NF_NO_EXCEPTIONS) && !defined(__cpp_exceptions) && !defined(_CPPUNWIND)
#define NF_NO_EXCEPTIONS
#endif
#ifdef NF_NO_EXCEPTIONS
// Another inline namespace, so that files of both kinds can be linked into one program.
#define NF_HPP_BEGIN \
  namespace nf {     \
  inline namespace no_exceptions {
#define NF_HPP_END \
  }                \
  }
#else
#define NF_HPP_BEGIN namespace nf {
#define NF_HPP_END }
#endif

NF_HPP_BEGIN

// What a call reported: false if it succeeded.
class Error {
 public:
  explicit operator bool() const noexcept { return raw_.code != NF_OK; }
  nf_status status() const noexcept { return raw_.code; }
  int os_errno() const noexcept { return raw_.os_errno; }  // for NF_ERR_IO, otherwise 0
  int32_t layer() const noexcept { return raw_.layer; }    // at fault, an index of Model::layers(); -1 if none
  int64_t row() const noexcept { return raw_.row; }        // the first row at fault of the call's batch; -1 if none
  const char *message() const noexcept { return raw_.message; }
  nf_error *raw() noexcept { return &raw_; }  // for calling nf.h directly

 private:
  nf_error raw_ = NF_ERROR_INIT;
};

#ifndef NF_NO_EXCEPTIONS
// Thrown when a call fails; what() is the library's message.
class Exception : public std::runtime_error {
 public:
  explicit Exception(const Error &e)
      : std::runtime_error(e.message()),
        status_(e.status()),
        os_errno_(e.os_errno()),
        layer_(e.layer()),
        row_(e.row()) {}
  nf_status status() const noexcept { return status_; }
  int os_errno() const noexcept { return os_errno_; }
  int32_t layer() const noexcept { return layer_; }
  int64_t row() const noexcept { return row_; }

 private:
  nf_status status_;
  int os_errno_;
  int32_t layer_;
  int64_t row_;
};

// What a member that can fail returns.
template <class T>
using Returned = T;
#else
// A value, or the error for which there is none.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}
  Result(const Error &error) : error_(error) {}
  explicit operator bool() const noexcept { return value_.has_value(); }
  // Undefined if there is no value.
  T &operator*() &noexcept { return *value_; }
  const T &operator*() const &noexcept { return *value_; }
  T &&operator*() &&noexcept { return *std::move(value_); }
  T *operator->() noexcept { return &*value_; }
  const T *operator->() const noexcept { return &*value_; }
  const Error &error() const noexcept { return error_; }

 private:
  std::optional<T> value_;
  Error error_;
};
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(const Error &error) : error_(error) {}
  explicit operator bool() const noexcept { return !error_; }
  const Error &error() const noexcept { return error_; }

 private:
  Error error_;
};

template <class T>
using Returned = Result<T>;
#endif

namespace detail {

// Calls f with an nf_error appended to the arguments.
template <class F, class... Args>
Error invoke(F f, Args... args) noexcept {
  Error e;
  // The status is also in the error.
  const nf_status status = f(args..., e.raw());
  e.raw()->code = status;
  return e;
}

inline Error error(nf_status status, const std::string &message) {
  Error e;
  e.raw()->code = status;
  const size_t n = message.copy(e.raw()->message, sizeof(nf_error::message) - 1);
  e.raw()->message[n] = '\0';
  return e;
}

// Ends a member: throws, or returns a Result, if there is an error.
inline Returned<void> done(const Error &e) {
#ifndef NF_NO_EXCEPTIONS
  if (e) throw Exception(e);
#else
  return e;
#endif
}
template <class T>
Returned<std::decay_t<T>> done(const Error &e, T &&value) {
  if (e) {
#ifndef NF_NO_EXCEPTIONS
    throw Exception(e);
#else
    return e;
#endif
  }
  return std::forward<T>(value);
}

// Keeps what a callback of the user threw, because callbacks must not unwind through libnf.
class Thrown {
 public:
  // Runs the callback. Returns `failed` if it threw.
  template <class F>
  int32_t run(int32_t failed, F &&callback) noexcept {
#ifndef NF_NO_EXCEPTIONS
    try {
      return callback();
    } catch (...) {
      kept_ = std::current_exception();
      return failed;
    }
#else
    static_cast<void>(failed);
    return callback();
#endif
  }
  // Called after libnf has returned.
  void rethrow() {
#ifndef NF_NO_EXCEPTIONS
    if (kept_) std::rethrow_exception(std::exchange(kept_, nullptr));
#endif
  }

 private:
#ifndef NF_NO_EXCEPTIONS
  std::exception_ptr kept_;
#endif
};

// Owns one handle of nf.h.
template <class T, auto Free>
class Handle {
 public:
  T *get() const noexcept { return h_.get(); }                       // for calling nf.h directly
  T *release() noexcept { return h_.release(); }                     // gives the handle away
  explicit operator bool() const noexcept { return h_ != nullptr; }  // false if moved from, or made from nullptr

 protected:
  explicit Handle(T *p) noexcept : h_(p) {}

 private:
  struct Deleter {
    void operator()(T *p) const noexcept { Free(p); }
  };
  std::unique_ptr<T, Deleter> h_;
};

inline std::string text(const char *s) { return s ? s : ""; }

}  // namespace detail

// Name of a status, such as "NF_ERR_SHAPE".
inline const char *status_name(nf_status status) noexcept { return nf_status_name(status); }

NF_HPP_END
#endif  // NF_HPP_ERROR_HPP_
