// The JSON header of a safetensors file, parsed strictly but not yet compared with the data behind it.
// Internal to the reader (safetensors.cc); the format is described in safetensors.h.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "src/io/safetensors.h"

namespace nf {

struct HeaderTensor {
  std::string name;
  TensorType type = TensorType::f32;
  std::vector<int64_t> shape;
  uint64_t begin = 0, end = 0;  // offsets behind the header; unchecked
};

struct SafeTensorsHeader {
  std::vector<HeaderTensor> tensors;  // in order of the header; names are unique
  Metadata metadata;
};

// `json` is the header text; Error{format} for anything that is not exactly the format.
SafeTensorsHeader parse_safetensors_header(std::string_view json, size_t max_rank);

}  // namespace nf
