// Nets of tests, written as in a spec.
#pragma once
#include <string>

#include "src/model/read_fields.h"
#include "src/net/net.h"

namespace libnf::test {

// net_of(R"({"type": "residual", "hidden": [4]})")
inline NetChoice net_of(const std::string& text) {
  NetChoice net;
  read_part(parse_json(text, "net", Code::spec, 1 << 16, 8), "net", net);
  return net;
}

}  // namespace libnf::test
