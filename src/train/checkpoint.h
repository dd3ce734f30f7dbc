// A checkpoint is a model file plus everything else that the next step depends on: step, schedule state, optimizer
// arrays. Restoring into a trainer with the same spec and options continues with the same bits.
#pragma once
#include <optional>

#include "src/model/model_file.h"
#include "src/train/trainer.h"

namespace libnf {
// `more` adds metadata, and tensors whose names start with kOptimizerPrefix.
void write_checkpoint(ByteSink& sink, const Density& model, const Notes& notes, const Trainer& trainer,
                      Extra more = {});
// Throws Error{state} if the spec, the optimizer, or an option that adds optimizer state differs. On error nothing
// changes. `step`: that it has to be at.
void read_checkpoint(std::span<const std::byte> file, Density& model, Notes& notes, Trainer& trainer,
                     std::optional<uint64_t> step = {});

// Checks that a tensor of a checkpoint has the dtype and as many numbers as `like`, and that these are finite and, with
// `squares`, not negative: Error{format}, Error{numeric}.
void check_numbers(const SafeTensors::Entry* e, const std::string& name, const View& like, bool squares = false);

}  // namespace libnf
