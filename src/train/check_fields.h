// Checks a configuration that was not read from text: bounds, and settings that its other choices make irrelevant.
#pragma once
#include "src/model/read_fields.h"
#include "src/model/write_fields.h"

namespace libnf {

// Writes the fields and reads them back, so the rules are those of reading. Throws Error{spec} that names the field.
template <class C>
void check_fields(const C& config) {
  C copy = config, fresh;
  Json j = Json::Object();
  WriteFields write(j);
  copy.fields(write);
  read_config(j, "trainer", fresh);
}

}  // namespace libnf
