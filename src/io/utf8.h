// Validates UTF-8 (Unicode 15, table 3-7): no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once
#include <cstddef>
#include <string_view>

namespace libnf {

// Returns the number of bytes of the character at s[i], or 0 if it is not a valid character.
size_t utf8_length(std::string_view s, size_t i);

bool is_utf8(std::string_view s);

}  // namespace libnf
