// Parses JSON (RFC 8259) into a stream of events, for readers that build values (json.cc) and readers that build
// something else (safetensors_header.cc). Defined for every byte string; keeps one byte per open container.
#pragma once
#include <string>
#include <string_view>

#include "src/io/json.h"

namespace libnf {

// Receives the events in document order. May throw, for example to bound the depth.
class JsonHandler {
 public:
  virtual ~JsonHandler() = default;
  virtual void value(Json&& v) = 0;  // a scalar
  virtual void begin_object() = 0;
  virtual void key(std::string&& name) = 0;
  virtual void end_object() = 0;
  virtual void begin_array() = 0;
  virtual void end_array() = 0;
  [[noreturn]] virtual void syntax_error(size_t offset, const char* why) = 0;
};

// Accepts nothing beyond the standard: no comments, trailing commas, byte order marks or NaN. Strings must be valid
// UTF-8 without NUL, even escaped, because they become C strings. Integers outside 64 bits are rounded to double;
// numbers out of the range of double are errors.
void read_json(std::string_view text, JsonHandler& handler);

}  // namespace libnf
