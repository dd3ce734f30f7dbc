// The safetensors container (models, checkpoints): 8-byte little-endian header length N, N bytes of JSON header
// {"__metadata__": {string: string}, NAME: {"dtype", "shape", "data_offsets": [begin, end]}}, then the tensor data.
//
// Reading is strict: every key, size and offset is checked with overflow-safe arithmetic, duplicates, holes, overlaps
// and trailing bytes are refused, and nothing is allocated from a number in the file. Errors are Error{format}.
// Checksum: metadata "nf.checksum", 16 lower-case hex digits of XXH64 (xxh64.h) over all other metadata and all
// tensors in order of name (so it survives re-saving in another order); checked when present -> Error{checksum}.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/io/byte_sink.h"

namespace nf {

enum class TensorType : uint8_t { f32, f64, i64, u8, u64 };
size_t size_of(TensorType t);
const char* name_of(TensorType t);  // "F32"

using Metadata = std::map<std::string, std::string, std::less<>>;

inline constexpr char kChecksumKey[] = "nf.checksum";

// Somebody else's tensor: row-major, little-endian, product(shape) elements at `data` (any alignment).
struct TensorRef {
  std::string_view name;
  TensorType type = TensorType::f32;
  std::span<const int64_t> shape;  // empty: a scalar
  const void* data = nullptr;
};

// Bytes of the tensor; Error{argument} if an extent is negative or the size overflows.
size_t byte_size(const TensorRef& t);

// The same content gives the same bytes, whatever the order of `tensors`: data is sorted by element size (largest
// first, so every tensor is aligned to its elements within the file) and name. Adds the checksum.
// Error{argument}: empty, duplicate, reserved or non-UTF-8 names or keys.
void write_safetensors(ByteSink& sink, const Metadata& metadata, std::span<const TensorRef> tensors);

// The number behind "nf.checksum". `tensors` must be sorted by name; the checksum key itself is left out.
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
    const std::byte* data = nullptr;  // in the parsed span; may be misaligned: use memcpy unless you checked
    size_t bytes = 0;
    TensorRef ref() const { return {name, type, shape, data}; }
  };

  // `file` is the whole file and must outlive the result.
  static SafeTensors parse(std::span<const std::byte> file, const Limits& limits);
  static SafeTensors parse(std::span<const std::byte> file) { return parse(file, Limits()); }

  std::span<const Entry> entries() const { return entries_; }  // in order of name
  const Entry* find(std::string_view name) const;              // nullptr: none
  const Metadata& metadata() const { return metadata_; }
  const std::string* metadata(std::string_view key) const;

 private:
  std::vector<Entry> entries_;
  Metadata metadata_;
};

}  // namespace nf
