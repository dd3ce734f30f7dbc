// Reads the safetensors container and compares the header with the data; see safetensors.h.
#include "src/io/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstring>

#include "runtime/core/status.h"
#include "src/io/quote.h"
#include "src/io/safetensors_header.h"
#include "src/io/xxh64.h"

static_assert(std::endian::native == std::endian::little, "tensor data is little-endian and used in place");

namespace libnf {
namespace {

constexpr size_t kLengthBytes = 8;

std::string_view header_text(std::span<const std::byte> file, size_t limit) {
  if (file.size() < kLengthBytes)
    fail(Code::format, "not a safetensors file: its size is %zu, less than the %zu bytes of the header length",
         file.size(), kLengthBytes);
  uint64_t n;
  std::memcpy(&n, file.data(), sizeof n);
  const size_t rest = file.size() - kLengthBytes;
  if (n > rest && (n > limit || rest == 0 || file[kLengthBytes] != std::byte{'{'}))
    fail(Code::format, "not a safetensors file");
  if (n > rest)
    fail(Code::format, "truncated safetensors file: its header needs %llu bytes, but only %zu follow",
         static_cast<unsigned long long>(n), rest);
  if (n > limit)
    fail(Code::format, "safetensors header of %llu bytes exceeds the limit of %zu", static_cast<unsigned long long>(n),
         limit);
  return {reinterpret_cast<const char*>(file.data()) + kLengthBytes, static_cast<size_t>(n)};
}

// Checks that the offsets lie in the data and that dtype and shape need exactly the bytes between them.
void check_size(const HeaderTensor& t, size_t data_bytes) {
  const auto ull = [](uint64_t v) { return static_cast<unsigned long long>(v); };
  const std::string name = quote_text(t.name);
  if (t.begin > t.end || t.end > data_bytes)
    fail(Code::format, "safetensors tensor %s: data_offsets [%llu, %llu] are not within the %zu bytes of data%s",
         name.c_str(), ull(t.begin), ull(t.end), data_bytes, t.begin <= t.end ? "; is the file truncated?" : "");
  uint64_t bytes = size_of(t.type);
  for (const int64_t d : t.shape)
    if (__builtin_mul_overflow(bytes, static_cast<uint64_t>(d), &bytes))
      fail(Code::format, "safetensors tensor %s: the size of its shape overflows", name.c_str());
  if (bytes != t.end - t.begin)
    fail(Code::format, "safetensors tensor %s: shape and dtype need %llu bytes, but data_offsets span %llu",
         name.c_str(), ull(bytes), ull(t.end - t.begin));
}

// Checks that the tensors cover the data from 0 to the end of the file without a hole or an overlap.
void check_layout(const std::vector<HeaderTensor>& tensors, size_t data_bytes) {
  std::vector<const HeaderTensor*> order;
  order.reserve(tensors.size());
  for (const HeaderTensor& t : tensors) order.push_back(&t);
  std::sort(order.begin(), order.end(), [](const HeaderTensor* a, const HeaderTensor* b) {
    return std::pair(a->begin, a->end) < std::pair(b->begin, b->end);
  });
  uint64_t at = 0;
  for (const HeaderTensor* t : order) {
    if (t->begin != at)
      fail(Code::format, "safetensors tensor %s: its data begins at %llu, expected %llu (%s)",
           quote_text(t->name).c_str(), static_cast<unsigned long long>(t->begin), static_cast<unsigned long long>(at),
           t->begin > at ? "a hole" : "an overlap");
    at = t->end;
  }
  if (at != data_bytes)
    fail(Code::format, "safetensors file has %zu bytes of data, but its tensors need %llu", data_bytes,
         static_cast<unsigned long long>(at));
}

void check_checksum(const SafeTensors& file, const SafeTensors::Limits& limits) {
  const std::string* stored = file.metadata(kChecksumKey);
  if (!stored) {
    if (limits.require_checksum)
      fail(Code::checksum, "safetensors file has no checksum: expected metadata %s", kChecksumKey);
    return;
  }
  std::vector<TensorRef> refs;
  for (const SafeTensors::Entry& e : file.entries()) refs.push_back(e.ref());
  char computed[17];
  std::snprintf(computed, sizeof computed, "%016llx",
                static_cast<unsigned long long>(content_checksum(file.metadata(), refs)));
  if (*stored != computed)
    fail(Code::checksum, "safetensors file is damaged: its content has checksum %s, expected %s", computed,
         quote_text(*stored).c_str());
}

}  // namespace

size_t size_of(TensorType t) { return t == TensorType::f32 ? 4 : t == TensorType::u8 ? 1 : 8; }

const char* name_of(TensorType t) {
  static constexpr const char* kNames[] = {"F32", "F64", "I64", "U8", "U64"};
  return kNames[static_cast<int>(t)];
}

SafeTensors SafeTensors::parse(std::span<const std::byte> file, const Limits& limits) {
  const std::string_view json = header_text(file, limits.max_header_bytes);
  SafeTensorsHeader header = parse_safetensors_header(json, limits.max_rank);
  const std::span<const std::byte> data = file.subspan(kLengthBytes + json.size());

  SafeTensors out;
  out.metadata_ = std::move(header.metadata);
  for (const HeaderTensor& t : header.tensors) check_size(t, data.size());
  check_layout(header.tensors, data.size());
  out.entries_.reserve(header.tensors.size());
  for (HeaderTensor& t : header.tensors)
    out.entries_.push_back(
        {std::move(t.name), t.type, std::move(t.shape), data.data() + t.begin, static_cast<size_t>(t.end - t.begin)});
  std::sort(out.entries_.begin(), out.entries_.end(), [](const Entry& a, const Entry& b) { return a.name < b.name; });
  if (limits.verify_checksum) check_checksum(out, limits);
  return out;
}

const SafeTensors::Entry* SafeTensors::find(std::string_view name) const {
  const auto it = std::lower_bound(entries_.begin(), entries_.end(), name,
                                   [](const Entry& e, std::string_view n) { return e.name < n; });
  return it != entries_.end() && it->name == name ? &*it : nullptr;
}

const std::string* SafeTensors::metadata(std::string_view key) const {
  const auto it = metadata_.find(key);
  return it == metadata_.end() ? nullptr : &it->second;
}

}  // namespace libnf
