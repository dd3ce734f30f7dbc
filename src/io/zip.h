// Reads members of a zip archive, such as the .npz files of numpy.savez and numpy.savez_compressed: stored or deflated,
// also with 64-bit sizes. Members are found by the directory at the end of the file.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "src/io/growing_bytes.h"

namespace libnf {

struct ZipMember {
  std::string name;
  int method = 0;  // 0: stored, 8: deflated
  uint32_t crc = 0;
  uint64_t packed = 0, size = 0, offset = 0;
};

bool is_zip(std::span<const std::byte> file);
// Error{format} for a damaged archive.
std::vector<ZipMember> list_zip(std::span<const std::byte> file, const char* source);
// Appends the content, and checks its CRC.
void read_zip(std::span<const std::byte> file, const ZipMember& member, GrowingBytes& out, const char* source);

}  // namespace libnf
