// Destination of serialized bytes: a file saved atomically, memory, or a stream callback of the host.
// write() accepts all of the bytes or throws libnf::Error; writers never seek.
#pragma once
#include <cstddef>
#include <vector>

namespace libnf {

struct ByteSink {
  virtual void write(const void* data, size_t bytes) = 0;

 protected:
  ~ByteSink() = default;  // never deleted through the interface
};

class MemorySink final : public ByteSink {
 public:
  void write(const void* data, size_t bytes) override {
    const auto* p = static_cast<const std::byte*>(data);
    bytes_.insert(bytes_.end(), p, p + bytes);
  }
  const std::vector<std::byte>& bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

}  // namespace libnf
