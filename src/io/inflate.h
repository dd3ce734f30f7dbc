// Decompresses DEFLATE data (RFC 1951), as in .gz files (RFC 1952) and zip archives, by zlib with memory of an allocator.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "src/io/growing_bytes.h"

namespace libnf {

// Decompresses one DEFLATE stream and appends it to `out`. Returns the number of bytes of `in` that it took. Error{format}
// for damaged data, Error{nomem}.
size_t inflate(std::span<const std::byte> in, GrowingBytes& out, const char* source);

bool is_gzip(std::span<const std::byte> file);  // checks the magic bytes
// Decompresses a .gz file of one or more members; checks their CRC and length.
void gunzip(std::span<const std::byte> file, GrowingBytes& out, const char* source);

uint32_t crc32(std::span<const std::byte> bytes);

}  // namespace libnf
