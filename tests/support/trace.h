// Session::trace into one view of all states, [layers + 1, n, columns].
#pragma once
#include <functional>

#include "src/model/session.h"

namespace libnf::test {

inline void trace(Session& s, bool inverse, const View& from, const View& context, const View& out) {
  const auto plane = [&](size_t k) {
    View v = out;
    v.shape = {out.shape[1], out.shape[2]};
    v.stride[0] = out.stride[1];
    v.stride[1] = out.stride[2];
    v.data = out.as<char>() + static_cast<int64_t>(k) * out.stride[0] * size_of(out.dtype);
    return v;
  };
  s.trace(inverse, from, context, std::ref(plane), {});
}

}  // namespace libnf::test
