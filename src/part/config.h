// The configuration of a part: a plain struct that lists its fields once (src/part/fields.h).
#pragma once
#include "src/part/fields.h"

namespace libnf {

struct Config {
  virtual ~Config() = default;
  virtual void fields(Fields& f) = 0;
};

struct NoConfig : Config {
  void fields(Fields&) override {}
};

}  // namespace libnf
