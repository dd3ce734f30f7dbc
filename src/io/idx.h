// Reads the IDX format of MNIST: big-endian integers and floats, up to rank 4. An array of rank 3 holds images of one
// channel, so that its shape is [n, height, width, 1]. Its elements are read as those of a .npy.
// http://yann.lecun.com/exdb/mnist has the format at its end.
#pragma once
#include "src/io/npy.h"

namespace libnf {

bool is_idx(std::span<const std::byte> file);  // checks the magic bytes

// Parses the header. Error{format} if the file ends within it, or its extents are impossible.
NpyHeader parse_idx_header(std::span<const std::byte> file, const char* source);

}  // namespace libnf
