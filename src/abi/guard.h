// Translates exceptions to statuses: guard() runs a body and turns whatever it throws into nf_status and nf_error.
// Also holds the checks that all entry points share.
#pragma once
#include <new>
#include <string>
#include <string_view>

#include "nf/nf.h"
#include "runtime/core/status.h"
#include "runtime/core/view.h"
#include "src/abi/structs.h"

namespace libnf {

bool usable(const nf_error* err);  // NULL, or struct_size is that of an nf_error
nf_status report(nf_error* err, const Error& e) noexcept;
nf_status report_current(nf_error* err) noexcept;  // call inside a catch block

template <class F>
nf_status guard(nf_error* err, F&& body) noexcept {
  if (!usable(err)) return NF_ERR_ARGUMENT;
  try {
    body();
    return NF_OK;
  } catch (...) {
    return report_current(err);
  }
}

// Throws Error{argument} "NAME is NULL" if p is null.
template <class T>
T& need(T* p, const char* name) {
  if (!p) fail(Code::argument, "%s is NULL", name);
  return *p;
}

// A view of the caller as the library's own. Checks everything about it except its extents. NULL is an error unless
// `optional`; then returns a View without data.
View view_of(const nf_view* v, const char* name, bool optional = false);
// The same for rows of data and contexts, which may be bytes (NF_U8).
View data_of(const nf_view* v, const char* name, bool optional = false);
View out_of(const nf_out* v, const char* name, bool optional = false);

// A view with one more axis in front: plane k is at data + k * stride elements.
struct Planes {
  View first;  // plane 0; no data if there are none
  int64_t count = 0, stride = 0;
  View operator[](int64_t k) const;
};
Planes planes_of(const nf_out* v, const char* name);

void need_shape(const View& v, const char* name, std::initializer_list<int64_t> shape);  // -1: any extent
// Requires rows of an event, [n, columns] or [n, height, width, channels]. Returns n, which must be `rows` unless that is
// negative.
int64_t check_rows(const View& x, const char* name, const Dims& event, int64_t rows = -1);
// Requires context [n or 1, columns], absent exactly when the model has none.
void check_context(const View& context, int64_t rows, int64_t columns);

// Error{argument} for a number that is no direction.
bool is_inverse(nf_direction d);

// Text of a caller: NF_TEXT for one that ends with a NUL.
inline std::string_view text_of(const char* text, size_t length) {
  return length == NF_TEXT ? std::string_view(text) : std::string_view(text, length);
}

// Returns the text that make() builds, once for the process; nullptr when out of memory.
template <auto make>
const char* static_text() noexcept {
  try {
    static const std::string text = make();
    return text.c_str();
  } catch (...) {
    return nullptr;
  }
}

}  // namespace libnf
