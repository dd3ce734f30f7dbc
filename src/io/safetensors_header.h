// Parses the JSON header of a safetensors file strictly, without comparing it with the data that follows.
// Internal to the reader (safetensors.cc); safetensors.h describes the format.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "src/io/safetensors.h"

namespace libnf {

struct HeaderTensor {
  std::string name;
  TensorType type = TensorType::f32;
  std::vector<int64_t> shape;
  uint64_t begin = 0, end = 0;  // offsets from the end of the header; unchecked
};

struct SafeTensorsHeader {
  std::vector<HeaderTensor> tensors;  // in header order; names are unique
  Metadata metadata;
};

// `json` is the header text. Error{format} for any deviation from the format.
SafeTensorsHeader parse_safetensors_header(std::string_view json, size_t max_rank);

}  // namespace libnf
