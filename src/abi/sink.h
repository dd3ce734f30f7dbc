// Writes to the callback of a caller.
#pragma once
#include "nf/nf.h"
#include "runtime/core/status.h"
#include "src/io/byte_sink.h"

namespace libnf {

struct CallbackSink final : ByteSink {
  nf_write_fn fn;
  void* user;
  CallbackSink(nf_write_fn f, void* u) : fn(f), user(u) {}
  void write(const void* data, size_t bytes) override {
    if (const int32_t r = fn(user, data, bytes); r != 0) fail(Code::callback, "the write callback returned %d", r);
  }
};

}  // namespace libnf
