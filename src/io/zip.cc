// See zip.h; PKWARE's APPNOTE.TXT specifies the format.
#include "src/io/zip.h"

#include <algorithm>
#include <cstring>

#include "runtime/core/status.h"
#include "src/io/inflate.h"
#include "src/io/quote.h"

namespace libnf {
namespace {

constexpr uint32_t kEnd = 0x06054B50, kEnd64 = 0x06064B50, kLocator64 = 0x07064B50, kEntry = 0x02014B50,
                   kLocal = 0x04034B50;
constexpr size_t kEndBytes = 22, kEntryBytes = 46, kLocalBytes = 30;
constexpr uint32_t kMax32 = 0xFFFFFFFF;

// Reads little-endian numbers, with checked bounds.
struct Reader {
  std::span<const std::byte> file;
  const char* source;
  [[noreturn]] void bad(const char* why) const {
    fail(Code::format, "%s: the zip archive is damaged: %s", source, why);
  }
  uint64_t number(uint64_t at, int bytes) const {
    if (at > file.size() || file.size() - at < static_cast<uint64_t>(bytes)) bad("it is truncated");
    uint64_t v = 0;
    for (int i = bytes - 1; i >= 0; --i) v = v << 8 | static_cast<uint64_t>(file[at + static_cast<uint64_t>(i)]);
    return v;
  }
  uint64_t u16(uint64_t at) const { return number(at, 2); }
  uint64_t u32(uint64_t at) const { return number(at, 4); }
  uint64_t u64(uint64_t at) const { return number(at, 8); }
};

// Replaces sizes that did not fit into 32 bits by those of the extra field.
void read_extra(const Reader& r, uint64_t at, uint64_t length, ZipMember* m) {
  const uint64_t end = at + length;
  while (at + 4 <= end) {
    const uint64_t kind = r.u16(at), bytes = r.u16(at + 2);
    at += 4;
    if (kind == 1) {
      uint64_t p = at;
      for (uint64_t* v : {&m->size, &m->packed, &m->offset})
        if (*v == kMax32 && p + 8 <= at + bytes) *v = r.u64(p), p += 8;
    }
    at += bytes;
  }
}

}  // namespace

bool is_zip(std::span<const std::byte> f) { return f.size() >= 4 && std::memcmp(f.data(), "PK\x03\x04", 4) == 0; }

std::vector<ZipMember> list_zip(std::span<const std::byte> file, const char* source) {
  const Reader r{file, source};
  if (file.size() < kEndBytes) r.bad("it is truncated");
  // The end record is last, behind it only a comment of at most 65,535 bytes.
  uint64_t end = file.size() - kEndBytes;
  const uint64_t lowest = end - std::min<uint64_t>(end, 0xFFFF);
  while (r.u32(end) != kEnd) {
    if (end == lowest) r.bad("its directory is missing (is the file truncated?)");
    --end;
  }
  uint64_t count = r.u16(end + 10), at = r.u32(end + 16);
  if ((count == 0xFFFF || at == kMax32) && end >= 20 && r.u32(end - 20) == kLocator64) {
    const uint64_t record = r.u64(end - 12);
    if (r.number(record, 4) != kEnd64) r.bad("its 64-bit directory is missing");
    count = r.u64(record + 32);
    at = r.u64(record + 48);
  }
  std::vector<ZipMember> members;
  for (uint64_t i = 0; i < count; ++i) {
    if (r.u32(at) != kEntry) r.bad("an entry of its directory");
    ZipMember m;
    if (r.u16(at + 8) & 1) fail(Code::format, "%s: the zip archive is encrypted", source);
    m.method = static_cast<int>(r.u16(at + 10));
    m.crc = static_cast<uint32_t>(r.u32(at + 16));
    m.packed = r.u32(at + 20);
    m.size = r.u32(at + 24);
    m.offset = r.u32(at + 42);
    const uint64_t name = r.u16(at + 28), extra = r.u16(at + 30), comment = r.u16(at + 32);
    at += kEntryBytes;
    if (name > file.size() - at) r.bad("it is truncated");
    m.name.assign(reinterpret_cast<const char*>(file.data()) + at, name);
    read_extra(r, at + name, extra, &m);
    at += name + extra + comment;
    members.push_back(std::move(m));
  }
  return members;
}

void read_zip(std::span<const std::byte> file, const ZipMember& m, GrowingBytes& out, const char* source) {
  const Reader r{file, source};
  if (r.u32(m.offset) != kLocal) r.bad("a member is not where the directory says");
  const uint64_t at = m.offset + kLocalBytes + r.u16(m.offset + 26) + r.u16(m.offset + 28);
  if (at > file.size() || m.packed > file.size() - at) r.bad("it is truncated");
  const auto packed = file.subspan(at, m.packed);
  if (m.method != 0 && m.method != 8)
    fail(Code::format, "%s: member %s is compressed by method %d; save it with numpy.savez or savez_compressed", source,
         quote_text(m.name).c_str(), m.method);
  const size_t before = out.size();
  if (m.method == 0)
    out.append(packed.data(), packed.size());
  else
    inflate(packed, out, source);
  const auto content = out.bytes().subspan(before);
  if (content.size() != m.size || crc32(content) != m.crc) r.bad("wrong checksum");
}

}  // namespace libnf
