// Feeds any bytes to the reader of tables, which finds out by itself what they are: CSV, .npy, IDX, or a .npz or .gz of
// those. It returns or throws Error{format}; what it says of a file before reading it is what it reads.
#include <algorithm>

#include "fuzz/bytes.h"
#include "runtime/core/status.h"
#include "src/io/table.h"

namespace {

void check(std::span<const std::byte> file, const libnf::TableOptions& options) {
  const libnf::Table t = libnf::parse_table(libnf::system_allocator(), file, "input", options);
  fuzz::require(t.rows >= 0 && t.cols >= 0 && (t.names.empty() || static_cast<int64_t>(t.names.size()) == t.cols));
  fuzz::require(t.ids.empty() || static_cast<int64_t>(t.ids.size()) == t.rows);
  // Every number is there to be read.
  double sum = 0;
  const libnf::View v = t.view();
  for (int64_t r = 0; r < std::min<int64_t>(t.rows, 100); ++r)
    for (int64_t c = 0; c < std::min<int64_t>(t.cols, 100); ++c) {
      const int64_t at = r * v.stride[0] + c * v.stride[1];
      float narrow;
      if (v.dtype == libnf::DType::f32) {
        std::memcpy(&narrow, static_cast<const char*>(v.data) + at * 4, sizeof narrow);
        sum += static_cast<double>(narrow);
      }
    }
  volatile double read = sum;
  (void)read;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  libnf::TableOptions options;
  options.max_bytes = 16 << 20;  // a compressed file can be of any size
  options.csv.missing = data[0] & 1 ? libnf::Missing::keep : libnf::Missing::drop;
  const auto file = std::as_bytes(std::span(data + 1, size - 1));
  for (int what = 0; what < 2; ++what) try {
      if (what == 0)
        check(file, options);
      else
        (void)libnf::describe_table(libnf::system_allocator(), file, "input", options);
    } catch (const libnf::Error& e) {
      fuzz::require((e.code() == libnf::Code::format || e.code() == libnf::Code::io) && e.what()[0] != 0);
    }
  return 0;
}
