// Writes parameters that are computed from data.
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>

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
    // The variance of rows near the largest float is beyond it.
    constexpr double most = std::numeric_limits<T>::max();
    for (int64_t j = 0; j < v.count(); ++j)
      p[j] = static_cast<T>(std::clamp<double>(value(j, static_cast<double>(p[j])), -most, most));
  });
}

template <class F>
void write_param(const ParamStore& store, ParamId id, F&& value) {
  update_param(store, id, [&](int64_t j, double) { return value(j); });
}

// A number, and the width of the distribution that it shifts.
struct Spread {
  double center, width;
};

// Sets element j of `high` + `low` to value(j, their old sum).center. In a float32 model `high` is that number rounded,
// and `low` is 0 as long as it is below 2^-20 of the width: float32 rows are then mapped as they were before there was a
// `low`.
template <class F>
void update_param(const ParamStore& store, ParamId high, ParamId low, F&& value) {
  const View rest = store.view(static_cast<size_t>(low));
  with_dtype(rest.dtype, [&]<class T>() {
    T* p = rest.as<T>();
    update_param(store, high, [&](int64_t j, double old) {
      const Spread v = value(j, old + static_cast<double>(p[j]));
      const double left = v.center - static_cast<double>(static_cast<T>(v.center));
      p[j] = std::abs(left) > std::ldexp(v.width, -20) ? static_cast<T>(left) : 0;
      return v.center;
    });
  });
}

template <class F>
void write_param(const ParamStore& store, ParamId high, ParamId low, F&& value) {
  update_param(store, high, low, [&](int64_t j, double) { return value(j); });
}

}  // namespace libnf
