// Feeds any bytes to the .npy reader: it returns or throws Error{format}. An accepted array survives a write and a
// read, and reading row by row gives the same as reading all rows at once.
#include <cstdint>
#include <cstring>
#include <vector>

#include "fuzz/bytes.h"
#include "runtime/core/status.h"
#include "src/io/npy.h"

namespace {

using fuzz::require;

template <class T>
std::vector<T> load(std::span<const std::byte> file, libnf::NpyHeader* h) {
  *h = libnf::parse_npy_header(file, "input");
  const std::span<const std::byte> data = libnf::npy_data(file, *h, "input");
  std::vector<T> out(static_cast<size_t>(h->data_bytes / h->item_bytes));
  libnf::read_npy_rows(*h, data, 0, h->rows(), out.data());
  return out;
}

template <class T>
void check(std::span<const std::byte> file) {
  libnf::NpyHeader h, h2;
  const std::vector<T> all = load<T>(file, &h);
  std::vector<T> rows(all.size());
  const std::span<const std::byte> data = libnf::npy_data(file, h, "input");
  for (int64_t r = 0; r < h.rows() && !all.empty(); ++r)
    libnf::read_npy_rows(h, data, r, 1, rows.data() + r * h.row_elements());
  const size_t bytes = all.size() * sizeof(T);
  require(bytes == 0 || std::memcmp(all.data(), rows.data(), bytes) == 0);
  libnf::MemorySink sink;
  libnf::write_npy(sink, libnf::dtype_of<T>, h.shape, all.data());
  const std::vector<T> again = load<T>(sink.bytes(), &h2);
  require(h2.shape == h.shape && (bytes == 0 || std::memcmp(all.data(), again.data(), bytes) == 0));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto file = std::as_bytes(std::span(data, size));
  try {
    check<float>(file);
    check<double>(file);
  } catch (const libnf::Error& e) {
    require(e.code() == libnf::Code::format);
  }
  return 0;
}
