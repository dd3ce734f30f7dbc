// Writes the safetensors container and computes the checksum that reader and writer share; see safetensors.h.
// Streams: the tensors are read twice (for the checksum, then for the data) and never copied.
#include <algorithm>
#include <cstdio>

#include "runtime/core/status.h"
#include "src/io/json.h"
#include "src/io/quote.h"
#include "src/io/safetensors.h"
#include "src/io/utf8.h"
#include "src/io/xxh64.h"

namespace libnf {
namespace {

void append_name(std::string_view s, const char* what, std::string* out) {
  if (s.find('\0') != std::string_view::npos) fail(Code::argument, "%s %s contains NUL", what, quote_text(s).c_str());
  if (!is_utf8(s)) fail(Code::argument, "%s %s is not valid UTF-8", what, quote_text(s).c_str());
  append_json_string(s, out);
}

void hash_text(Xxh64& h, std::string_view s) {
  h.update_u64(s.size());
  h.update(s.data(), s.size());
}

// Builds the header by appending, because g++ 12 warns falsely (-Wrestrict) about "x" + string.
void append_metadata(const Metadata& metadata, std::string* out) {
  out->append("{\"__metadata__\":{");
  for (const auto& [key, value] : metadata) {
    append_name(key, "metadata key", out);
    out->push_back(':');
    append_name(value, "metadata value", out);
    out->push_back(',');
  }
  out->back() = '}';  // replaces the last comma; metadata always has the checksum
}

void append_tensor(const TensorRef& t, size_t begin, std::string* out) {
  out->push_back(',');
  append_name(t.name, "tensor name", out);
  out->append(":{\"dtype\":\"").append(name_of(t.type)).append("\",\"shape\":[");
  for (size_t i = 0; i < t.shape.size(); ++i) out->append(i ? "," : "").append(std::to_string(t.shape[i]));
  out->append("],\"data_offsets\":[").append(std::to_string(begin)).append(",");
  out->append(std::to_string(begin + byte_size(t))).append("]}");
}

std::vector<TensorRef> sorted_by_name(std::span<const TensorRef> tensors) {
  std::vector<TensorRef> out(tensors.begin(), tensors.end());
  std::sort(out.begin(), out.end(), [](const TensorRef& a, const TensorRef& b) { return a.name < b.name; });
  for (size_t i = 0; i < out.size(); ++i) {
    if (out[i].name.empty() || out[i].name == "__metadata__")
      fail(Code::argument, "tensor name %s is reserved", quote_text(out[i].name).c_str());
    if (i > 0 && out[i].name == out[i - 1].name)
      fail(Code::argument, "two tensors have the name %s", quote_text(out[i].name).c_str());
  }
  return out;
}

}  // namespace

size_t byte_size(const TensorRef& t) {
  uint64_t bytes = size_of(t.type);
  for (const int64_t d : t.shape)
    if (d < 0 || __builtin_mul_overflow(bytes, static_cast<uint64_t>(d), &bytes))
      fail(Code::argument, "tensor %s: its shape has a negative extent or is too large", quote_text(t.name).c_str());
  return static_cast<size_t>(bytes);
}

uint64_t content_checksum(const Metadata& metadata, std::span<const TensorRef> tensors) {
  Xxh64 h;  // every text and shape is preceded by its length, so distinct contents give distinct byte streams
  h.update_u64(metadata.size() - metadata.count(kChecksumKey));
  for (const auto& [key, value] : metadata) {
    if (key == kChecksumKey) continue;
    hash_text(h, key);
    hash_text(h, value);
  }
  h.update_u64(tensors.size());
  for (const TensorRef& t : tensors) {
    hash_text(h, t.name);
    hash_text(h, name_of(t.type));
    h.update_u64(t.shape.size());
    for (const int64_t d : t.shape) h.update_u64(static_cast<uint64_t>(d));
    h.update(t.data, byte_size(t));
  }
  return h.digest();
}

void write_safetensors(ByteSink& sink, const Metadata& metadata, std::span<const TensorRef> tensors) {
  if (metadata.contains(kChecksumKey)) fail(Code::argument, "metadata key %s is reserved", kChecksumKey);
  std::vector<TensorRef> order = sorted_by_name(tensors);
  char checksum[17];
  std::snprintf(checksum, sizeof checksum, "%016llx",
                static_cast<unsigned long long>(content_checksum(metadata, order)));
  std::stable_sort(order.begin(), order.end(),
                   [](const TensorRef& a, const TensorRef& b) { return size_of(a.type) > size_of(b.type); });

  Metadata all = metadata;
  all[kChecksumKey] = checksum;
  std::string header;
  append_metadata(all, &header);
  uint64_t at = 0;
  for (const TensorRef& t : order) {
    append_tensor(t, at, &header);
    if (__builtin_add_overflow(at, byte_size(t), &at)) fail(Code::argument, "the tensors are too large for one file");
  }
  header.push_back('}');
  header.resize((header.size() + 7) & ~size_t{7}, ' ');

  const uint64_t n = header.size();
  sink.write(&n, sizeof n);
  sink.write(header.data(), header.size());
  for (const TensorRef& t : order) sink.write(t.data, byte_size(t));
}

}  // namespace libnf
