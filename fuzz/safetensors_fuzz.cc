// Feeds any bytes to the safetensors reader: it returns or throws nf::Error; an accepted file survives a write and a
// read.
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "runtime/core/status.h"
#include "src/io/safetensors.h"

namespace {

void require(bool ok) {
  if (!ok) std::abort();  // libFuzzer reports this as a finding
}

void round_trip(const nf::SafeTensors& t) {
  nf::Metadata metadata = t.metadata();
  metadata.erase(nf::kChecksumKey);
  std::vector<nf::TensorRef> refs;
  for (const nf::SafeTensors::Entry& e : t.entries()) refs.push_back(e.ref());
  nf::MemorySink sink, again;
  try {
    nf::write_safetensors(sink, metadata, refs);
  } catch (const nf::Error& e) {
    require(e.code() == nf::Code::argument);  // an empty name, which only the writer refuses
    return;
  }
  nf::SafeTensors::Limits limits;
  limits.require_checksum = true;
  const nf::SafeTensors u = nf::SafeTensors::parse(sink.bytes(), limits);
  require(u.entries().size() == refs.size());
  for (size_t i = 0; i < refs.size(); ++i) {
    const nf::SafeTensors::Entry &a = t.entries()[i], &b = u.entries()[i];
    require(a.name == b.name && a.type == b.type && a.shape == b.shape && a.bytes == b.bytes);
    require(a.bytes == 0 || std::memcmp(a.data, b.data, a.bytes) == 0);
  }
  nf::write_safetensors(again, metadata, refs);
  require(again.bytes() == sink.bytes());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  for (const bool verify : {true, false}) {
    nf::SafeTensors::Limits limits;
    limits.verify_checksum = verify;
    try {
      round_trip(nf::SafeTensors::parse(std::as_bytes(std::span(data, size)), limits));
    } catch (const nf::Error& e) {
      require(e.code() == nf::Code::format || (verify && e.code() == nf::Code::checksum));
    }
  }
  return 0;
}
