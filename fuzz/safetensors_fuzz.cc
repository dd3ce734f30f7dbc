// Feeds any bytes to the safetensors reader: it returns or throws libnf::Error; an accepted file survives a write and a
// read.
#include <cstdint>
#include <cstring>

#include "fuzz/bytes.h"
#include "runtime/core/status.h"
#include "src/io/safetensors.h"

namespace {

using fuzz::require;

void round_trip(const libnf::SafeTensors& t) {
  libnf::Metadata metadata = t.metadata();
  metadata.erase(libnf::kChecksumKey);
  std::vector<libnf::TensorRef> refs;
  for (const libnf::SafeTensors::Entry& e : t.entries()) refs.push_back(e.ref());
  libnf::MemorySink sink, again;
  try {
    libnf::write_safetensors(sink, metadata, refs);
  } catch (const libnf::Error& e) {
    require(e.code() == libnf::Code::argument);  // an empty name, which only the writer refuses
    return;
  }
  libnf::SafeTensors::Limits limits;
  limits.require_checksum = true;
  const libnf::SafeTensors u = libnf::SafeTensors::parse(sink.bytes(), limits);
  require(u.entries().size() == refs.size());
  for (size_t i = 0; i < refs.size(); ++i) {
    const libnf::SafeTensors::Entry &a = t.entries()[i], &b = u.entries()[i];
    require(a.name == b.name && a.type == b.type && a.shape == b.shape && a.bytes == b.bytes);
    require(a.bytes == 0 || std::memcmp(a.data, b.data, a.bytes) == 0);
  }
  libnf::write_safetensors(again, metadata, refs);
  require(again.bytes() == sink.bytes());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  for (const bool verify : {true, false}) {
    libnf::SafeTensors::Limits limits;
    limits.verify_checksum = verify;
    try {
      round_trip(libnf::SafeTensors::parse(std::as_bytes(std::span(data, size)), limits));
    } catch (const libnf::Error& e) {
      require(e.code() == libnf::Code::format || (verify && e.code() == libnf::Code::checksum));
    }
  }
  return 0;
}
