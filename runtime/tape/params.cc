#include "runtime/tape/params.h"

#include <algorithm>
#include <cstring>

#include "runtime/kernel/gemm.h"

namespace libnf {
namespace {
constexpr int64_t kPad = 16;  // elements: 64 bytes of float32
int64_t padded(int64_t n) { return checked_mul((checked_add(n, kPad - 1)) / kPad, kPad); }
}  // namespace

ParamStore::ParamStore(const Allocator& allocator, DType dtype, std::vector<ParamSlot> slots, int64_t max_elements)
    : dtype_(dtype), slots_(std::move(slots)) {
  int64_t total = 0, numbers = 0;
  for (const bool trainable : {true, false}) {
    for (ParamSlot& s : slots_) {
      if (s.trainable != trainable) continue;
      const int64_t n = s.shape.count();
      s.offset = total;
      total = checked_add(total, padded(n));
      numbers = checked_add(numbers, n);
      if (numbers > max_elements)
        fail(Code::nomem, "the spec asks for more than %lld parameters (at \"%s\", shape %s)",
             static_cast<long long>(max_elements), s.name.c_str(), to_string(s.shape).c_str());
      if (!trainable) continue;
      count_ += n;
      if ((s.shape.rank == 2 || s.shape.rank == 4) && n > 0) {
        s.mirror_offset = mirror_;
        mirror_ += padded(n);
      }
    }
    if (trainable) trainable_ = total;
  }
  values_ = Buffer(allocator, static_cast<size_t>(checked_mul(total, size_of(dtype))), "parameters");
}

View ParamStore::view(size_t slot) const {
  const ParamSlot& s = slots_[slot];
  return contiguous_view(values_.as<char>() + s.offset * size_of(dtype_), dtype_, s.shape);
}

int64_t ParamStore::find(const std::string& name) const {
  for (size_t i = 0; i < slots_.size(); ++i)
    if (slots_[i].name == name || (!slots_[i].old_name.empty() && slots_[i].old_name == name))
      return static_cast<int64_t>(i);
  return -1;
}

void ParamStore::bind(Node* nodes, void* grads, void* mirror) const {
  const auto at = [&](void* p, int64_t offset) { return static_cast<char*>(p) + offset * size_of(dtype_); };
  for (size_t i = 0; i < slots_.size(); ++i) {
    const ParamSlot& s = slots_[i];
    Node& n = nodes[i];
    n = Node();
    n.out = view(i);
    n.needs_grad = grads && s.trainable;
    if (n.needs_grad) {
      n.grad = at(grads, s.offset);
      n.grad_fresh = true;
    }
    if (mirror && s.mirror_offset >= 0) n.mirror = at(mirror, s.mirror_offset);
  }
}

void ParamStore::refresh_mirror(size_t slot, void* mirror) const {
  const ParamSlot& s = slots_[slot];
  if (s.mirror_offset < 0) return;
  const bool conv = s.shape.rank == 4;
  const int64_t taps = conv ? s.shape[0] * s.shape[1] : 1;
  const int64_t rows = s.shape[conv ? 2 : 0], cols = s.shape[conv ? 3 : 1];
  const auto run = [&]<class T>() {
    const T* from = values_.as<T>() + s.offset;
    for (int64_t k = taps; k-- > 0; from += rows * cols)
      kernel::transpose(rows, cols, from, cols, static_cast<T*>(mirror) + s.mirror_offset + k * rows * cols, rows);
  };
  dtype_ == DType::f64 ? run.template operator()<double>() : run.template operator()<float>();
}

uint64_t ParamStore::hash() const {
  uint64_t h = 0xcbf29ce484222325u;
  for (size_t i = 0; i < slots_.size(); ++i)
    if (!is_left_out(i))
      h = fingerprint(view(i).data, static_cast<size_t>(slots_[i].shape.count() * size_of(dtype_)), h);
  return h;
}

bool ParamStore::is_left_out(size_t slot) const {
  if (!slots_[slot].left_out) return false;
  const std::vector<double>& usual = *slots_[slot].when_missing;
  return with_dtype(dtype_, [&]<class T>() {
    const T* p = view(slot).as<T>();
    return std::equal(usual.begin(), usual.end(), p, [](double u, T v) { return static_cast<T>(u) == v; });
  });
}

uint64_t fingerprint(const void* data, size_t bytes, uint64_t start) {
  constexpr uint64_t kPrime = 0x100000001b3u;
  uint64_t h = start;
  const char* p = static_cast<const char*>(data);
  for (size_t i = 0; i < bytes; i += 8) {
    uint64_t word = 0;
    std::memcpy(&word, p + i, bytes - i < 8 ? bytes - i : 8);
    h = (h ^ word) * kPrime;
    h ^= h >> 29;
  }
  return h;
}

}  // namespace libnf
