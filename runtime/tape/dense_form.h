// How callers see a tensor, where that differs from how it is stored. A triangle and a masked matrix are stored without
// the entries that are always 0, a weight is stored [inputs, outputs] where callers see [outputs, inputs], and units in
// autoregressive order are seen in the order of the columns.
//
// The declaration of a parameter names its form (src/part/declare.h); src/model/tensors.h converts. Every stored number
// has exactly one place in the dense form; files hold what is stored.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "runtime/core/view.h"

namespace libnf {

namespace kernel {
class Staircase;
}

class DenseForm {
 public:
  virtual ~DenseForm() = default;
  const Dims& shape() const { return shape_; }
  bool masked() const { return masked_; }  // some entries are always 0
  // Fills at[0 ... shape().last() - 1] with where the entries of row number `row` (of the last axis) are stored; -1: the
  // entry is always 0.
  virtual void places(int64_t row, int64_t* at) const = 0;

 protected:
  DenseForm(const Dims& shape, bool masked) : shape_(shape), masked_(masked) {}

 private:
  Dims shape_;
  bool masked_;
};
using DenseFormPtr = std::shared_ptr<const DenseForm>;  // nullptr: seen as it is stored

// The same numbers in the same order, in another shape.
DenseFormPtr reshaped_form(const Dims& shape);
// Of a matrix that is stored [inputs, outputs]: seen as [outputs, inputs].
DenseFormPtr transposed_form(int64_t inputs, int64_t outputs);
// Of the entries of an [n, n] matrix above or below its diagonal, stored row by row.
DenseFormPtr triangle_form(int64_t n, bool upper);
// Element i is stored at place[i], a permutation.
DenseFormPtr reordered_form(std::vector<int32_t> place);
// Of the stored entries of a staircase: seen as [outputs, inputs], where output i is column outputs[i] of the staircase
// and input j is row inputs[j]. Both are permutations.
DenseFormPtr staircase_form(const kernel::Staircase& s, std::span<const int32_t> outputs,
                            std::span<const int32_t> inputs);

}  // namespace libnf
