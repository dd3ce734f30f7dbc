// Writes parameters that are computed from data.
#pragma once
#include "runtime/core/rows.h"
#include "runtime/tape/params.h"
#include "src/part/declare.h"

namespace libnf {

// Sets element j of a tensor to value(j, its old value).
template <class F>
void update_param(const ParamStore& store, ParamId id, F&& value) {
  const View v = store.view(static_cast<size_t>(id));
  with_dtype(v.dtype, [&]<class T>() {
    T* p = v.as<T>();
    for (int64_t j = 0; j < v.count(); ++j) p[j] = static_cast<T>(value(j, static_cast<double>(p[j])));
  });
}

template <class F>
void write_param(const ParamStore& store, ParamId id, F&& value) {
  update_param(store, id, [&](int64_t j, double) { return value(j); });
}

}  // namespace libnf
