// A model file taken apart, to be put together again with something wrong in it and a checksum that fits, so that the
// reader gets past the checksum to the check under test.
#pragma once
#include <cstring>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "src/io/safetensors.h"

namespace libnf::test {

struct Pieces {
  struct Tensor {
    std::string name;
    TensorType type;
    std::vector<int64_t> shape;
    std::string data;
    template <class T>
    T at(size_t i) const {
      T v;
      std::memcpy(&v, data.data() + i * sizeof v, sizeof v);
      return v;
    }
    template <class T>
    void set(size_t i, T v) {
      std::memcpy(data.data() + i * sizeof v, &v, sizeof v);
    }
  };
  Metadata metadata;
  std::vector<Tensor> tensors;

  Tensor& tensor(const std::string& name) {
    for (Tensor& t : tensors)
      if (t.name == name) return t;
    throw std::runtime_error("no tensor " + name);
  }
  void erase(const std::string& name) {
    std::erase_if(tensors, [&](const Tensor& t) { return t.name == name; });
  }
};

inline std::span<const std::byte> bytes_of(const std::string& s) {
  return std::as_bytes(std::span(s.data(), s.size()));
}

inline Pieces taken_apart(const std::string& file) {
  Pieces p;
  const SafeTensors t = SafeTensors::parse(bytes_of(file));
  p.metadata = t.metadata();
  p.metadata.erase(std::string(kChecksumKey));
  for (const SafeTensors::Entry& e : t.entries())
    p.tensors.push_back({e.name, e.type, e.shape, {reinterpret_cast<const char*>(e.data), e.bytes}});
  return p;
}

inline std::string put_together(const Pieces& p) {
  std::vector<TensorRef> refs;
  for (const Pieces::Tensor& t : p.tensors) refs.push_back({t.name, t.type, t.shape, t.data.data()});
  MemorySink sink;
  write_safetensors(sink, p.metadata, refs);
  return {reinterpret_cast<const char*>(sink.bytes().data()), sink.bytes().size()};
}

// The JSON header, without its length; the data follows.
inline std::string header_of(const std::string& file) {
  uint64_t n;
  std::memcpy(&n, file.data(), sizeof n);
  return file.substr(8, n);
}

// The file with another header in front of the same data. The checksum covers content only, so an edit of the header that
// leaves names, shapes and numbers alone keeps it right.
inline std::string with_header(const std::string& file, const std::string& header) {
  const uint64_t n = header.size();
  std::string length(8, '\0');
  std::memcpy(length.data(), &n, sizeof n);
  return length + header + file.substr(8 + header_of(file).size());
}

// The text with the first `from` replaced. Throws if there is none, so that a test cannot pass by changing nothing.
inline std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  if (at == std::string::npos) throw std::runtime_error("the text has no " + from);
  return text.replace(at, from.size(), to);
}

}  // namespace libnf::test
