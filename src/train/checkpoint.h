// A checkpoint is a model file plus everything else that the next step depends on: step, schedule state, optimizer
// arrays. Restoring into a trainer with the same spec and options continues with the same bits.
#pragma once
#include "src/model/model_file.h"
#include "src/train/trainer.h"

namespace libnf {
// `more` adds metadata, and tensors whose names start with kOptimizerPrefix.
void write_checkpoint(ByteSink& sink, const Density& model, const Notes& notes, const Trainer& trainer,
                      Extra more = {});
// Throws Error{state} if the spec, the optimizer, or an option that adds optimizer state differs. On error nothing
// changes.
void read_checkpoint(std::span<const std::byte> file, Density& model, Notes& notes, Trainer& trainer);
}  // namespace libnf
