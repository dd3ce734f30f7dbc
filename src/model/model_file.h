// Models and checkpoints as safetensors: named tensors, with the canonical spec and everything else in the metadata.
//   nf.format "1", nf.spec, note.KEY; a checkpoint adds nf.checkpoint (JSON, see src/train/checkpoint.cc) and
//   optimizer.* tensors.
// The loader computes every shape from the spec and requires the file to match.
#pragma once
#include <map>
#include <memory>
#include <string>

#include "src/io/safetensors.h"
#include "src/model/density.h"

namespace libnf {

using Notes = std::map<std::string, std::string, std::less<>>;

inline constexpr char kCheckpointKey[] = "nf.checkpoint";
inline constexpr char kOptimizerPrefix[] = "optimizer.";

struct Extra {  // what a checkpoint adds to a model file, and other metadata
  std::string checkpoint;
  std::vector<TensorRef> tensors;
  Metadata metadata;
};

void write_model(ByteSink& sink, const Density& model, const Notes& notes, const Extra& extra = {});

// Parses a libnf file: checks that format, spec and checksum are present and that the checksum matches.
SafeTensors parse_model(std::span<const std::byte> bytes);

struct LoadedModel {
  std::unique_ptr<Density> model;
  Notes notes;
  std::string self_test;  // see self_test.h; "" without
};
LoadedModel read_model(const Allocator& allocator, std::span<const std::byte> file);

// Copies the tensors of a parsed file into an existing model of the same spec. On error nothing is changed.
void read_params(const SafeTensors& file, Density& model);
// Returns the spec. Refuses files that are not libnf models or have a newer format.
const std::string& spec_of(const SafeTensors& file);

}  // namespace libnf
