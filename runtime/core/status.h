// Errors inside the library: one exception type with a pinned code and a bounded message.
// Everything below src/abi throws libnf::Error (or std::bad_alloc); src/abi turns both into nf_status.
#pragma once
#include <cstdint>
#include <exception>

namespace libnf {

// The numbers are those of nf_status in include/nf/nf.h (checked by static_assert in src/abi/guard.cc).
enum class Code : int32_t {
  ok = 0,
  argument = 1,
  state = 2,
  shape = 3,
  spec = 4,
  nomem = 10,
  io = 20,
  format = 21,
  checksum = 22,
  version = 23,
  numeric = 30,
  not_inverted = 31,
  cancelled = 40,
  callback = 41,
  unsupported = 50,
  internal = 60,
};

// What an error is about, in numbers; -1: nothing in particular.
struct Place {
  int64_t row = -1;    // of the caller's batch
  int32_t layer = -1;  // of the chain, in forward order
};

// Messages are in a fixed buffer, so that reporting out-of-memory does not allocate a string.
class Error : public std::exception {
 public:
  static constexpr int kMessageBytes = 488;
  Error(Code code, const char* message, int os_errno = 0, Place place = {}) noexcept;
  const char* what() const noexcept override { return message_; }
  Code code() const noexcept { return code_; }
  int os_errno() const noexcept { return os_errno_; }
  const Place& place() const noexcept { return place_; }

 private:
  Code code_;
  int os_errno_;
  Place place_;
  char message_[kMessageBytes];
};

// Throws Error{code, formatted message}; overlong messages are truncated at a UTF-8 boundary.
[[noreturn]] void fail(Code code, const char* format, ...) __attribute__((format(printf, 2, 3)));
// Does the same about a row or a layer.
[[noreturn]] void fail_at(Code code, Place place, const char* format, ...) __attribute__((format(printf, 3, 4)));
// The same with an errno, whose text is appended to the message.
[[noreturn]] void fail_os(Code code, int os_errno, const char* format, ...) __attribute__((format(printf, 3, 4)));

}  // namespace libnf
