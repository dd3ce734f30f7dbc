// Feeds any text to the CSV reader: it returns or throws Error{format}, and accepted text survives a write and a read
// bit for bit. The first byte selects options.
#include <cmath>
#include <cstdint>
#include <cstring>

#include "fuzz/bytes.h"
#include "runtime/core/status.h"
#include "src/io/csv.h"

namespace {

using fuzz::require;

bool same(float a, float b) { return (std::isnan(a) && std::isnan(b)) || std::memcmp(&a, &b, sizeof a) == 0; }
bool same(double a, double b) { return (std::isnan(a) && std::isnan(b)) || std::memcmp(&a, &b, sizeof a) == 0; }

template <class T>
void check(std::string_view text, const libnf::CsvOptions& options) {
  const libnf::CsvMatrix m = libnf::read_csv<T>(libnf::system_allocator(), text, options, "input");
  require(m.data.bytes() <= (text.size() + 2) * 2 * sizeof(T));
  libnf::MemorySink sink;
  libnf::write_csv(sink, m.data.as<T>(), m.rows, m.cols, m.names);
  if (sink.bytes().empty()) return;
  libnf::CsvOptions plain;
  plain.separator = ',';
  plain.missing = libnf::Missing::keep;
  plain.header = m.names.empty() ? libnf::CsvOptions::Header::absent : libnf::CsvOptions::Header::present;
  const std::string_view written(reinterpret_cast<const char*>(sink.bytes().data()), sink.bytes().size());
  const libnf::CsvMatrix n = libnf::read_csv<T>(libnf::system_allocator(), written, plain, "written");
  require(n.rows == m.rows && n.cols == m.cols && n.names == m.names);
  for (int64_t i = 0; i < m.rows * m.cols; ++i) require(same(m.data.as<T>()[i], n.data.as<T>()[i]));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  libnf::CsvOptions o;
  const unsigned choice = data[0];
  o.header = static_cast<libnf::CsvOptions::Header>(choice % 3);
  o.missing = choice & 4 ? libnf::Missing::keep : libnf::Missing::error;
  o.separator = "\0,;\t| "[choice / 8 % 6];
  o.decimal = choice & 128 ? ',' : '.';
  if (choice & 64) o.columns = {{1}, {0}};
  try {
    check<float>(text, o);
    check<double>(text, o);
  } catch (const libnf::Error& e) {
    require(e.code() == libnf::Code::format || (e.code() == libnf::Code::argument && (choice & 64)));
  }
  return 0;
}
