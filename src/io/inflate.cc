// See inflate.h.
#include "src/io/inflate.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "runtime/core/status.h"

namespace libnf {
namespace {

// What precedes each block of zlib: its size, which the allocator is told when the block is freed.
constexpr size_t kHeader = 64;

void* take(void* user, uInt count, uInt size) {
  const auto& a = *static_cast<const Allocator*>(user);
  const size_t bytes = kHeader + size_t{count} * size;
  void* p = a.alloc(a.user, bytes, kHeader);
  if (!p) return nullptr;
  std::memcpy(p, &bytes, sizeof bytes);
  return static_cast<char*>(p) + kHeader;
}

void give_back(void* user, void* p) {
  const auto& a = *static_cast<const Allocator*>(user);
  void* block = static_cast<char*>(p) - kHeader;
  size_t bytes;
  std::memcpy(&bytes, block, sizeof bytes);
  a.free(a.user, block, bytes, kHeader);
}

class Stream {
 public:
  enum Kind : int { raw = -15, gzip = 31 };  // zlib's windowBits
  Stream(Kind kind, GrowingBytes& out, const char* source) : gzip_(kind == gzip), out_(out), source_(source) {
    z_.zalloc = take;
    z_.zfree = give_back;
    z_.opaque = &allocator_;
    check(inflateInit2(&z_, kind));
  }
  ~Stream() { inflateEnd(&z_); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // Appends what `in` begins with. Returns the number of bytes that it took.
  size_t run(std::span<const std::byte> in) {
    constexpr size_t kMost = size_t{1} << 30;  // zlib counts in 32 bits
    const auto* next = reinterpret_cast<const Bytef*>(in.data());
    size_t left = in.size();
    Bytef piece[16384];
    for (;;) {
      const auto given = static_cast<uInt>(std::min(left, kMost));
      z_.next_in = const_cast<Bytef*>(next);
      z_.avail_in = given;
      z_.next_out = piece;
      z_.avail_out = sizeof piece;
      const int status = ::inflate(&z_, Z_NO_FLUSH);
      const size_t took = given - z_.avail_in, made = sizeof piece - z_.avail_out;
      out_.append(piece, made);
      next += took;
      left -= took;
      if (status == Z_STREAM_END) return in.size() - left;
      if (took == 0 && made == 0 && (status == Z_OK || status == Z_BUF_ERROR)) {
        if (gzip_) fail(Code::format, "%s: the .gz file is truncated", source_);
        fail(Code::format, "%s: the compressed data is damaged: it ends early", source_);
      }
      if (status != Z_BUF_ERROR) check(status);
    }
  }

 private:
  void check(int status) const {
    if (status == Z_OK) return;
    if (status == Z_MEM_ERROR) fail(Code::nomem, "%s: no memory to decompress it", source_);
    const std::string_view why = z_.msg ? z_.msg : "unknown data";
    if (why == "incorrect data check" || why == "incorrect length check")
      fail(Code::format, "%s: the .gz file is damaged: wrong checksum", source_);
    fail(Code::format, "%s: the compressed data is damaged: %.*s", source_, static_cast<int>(why.size()), why.data());
  }

  const bool gzip_;
  GrowingBytes& out_;
  const char* source_;
  Allocator allocator_ = out_.allocator();
  z_stream z_ = {};
};

}  // namespace

size_t inflate(std::span<const std::byte> in, GrowingBytes& out, const char* source) {
  return Stream(Stream::raw, out, source).run(in);
}

uint32_t crc32(std::span<const std::byte> bytes) {
  return static_cast<uint32_t>(::crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

bool is_gzip(std::span<const std::byte> f) {
  return f.size() >= 2 && f[0] == std::byte{0x1F} && f[1] == std::byte{0x8B};
}

void gunzip(std::span<const std::byte> file, GrowingBytes& out, const char* source) {
  // The last four bytes of a file of one member are the size of its content, which saves growing by copies. They are not
  // trusted: more than eight times the file is not reserved.
  uint32_t size = 0;
  if (file.size() >= sizeof size) std::memcpy(&size, file.data() + file.size() - sizeof size, sizeof size);
  if (size <= out.limit() && size / 8 <= file.size()) out.reserve(size);
  do file = file.subspan(Stream(Stream::gzip, out, source).run(file));
  while (is_gzip(file));  // another member
  const bool padding = std::all_of(file.begin(), file.end(), [](std::byte b) { return b == std::byte{0}; });
  if (!padding)
    fail(Code::format, "%s: %zu byte%s of something else follow the compressed data", source, file.size(),
         file.size() == 1 ? "" : "s");
}

}  // namespace libnf
