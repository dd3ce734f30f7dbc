// Translates exceptions to statuses: guard() runs a body and turns whatever it throws into nf_status and nf_error.
// Also holds the checks that all entry points share.
#pragma once
#include <new>

#include "nf/nf.h"
#include "runtime/core/status.h"
#include "runtime/core/view.h"

namespace nf {

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

// Requires a public struct to be at least as large as this library knows it; newer callers may pass larger ones.
template <class T>
T& need_struct(T* p, const char* name) {
  need(p, name);
  if (p->struct_size < sizeof(T) || p->struct_size > 4096)
    fail(Code::argument, "%s.struct_size is %u, expected %zu: use the NF_..._INIT macro", name, p->struct_size,
         sizeof(T));
  return *p;
}

// Checks everything about a view except its extents. NULL is an error unless `optional`; then returns a View without
// data.
View view_of(const nf_view* v, const char* name, bool optional = false);
void need_shape(const View& v, const char* name, std::initializer_list<int64_t> shape);  // -1: any extent
// Requires rows of an event, [n, columns] or [n, height, width, channels]. Returns n, which must be `rows` unless that is
// negative.
int64_t check_rows(const View& x, const char* name, const Dims& event, int64_t rows = -1);
// Requires context [n or 1, columns], absent exactly when the model has none.
void check_context(const View& context, int64_t rows, int64_t columns);

}  // namespace nf
