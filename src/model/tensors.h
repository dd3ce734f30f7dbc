// The tensors of a model as callers see them: dense, whatever is stored (runtime/tape/dense_form.h).
#pragma once
#include "src/model/density.h"

namespace libnf {

inline const Dims& dense_shape(const ParamSlot& slot) { return slot.form ? slot.form->shape() : slot.shape; }

// Views have the dense shape, any strides and either dtype. Entries that the mask excludes read as 0.
void get_tensor(const Density& model, size_t slot, const View& to);
// 1 where an entry is stored, 0 where the mask excludes it.
void get_mask(const Density& model, size_t slot, const View& to);
// Ignores what the mask excludes. Error{numeric} for a value that is not finite, Error{argument} for a buffer that breaks
// its invariant; the model is unchanged then. Needs memory for the tensor as it is stored.
void set_tensor(const Allocator& allocator, Density& model, size_t slot, const View& from);

}  // namespace libnf
