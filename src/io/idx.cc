// See idx.h.
#include "src/io/idx.h"

#include "runtime/core/checked.h"
#include "runtime/core/status.h"

namespace libnf {
namespace {

struct Type {
  unsigned code;
  NpyHeader::Kind kind;
  int bytes;
};
constexpr Type kTypes[] = {
    {0x08, NpyHeader::Kind::unsigned_int, 1}, {0x09, NpyHeader::Kind::signed_int, 1},
    {0x0B, NpyHeader::Kind::signed_int, 2},   {0x0C, NpyHeader::Kind::signed_int, 4},
    {0x0D, NpyHeader::Kind::real, 4},         {0x0E, NpyHeader::Kind::real, 8},
};

const Type* type_of(std::span<const std::byte> file) {
  for (const Type& t : kTypes)
    if (static_cast<unsigned>(file[2]) == t.code) return &t;
  return nullptr;
}

}  // namespace

bool is_idx(std::span<const std::byte> f) {
  return f.size() >= 4 && f[0] == std::byte{0} && f[1] == std::byte{0} && type_of(f) && f[3] != std::byte{0};
}

NpyHeader parse_idx_header(std::span<const std::byte> file, const char* source) {
  const Type* type = is_idx(file) ? type_of(file) : nullptr;
  if (!type) fail(Code::format, "%s: not an IDX file", source);
  const int rank = static_cast<int>(file[3]);
  if (rank > kMaxRank) fail(Code::format, "%s: an IDX array of rank %d; the limit is %d", source, rank, kMaxRank);
  NpyHeader h;
  h.kind = type->kind;
  h.item_bytes = type->bytes;
  h.big_endian = true;
  h.data_offset = 4 + 4 * static_cast<size_t>(rank);
  if (file.size() < h.data_offset) fail(Code::format, "%s: the file is truncated in its header", source);
  h.shape.rank = rank;
  int64_t elements = 1;  // of the extents that are not 0
  bool empty = false;
  for (int i = 0; i < rank; ++i) {
    uint32_t extent = 0;
    for (size_t k = 0; k < 4; ++k)
      extent = extent << 8 | static_cast<uint32_t>(file[4 + 4 * static_cast<size_t>(i) + k]);
    h.shape[i] = extent;
    empty = empty || extent == 0;
    if (extent && __builtin_mul_overflow(elements, int64_t{extent}, &elements))
      fail(Code::format, "%s: impossible extents in the header", source);
  }
  if (elements > INT64_MAX / type->bytes) fail(Code::format, "%s: impossible extents in the header", source);
  h.data_bytes = empty ? 0 : elements * type->bytes;
  if (rank == 3) h.shape[h.shape.rank++] = 1;
  return h;
}

}  // namespace libnf
