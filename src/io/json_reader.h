// The grammar of JSON (RFC 8259) as a stream of events, for readers that build values (json.cc) and readers that build
// something else (safetensors_header.cc). Total for every byte string; keeps one byte per open container.
#pragma once
#include <string>
#include <string_view>

#include "src/io/json.h"

namespace nf {

// Receives a text in its order. May throw; that is the way to bound depth.
class JsonHandler {
 public:
  virtual ~JsonHandler() = default;
  virtual void value(Json&& v) = 0;  // neither array nor object
  virtual void begin_object() = 0;
  virtual void key(std::string&& name) = 0;
  virtual void end_object() = 0;
  virtual void begin_array() = 0;
  virtual void end_array() = 0;
  [[noreturn]] virtual void syntax_error(size_t offset, const char* why) = 0;
};

// Nothing beyond the standard: no comments, trailing commas, byte order marks, NaN. Texts are valid UTF-8 without NUL,
// even escaped: they end as C strings. Integers outside of 64 bits are rounded to double; numbers that no double holds
// are errors.
void read_json(std::string_view text, JsonHandler& handler);

}  // namespace nf
