#include "src/model/tensors.h"

#include <cmath>
#include <cstring>
#include <numeric>
#include <vector>

#include "src/model/buffer_check.h"

namespace libnf {
namespace {

void need_dense_shape(const ParamSlot& slot, const View& v, const char* name) {
  if (!(v.shape == dense_shape(slot)))
    fail(Code::shape, "%s has shape %s, but tensor \"%.80s\" has %s", name, to_string(v.shape).c_str(),
         slot.name.c_str(), to_string(dense_shape(slot)).c_str());
}

// Calls f(offset in elements of the view, number of the entry, where it is stored or -1) for every entry.
template <class F>
void each_entry(const ParamSlot& slot, const View& v, F&& f) {
  const int64_t last = v.shape.last(), rows = last ? v.count() / last : 0;
  const int64_t step = v.shape.rank ? v.stride[v.shape.rank - 1] : 0;
  std::vector<int64_t> at(static_cast<size_t>(last));
  for (int64_t r = 0; r < rows; ++r) {
    if (slot.form)
      slot.form->places(r, at.data());
    else
      std::iota(at.begin(), at.end(), r * last);
    int64_t offset = 0, rest = r;
    for (int axis = v.shape.rank - 2; axis >= 0; --axis) {
      offset += rest % v.shape[axis] * v.stride[axis];
      rest /= v.shape[axis];
    }
    for (int64_t j = 0; j < last; ++j) f(offset + j * step, r * last + j, at[static_cast<size_t>(j)]);
  }
}

// The memory of a caller need not be aligned.
double load(const View& v, int64_t offset) {
  const char* p = static_cast<const char*>(v.data) + offset * size_of(v.dtype);
  return with_dtype(v.dtype, [&]<class T>() {
    T x;
    std::memcpy(&x, p, sizeof x);
    return static_cast<double>(x);
  });
}

void store(const View& v, int64_t offset, double value) {
  char* p = static_cast<char*>(v.data) + offset * size_of(v.dtype);
  with_dtype(v.dtype, [&]<class T>() {
    const T x = static_cast<T>(value);
    std::memcpy(p, &x, sizeof x);
  });
}

}  // namespace

void get_tensor(const Density& model, size_t slot, const View& to) {
  const ParamSlot& s = model.params().slots()[slot];
  need_dense_shape(s, to, "out");
  const View stored = model.params().view(slot);
  each_entry(s, to, [&](int64_t offset, int64_t, int64_t at) { store(to, offset, at < 0 ? 0 : load(stored, at)); });
}

void get_mask(const Density& model, size_t slot, const View& to) {
  const ParamSlot& s = model.params().slots()[slot];
  need_dense_shape(s, to, "out");
  each_entry(s, to, [&](int64_t offset, int64_t, int64_t at) { store(to, offset, at < 0 ? 0 : 1); });
}

void set_tensor(const Allocator& allocator, Density& model, size_t slot, const View& from) {
  const ParamSlot& s = model.params().slots()[slot];
  need_dense_shape(s, from, "value");
  const View stored = model.params().view(slot);
  const Buffer staged(allocator, static_cast<size_t>(stored.count() * size_of(stored.dtype)), "a tensor");
  const View copy = contiguous_view(staged.data(), stored.dtype, stored.shape);
  each_entry(s, from, [&](int64_t offset, int64_t entry, int64_t at) {
    if (at < 0) return;
    store(copy, at, load(from, offset));
    // After the conversion, which overflows to infinity.
    if (!std::isfinite(load(copy, at)))
      fail(Code::numeric, "tensor \"%.80s\": the value at element %lld is not finite", s.name.c_str(),
           static_cast<long long>(entry));
  });
  check_buffer(Code::argument, model.invariant(slot), s.name, s.shape, stored.dtype,
               [&](int64_t k) { return load(copy, k); });
  if (staged.bytes()) std::memcpy(stored.data, staged.data(), staged.bytes());
}

}  // namespace libnf
