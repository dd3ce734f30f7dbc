// Quotes untrusted text for error messages: printable and bounded, so that it fits the 244-byte message.
#pragma once
#include <string>
#include <string_view>

namespace libnf {

// Returns 'text' in single quotes, truncated to `max` bytes with "...", control and non-UTF-8 bytes as \xNN.
std::string quote_text(std::string_view text, size_t max = 40);

// Returns a path in single quotes. Truncates a long one at the front, because its end identifies the file.
std::string quote_path(std::string_view path, size_t max = 110);

}  // namespace libnf
