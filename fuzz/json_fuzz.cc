// Feeds any bytes to the JSON reader: it returns or throws Error{format} with the place in its message. An accepted
// value survives a write and a read, and its written form is a fixed point.
#include <cstdint>
#include <cstring>

#include "fuzz/bytes.h"
#include "src/io/json.h"
#include "src/io/utf8.h"

namespace {

using fuzz::require;

constexpr int kDepth = 20;

libnf::Json parse(std::string_view text) {
  return libnf::parse_json(text, "input", libnf::Code::format, size_t{1} << 20, kDepth);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::string quoted;
  libnf::append_json_string(text, &quoted);
  const bool plain = libnf::is_utf8(text) && text.find('\0') == std::string_view::npos;
  if (plain) require(parse(quoted) == libnf::Json(std::string(text)));
  require(libnf::is_utf8(quoted));
  try {
    const libnf::Json j = parse(text);
    require(plain && libnf::shown(j).size() <= 60);
    const std::string written = j.dump();
    const libnf::Json again = parse(written);
    require(again == j && again.dump() == written);
  } catch (const libnf::Error& e) {
    require(e.code() == libnf::Code::format && std::strncmp(e.what(), "input", 5) == 0);
  }
  return 0;
}
