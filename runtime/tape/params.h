// The parameters of a model: named tensors in one flat buffer, trainable ones first, which tapes use as leaves.
#pragma once
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "runtime/core/allocator.h"
#include "runtime/tape/dense_form.h"
#include "runtime/tape/tape.h"

namespace libnf {

struct ParamSlot {
  std::string name;
  Dims shape;  // as it is stored
  bool trainable;
  std::string old_name = {};  // name in files of older versions; "": unchanged
  DenseFormPtr form = {};     // how callers see it; nullptr: as it is stored
  // Set for a tensor that files of older versions lack: the values that such a file stands for.
  std::shared_ptr<const std::vector<double>> when_missing = {};
  bool left_out = false;       // files and hash() are without it while it has those values
  int64_t offset = 0;          // elements from the start of the buffer; a multiple of 16
  int64_t mirror_offset = -1;  // offset in the mirror; only trainable matrices and weights of convolutions have one
};

class ParamStore {
 public:
  // Larger than any model and far below overflow, so that absurd specs fail with a clear message.
  static constexpr int64_t kMaxElements = int64_t{1} << 36;
  // Throws Error{nomem} if the tensors hold more than max_elements numbers, before anything is allocated.
  ParamStore(const Allocator& allocator, DType dtype, std::vector<ParamSlot> slots,
             int64_t max_elements = kMaxElements);

  DType dtype() const { return dtype_; }
  const std::vector<ParamSlot>& slots() const { return slots_; }
  int64_t trainable_size() const { return trainable_; }  // elements including padding, which stays zero
  int64_t mirror_size() const { return mirror_; }
  int64_t param_count() const { return count_; }  // trainable numbers without padding
  size_t bytes() const { return values_.bytes(); }
  void* data() const { return values_.data(); }
  View view(size_t slot) const;
  bool is_left_out(size_t slot) const;          // see ParamSlot::left_out
  int64_t find(const std::string& name) const;  // by current or old name; -1: none

  // Makes leaves for one tape. `grads` has room for trainable_size() elements; nullptr: no gradients. `mirror`
  // (nullptr: none) holds what gradients multiply with, which refresh_mirror writes: transposed matrices, and for weights
  // [height, width, in, out] the taps from last to first, each transposed.
  void bind(Node* nodes, void* grads, void* mirror) const;
  void refresh_mirror(size_t slot, void* mirror) const;
  // Takes the numbers of a store with the same slots.
  void copy_from(const ParamStore& other) { std::memcpy(values_.data(), other.values_.data(), values_.bytes()); }
  uint64_t hash() const;  // of all bits, padding and tensors that are left out excluded

 private:
  DType dtype_;
  std::vector<ParamSlot> slots_;
  int64_t trainable_ = 0, mirror_ = 0, count_ = 0;
  Buffer values_;
};

// 64-bit FNV-1a over 8-byte words, for testing equality, not for security.
uint64_t fingerprint(const void* data, size_t bytes, uint64_t start);

}  // namespace libnf
