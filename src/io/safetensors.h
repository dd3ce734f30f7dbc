// Reads and writes the safetensors container of models and checkpoints (README.md): an 8-byte little-endian header
// length N, N bytes of JSON header {"__metadata__": {string: string}, NAME: {"dtype", "shape", "data_offsets": [begin,
// end]}}, then the tensor data.
//
// Reading is strict. Every key, size and offset is checked with overflow-safe arithmetic; duplicates, holes, overlaps
// and trailing bytes are refused; no number in the file decides the size of an allocation. Errors are Error{format}.
// The checksum, metadata "nf.checksum", is XXH64 (xxh64.h) as 16 lower-case hex digits, over all other metadata and all
// tensors in order of name, so it survives re-saving in another order. A wrong one is Error{checksum}.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/io/byte_sink.h"

namespace libnf {

enum class TensorType : uint8_t { f32, f64, i64, u8, u64 };
size_t size_of(TensorType t);
const char* name_of(TensorType t);  // "F32"

using Metadata = std::map<std::string, std::string, std::less<>>;

inline constexpr char kChecksumKey[] = "nf.checksum";

// Borrowed tensor: product(shape) elements at `data`, row-major, little-endian, of any alignment.
struct TensorRef {
  std::string_view name;
  TensorType type = TensorType::f32;
  std::span<const int64_t> shape;  // empty: a scalar
  const void* data = nullptr;
};

// Returns the bytes of the tensor; Error{argument} if an extent is negative or the size overflows.
size_t byte_size(const TensorRef& t);

// Writes a file with its checksum. The same content gives the same bytes for any order of `tensors`: data is sorted by
// element size (largest first, so that every tensor is aligned to its elements within the file), then by name.
// Error{argument}: empty, duplicate, reserved or non-UTF-8 names or keys.
void write_safetensors(ByteSink& sink, const Metadata& metadata, std::span<const TensorRef> tensors);

// Computes the value of "nf.checksum", skipping that key. `tensors` must be sorted by name.
uint64_t content_checksum(const Metadata& metadata, std::span<const TensorRef> tensors);

class SafeTensors {
 public:
  struct Limits {
    size_t max_header_bytes = size_t{100} << 20;
    size_t max_rank = 8;
    bool verify_checksum = true;
    bool require_checksum = false;  // Error{checksum} if the file has none
  };

  struct Entry {
    std::string name;
    TensorType type = TensorType::f32;
    std::vector<int64_t> shape;
    const std::byte* data = nullptr;  // in the parsed span; may be misaligned, so use memcpy
    size_t bytes = 0;
    TensorRef ref() const { return {name, type, shape, data}; }
  };

  // Parses the whole file, which must outlive the result.
  static SafeTensors parse(std::span<const std::byte> file, const Limits& limits);
  static SafeTensors parse(std::span<const std::byte> file) { return parse(file, Limits()); }

  std::span<const Entry> entries() const { return entries_; }  // in order of name
  const Entry* find(std::string_view name) const;              // nullptr if absent
  const Metadata& metadata() const { return metadata_; }
  const std::string* metadata(std::string_view key) const;

 private:
  std::vector<Entry> entries_;
  Metadata metadata_;
};

}  // namespace libnf
